r"""Separators and escapes inside a search value: ``\,`` ``\|`` ``\$`` ``\\`` stand for the characters
themselves.

Source: HL7 FHIR R4 (4.0.1), search.html#escaping.
"""

from __future__ import annotations

_ESCAPABLE = ",|$\\"


def split(text: str, separator: str) -> list[str]:
    r"""Parts at unescaped separators; escapes stay, to be taken off by `plain` last.

    >>> split(r"a\,b,c", ",")
    ['a\\,b', 'c']
    """
    if "\\" not in text:
        return text.split(separator)
    parts, start, at = [], 0, 0
    while at < len(text):
        if text[at] == "\\":
            at += 2
            continue
        if text[at] == separator:
            parts.append(text[start:at])
            start = at + 1
        at += 1
    parts.append(text[start:])
    return parts


def plain(text: str) -> str:
    r"""The text with its escapes taken off.

    >>> plain(r"a\,b\\")
    'a,b\\'

    Raises
    ------
    ValueError
        A backslash stands before anything but a comma, bar, dollar or backslash.
    """
    if "\\" not in text:
        return text
    characters = iter(text)
    out = []
    for character in characters:
        if character == "\\":
            character = next(characters, "")
            if not character or character not in _ESCAPABLE:
                raise ValueError("a lone backslash")
        out.append(character)
    return "".join(out)


def escaped(text: str) -> str:
    r"""The text as one search value: the opposite of `plain`.

    >>> escaped("a,b")
    'a\\,b'
    """
    for character in ("\\", ",", "|", "$"):
        text = text.replace(character, "\\" + character)
    return text

"""Text as people type it when they search: folded case, accents and width; Chinese names by character and by pinyin.

`fold` makes ``Müller`` and ``MULLER``, ``ＡＢＣ`` and ``abc`` one. `name_forms` gives the further keys under which a Chinese
name is found: of 张伟 the ending 伟, and zhangwei, zhang wei, zw, wei. Surnames have readings of their own (单 is shan, not
dan) and some have two characters (欧阳); of other characters with several readings each is a key, within a bound.
`tokens` cuts running text for full-text search: Han characters one by one, to be searched as phrases.

pypinyin is loaded at the first Han character.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise, product
from typing import Final

from xinglin.standards.surnames import COMPOUND, SINGLE

HAN_VERSION: Final = 1
"""Part of the index's signature: raise when `fold` or `name_forms` change."""

LONGEST_KEPT: Final = 60
"""Characters of a text whose folded form is remembered, and of each part of a name that is read."""
LONGEST_NAME: Final = 12
"""Han characters of one name that are read; what follows has no keys."""
MOST_READINGS: Final = 6
"""Ways to read one name that are followed."""

_HAN: Final = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_ONE: Final = re.compile(f"[{_HAN}]")
_RUN: Final = re.compile(f"[{_HAN}]+(?:[·•・‧∙⋅．.][{_HAN}]+)*")
_TOKEN: Final = re.compile(f"[{_HAN}]|[^\\W{_HAN}_]+")
_SYLLABLE_U: Final = {
    "lv": ("lv", "lu", "lyu"),
    "nv": ("nv", "nu", "nyu"),
    "lve": ("lve", "lue"),
    "nve": ("nve", "nue"),
}


def fold(text: str) -> str:
    """The text without case, accents, width and needless blanks; the same again for text already folded.

    >>> fold(" Ｍüller  LÜDENSCHEID"), fold("ÇELİK")
    ('muller ludenscheid', 'celik')
    """
    if text.isascii():
        return " ".join(text.lower().split())
    return _remembered(text) if len(text) <= LONGEST_KEPT else _fold(text)


@lru_cache(maxsize=20_000)
def _remembered(text: str) -> str:
    return _fold(text)


def _fold(text: str) -> str:
    spread = unicodedata.normalize("NFKD", text).casefold()
    spread = unicodedata.normalize("NFKD", spread)
    bare = "".join(one for one in spread if not unicodedata.combining(one))
    return " ".join(unicodedata.normalize("NFC", bare).split())


def has_han(text: str) -> bool:
    """Whether a Chinese character occurs."""
    return not text.isascii() and _ONE.search(text) is not None


def tokens(text: str) -> list[list[str]]:
    """Running text as phrases for full text: every run of Han characters one phrase of single ones, every other word one.

    >>> tokens("2型糖尿病，HbA1c 高")
    [['2'], ['型', '糖', '尿', '病'], ['hba1c'], ['高']]
    """
    phrases: list[list[str]] = []
    end = -1
    for match in _TOKEN.finditer(fold(text)):
        one = match[0]
        if phrases and match.start() == end and _ONE.match(one) and _ONE.match(phrases[-1][0]):
            phrases[-1].append(one)
        else:
            phrases.append([one])
        end = match.end()
    return phrases


def segment(text: str) -> str:
    """Running text with a blank between all tokens, for an index that splits at blanks.

    >>> segment("2型糖尿病 HbA1c")
    '2 型 糖 尿 病 hba1c'
    """
    return " ".join(_TOKEN.findall(fold(text)))


def name_forms(family: str | None, given: Sequence[str], text: str | None) -> tuple[str, ...]:
    """Keys beside its own parts under which a whole name is found, folded, in no more than about 60 pieces.

    Empty for a name without Han characters.

    >>> name_forms("张", ("伟",), None)
    ('张伟', 'zhangwei', 'zhang wei', 'zw', 'wei')
    >>> name_forms(None, (), "欧阳修")[:5]
    ('阳修', '修', 'ouyangxiu', 'ouyang xiu', 'ou yang xiu')
    """
    return _name_forms(
        family and family[:LONGEST_KEPT],
        tuple(part[:LONGEST_KEPT] for part in given[:LONGEST_NAME]),
        text and text[:LONGEST_KEPT],
    )


@lru_cache(maxsize=20_000)
def _name_forms(family: str | None, given: tuple[str, ...], text: str | None) -> tuple[str, ...]:
    written = "".join((family or "", *given))
    found: dict[str, None] = {}
    if has_han(written):
        found.update(dict.fromkeys(_forms(_han(family or ""), _han("".join(given)))))
        if family and given:
            found = {fold(written): None, **found}
    if text is not None and has_han(text):
        run = _run(text)
        if run != _han(written):
            found.update(dict.fromkeys(_forms(*_parted(run))))
    for part in (family, text, *given):
        if part:
            found.pop(fold(part), None)
    return tuple(_needed(found))


def family_forms(family: str) -> tuple[str, ...]:
    """Keys beside itself of a family name alone: pinyin, of a double surname initials too.

    >>> family_forms("单")
    ('shan', 'dan')
    """
    return name_forms(family, (), None) if has_han(family) else ()


def given_forms(given: str) -> tuple[str, ...]:
    """Keys beside itself of a given name alone: endings, pinyin and initials.

    >>> given_forms("晓芳")
    ('芳', 'xiaofang', 'xiao fang', 'xf', 'fang')
    """
    return name_forms(None, (given,), None) if has_han(given) else ()


def _needed(keys: Iterable[str]) -> list[str]:
    """Those that no other key begins with: searches look for beginnings."""
    ordered = sorted(keys)
    spare = {one for one, after in pairwise(ordered) if after.startswith(one)}
    return [key for key in keys if key not in spare]


def _han(text: str) -> str:
    return "".join(_ONE.findall(unicodedata.normalize("NFC", text)))[:LONGEST_NAME]


def _run(text: str) -> str:
    match = _RUN.search(unicodedata.normalize("NFC", text))
    return _han(match[0]) if match else ""


def _parted(run: str) -> tuple[str, str]:
    """A name written in one piece as surname and given name."""
    if run[:2] in COMPOUND and len(run) > 2:
        return run[:2], run[2:]
    return run[:1], run[1:]


def _forms(family: str, given: str) -> list[str]:
    """Endings and readings of a name of Han characters only, the likeliest reading first."""
    whole = family + given
    forms = [fold(whole[start:]) for start in range(1, len(whole))]
    for syllables in _readings(family, given):
        forms.append("".join(syllables))
        if family and given:
            cut = len(family)
            forms.append("".join(syllables[:cut]) + " " + "".join(syllables[cut:]))
        if len(syllables) > 1:
            forms.append(" ".join(syllables))
        forms.append("".join(one[0] for one in syllables))
        for start in range(1, len(syllables)):
            rest = syllables[start:]
            forms.append("".join(rest))
            if start == len(family) and len(rest) > 1:
                forms.append(" ".join(rest))
            forms.append("".join(one[0] for one in rest))
    return forms


def _readings(family: str, given: str) -> list[tuple[str, ...]]:
    choices = [*_surname_choices(family), *_choices(given)]
    # Vary one syllable at a time before several, so that the bound cuts off the unlikely ones.
    ranked = (
        sorted(product(*(range(len(choice)) for choice in choices)), key=sum)
        if _few(choices)
        else [
            tuple(0 for _ in choices),
            *(
                tuple(other if place == at else 0 for place in range(len(choices)))
                for at, choice in enumerate(choices)
                for other in range(1, len(choice))
            ),
        ]
    )
    return [
        tuple(choice[index] for choice, index in zip(choices, indexes, strict=True))
        for indexes in ranked[:MOST_READINGS]
    ]


def _few(choices: Sequence[Sequence[str]]) -> bool:
    count = 1
    for choice in choices:
        count *= len(choice)
    return count <= 256


def _surname_choices(family: str) -> list[tuple[str, ...]]:
    if family in COMPOUND:
        return [_with_u(syllable) for syllable in COMPOUND[family]]
    common = _choices(family)
    if len(family) == 1 and family in SINGLE:
        own = _with_u(SINGLE[family])
        return [tuple(dict.fromkeys((*own, *common[0][:1])))]
    return common


def _with_u(syllable: str) -> tuple[str, ...]:
    return _SYLLABLE_U.get(syllable, (syllable,))


def _choices(text: str) -> list[tuple[str, ...]]:
    """The readings of each character, that of the phrase first; at most three of a character, ü in all its spellings."""
    if not text:
        return []
    from pypinyin import Style, lazy_pinyin, pinyin

    likely = lazy_pinyin(text, errors=lambda unknown: list(unknown))  # type: ignore[arg-type,return-value]
    found = []
    for character, first in zip(text, likely, strict=False):
        others = pinyin(character, style=Style.NORMAL, heteronym=True, errors="ignore")
        readings = dict.fromkeys([first, *(others[0] if others else [])][:3])
        plain = [one for reading in readings if reading.isascii() and reading for one in _with_u(reading)]
        found.append(tuple(dict.fromkeys(plain)) or (character,))
    return found

"""The words of a resource: those of its narrative, and those of all its strings that a person might search for."""

from __future__ import annotations

import html
import re
from typing import Any, Final

import msgspec

from xinglin.records.fulltext.notes import note
from xinglin.standards.han import segment

WORDS_VERSION: Final = 2
"""Raise when `words` gives other words than before for the same resource: then every record is followed anew."""
MOST_CHARACTERS: Final = 200_000
"""Of one resource; what follows is not searchable by word."""
MOST_POSITIONS: Final = 16_000
"""PostgreSQL counts words of a text up to 16,383, and takes 256 places of one."""
_MOST_PLACES: Final = 255
_LONGEST_WORD: Final = 100

_TAG: Final = re.compile(r"<[^<>]*>")
_NOT_WORDS: Final = frozenset(
    (
        "resourceType", "id", "versionId", "lastUpdated", "system", "url", "reference", "data", "div", "contentType",
        "hash", "fullUrl", "profile", "language", "valueUrl", "valueUri", "valueCanonical", "valueBase64Binary",
        "implicitRules", "source",
    )
)  # fmt: skip
"""Members that hold addresses, identities and data, not words (but see `notes`); the index of tokens and URIs finds those."""


def words(body: bytes) -> tuple[str, str]:
    """(narrative, everything else) of a body, cut into tokens with blanks between; Han characters singly.

    >>> words('{"resourceType":"Condition","id":"1","code":{"text":"2型糖尿病"}}'.encode())
    ('', '2 型 糖 尿 病')
    """
    resource = msgspec.json.decode(body)
    narrative: list[str] = []
    rest: list[str] = []
    _gather(resource, narrative, rest)
    return (
        segment(" ".join(narrative)[:MOST_CHARACTERS]),
        segment("\n".join(rest)[:MOST_CHARACTERS]),
    )


def _gather(node: dict[str, Any], narrative: list[str], rest: list[str]) -> None:
    if "data" in node and (text := note(node)) is not None:
        rest.append(text)
    for name, value in node.items():
        if type(value) is str:
            if name not in _NOT_WORDS:
                rest.append(value)
            elif name == "div":
                narrative.append(html.unescape(_TAG.sub(" ", value)))
        elif type(value) is dict:
            _gather(value, narrative, rest)
        elif type(value) is list:
            for item in value:
                if type(item) is dict:
                    _gather(item, narrative, rest)
                elif type(item) is str and name not in _NOT_WORDS:
                    rest.append(item)


def vector(*texts: str) -> str:
    """A tsvector literal of segmented texts, one after the other: made here, so PostgreSQL's parser, which cuts by other
    rules in other locales, has no say.

    >>> vector("b a", "b")
    "'a':2 'b':1,3"
    """
    places: dict[str, list[int]] = {}
    position = 0
    for text in texts:
        for word in text.split():
            position += 1
            if position > MOST_POSITIONS:
                break
            found = places.setdefault(word[:_LONGEST_WORD], [])
            if len(found) < _MOST_PLACES:
                found.append(position)
    return " ".join(f"'{word}':{','.join(map(str, places[word]))}" for word in sorted(places))

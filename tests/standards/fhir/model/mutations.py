"""Real resources with one or more places changed at random, down to what JSON libraries cannot write: duplicates."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

from xinglin.standards.fhir.source import Members, Number, read

VALUES: list[Any] = [
    None, "", " ", "x", "a b", " a", "2023-02-29", "2024-02-29", "2020-01-01T00:00:00Z",
    "12:00:00", "true", "1.5", "#d", "a/b",
    "http://a b", "urn:uuid:c757873d-ec9a-4326-a141-556f43239520", "male", "final", "active", "Patient/1", "Medication/1",
    "QUJD",
    "\u0000", "\u001f", "\u00a0", "\u3000", "\\", '"', '""', "{}", "[]", "null", "_x", "/", "\u2028", "张伟", "😀", "_",
    True, False, Number("0"), Number("-0"), Number("1"), Number("-1"), Number("1.0"),
    Number("1e3"), Number("1.10"), Number("1E400"), Number("1e-400"), Number("0e301"), Number("1e99999999999999999999"),
    Number("2147483648"), Number("9" * 40), Members(), [], Members([("id", "x")]),
    Members([("text", "x")]), [None], [[]], [""],
    Members([("extension", [Members([("url", "u"), ("valueCode", "c")])])]), Members([("resourceType", "Patient")]),
    [Members([("resourceType", "Patient")])], Members([("reference", "Patient/1")]), Members([("value", Number("1"))]),
]  # fmt: skip
NAMES = [
    "id", "_id", "extension", "url", "_url", "value", "valueString", "_valueString", "valueQuantity", "valueDecimal", "code",
    "system", "_status", "status", "contained", "resourceType", "_birthDate", "foo", "text", "div",
    "given", "_given", "reference", "data",
    "", "modifierExtension", "name", "_name", "__id", "valueBoolean", "effectivePeriod", "meta",
]  # fmt: skip


def mutate(body: bytes, seed: int) -> bytes:
    """The body with one to three places changed."""
    chance = random.Random(seed)
    value, finding = read(body, 100)
    assert finding is None
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        places: list[tuple[Any, int]] = []
        _collect(value, places)
        holder, index = chance.choice(places)
        _change(holder, index, chance)
    return write(value, chance).encode()


def _collect(value: Any, places: list[tuple[Any, int]]) -> None:
    for i, item in enumerate(value):
        places.append((value, i))
        inner = item[1] if isinstance(value, Members) else item
        if isinstance(inner, list):
            _collect(inner, places)


def _change(holder: Any, index: int, chance: random.Random) -> None:
    kind = chance.choice(("value", "value", "name", "drop", "twice", "add", "wrap", "unwrap", "quote"))
    named = isinstance(holder, Members)
    name, old = holder[index] if named else ("", holder[index])
    if kind == "drop":
        del holder[index]
        return
    new: Any = old
    if kind == "value":
        new = copy.deepcopy(chance.choice(VALUES))
    elif kind == "name":
        name = chance.choice((*NAMES, "_" + name, name[1:], name.upper()))
    elif kind == "wrap":
        new = [old]
    elif kind == "unwrap" and isinstance(old, list) and old and not isinstance(old, Members):
        new = old[0]
    elif kind == "quote":
        new = str(old) if isinstance(old, Number | bool) else Number("7")
    elif kind == "twice":
        holder.insert(index, copy.deepcopy(holder[index]))
        return
    elif kind == "add" and named:
        holder.insert(index, (chance.choice(NAMES), copy.deepcopy(chance.choice(VALUES))))
        return
    holder[index] = (name, new) if named else new


def write(value: Any, chance: random.Random) -> str:
    """JSON text, with strings sometimes escaped in full and white space sometimes added."""
    space = chance.choice(("", "", " ", "\n"))
    if isinstance(value, Members):
        return (
            "{"
            + ",".join(f"{space}{_text(k, chance)}{space}:{write(v, chance)}" for k, v in value)
            + space
            + "}"
        )
    if isinstance(value, list):
        return "[" + ",".join(space + write(v, chance) for v in value) + space + "]"
    if isinstance(value, Number):
        return str(value)
    return _text(value, chance) if isinstance(value, str) else json.dumps(value)


def _text(value: str, chance: random.Random) -> str:
    if chance.random() < 0.02:
        return (
            '"'
            + "".join(f"\\u{ord(c):04x}" if ord(c) < 0x10000 else json.dumps(c)[1:-1] for c in value)
            + '"'
        )
    return json.dumps(value, ensure_ascii=chance.random() < 0.2)

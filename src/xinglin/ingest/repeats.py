"""Ids that stand more than once in one source: the last sound one counts.

Were each of them written in turn, importing the source again would write them all again. So a source is read twice: first
for its ids alone. Memory is bounded: a bitmap of 128 KiB to 64 MiB tells ids that certainly stand once from those that may
stand twice, and only the latter are held, up to `MOST`.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable

import msgspec

from xinglin.ingest.documents import Entry

MOST = 1_000_000
"""Ids that may stand twice of which the last place is held; of those beyond, each is written in turn."""


class _Head(msgspec.Struct):
    resourceType: str | None = None  # noqa: N815
    id: str | None = None


_head = msgspec.json.Decoder(_Head).decode


def name_of(body: bytes) -> tuple[str, str] | None:
    """Type and id of a resource; None where it has none, or is no resource."""
    try:
        head = _head(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return (head.resourceType, head.id) if head.resourceType and head.id else None


class Repeats:
    """Where each id of a source of ``size`` bytes stands last. ``sound`` says whether a body can be taken at all."""

    def __init__(self, size: int, sound: Callable[[bytes], bool]) -> None:
        bits = min(max((size // 8).bit_length(), 20), 29)
        self._mask = (1 << bits) - 1
        self._seen = bytearray(1 << (bits - 3))
        self._last: dict[int, int] = {}
        self._sound = sound

    def see(self, number: int, kind: str, id_: str, body: bytes) -> None:
        """Note that ``kind``/``id_`` stands at ``number``; numbers rise."""
        name = _hash(kind, id_)
        at, bit = (name & self._mask) >> 3, 1 << (name & 7)
        if not self._seen[at] & bit:
            self._seen[at] |= bit
        elif (name in self._last or len(self._last) < MOST) and self._sound(body):
            self._last[name] = number

    def superseded(self, number: int, kind: str, id_: str) -> bool:
        """Whether the same id stands again after ``number``."""
        return number < self._last.get(_hash(kind, id_), 0)


def superseded(entries: list[Entry], sound: Callable[[bytes], bool]) -> set[int]:
    """The places in ``entries`` of those whose id stands again, soundly, after them."""
    names = [None if e.problem or e.match or e.delete else (e.type, e.id) for e in entries]
    times = Counter(names)
    last = {
        name: at
        for at, (name, entry) in enumerate(zip(names, entries, strict=True))
        if name is not None and times[name] > 1 and sound(entry.resource)
    }
    return {at for at, name in enumerate(names) if name is not None and at < last.get(name, -1)}


def _hash(kind: str, id_: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{kind}/{id_}".encode(), digest_size=8).digest(), "big")

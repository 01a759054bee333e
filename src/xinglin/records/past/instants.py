"""The two instants of a question about the past, and how people write them.

Known time is when the record learned of something (meta.lastUpdated), valid time when it began (a clinical date). An
instant as a person writes it stands for the end of what it names: ``2021-03-01`` is the end of that day in the tenant's
time zone, ``2021`` the end of the year, ``2021-03-01T10:00:00Z`` the end of that second.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from xinglin.kernel.clock import now_us
from xinglin.records.past.errors import BadInstant
from xinglin.records.stored import instant
from xinglin.standards.fhir.temporal import read as read_date
from xinglin.standards.fhir.temporal import site_zone

KNOWN: Final = "_known"
VALID: Final = "_valid"
NAMES: Final = (KNOWN, VALID)
"""The parameters; R4 has none of these names (a test holds that)."""

Pairs = tuple[tuple[str, str], ...]


class AsOf(Struct, frozen=True):
    """Which past is asked about, in µs since 1970-01-01T00:00:00Z, each instant included.

    ``known_us``: what the record held at that instant; None: what it holds now, whatever that is.
    ``valid_us``: of that, only what had begun by then; None: all of it.
    """

    known_us: int | None = None
    valid_us: int | None = None

    def pairs(self) -> Pairs:
        """As parameters of an address that means the same at any later time."""
        found = ((KNOWN, self.known_us), (VALID, self.valid_us))
        return tuple((name, instant_text(at_us)) for name, at_us in found if at_us is not None)


def instant_text(at_us: int) -> str:
    """A FHIR instant in UTC, to the microsecond.

    >>> instant_text(1_614_643_199_999_999)
    '2021-03-01T23:59:59.999999Z'
    """
    return instant(at_us).isoformat(timespec="microseconds").replace("+00:00", "Z")


def shown(at_us: int, zone: str) -> str:
    """As people read it: to the second, in the site's time, with its offset.

    >>> shown(1_614_643_199_999_999, "Asia/Shanghai")
    '2021-03-02 07:59:59+08:00'
    """
    return instant(at_us).astimezone(site_zone(zone)).isoformat(sep=" ", timespec="seconds")


def end_of(name: str, text: str, zone: str) -> int:
    """The last µs of what ``text`` names. Raises BadInstant, naming the parameter.

    >>> instant_text(end_of("_known", "2021-03-01", "Asia/Shanghai"))
    '2021-03-01T15:59:59.999999Z'
    """
    try:
        _, high_us = read_date(text.replace(" ", "+"), site_zone(zone))
    except (ValueError, OverflowError) as error:
        raise BadInstant("records.past-instant", expression=f"http.{name}", name=name) from error
    return high_us - 1


def as_of(known: str | None, valid: str | None, zone: str) -> AsOf | None:
    """The question that two texts ask, None where neither is given.

    A known time is never after now: of a day that is not over, what is known so far. Only a valid time: as known now,
    and a later page is answered as of that same now.

    Raises BadInstant: no date, or a known time that begins in the future.
    """
    if known is None and valid is None:
        return None
    present_us = now_us()
    known_us = present_us
    if known is not None:
        known_us = min(end_of(KNOWN, known, zone), present_us)
        if read_date(known.replace(" ", "+"), site_zone(zone))[0] > present_us:
            raise BadInstant("records.past-future", expression=f"http.{KNOWN}", name=KNOWN)
    return AsOf(known_us, None if valid is None else end_of(VALID, valid, zone))


def taken(pairs: Iterable[tuple[str, str]], zone: str) -> tuple[AsOf | None, Pairs]:
    """The question about the past in ``pairs``, and the pairs without it. Raises BadInstant."""
    given: dict[str, str] = {}
    kept = []
    for name, value in pairs:
        if name not in NAMES:
            kept.append((name, value))
        elif name in given:
            raise BadInstant("records.rest-repeated", expression=f"http.{name}", name=name)
        else:
            given[name] = value
    return as_of(given.get(KNOWN), given.get(VALID), zone), tuple(kept)

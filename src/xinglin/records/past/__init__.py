"""The time machine: the record as it was known, and as it was true, at an instant.

`Past(records)` reads, searches within a patient and gives a patient's whole chart as of an `AsOf`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xinglin.records.past.instants import AsOf

if TYPE_CHECKING:
    from xinglin.records.past.service import Past
    from xinglin.records.service import Records

__all__ = ["AsOf", "past_of"]


def past_of(records: Records) -> Past:
    """The time machine of an open record; one for each, since it keeps what it has just looked at."""
    from xinglin.records.past.service import past_of as found

    return found(records)

"""Errors of the change feed.

XinglinError
 └─ RecordError
     ├─ NoSuchConsumer   404  no follower of that name
     ├─ BadPosition      400  not a position of the feed
     └─ OtherHistory     409  a position of before a restore, or of another record
"""

from __future__ import annotations

from typing import ClassVar

from xinglin.records.errors import RecordError


class NoSuchConsumer(RecordError):
    """Nothing follows the feed under that name."""

    status: ClassVar[int] = 404
    issue: ClassVar[str] = "not-found"


class BadPosition(RecordError):
    """What was given is not a position of the feed."""

    status: ClassVar[int] = 400
    issue: ClassVar[str] = "invalid"


class OtherHistory(RecordError):
    """The position is of a history that this record does not have: of before a restore, or of another record."""

    status: ClassVar[int] = 409
    issue: ClassVar[str] = "conflict"


class Fenced(Exception):
    """Another process leads the consumer now; what this one has done last is done again there. Never shown."""

"""Errors of the change feed.

XinglinError
 └─ RecordError
     ├─ NoSuchConsumer   404  no follower of that name
     └─ BadPosition      400  not a position of the feed
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


class Fenced(Exception):
    """Another process leads the consumer now; what this one has done last is done again there. Never shown."""

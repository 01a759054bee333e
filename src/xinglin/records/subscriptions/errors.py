"""Errors of subscriptions.

XinglinError
 └─ RecordError
     ├─ BadSubscription   422  criteria, channel, endpoint or header that cannot be kept up
     └─ Undelivered       502  a notification that its subscriber did not take; why is in the Subscription's ``error``
"""

from __future__ import annotations

from typing import ClassVar

from xinglin.records.errors import RecordError


class BadSubscription(RecordError):
    """The Subscription asks for what cannot be kept up; nothing was written."""

    status: ClassVar[int] = 422
    issue: ClassVar[str] = "not-supported"


class Undelivered(RecordError):
    """The subscriber did not take a notification; it is sent again later."""

    status: ClassVar[int] = 502
    issue: ClassVar[str] = "transient"

"""Errors of the time machine.

XinglinError
 └─ PastError             400  invalid
     ├─ BadInstant        400  value           no date or time, or a time that is still to come
     ├─ NoSuchPast        400  not-supported   more than a patient's record cannot be asked about the past
     ├─ NotYet            404  not-found       it was not there, or had not happened, at that instant
     ├─ GoneThen          410  deleted         it was deleted at that instant
     └─ AnOldVersion      422  business-rule   what was read as of an instant is not to be written as the present
"""

from __future__ import annotations

from typing import ClassVar

from xinglin.kernel.errors import XinglinError


class PastError(XinglinError):
    """A question about the past that cannot be answered."""

    status: ClassVar[int] = 400
    issue: ClassVar[str] = "invalid"


class BadInstant(PastError):
    """The instant is none, or what the record knows then is not known yet."""

    issue: ClassVar[str] = "value"


class NoSuchPast(PastError):
    """Only reads, searches within one patient and one patient's whole record go back."""

    issue: ClassVar[str] = "not-supported"


class NotYet(PastError):
    """The record did not hold the resource then, or what it tells of had not begun."""

    status: ClassVar[int] = 404
    issue: ClassVar[str] = "not-found"


class GoneThen(PastError):
    """The resource was deleted at that instant."""

    status: ClassVar[int] = 410
    issue: ClassVar[str] = "deleted"


class AnOldVersion(PastError):
    """The body carries the mark of an as-of answer."""

    status: ClassVar[int] = 422
    issue: ClassVar[str] = "business-rule"

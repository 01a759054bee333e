"""Errors of the record. Those of the REST edge are in rest/errors.py, those of search in search/errors.py.

XinglinError
 └─ RecordError               500
     ├─ NotFound              404  not-found
     ├─ Gone                  410  deleted
     ├─ NoSuchVersion         404  not-found
     ├─ VersionConflict       412  conflict          If-Match, or If-None-Match: *, does not hold
     ├─ SeveralMatches        412  multiple-matches  a condition that must name one resource names several
     ├─ Mismatch              400  invalid           type or id of the body is not that of the request
     ├─ TooLarge              413  too-long
     └─ BadCursor             400  invalid           a page link that is not ours, or not for this question
"""

from __future__ import annotations

from typing import ClassVar

from xinglin.kernel.errors import XinglinError


class RecordError(XinglinError):
    """The record cannot do what is asked."""


class NotFound(RecordError):
    """There is no such resource, or the actor may not know of it: the two are not told apart."""

    status: ClassVar[int] = 404
    issue: ClassVar[str] = "not-found"


class Gone(RecordError):
    """The resource was deleted; its history can still be read."""

    status: ClassVar[int] = 410
    issue: ClassVar[str] = "deleted"


class NoSuchVersion(RecordError):
    """The resource exists, but not in this version."""

    status: ClassVar[int] = 404
    issue: ClassVar[str] = "not-found"


class VersionConflict(RecordError):
    """The resource is not in the version that the caller takes it to be; nothing was changed."""

    status: ClassVar[int] = 412
    issue: ClassVar[str] = "conflict"


class SeveralMatches(RecordError):
    """A condition that must name one resource names several; nothing was changed."""

    status: ClassVar[int] = 412
    issue: ClassVar[str] = "multiple-matches"


class Mismatch(RecordError):
    """The body is of another type, or has another id, than the request says."""

    status: ClassVar[int] = 400
    issue: ClassVar[str] = "invalid"


class TooLarge(RecordError):
    """The body is over the limit."""

    status: ClassVar[int] = 413
    issue: ClassVar[str] = "too-long"


class BadCursor(RecordError):
    """A page link that this record did not give, or gave for another question or actor."""

    status: ClassVar[int] = 400
    issue: ClassVar[str] = "invalid"

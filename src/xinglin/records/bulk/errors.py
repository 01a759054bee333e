"""Errors of bulk export.

XinglinError
 └─ BulkError           500
     ├─ BadExport       400  value        a parameter of the kick-off is none that is taken
     ├─ NotAsync        400  invalid      Prefer: respond-async is missing
     ├─ NoSuchExport    404  not-found    no such export of this actor, or it has expired or was removed
     └─ NoSuchGroup     404  not-found
"""

from __future__ import annotations

from typing import ClassVar

from xinglin.kernel.errors import XinglinError


class BulkError(XinglinError):
    """An export cannot be made."""


class BadExport(BulkError):
    """A parameter of the kick-off is none that is taken."""

    status: ClassVar[int] = 400
    issue: ClassVar[str] = "value"


class NotAsync(BulkError):
    """The request is not asynchronous, and an export never is anything else."""

    status: ClassVar[int] = 400
    issue: ClassVar[str] = "invalid"


class NoSuchExport(BulkError):
    """There is no such export of this actor: it never was, has expired, or was removed."""

    status: ClassVar[int] = 404
    issue: ClassVar[str] = "not-found"


class NoSuchGroup(BulkError):
    """The Group to be exported is not there, or is none of persons."""

    status: ClassVar[int] = 404
    issue: ClassVar[str] = "not-found"

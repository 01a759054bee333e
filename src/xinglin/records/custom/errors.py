"""Errors of own search parameters and reindexing.

RecordError
 ├─ BadDefinition    422  invalid     an active SearchParameter that cannot be searched by; the sentence says what and where
 ├─ CodeTaken        409  conflict    another SearchParameter of the tenant has the code on that type
 ├─ TooManyOwn       422  too-costly
 ├─ NoSuchParameter  404  not-found   none of the tenant's own has that code
 └─ Unproven         500  exception   after reindexing, rows are not what a fresh extraction gives
"""

from __future__ import annotations

from typing import ClassVar

from xinglin.records.errors import RecordError


class BadDefinition(RecordError):
    """The SearchParameter cannot be searched by as it is; drafts are not checked."""

    status: ClassVar[int] = 422
    issue: ClassVar[str] = "invalid"


class CodeTaken(RecordError):
    """A type has one parameter of a name."""

    status: ClassVar[int] = 409
    issue: ClassVar[str] = "conflict"


class TooManyOwn(RecordError):
    """The tenant has used all its numbers."""

    status: ClassVar[int] = 422
    issue: ClassVar[str] = "too-costly"


class NoSuchParameter(RecordError):
    """The tenant has no parameter of its own under that name."""

    status: ClassVar[int] = 404
    issue: ClassVar[str] = "not-found"


class Unproven(RecordError):
    """The index is not what it must be; the parameter stays closed."""

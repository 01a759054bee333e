"""What can be wrong with what comes in.

IngestError
 ├─ SourceError    a file cannot be read, is not of a kind that is taken, or is beyond a bound
 ├─ HostError      400  an address that the settings do not allow to fetch from
 ├─ FetchError     503  an address that does not answer, or broke off; it may be tried again
 ├─ BadImport      400  the request of an import says nothing that can be imported
 ├─ MappingError   a mapping file is broken, or names a column or a place that is not there
 └─ RowError       a row, cell or line cannot become a resource; it is kept beside its reason

Messages name columns, files, lines and bounds; never what a cell holds, which stays in the rejects file
(but for a number that a spreadsheet has shortened: it says nothing any more).
"""

from __future__ import annotations

from typing import ClassVar

from xinglin.kernel.errors import XinglinError


class IngestError(XinglinError):
    """Something that comes in cannot be taken."""

    status: ClassVar[int] = 422
    issue: ClassVar[str] = "processing"


class SourceError(IngestError):
    """A file cannot be read or recognised, or is beyond a bound."""


class MappingError(IngestError):
    """A mapping file is broken or does not fit the table."""

    issue: ClassVar[str] = "invalid"


class RowError(IngestError):
    """A row, cell or line cannot become a resource."""

    issue: ClassVar[str] = "value"


class HostError(IngestError):
    """An address from which the settings do not allow to fetch."""

    status: ClassVar[int] = 400
    issue: ClassVar[str] = "security"


class FetchError(IngestError):
    """An address does not answer, or broke off; the same may be tried again."""

    status: ClassVar[int] = 503
    issue: ClassVar[str] = "transient"


class BadImport(IngestError):
    """The request of an import says nothing that can be imported."""

    status: ClassVar[int] = 400
    issue: ClassVar[str] = "value"

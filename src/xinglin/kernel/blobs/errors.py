"""Errors of the blob store.

XinglinError
 └─ BlobError              500
     ├─ NoSuchBlob         404  not-found   nothing whole lies under that path
     ├─ BadBlobPath        400  invalid     no path of ours: it would lead elsewhere
     ├─ BadBlobAddress     400  invalid     the setting `blobs` is none that can be opened
     ├─ BlobsFull          507  no-store    no room left; nothing was kept of what was being written
     ├─ BlobsRefused       500  security    the store is there and does not let us in
     └─ BlobsUnavailable   503  transient   the store does not answer; the same may be tried again
"""

from __future__ import annotations

from typing import ClassVar

from xinglin.kernel.errors import XinglinError


class BlobError(XinglinError):
    """The blob store failed in a way that nobody foresaw."""


class NoSuchBlob(BlobError):
    """Nothing whole lies under that path."""

    status: ClassVar[int] = 404
    issue: ClassVar[str] = "not-found"


class BadBlobPath(BlobError):
    """The path is none of ours, such as one that would lead out of the store."""

    status: ClassVar[int] = 400
    issue: ClassVar[str] = "invalid"


class BadBlobAddress(BlobError):
    """The setting ``blobs`` is no address that can be opened."""

    status: ClassVar[int] = 400
    issue: ClassVar[str] = "invalid"


class BlobsFull(BlobError):
    """No room is left: nothing is kept of what was being written; what was there stays."""

    status: ClassVar[int] = 507
    issue: ClassVar[str] = "no-store"


class BlobsRefused(BlobError):
    """The store answers, and refuses: credentials, rights or the bucket's name."""

    issue: ClassVar[str] = "security"


class BlobsUnavailable(BlobError):
    """The store does not answer; the same may be tried again."""

    status: ClassVar[int] = 503
    issue: ClassVar[str] = "transient"

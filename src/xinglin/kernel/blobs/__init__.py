"""Large files (exports, uploads, images): a folder, or an S3 bucket, behind one port.

>>> from tempfile import mkdtemp
>>> blobs = open_blobs(Settings(blobs=mkdtemp()))
>>> blobs.put("1/notes/a.txt", [b"one ", b"two"]), blobs.read("1/notes/a.txt", 4)
(7, b'two')
"""

from __future__ import annotations

from xinglin.kernel.blobs.errors import (
    BadBlobAddress,
    BadBlobPath,
    BlobError,
    BlobsFull,
    BlobsRefused,
    BlobsUnavailable,
    NoSuchBlob,
)
from xinglin.kernel.blobs.port import CHUNK_BYTES, PASSING, Blobs, Entry, Note, is_passing, is_path
from xinglin.kernel.settings import Settings

__all__ = [
    "CHUNK_BYTES",
    "PASSING",
    "BadBlobAddress",
    "BadBlobPath",
    "BlobError",
    "Blobs",
    "BlobsFull",
    "BlobsRefused",
    "BlobsUnavailable",
    "Entry",
    "NoSuchBlob",
    "Note",
    "is_passing",
    "is_path",
    "open_blobs",
]


def open_blobs(settings: Settings) -> Blobs:
    """The blob store that the setting ``blobs`` names; nothing is made or asked before it is used.

    Where backups are kept (the setting ``backup_folder``), what is put and deleted is noted for the archive.
    Raises BadBlobAddress.
    """
    address = settings.blobs
    noting = bool(settings.backup_folder)
    if not address:
        address = str(settings.data_folder / "blobs")
    scheme, separator, rest = address.partition("://")
    if not separator or scheme == "file":
        from xinglin.kernel.blobs.folder import FolderBlobs

        return FolderBlobs(rest if separator else address, noting=noting)
    if scheme == "s3":
        from xinglin.kernel.blobs.s3 import S3Blobs

        bucket, _, prefix = rest.partition("/")
        if not bucket:
            raise BadBlobAddress("kernel.blobs-address", address=f"{scheme}://")
        return S3Blobs(bucket, prefix, endpoint=settings.blobs_endpoint, noting=noting)
    raise BadBlobAddress("kernel.blobs-address", address=f"{scheme}://…")

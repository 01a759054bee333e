"""What a blob store is, whatever keeps it, and which paths it takes."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple, Protocol

from xinglin.kernel.blobs.errors import BadBlobPath

CHUNK_BYTES: Final = 1024 * 1024
LONGEST_PATH: Final = 700  # of the 1024 bytes of a key of S3, which the store's own prefix shares
_PATH = re.compile(r"[1-9][0-9]{0,9}(?:/[A-Za-z0-9][A-Za-z0-9._=\-]{0,127})+")
_PREFIX = re.compile(
    r"[1-9][0-9]{0,9}/(?:[A-Za-z0-9][A-Za-z0-9._=\-]{0,127}/)*(?:[A-Za-z0-9][A-Za-z0-9._=\-]{0,127})?"
)
PASSING: Final = frozenset({"exports", "imports"})
"""What lies below these (``1/exports/…``) is swept away some hours after it was made: no backup takes it, nothing notes it."""
NOTES: Final = ".notes"


class Entry(NamedTuple):
    """A blob as a listing shows it."""

    path: str
    bytes: int
    sign: str
    """Another one after each `Blobs.put`: where it is the same, so is what lies there."""
    at_us: int
    """When it was put, by the store's clock."""


class Note(NamedTuple):
    """That something was put at or deleted from a path, for whoever keeps copies."""

    name: str
    path: str
    at_us: int


class Blobs(Protocol):
    """Large files under paths that begin with the tenant: ``1/exports/k3j…/Patient-1.ndjson``.

    A blob is seen whole or not at all: while it is written, and after a write that failed or a process that was killed,
    its path names what it named before. A path is never also the beginning of another (``a`` and ``a/b``). Safe from any
    thread and process.
    """

    @property
    def name(self) -> str:
        """Where it is, as it may be shown: no secrets."""
        ...

    def put(self, path: str, chunks: Iterable[bytes]) -> int:
        """Keep ``chunks``, one after the other, as the blob at ``path``, in the place of what was there; its bytes.

        On disk once this returns; memory does not grow with its length. An error of ``chunks`` itself is passed on, and
        leaves nothing. Raises BadBlobPath, BlobsFull, BlobsRefused, BlobsUnavailable.
        """
        ...

    def open(self, path: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes from ``start`` up to before ``end`` (None: its end), in chunks. Raises NoSuchBlob at once."""
        ...

    def read(self, path: str, start: int = 0, end: int | None = None) -> bytes:
        """What `open` gives, in one piece. Raises NoSuchBlob."""
        ...

    def size(self, path: str) -> int:
        """Its bytes. Raises NoSuchBlob."""
        ...

    def delete(self, path: str) -> bool:
        """Take it away; False where there was none."""
        ...

    def list(self, prefix: str) -> Iterator[str]:
        """The paths that begin with ``prefix`` (``1/exports/``), in the order of their characters."""
        ...

    def entries(self, prefix: str, after: str = "") -> Iterator[Entry]:
        """As `list`, with what a listing tells of each; only those behind the path ``after``. Memory: one folder, or page."""
        ...

    def noted(self, most: int) -> Iterator[Note]:
        """The first ``most`` of what was put and deleted, where the store was opened to note it, in the order of time.

        What is `PASSING` is not noted. A note is on disk before its `put` or `delete` returns, and stays until `forget`.
        """
        ...

    def forget(self, name: str) -> None:
        """Take the note of that name away."""
        ...


def is_path(path: str) -> bool:
    """Whether this can be the path of a blob; what else lies in a store is nobody's here."""
    return len(path) <= LONGEST_PATH and _PATH.fullmatch(path) is not None


def is_passing(path: str) -> bool:
    """Whether what lies there expires by itself.

    >>> is_passing("1/exports/a/Patient-1.ndjson"), is_passing("1/images/a")
    (True, False)
    """
    return path.split("/", 2)[1] in PASSING


def note_name(at_us: int) -> str:
    """A name for a note, in the order of time.

    >>> note_name(17)[:17]
    '0000000000000017-'
    """
    return f"{at_us:016d}-{secrets.token_hex(6)}"


def note_time(name: str) -> int | None:
    """When the note was made (µs); None: it is no name of a note."""
    at, dash, rest = name.partition("-")
    return int(at) if dash and len(rest) == 12 and len(at) == 16 and at.isdigit() else None


def checked(path: str) -> str:
    """``path`` where it is one of ours: a tenant, then names; nothing that leads elsewhere. Raises BadBlobPath.

    >>> checked("1/exports/a1/Patient-1.ndjson")
    '1/exports/a1/Patient-1.ndjson'
    """
    if not is_path(path):
        raise BadBlobPath("kernel.blob-path")
    return path


def checked_prefix(prefix: str) -> str:
    """``prefix`` where it is the beginning of paths of one tenant. Raises BadBlobPath."""
    if len(prefix) > LONGEST_PATH or not _PREFIX.fullmatch(prefix):
        raise BadBlobPath("kernel.blob-path")
    return prefix


def checked_range(start: int, end: int | None) -> None:
    """Raises ValueError for a range that runs backwards: a mistake of ours, not of a person."""
    if start < 0 or (end is not None and end < start):
        raise ValueError(f"no range: {start} to {end}")

"""Blobs in a folder: each a file, written beside and renamed into its place once it is on disk."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from xinglin.kernel.blobs.errors import (
    BadBlobPath,
    BlobError,
    BlobsFull,
    BlobsRefused,
    BlobsUnavailable,
    NoSuchBlob,
)
from xinglin.kernel.blobs.port import CHUNK_BYTES, checked, checked_prefix, checked_range

_INCOMING: Final = ".incoming"
_LEFT_AFTER_S: Final = 24 * 3600.0
"""What a killed process was writing is swept away after this; no write takes so long."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)


class FolderBlobs:
    """See `Blobs`. The folder is made with the first blob."""

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder).expanduser().absolute()
        self._swept = False

    @property
    def name(self) -> str:
        """See `Blobs.name`."""
        return str(self._folder)

    def put(self, path: str, chunks: Iterable[bytes]) -> int:
        """See `Blobs.put`."""
        place = self._place(path)
        draft, stream = self._draft()
        size = 0
        try:
            for chunk in chunks:  # an OSError of the source itself is the caller's, hence not inside `_ours`
                with self._ours():
                    stream.write(chunk)
                size += len(chunk)
            with self._ours():
                stream.flush()
                os.fsync(stream.fileno())
                stream.close()
                _move(draft, place)
                _sync_folders(place.parent, self._folder)
        except BaseException:
            with contextlib.suppress(OSError):
                stream.close()  # it may still hold bytes for which there is no room
            with contextlib.suppress(OSError):
                draft.unlink()
            raise
        return size

    def open(self, path: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """See `Blobs.open`."""
        checked_range(start, end)
        place = self._place(path)
        with self._ours(path):
            stream = place.open("rb")
        return self._chunks(stream, start, end)

    def read(self, path: str, start: int = 0, end: int | None = None) -> bytes:
        """See `Blobs.read`."""
        return b"".join(self.open(path, start, end))

    def size(self, path: str) -> int:
        """See `Blobs.size`."""
        place = self._place(path)
        with self._ours(path):
            if not place.is_file():
                raise NoSuchBlob("kernel.blob-missing", path=path)
            return place.stat().st_size

    def delete(self, path: str) -> bool:
        """See `Blobs.delete`."""
        place = self._place(path)
        with self._ours(path):
            try:
                place.unlink()
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                return False
        folder = place.parent
        while folder not in (self._folder, folder.parent):
            try:
                folder.rmdir()
            except OSError:  # something else lies in it
                break
            folder = folder.parent
        return True

    def list(self, prefix: str) -> Iterator[str]:
        """See `Blobs.list`."""
        folder = checked_prefix(prefix).rpartition("/")[0]
        found = []
        for parent, folders, files in os.walk(self._folder / folder):
            folders.sort()
            head = Path(parent).relative_to(self._folder).as_posix()
            found += [f"{head}/{file}" for file in files if f"{head}/{file}".startswith(prefix)]
        yield from sorted(found)

    def _place(self, path: str) -> Path:
        return self._folder / checked(path)

    def _draft(self) -> tuple[Path, BinaryIO]:
        incoming = self._folder / _INCOMING
        with self._ours():
            incoming.mkdir(parents=True, exist_ok=True)
            self._sweep(incoming)
            draft = incoming / secrets.token_hex(16)
            return draft, open(draft, "xb", buffering=CHUNK_BYTES)

    def _sweep(self, incoming: Path) -> None:
        if self._swept:
            return
        self._swept = True
        oldest = time.time() - _LEFT_AFTER_S
        for left in incoming.iterdir():
            with contextlib.suppress(OSError):
                if left.stat().st_mtime < oldest:
                    left.unlink()

    def _chunks(self, stream: BinaryIO, start: int, end: int | None) -> Iterator[bytes]:
        with stream:
            stream.seek(start)
            left = None if end is None else end - start
            while left is None or left > 0:
                with self._ours():
                    chunk = stream.read(CHUNK_BYTES if left is None else min(left, CHUNK_BYTES))
                if not chunk:
                    return
                if left is not None:
                    left -= len(chunk)
                yield chunk

    @contextlib.contextmanager
    def _ours(self, path: str = "") -> Iterator[None]:
        """The system's errors as ours."""
        try:
            yield
        except OSError as error:
            raise self._raised(error, path) from error

    def _raised(self, error: OSError, path: str) -> BlobError:
        reason = error.strerror or type(error).__name__
        if path and error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EISDIR):
            return NoSuchBlob("kernel.blob-missing", path=path)
        if error.errno in (errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY):
            return BadBlobPath("kernel.blob-path")
        if error.errno in _FULL:
            return BlobsFull("kernel.blobs-full", store=self.name)
        if error.errno in _REFUSED:
            return BlobsRefused("kernel.blobs-refused", store=self.name, reason=reason)
        return BlobsUnavailable("kernel.blobs-unavailable", store=self.name, reason=reason)


def _move(draft: Path, place: Path) -> None:
    """Give ``draft`` its name, making the folders of it; `delete` may be taking away the same ones, being empty."""
    for attempt in range(20):
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.replace(draft, place)
            return
        except FileNotFoundError:
            if attempt == 19:
                raise


def _sync_folders(folder: Path, top: Path) -> None:
    """Put the names themselves on disk, of new folders too."""
    if os.name == "nt":
        return
    while True:
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
        if folder in (top, folder.parent):
            return
        folder = folder.parent

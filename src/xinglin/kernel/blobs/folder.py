"""Blobs in a folder: each a file, written beside and renamed into its place once it is on disk."""

from __future__ import annotations

import contextlib
import errno
import heapq
import os
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
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
from xinglin.kernel.blobs.port import (
    CHUNK_BYTES,
    LONGEST_PATH,
    NOTES,
    Entry,
    Note,
    checked,
    checked_prefix,
    checked_range,
    is_passing,
    is_path,
    note_name,
    note_time,
)
from xinglin.kernel.clock import now_us

_INCOMING: Final = ".incoming"
_LEFT_AFTER_S: Final = 24 * 3600.0
"""What a killed process was writing is swept away after this; no write takes so long."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)


class FolderBlobs:
    """See `Blobs`. The folder is made with the first blob."""

    def __init__(self, folder: str | Path, *, noting: bool = False) -> None:
        self._folder = Path(folder).expanduser().absolute()
        self._noting = noting
        self._swept = False

    @property
    def name(self) -> str:
        """See `Blobs.name`."""
        return str(self._folder)

    def put(self, path: str, chunks: Iterable[bytes]) -> int:
        """See `Blobs.put`."""
        place = self._place(path)
        draft, size = self._written(chunks)
        with self._cleared(draft), self._noting_of(path), self._ours():
            _move(draft, place)
            _sync_folders(place.parent, self._folder)
        return size

    def _written(self, chunks: Iterable[bytes]) -> tuple[Path, int]:
        """A draft that holds ``chunks``, on disk, and its bytes."""
        draft, stream = self._draft()
        size = 0
        with self._cleared(draft):
            try:
                for chunk in chunks:  # what fails in the source is the caller's, hence not inside `_ours`
                    with self._ours():
                        stream.write(chunk)
                    size += len(chunk)
                with self._ours():
                    stream.flush()
                    os.fsync(stream.fileno())
                    stream.close()
            except BaseException:
                with contextlib.suppress(OSError):
                    stream.close()  # it may still hold bytes for which there is no room
                raise
        return draft, size

    @contextlib.contextmanager
    def _cleared(self, draft: Path) -> Iterator[None]:
        try:
            yield
        except BaseException:
            with contextlib.suppress(OSError):
                draft.unlink()
            raise

    @contextlib.contextmanager
    def _noting_of(self, path: str) -> Iterator[None]:
        """Note what is done to ``path`` inside. The note has its place on the disk before: so it is not what fails after."""
        if not self._noting or is_passing(path):
            yield
            return
        draft, _ = self._written((path.encode(),))
        with self._cleared(draft):
            yield
            with self._ours():
                note = self._folder / NOTES / note_name(now_us())
                _move(draft, note)
                _sync_folders(note.parent, self._folder)

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
        if not place.is_file():
            return False
        with self._noting_of(path), self._ours(path):
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
        for path, _ in self._walk(checked_prefix(prefix)):
            yield path

    def entries(self, prefix: str, after: str = "") -> Iterator[Entry]:
        """See `Blobs.entries`."""
        for path, found in self._walk(checked_prefix(prefix), after):
            with self._ours():
                try:
                    told = found.stat()
                except FileNotFoundError:  # deleted meanwhile
                    continue
            sign = f"{told.st_ino:x}-{told.st_mtime_ns:x}"
            yield Entry(path, told.st_size, sign, told.st_mtime_ns // 1000)

    def noted(self, most: int) -> Iterator[Note]:
        """See `Blobs.noted`."""
        folder = self._folder / NOTES
        with self._ours():
            names = heapq.nsmallest(most, _names(folder))
        for name in names:
            at_us = note_time(name)
            if at_us is None:
                continue
            with self._ours():
                try:
                    path = (folder / name).read_text("utf-8", "replace")
                except FileNotFoundError:  # forgotten meanwhile
                    continue
            yield Note(name, path, at_us)

    def forget(self, name: str) -> None:
        """See `Blobs.forget`."""
        with self._ours():
            (self._folder / NOTES / name).unlink(missing_ok=True)

    def _walk(self, prefix: str, after: str = "") -> Iterator[tuple[str, os.DirEntry[str]]]:
        """Paths with what the system says of them, in the order of characters: a folder sorts as its name with a slash."""
        top = prefix.rpartition("/")[0]
        waiting: list[Iterator[tuple[str, os.DirEntry[str]]]] = [iter(self._children(top))]
        while waiting:
            found = next(waiting[-1], None)
            if found is None:
                waiting.pop()
                continue
            path, entry = found
            if not path.endswith("/"):
                if path.startswith(prefix) and path > after and is_path(path):
                    yield path, entry
            elif (
                len(path) <= LONGEST_PATH
                and (path.startswith(prefix) or prefix.startswith(path))
                and (path > after or after.startswith(path))
            ):
                waiting.append(iter(self._children(path[:-1])))

    def _children(self, folder: str) -> Sequence[tuple[str, os.DirEntry[str]]]:
        try:
            with self._ours(), os.scandir(self._folder / folder) as found:
                children = [(f"{folder}/{e.name}{'/' if e.is_dir() else ''}", e) for e in found]
        except BlobError as error:
            if isinstance(error.__cause__, (FileNotFoundError, NotADirectoryError)):
                return []
            raise
        return sorted(children, key=lambda child: child[0])

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


def _names(folder: Path) -> Iterator[str]:
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as found:
        for entry in found:
            yield entry.name


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

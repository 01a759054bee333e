"""The files behind the paths a person gives: folders walked, zips and gzips opened, each bounded.

A Source is opened as often as needed, always as a seekable stream of bytes; nothing is unpacked into a folder, so that
a name inside an archive is only a name (no zip slip), and no more is unpacked than the bounds allow (no bomb).
"""

from __future__ import annotations

import gzip
import io
import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

from xinglin.ingest.errors import SourceError
from xinglin.ingest.recognise import Kind, decoded, is_western, recognise
from xinglin.kernel.settings import Settings

MOST_DEPTH = 4  # archives within archives
MOST_MEMBERS = 1_000_000
_IN_MEMORY = 8 * 1024 * 1024
_SMALL = 16 * 1024 * 1024  # what unpacks to less is no bomb, whatever its ratio
_READ_FROM_END = (b"PK\x03\x04", b"PK\x05\x06", b"\xd0\xcf\x11\xe0")
_IGNORED = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")


@dataclass(frozen=True, slots=True)
class Source:
    """One file, or one member of an archive, and what it is.

    ``path`` the file on disk; ``inner`` the way from there through archives to this one; ``size`` its bytes where known
    without unpacking, for the progress bar; ``problem`` why it cannot be taken at all.
    """

    path: Path
    inner: tuple[str, ...]
    kind: Kind
    size: int
    problem: SourceError | None = None

    @property
    def name(self) -> str:
        """How a person names it: ``folder/files.zip!ward/labs.csv``."""
        return "!".join([_readable(str(self.path)), *(_zip_name(part) for part in self.inner if part)])


def _readable(path: str) -> str:
    """A path as text: bytes of its name that are no UTF-8 are read as GB18030, or marked."""
    if path.isascii():
        return path
    raw = path.encode("utf-8", "surrogateescape")
    return next(
        (text for code in ("utf-8", "gb18030") if (text := decoded(raw, code)) is not None),
        raw.decode("utf-8", "replace"),
    )


def _zip_name(name: str) -> str:
    """The name of a zip's member; one that does not say it is UTF-8 was read as code page 437, but was GBK."""
    if name.isascii():
        return name
    try:
        raw = name.encode("cp437")
    except UnicodeEncodeError:
        return name
    text = decoded(raw, "utf-8") or decoded(raw, "gb18030")
    return name if text is None or is_western(text) else text


class Files:
    """Finds and opens sources; keeps the archives it read last open, so that many members are no slower than one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._archives: dict[tuple[Path, tuple[str, ...]], tuple[zipfile.ZipFile, BinaryIO]] = {}

    def find(self, paths: Iterable[str | Path]) -> Iterator[Source]:
        """Every source under ``paths``, in a stable order. Raises SourceError where a path itself is not there."""
        for given in paths:
            path = Path(given).expanduser()
            if not path.exists():
                raise SourceError("ingest.no-such-path", path=given)
            if path.is_dir():
                yield from self._walk(path)
            else:
                yield from self._look(path, ())

    def _walk(self, top: Path) -> Iterator[Source]:
        for folder, folders, files in os.walk(top):
            folders[:] = sorted(name for name in folders if name not in _IGNORED and not name.startswith("."))
            for name in sorted(files):
                if name not in _IGNORED and not name.startswith("._"):
                    yield from self._look(Path(folder) / name, ())

    def _look(self, path: Path, inner: tuple[str, ...]) -> Iterator[Source]:
        """The source at one place, or those inside it where it is an archive."""
        members: list[str] = []
        try:
            if not path.is_file():
                raise SourceError("ingest.not-a-file", name=path)
            with self._opened(path, inner) as stream:
                kind = recognise(stream, self._settings.import_bundle_limit_bytes)
            if kind in ("zip", "gzip") and len(inner) >= MOST_DEPTH:
                raise SourceError("ingest.archive-deep", name=_name(path, inner), most=MOST_DEPTH)
            if kind == "zip":
                members = self._members(path, inner)
        except SourceError as error:
            yield Source(path, inner, "unknown", 0, error)
        except OSError as error:
            yield Source(path, inner, "unknown", 0, _unreadable(_name(path, inner), error))
        else:
            if kind == "gzip":
                yield from self._look(path, (*inner, ""))
            elif kind == "zip":
                for member in members:
                    yield from self._look(path, (*inner, member))
            else:
                yield Source(path, inner, kind, path.stat().st_size if not any(inner) else 0)

    def opened(self, source: Source) -> AbstractContextManager[BinaryIO]:
        """A seekable stream of the source's bytes, unpacked. It, and its reads, raise SourceError."""
        return self._opened(source.path, source.inner)

    @contextmanager
    def _opened(self, path: Path, inner: tuple[str, ...]) -> Iterator[BinaryIO]:
        name = _name(path, inner)
        with ExitStack() as held:
            try:
                if not inner:
                    stream: BinaryIO = held.enter_context(open(path, "rb"))
                else:
                    stream = self._unpacked(held, path, inner)
                    if stream.peek(4)[:4] in _READ_FROM_END:  # type: ignore[attr-defined]
                        stream = _spooled(stream)
                        held.callback(stream.close)
                yield stream
            except (zipfile.BadZipFile, zlib.error, EOFError, gzip.BadGzipFile, NotImplementedError) as error:
                raise SourceError("ingest.broken-archive", name=name) from error
            except OSError as error:
                raise _unreadable(name, error) from error

    def _unpacked(self, held: ExitStack, path: Path, inner: tuple[str, ...]) -> BinaryIO:
        name, member = _name(path, inner), inner[-1]
        if member:
            archive = self._archive(path, inner[:-1])
            info = archive.getinfo(member)
            unpacked = _Unpacked(lambda: archive.open(info), lambda: info.compress_size, self._settings, name)
        else:
            packed = held.enter_context(self._opened(path, inner[:-1]))

            def start() -> IO[bytes]:
                packed.seek(0)
                return gzip.GzipFile(fileobj=packed)  # type: ignore[return-value]

            unpacked = _Unpacked(start, packed.tell, self._settings, name)
        buffered = io.BufferedReader(unpacked, 1 << 18)
        held.callback(buffered.close)
        return buffered

    def _archive(self, path: Path, inner: tuple[str, ...]) -> zipfile.ZipFile:
        key = (path, inner)
        if key not in self._archives:
            while len(self._archives) >= MOST_DEPTH:
                for closing in self._archives.pop(next(iter(self._archives))):
                    closing.close()
            if inner:
                with self._opened(path, inner) as packed:
                    packed.seek(0)
                    stream = _spooled(packed)
            else:
                stream = open(path, "rb")  # noqa: SIM115 kept open for the next member
            self._archives[key] = (zipfile.ZipFile(stream), stream)
        return self._archives[key][0]

    def _members(self, path: Path, inner: tuple[str, ...]) -> list[str]:
        name = _name(path, inner)
        try:
            members = [info for info in self._archive(path, inner).infolist() if not info.is_dir()]
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise SourceError("ingest.broken-archive", name=name) from error
        if len(members) > MOST_MEMBERS:
            raise SourceError("ingest.archive-many", name=name, most=MOST_MEMBERS)
        if any(info.flag_bits & 1 for info in members):
            raise SourceError("ingest.archive-encrypted", name=name)
        parts = {info.filename: info.filename.split("/") for info in members}
        return [
            member
            for member, names in parts.items()
            if not any(part in _IGNORED or part.startswith("._") for part in names)
        ]

    def close(self) -> None:
        """Close the archives kept open."""
        for archive, stream in self._archives.values():
            archive.close()
            stream.close()
        self._archives.clear()


def _name(path: Path, inner: tuple[str, ...]) -> str:
    return Source(path, inner, "unknown", 0).name


def _unreadable(name: str, error: OSError) -> SourceError:
    return SourceError("ingest.unreadable", name=name, reason=error.strerror or type(error).__name__)


def _spooled(stream: BinaryIO) -> BinaryIO:
    """What is left of ``stream`` in memory or, where that is much, in a nameless temporary file."""
    spool = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 closed by whoever asked
    while chunk := stream.read(1 << 20):
        spool.write(chunk)
    spool.seek(0)
    return spool  # type: ignore[return-value]


class _Unpacked(io.RawIOBase):
    """The bytes of a gzip or of one member of a zip, counted against the bounds; seekable by starting again."""

    def __init__(
        self, start: Callable[[], IO[bytes]], packed_size: Callable[[], int], settings: Settings, name: str
    ) -> None:
        self._start = start
        self._packed_size = packed_size
        self._settings = settings
        self._name = name
        self._stream = start()
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_CUR:
            offset += self._at
        elif whence != io.SEEK_SET:
            raise io.UnsupportedOperation("the end of a packed file is not known")
        if offset < self._at:
            self._stream.close()
            self._stream = self._start()
            self._at = 0
        while self._at < offset and self.read(min(1 << 20, offset - self._at)):
            pass
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        data = self._stream.read(len(view))
        view[: len(data)] = data
        self._at += len(data)
        self._bound()
        return len(data)

    def _bound(self) -> None:
        most, ratio = self._settings.import_unpacked_limit_bytes, self._settings.import_ratio_limit
        if self._at > most:
            raise SourceError("ingest.unpacked-limit", name=self._name, most=most)
        if self._at > _SMALL and self._at > max(self._packed_size(), 1) * ratio:
            raise SourceError("ingest.ratio-limit", name=self._name, most=ratio)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()

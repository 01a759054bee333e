"""Where an export is written: blobs of the house, or a folder of whoever asked."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from xinglin.kernel.blobs import Blobs


class Files(Protocol):
    """Files by plain names; each is there whole or not at all."""

    def put(self, name: str, chunks: Iterable[bytes]) -> int:
        """Write a file, in the place of what was there; its bytes."""
        ...

    def get(self, name: str) -> bytes:
        """A file's bytes."""
        ...

    def delete(self, name: str) -> None:
        """Take a file away, where there is one."""
        ...


class BlobFiles:
    """Blobs under one path."""

    def __init__(self, blobs: Blobs, path: str) -> None:
        self._blobs = blobs
        self._path = path

    def put(self, name: str, chunks: Iterable[bytes]) -> int:
        """See `Files`."""
        return self._blobs.put(f"{self._path}/{name}", chunks)

    def get(self, name: str) -> bytes:
        """See `Files`."""
        return self._blobs.read(f"{self._path}/{name}")

    def delete(self, name: str) -> None:
        """See `Files`."""
        self._blobs.delete(f"{self._path}/{name}")

    def clear(self) -> None:
        """Take all of them away."""
        for path in list(self._blobs.list(f"{self._path}/")):
            self._blobs.delete(path)


class FolderFiles:
    """Files in a folder that a person named. ``gzip``: NDJSON is packed, and its name ends in ``.gz``."""

    def __init__(self, folder: Path, *, gzip: bool = False) -> None:
        self._folder = folder
        self._gzip = gzip

    def name(self, name: str) -> str:
        """The name that a file has in the folder."""
        return f"{name}.gz" if self._gzip and name.endswith(".ndjson") else name

    def put(self, name: str, chunks: Iterable[bytes]) -> int:
        """See `Files`."""
        self._folder.mkdir(parents=True, exist_ok=True)
        place = self._folder / self.name(name)
        draft = place.with_name(f".{place.name}.part")
        size = 0
        try:
            with open(draft, "wb") as raw:
                if place.suffix == ".gz":
                    import gzip

                    # mtime 0: the same resources give the same bytes.
                    with gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed:
                        for chunk in chunks:
                            packed.write(chunk)
                else:
                    for chunk in chunks:
                        raw.write(chunk)
                raw.flush()
                os.fsync(raw.fileno())
                size = raw.tell()
            os.replace(draft, place)
        except BaseException:
            with contextlib.suppress(OSError):
                draft.unlink()
            raise
        return size

    def get(self, name: str) -> bytes:
        """See `Files`."""
        return (self._folder / self.name(name)).read_bytes()

    def delete(self, name: str) -> None:
        """See `Files`."""
        (self._folder / self.name(name)).unlink(missing_ok=True)

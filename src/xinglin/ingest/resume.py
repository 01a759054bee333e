"""How far imports have come, so that one that was interrupted goes on where it stopped.

A small file for each unfinished source, named by the hash of its content, its place in an archive and the database; it
is replaced after each transaction and removed at the end. Small sources are not worth it: taking them again changes
nothing.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

import msgspec

from xinglin.ingest.sources import Source

WORTH_BYTES = 4 * 1024 * 1024


@dataclass(slots=True)
class Mark:
    """The next line (from 1) and its offset in bytes, what was counted before it, the rejects file and its length."""

    line: int = 1
    offset: int = 0
    types: dict[str, list[int]] = field(default_factory=dict)
    rejects: str | None = None
    rejects_bytes: int = 0


class Bookmark:
    """The mark of one source; without a path (too small a source) it keeps nothing."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    @classmethod
    def of(cls, folder: Path, source: Source, database: str) -> Bookmark:
        """The bookmark of ``source`` on its way into ``database``."""
        if source.path.stat().st_size < WORTH_BYTES:
            return cls(None)
        with open(source.path, "rb") as stream:
            digest = hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16))
        digest.update("\x1f".join(("", *source.inner, database)).encode("utf-8", "surrogateescape"))
        return cls(folder / f"{digest.hexdigest()}.json")

    def read(self) -> Mark | None:
        """Where an earlier import stopped; None where none did."""
        if self._path is None:
            return None
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Mark)
        except (OSError, msgspec.DecodeError):
            return None

    def write(self, mark: Mark) -> None:
        """Remember ``mark``: after a crash either this one or the one before is found."""
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = self._path.with_suffix(".new")
        new.write_bytes(msgspec.json.encode(asdict(mark)))
        os.replace(new, self._path)

    def done(self) -> None:
        """Forget the mark: the source has been taken to its end."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)

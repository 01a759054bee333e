"""Where backups lie: a folder, or an S3 bucket, through the port of large files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from xinglin.apps.backup.errors import Damaged, NoBackup
from xinglin.apps.backup.sealing import Keys, pack, unpack
from xinglin.kernel.blobs import Blobs, NoSuchBlob, open_blobs
from xinglin.kernel.settings import Settings


class Place:
    """A store of backups, and the key that they are sealed under, if any."""

    def __init__(self, blobs: Blobs, keys: Keys) -> None:
        self.blobs = blobs
        self.keys = keys

    @property
    def name(self) -> str:
        """Where it is."""
        return self.blobs.name

    def prepare(self) -> None:
        """Make the folder, if it is one and not there yet, for our own eyes only: patients' data go into it."""
        if "://" not in self.name:
            with suppress(OSError):  # the first write says what is wrong
                Path(self.name).mkdir(mode=0o700, parents=True, exist_ok=True)

    def write(self, path: str, lines: Iterable[bytes]) -> tuple[int, int, str]:
        """Pack ``lines`` there; how many they were, the bytes as stored and their SHA-256. Whole or not at all."""
        digest, count = hashlib.sha256(), 0

        def counted() -> Iterator[bytes]:
            nonlocal count
            for line in lines:
                count += 1
                yield line

        def hashed() -> Iterator[bytes]:
            for chunk in pack(counted(), self.keys, _inner(path)):
                digest.update(chunk)
                yield chunk

        size = self.blobs.put(path, hashed())
        return count, size, digest.hexdigest()

    def read(self, path: str, *, sealed: bool = False, sha256: str | None = None) -> Iterator[bytes]:
        """The plain bytes of what `write` put there, in chunks; Damaged where they are not those, at the latest at the end."""
        try:
            chunks = self.blobs.open(path)
        except NoSuchBlob as error:
            raise Damaged("apps.backup-part-missing", part=path) from error
        digest = hashlib.sha256()

        def hashed() -> Iterator[bytes]:
            for chunk in chunks:
                digest.update(chunk)
                yield chunk

        yield from unpack(hashed(), self.keys, _inner(path), sealed=sealed)
        if sha256 is not None and digest.hexdigest() != sha256:
            raise Damaged("apps.backup-part", part=path)

    def sha256(self, path: str) -> str:
        """Of what lies there. Raises Damaged where nothing does."""
        digest = hashlib.sha256()
        try:
            for chunk in self.blobs.open(path):
                digest.update(chunk)
        except NoSuchBlob as error:
            raise Damaged("apps.backup-part-missing", part=path) from error
        return digest.hexdigest()


def _inner(path: str) -> str:
    """The name a part is sealed under: without the folders above its backup, which may be moved."""
    return "/".join(path.split("/")[-2:])


def open_place(settings: Settings, folder: str = "") -> Place:
    """The store that ``folder``, or the setting ``backup_folder``, names. Raises NoBackup where none is named."""
    where = folder or settings.backup_folder
    if not where:
        raise NoBackup("apps.backup-no-folder")
    return Place(
        open_blobs(replace(settings, blobs=where, backup_folder="")), Keys.of(settings.backup_key_file)
    )

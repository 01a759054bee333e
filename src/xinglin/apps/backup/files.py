"""Large files in a backup: each content is kept once for a record, and lists say which path had which.

``1/blobs/RECORD/AB/ABCD…``  a content, packed as a part is; named by its SHA-256, or under a key by an HMAC of that
A list is lines of `File` in the order of paths. The second backup copies only what no backup of this record holds yet, and
reads again only what has another sign than when the one before looked at it.

Written before the commit that names it, a file of any commit in the backup is in the backup: the listing comes after the
position was read. What expires by itself (`PASSING`: files of exports and of imports under way) is left out on purpose.
"""

from __future__ import annotations

import hashlib
import hmac
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec

from xinglin.apps.backup.errors import BackupError, Damaged
from xinglin.apps.backup.form import NO_JSON
from xinglin.apps.backup.place import Place
from xinglin.kernel.blobs import BlobError, Blobs, Entry, NoSuchBlob, is_passing

CONTENTS: Final = "1/blobs/"
IN_MEMORY: Final = 8 * 1024 * 1024
"""A file up to this size is read once and held; a larger one is read twice, since its name is its digest."""
TELL_EVERY: Final = 64 * 1024 * 1024
_SALT: Final = "00" * 16  # the same name for the same content under the same key, whenever
_NAME_LENGTH: Final = 64


class File(msgspec.Struct, omit_defaults=True, gc=False):
    """What lay at a path: its bytes and SHA-256, the ``name`` of the copy, the store's sign; or that it is ``gone``."""

    blob: str
    bytes: int = 0
    sha256: str = ""
    name: str = ""
    sign: str = ""
    gone: bool = False


_decode = msgspec.json.Decoder(File).decode


def read_file(line: bytes) -> File:
    """The File of one line. Raises Damaged."""
    try:
        return _decode(line)
    except NO_JSON as error:
        raise Damaged("apps.backup-line") from error


def content_path(record: str, name: str) -> str:
    """Where a content lies."""
    return f"{CONTENTS}{record}/{name[:2]}/{name}"


def content_name(place: Place, sha256: str) -> str:
    """The name of a content: without the key it does not tell whether a known file is there."""
    if not place.keys:
        return sha256
    return hmac.new(place.keys.key(_SALT, "content"), sha256.encode(), hashlib.sha256).hexdigest()


def names_stored(place: Place, record: str) -> Iterator[Entry]:
    """The contents that lie in a store for a record, by name; ``path`` is where."""
    for entry in place.blobs.entries(f"{CONTENTS}{record}/"):
        if len(entry.path.rpartition("/")[2]) == _NAME_LENGTH:
            yield entry


class Doomed(msgspec.Struct):
    """Contents that no backup names any more, and since when that is known; they go a day later: see `sweeping`."""

    at_us: int
    names: list[str]


def doomed_path(record: str) -> str:
    """Where the list of them lies."""
    return f"{CONTENTS}{record}/doomed.json"


def doomed(place: Place, record: str) -> set[str]:
    """Names of contents that may be taken away at any time: whoever needs one writes it anew."""
    try:
        return set(msgspec.json.decode(place.blobs.read(doomed_path(record)), type=Doomed).names)
    except (NoSuchBlob, *NO_JSON):
        return set()


class Names:
    """A set of names of contents in 8 bytes each: a million take 8 MB."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._sorted = array("Q", sorted(array("Q", map(_number, names))))
        self._added: set[int] = set()

    def add(self, name: str) -> None:
        """Add one."""
        self._added.add(_number(name))

    def __contains__(self, name: str) -> bool:
        number = _number(name)
        at = bisect_left(self._sorted, number)
        return number in self._added or (at < len(self._sorted) and self._sorted[at] == number)


def _number(name: str) -> int:
    return int(name[:16], 16)


class Copier:
    """Copies files of a blob store into a store of backups, where their content is not there yet."""

    def __init__(
        self,
        blobs: Blobs,
        place: Place,
        record: str,
        there: Callable[[str], bool],
        check: Callable[[], None],
    ) -> None:
        self._blobs = blobs
        self._place = place
        self._record = record
        self._there = there
        self._check = check
        self.copied = 0
        """Bytes of contents that were new."""

    def copy(self, path: str, size: int, sign: str = "") -> File | None:
        """What lies at ``path``, once its content is in the store; None: it is gone. Raises BackupError, BlobError."""
        for _ in range(3):
            digest = hashlib.sha256()
            held: list[bytes] | None = [] if size <= IN_MEMORY else None
            read = 0
            try:
                for chunk in self._read(path):
                    digest.update(chunk)
                    read += len(chunk)
                    if held is not None:
                        held.append(chunk)
                    if read > IN_MEMORY:
                        held = None
            except NoSuchBlob:
                return None
            sha256 = digest.hexdigest()
            name = content_name(self._place, sha256)
            if self._there(name):
                return File(path, read, sha256, name, sign)
            try:
                source = held if held is not None else self._again(path, sha256)
                self._place.write(content_path(self._record, name), source)
            except _Changed:
                continue  # put anew between the two readings
            except NoSuchBlob:
                return None
            self.copied += read
            return File(path, read, sha256, name, sign)
        raise BackupError("apps.backup-file-changing", path=path)

    def _again(self, path: str, sha256: str) -> Iterator[bytes]:
        digest = hashlib.sha256()
        for chunk in self._read(path):
            digest.update(chunk)
            yield chunk
        if digest.hexdigest() != sha256:
            raise _Changed

    def _read(self, path: str) -> Iterator[bytes]:
        """The bytes at ``path``; of what goes wrong, the file is named."""
        told = 0
        try:
            for chunk in self._blobs.open(path):
                told += len(chunk)
                if told >= TELL_EVERY:
                    told = 0
                    self._check()
                yield chunk
        except NoSuchBlob:
            raise
        except BlobError as error:
            raise BackupError("apps.backup-file-unreadable", path=path, reason=error) from error


class _Changed(Exception):
    """A file was put anew while it was read."""


def listing(blobs: Blobs, tenants: Iterable[int], after: str = "") -> Iterator[Entry]:
    """Everything in a blob store that a backup takes, in the order of paths, behind ``after``."""
    for prefix in sorted(f"{tenant}/" for tenant in tenants):
        if after and prefix < after.partition("/")[0] + "/":
            continue
        for entry in blobs.entries(prefix, after):
            if not is_passing(entry.path):
                yield entry


class Before:
    """The list of the backup before, read along with a listing; both are in the order of paths."""

    def __init__(self, files: Iterator[File]) -> None:
        self._files = files
        self._next: File | None = None
        self.gone = 0
        """Files of that list that the listing passed over without meeting them."""
        self._step()

    def _step(self) -> None:
        try:
            self._next = next(self._files, None)
        except BackupError:  # a list that cannot be read any more costs only time
            self._next = None

    def at(self, path: str) -> File | None:
        """What the backup before had at ``path``; asked in the order of paths."""
        while self._next is not None and self._next.blob < path:
            self.gone += 1
            self._step()
        if self._next is None or self._next.blob != path:
            return None
        found = self._next
        self._step()
        return found

    def rest(self) -> None:
        """Count what is left: the listing has ended."""
        while self._next is not None:
            self.gone += 1
            self._step()

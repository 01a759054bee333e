"""The form of a backup: lines of JSON in parts, and the manifest that says which parts make it whole.

Everything can be read without this program: a part is NDJSON under zstd (``zstdcat versions-00001.ndjson.zst``), a version
one line with its body as it stands in the record, byte for byte.

Where things lie in a store
---------------------------
``1/base/NAME/manifest.json``            written last: a backup without it is none
``1/base/NAME/KIND-NNNNN.ndjson.zst``    its parts: state, entities, commits, versions, blobs (see `files`)
``1/base/NAME/unfinished.json``          while it is being made, where it stands
``1/base/NAME/rehearsed.json``           what the last rehearsal found
``1/archive/EPOCH/AFTER-UPTO.ndjson.zst``  the changes of the commits after one position up to another
``1/archive/EPOCH/files/…``              the files put and deleted since: see `lists`
``1/heads/EPOCH.json``                   how far the archive was written: see `head`
``1/blobs/RECORD/…``                     the contents of files, each once: see `files`

NAME begins with the instant. EPOCH is another one after each restore, so that two futures of one record never mix.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from xinglin.apps.backup.errors import Damaged

FORMAT: Final = 2
"""2: with files, which a program that knows only 1 would leave out without a word."""
BASES: Final = "1/base/"
NO_JSON: Final = (msgspec.MsgspecError, UnicodeDecodeError)
"""What decoding raises for a damaged text: of bytes that are no UTF-8 msgspec passes on Python's own error."""
ARCHIVE: Final = "1/archive/"

_encode = msgspec.json.Encoder().encode
_MODULUS: Final = 1 << 128


class _Head(msgspec.Struct, gc=False):
    rid: int
    tenant: int
    type: str
    id: str
    version: int
    tx: int
    position: int
    updated: int
    state: int
    method: str
    patient: int


class Version(_Head, gc=False):
    """One version of one resource. Times in µs; ``patient`` a rid, 0 none, -1 several; ``body`` None: a deletion."""

    body: bytes | None = None


_head = msgspec.json.Decoder(_Head).decode


def version_line(row: Version) -> bytes:
    """``row`` as a line. Types, ids and methods hold nothing that JSON would escape."""
    head = (
        f'{{"rid":{row.rid},"tenant":{row.tenant},"type":"{row.type}","id":"{row.id}","version":{row.version},'
        f'"tx":{row.tx},"position":{row.position},"updated":{row.updated},"state":{row.state},'
        f'"method":"{row.method}","patient":{row.patient}'
    ).encode()
    return head + b"}\n" if row.body is None else b'%s,"body":%s}\n' % (head, row.body)


def read_version(line: bytes) -> Version:
    """The Version of one line. Raises Damaged."""
    place = line.find(b',"body":')
    try:
        if place < 0:
            head, body = _head(line), None
        else:
            head, body = _head(line[:place] + b"}"), line[place + 8 :].rstrip(b"\n")[:-1]
    except NO_JSON as error:
        raise Damaged("apps.backup-line") from error
    return Version(
        head.rid, head.tenant, head.type, head.id, head.version, head.tx, head.position, head.updated,
        head.state, head.method, head.patient, body,
    )  # fmt: skip


class Sum(msgspec.Struct):
    """Versions of one type: how many, how many of them deletions, and the sum of their digests, which no order changes."""

    versions: int = 0
    deletions: int = 0
    digest: int = 0


class Sums:
    """Counts and digests by type, of whatever versions are added; two sets of versions are equal where these are.

    Not in the digest: the owning patient, which is drawn anew by the rules of the program that restores.
    """

    def __init__(self) -> None:
        self.of: dict[str, Sum] = {}

    def add(self, row: Version) -> None:
        """Count one version."""
        found = self.of.get(row.type)
        if found is None:
            found = self.of[row.type] = Sum()
        found.versions += 1
        text = (
            f"{row.rid}|{row.tenant}|{row.type}|{row.id}|{row.version}|{row.tx}|{row.position}|{row.updated}|"
            f"{row.state}|{row.method}|"
        )
        digest = hashlib.blake2b(text.encode(), digest_size=16)
        if row.body is None:
            found.deletions += 1
        else:
            digest.update(row.body)
        found.digest = (found.digest + int.from_bytes(digest.digest(), "big")) % _MODULUS

    def merge(self, told: dict[str, list[Any]]) -> None:
        """Add what `told` gave."""
        for kind, (versions, deletions, digest) in told.items():
            found = self.of.setdefault(kind, Sum())
            found.versions += int(versions)
            found.deletions += int(deletions)
            found.digest = (found.digest + int(digest, 16)) % _MODULUS

    def told(self) -> dict[str, list[Any]]:
        """As JSON: ``{type: [versions, deletions, digest]}``."""
        return {
            kind: [one.versions, one.deletions, f"{one.digest:032x}"] for kind, one in sorted(self.of.items())
        }

    @property
    def versions(self) -> int:
        """Versions in all."""
        return sum(one.versions for one in self.of.values())


def differences(wanted: dict[str, list[Any]], found: dict[str, list[Any]]) -> list[str]:
    """The types of which the two do not say the same."""
    return [kind for kind in sorted({*wanted, *found}) if wanted.get(kind) != found.get(kind)]


class Part(msgspec.Struct):
    """A part: its name, what it holds, its lines, its bytes as stored and their SHA-256."""

    name: str
    kind: str
    lines: int
    bytes: int
    sha256: str


class Manifest(msgspec.Struct):
    """What makes a backup whole. ``mac`` seals all the rest: see `sealing`."""

    format: int
    name: str
    record: str
    epoch: str
    program: str
    schema: int
    position: int
    at_us: int
    """Of the last commit that is in it."""
    made_us: int
    last_rid: int
    last_tx: int
    parts: list[Part]
    types: dict[str, list[Any]]
    salt: str = ""
    """Where it is encrypted: from which, with the key file, the key of the mac follows."""
    blobs: int = 0
    mac: str = ""

    @property
    def bytes(self) -> int:
        """Bytes of all parts as stored."""
        return sum(part.bytes for part in self.parts)

    @property
    def versions(self) -> int:
        """Versions in all."""
        return sum(int(one[0]) for one in self.types.values())


class Segment(msgspec.Struct):
    """The first line of an archived segment: the commits after one position up to another, what was before it."""

    segment: int
    record: str
    epoch: str
    after: int
    upto: int
    at_us: int
    previous: str
    """SHA-256 of the segment before as stored, or the name of the backup that the archive goes on from."""
    program: str
    schema: int


class End(msgspec.Struct):
    """The last line of a segment: lines before it, the highest numbers in it, counts by type, SHA-256 of all before it."""

    end: bool
    lines: int
    last_rid: int
    last_tx: int
    types: dict[str, list[Any]]
    sha256: str


def line(value: Any) -> bytes:
    """Any other line."""
    return _encode(value) + b"\n"


def part_path(name: str, part: str) -> str:
    """Where a part of a backup lies."""
    return f"{BASES}{name}/{part}"


def segment_path(epoch: str, after: int, upto: int) -> str:
    """Where a segment lies; in the order of names is in the order of positions."""
    return f"{ARCHIVE}{epoch}/{after:016d}-{upto:016d}.ndjson.zst"


def lines_of(chunks: Iterable[bytes]) -> Iterable[bytes]:
    """Whole lines, with their ends, of a stream; a last one without an end as it is."""
    rest = b""
    for chunk in chunks:
        pieces = (rest + chunk).split(b"\n")
        rest = pieces.pop()
        for piece in pieces:
            yield piece + b"\n"
    if rest:
        yield rest

"""Rejects, kept beside their reason, one JSON object a line, and read back once a person has mended them.

::

    {"xinglin_rejects":1,"source":"labs.csv","mapping":{…}}
    {"line":12,"reason":[{"text":"…","expression":"Patient.gender"}],"row":{"姓名":"…","性别":"X"}}
    {"line":40,"reason":[…],"resource":{"resourceType":"Patient",…}}

To mend: change ``row`` or ``resource`` and import the file again. What is no JSON stands as ``text`` (or ``base64``).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from xinglin.ingest.errors import RowError
from xinglin.ingest.mapping import Mapping, as_dict, mapping_of
from xinglin.ingest.recognise import REJECTS_KEY
from xinglin.ingest.report import Reason
from xinglin.kernel.language import Language

KEPT_MOST = 64 * 1024 * 1024  # bytes of one reject that are kept; more stays only in its source


class Keeper:
    """Writes the rejects of one source to a file of its own, which is made with the first of them."""

    def __init__(self, folder: Path, source: str, language: Language, mapping: Mapping | None = None) -> None:
        self._folder = folder
        self._source = source
        self._language = language
        self._mapping = mapping
        self._stream: BinaryIO | None = None
        self.path: Path | None = None

    def reopen(self, path: Path, size: int) -> None:
        """Go on with the file of an import that was interrupted, as it was when it held ``size`` bytes."""
        if path.is_file() and path.stat().st_size >= size:
            self.path = path
            self._stream = open(path, "r+b")  # noqa: SIM115 closed by close()
            self._stream.truncate(size)
            self._stream.seek(size)

    def keep(
        self,
        line: int,
        reasons: Sequence[Reason],
        *,
        row: dict[str, str] | None = None,
        body: bytes = b"",
        place: str = "",
    ) -> None:
        """Write one reject: a row of a table, or the bytes of a resource, line or document."""
        told: list[dict[str, str]] = []
        for reason in reasons:
            told.append({"text": reason.say(self._language)})
            if reason.expression:
                told[-1]["expression"] = reason.expression
        parts = [b'"line":%d' % line]
        if place:
            parts.append(b'"place":' + msgspec.json.encode(place))
        parts.append(b'"reason":' + msgspec.json.encode(told))
        if row is not None:
            parts.append(
                b'"row":' + msgspec.json.encode({key: _printable(cell) for key, cell in row.items()})
            )
        else:
            parts.append(_content(body))
        self._open().write(b"{" + b",".join(parts) + b"}\n")

    def _open(self) -> BinaryIO:
        if self._stream is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            name = re.sub(r"[^\w.\-]+", "_", self._source.rpartition("/")[2])[-80:] or "rejects"
            for number in range(1, 1_000_000):
                path = self._folder / (f"{name}.ndjson" if number == 1 else f"{name}.{number}.ndjson")
                try:
                    self._stream = open(path, "xb")  # noqa: SIM115 closed by close()
                except FileExistsError:
                    continue
                break
            assert self._stream is not None
            self.path = path
            head: dict[str, Any] = {REJECTS_KEY: 1, "source": self._source}
            if self._mapping is not None:
                head["mapping"] = as_dict(self._mapping)
            self._stream.write(msgspec.json.encode(head) + b"\n")
        return self._stream

    def flush(self) -> int:
        """Put what was kept where a crash of this program cannot lose it; the bytes it has come to."""
        if self._stream is None:
            return 0
        self._stream.flush()
        return self._stream.tell()

    def close(self) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()


def _printable(cell: str) -> str:
    """A cell as JSON can hold it: what was no text becomes U+FFFD, which is not taken for a character later."""
    return cell if cell.isascii() else re.sub("[\ud800-\udfff]", "\ufffd", cell)


def _content(body: bytes) -> bytes:
    if len(body) > KEPT_MOST:
        return b'"omitted_bytes":%d' % len(body)
    text = body.strip()
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
        if text[:1] == b"{":
            return b'"resource":' + (
                msgspec.json.format(text, indent=-1) if b"\n" in text or b"\r" in text else text
            )
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return b'"text":' + msgspec.json.encode(text.decode())
    except UnicodeDecodeError:
        return b'"base64":"' + base64.b64encode(body) + b'"'


class _Line(msgspec.Struct):
    line: int = 0
    row: dict[str, str] | None = None
    resource: msgspec.Raw = msgspec.Raw(b"")
    text: str | None = None
    base64: str | None = None


@dataclass(frozen=True, slots=True)
class Mended:
    """A reject read back: a row of a table, or the bytes of a resource or bundle; or why it cannot be read."""

    number: int
    row: dict[str, str] | None = None
    body: bytes = b""
    problem: RowError | None = None


_line = msgspec.json.Decoder(_Line).decode


def mapping_in(stream: BinaryIO, name: str) -> Mapping | None:
    """The mapping in the first line of a rejects file, None where it has none. Raises MappingError."""
    head = msgspec.json.decode(stream.readline().removeprefix(b"\xef\xbb\xbf"), type=dict[str, Any])
    mapping = head.get("mapping")
    return mapping_of(mapping, name) if isinstance(mapping, dict) else None


def mended(stream: BinaryIO, first: int = 2) -> Iterator[Mended]:
    """The rejects that follow the first line; ``first`` is the number of the line that comes next."""
    for number, raw in enumerate(stream, first):
        if not raw.strip():
            continue
        try:
            line = _line(raw)
            if line.row is not None:
                yield Mended(number, row=line.row)
            elif bytes(line.resource) not in (b"", b"null"):
                yield Mended(number, body=bytes(line.resource))
            elif line.text is not None:
                yield Mended(number, body=line.text.encode("utf-8", "surrogatepass"))
            elif line.base64 is not None:
                yield Mended(number, body=base64.b64decode(line.base64))
            else:
                yield Mended(number, body=raw, problem=RowError("ingest.reject-empty"))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, binascii.Error):
            yield Mended(number, body=raw, problem=RowError("ingest.reject-form"))

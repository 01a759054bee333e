"""What a file is, told by its content and never by its name."""

from __future__ import annotations

import codecs
import re
from typing import BinaryIO, Literal

Kind = Literal[
    "ndjson",  # one JSON value a line
    "document",  # one JSON value: a resource, a bundle or an array of resources
    "rejects",  # what an earlier import could not take
    "table",  # CSV and its relatives
    "workbook",  # xlsx, xlsb, xls, ods
    "zip",
    "gzip",
    "empty",
    "xml",
    "hl7v2",
    "dicom",
    "unknown",
]

HEAD_BYTES = 64 * 1024
REJECTS_KEY = "xinglin_rejects"
_JSON_START = (b"{", b"[")
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
ENCODINGS = ("utf-8", "gb18030", "cp1252")


def recognise(stream: BinaryIO, longest_line: int) -> Kind:
    """The kind of ``stream``, which must be seekable; it is left at its start.

    ``longest_line`` bounds, in bytes, how far the end of the first line is looked for.
    """
    head = stream.read(HEAD_BYTES)
    stream.seek(0)
    if not head.strip():
        return "empty" if len(head) < HEAD_BYTES else "unknown"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_kind(stream)
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return "workbook"
    if head[128:132] == b"DICM":
        return "dicom"
    text = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if text.startswith(_JSON_START) or _a_line_is_json(head):
        return _json_kind(stream, longest_line)
    if text.startswith(b"<"):
        return "xml"
    if text.startswith((b"MSH|", b"\x0bMSH|", b"FHS|", b"BHS|")):
        return "hl7v2"
    return "table" if _is_table(head) else "unknown"


def _zip_kind(stream: BinaryIO) -> Kind:
    import zipfile

    try:
        with zipfile.ZipFile(stream) as archive:
            names = set(archive.namelist())
            book = {"xl/workbook.xml", "xl/workbook.bin"} & names
            sheet = "content.xml" in names and b"spreadsheet" in archive.read("mimetype")[:200]
    except (zipfile.BadZipFile, KeyError, OSError, NotImplementedError, RuntimeError, EOFError, ValueError):
        book, sheet = set(), False
    finally:
        stream.seek(0)
    return "workbook" if book or sheet else "zip"


def _json_kind(stream: BinaryIO, longest_line: int) -> Kind:
    """NDJSON where the first line is a whole value, or looks like a broken one among others; else one document."""
    first = _filled_line(stream, longest_line)
    second = _filled_line(stream, 16)
    stream.seek(0)
    if first.startswith(b'{"' + REJECTS_KEY.encode()):
        return "rejects"
    if _is_object(first):
        return "ndjson" if second or not _is_bundle(first) else "document"
    if not first.startswith(_JSON_START) or (first.endswith(b"}") and second.startswith(b"{")):
        return "ndjson"
    return "document"


def _filled_line(stream: BinaryIO, limit: int) -> bytes:
    for _ in range(1000):
        line = stream.readline(limit)
        if not line:
            return b""
        if filled := line.removeprefix(codecs.BOM_UTF8).strip():
            return filled
    return b""


def _is_object(line: bytes) -> bool:
    import msgspec

    if not (line.startswith(b"{") and line.endswith(b"}")):
        return False
    try:
        msgspec.json.decode(line, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return False
    return True


def _is_bundle(line: bytes) -> bool:
    import msgspec

    try:
        return msgspec.json.decode(line, type=dict[str, msgspec.Raw]).get("resourceType") == msgspec.Raw(
            b'"Bundle"'
        )
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return False


def _a_line_is_json(head: bytes) -> bool:
    return any(_is_object(line.strip()) for line in head.splitlines()[1:6])


def encoding_of(head: bytes) -> str | None:
    """The encoding of a text by its first bytes; None where it is no text. A few lines may be in another.

    >>> encoding_of("姓名".encode("gb18030")), encoding_of("姓名".encode()), encoding_of(b"\\x00\\x01")
    ('gb18030', 'utf-8', None)
    """
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if _CONTROL.search(head):
        return None
    # The last line may be cut off in the middle of a character.
    lines = head.rpartition(b"\n")[0].splitlines() or [head]
    told = [line for line in lines if not line.isascii()]
    if not told:
        return "utf-8"
    for encoding in ENCODINGS:
        texts = [text for line in told if (text := decoded(line, encoding)) is not None]
        enough = len(texts) >= (0.8 if encoding != "cp1252" else 1) * len(told)
        if enough and not (encoding == "gb18030" and is_western("\n".join(texts))):
            return encoding
    return None


def decoded(line: bytes, encoding: str) -> str | None:
    """The text of some bytes, None where they are not in that encoding."""
    try:
        return line.decode(encoding)
    except UnicodeDecodeError:
        return None


def is_western(text: str) -> bool:
    """Whether Chinese characters stand amid Latin words, as where ü of Müller was read as half of one."""
    inside = len(re.findall(r"[A-Za-z][\u3400-\u9fff][a-z]", text))
    return inside * 2 > len(re.findall(r"[\u3400-\u9fff]", text))


def delimiter_of(text: str) -> str | None:
    """The character that parts the cells of a table, by its first lines; None where there is none.

    >>> delimiter_of("a;b;c\\n1,5;2;3\\n"), delimiter_of("one line of prose")
    (';', None)
    """
    lines = [re.sub(r'"(?:[^"]|"")*"', '""', line) for line in text.splitlines()[:20] if line.strip()]
    best: tuple[int, int, str] | None = None
    for order, delimiter in enumerate((",", "\t", ";", "|")):
        counts = [line.count(delimiter) for line in lines]
        usual = max(
            {count for count in counts if count}, key=lambda count: (counts.count(count), count), default=0
        )
        alike = counts.count(usual)  # a title above the header has fewer, a broken row fewer or more
        if (
            usual
            and alike * 2 >= len(counts)
            and (best is None or (alike * usual, -order) > (best[0], best[1]))
        ):
            best = (alike * usual, -order, delimiter)
    return best[2] if best else None


def _is_table(head: bytes) -> bool:
    encoding = encoding_of(head)
    if encoding is None:
        return False
    text = codecs.getincrementaldecoder(encoding)(errors="ignore").decode(head)
    if len(head) == HEAD_BYTES:
        text = text.rpartition("\n")[0]
    return delimiter_of(text) is not None and len(text.splitlines()) > 1

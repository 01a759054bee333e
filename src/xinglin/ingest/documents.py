"""JSON documents taken apart: bundles and arrays into entries, each still its own bytes.

A document up to the bound is read whole; a longer collection, searchset, batch or array is scanned, an entry at a time,
in bounded memory. Ids are kept: the resource's own, else the one its address says, else one made of its content, so that
a bundle imported again changes nothing. Source: HL7 FHIR R4, bundle.html, http.html#transaction.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import msgspec

from xinglin.ingest.errors import RowError, SourceError
from xinglin.kernel.ids import stable_id

LISTS = ("collection", "searchset", "batch", "batch-response", "transaction-response")
WHOLE = ("document", "message")  # bundles that are themselves what is kept
_LINK = re.compile(rb'"reference"\s*:\s*"((?:[^"\\]|\\.)*)"')
_UUID = re.compile(r"urn:uuid:([0-9A-Za-z\-]{1,64})")
_ADDRESS = re.compile(r"(?:.*/)?([A-Z][A-Za-z]{2,60})/([A-Za-z0-9\-.]{1,64})(?:/_history/[^/]+)?")
_CONDITION = re.compile(r"([A-Z][A-Za-z]{2,60})\?(.+)", re.DOTALL)


class _Request(msgspec.Struct):
    method: str | None = None
    url: str | None = None
    ifNoneExist: str | None = None  # noqa: N815
    ifMatch: str | None = None  # noqa: N815
    ifNoneMatch: str | None = None  # noqa: N815


class _Search(msgspec.Struct):
    mode: str | None = None


_NONE = msgspec.Raw(b"")  # a union of Raw with None would not take an object


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    fullUrl: str | None = None  # noqa: N815
    resource: msgspec.Raw = _NONE
    request: _Request | None = None
    search: _Search | None = None
    response: msgspec.Raw = _NONE
    link: msgspec.Raw = _NONE
    id: msgspec.Raw = _NONE
    extension: msgspec.Raw = _NONE
    modifierExtension: msgspec.Raw = _NONE  # noqa: N815


class _Bundle(msgspec.Struct, forbid_unknown_fields=True):
    """All members a Bundle has: one that is misspelt must not make its entries vanish."""

    resourceType: str | None = None  # noqa: N815
    type: str | None = None
    entry: list[msgspec.Raw] | None = None
    id: msgspec.Raw = _NONE
    meta: msgspec.Raw = _NONE
    implicitRules: msgspec.Raw = _NONE  # noqa: N815
    language: msgspec.Raw = _NONE
    identifier: msgspec.Raw = _NONE
    timestamp: msgspec.Raw = _NONE
    total: msgspec.Raw = _NONE
    link: msgspec.Raw = _NONE
    signature: msgspec.Raw = _NONE


class _Head(msgspec.Struct):
    resourceType: str | None = None  # noqa: N815
    id: str | None = None


_bundle = msgspec.json.Decoder(_Bundle).decode
_entry = msgspec.json.Decoder(_Entry).decode
_head = msgspec.json.Decoder(_Head).decode
_array = msgspec.json.Decoder(list[msgspec.Raw]).decode


@dataclass(slots=True)
class Entry:
    """One entry: ``place`` its FHIRPath in the bundle, ``resource`` its bytes, ``problem`` why it cannot be taken.

    ``type`` and ``id`` say where it goes; ``match`` is a condition under which an existing resource is meant instead
    (If-None-Exist where ``create_only``, else a conditional update); ``existing``: one meets it, and nothing is to be
    written. ``delete`` it is to be deleted.
    """

    place: str
    resource: bytes = b""
    type: str = ""
    id: str = ""
    full_url: str | None = None
    match: str | None = None
    create_only: bool = False
    existing: bool = False
    delete: bool = False
    problem: RowError | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A document that was read whole: what kind of bundle, ``resource`` or ``array``, and its entries."""

    kind: str
    entries: list[Entry]


def read_document(body: bytes, name: str) -> Document:
    """The document in ``body``. Raises SourceError where it is no JSON object or array of resources."""
    text = body.removeprefix(b"\xef\xbb\xbf").strip()
    try:
        if text.startswith(b"["):
            return Document("array", [_bare(f"[{at}]", bytes(item)) for at, item in enumerate(_array(text))])
        if _head(text).resourceType != "Bundle":
            return Document("resource", [_bare("", text)])
        bundle = _bundle(text)
    except msgspec.ValidationError as error:
        raise SourceError("ingest.bundle-form", name=name, reason=_reason(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SourceError("ingest.not-json", name=name, reason=_reason(error)) from error
    if bundle.type in WHOLE:
        return Document("resource", [_bare("", text)])
    kind = bundle.type or ""
    if kind != "transaction" and kind not in LISTS:
        raise SourceError("ingest.bundle-type", name=name, known=", ".join(("transaction", *LISTS)))
    entries = [entry_of(f"Bundle.entry[{at}]", bytes(raw)) for at, raw in enumerate(bundle.entry or [])]
    return Document(kind, [entry for entry in entries if entry is not None])


def _reason(error: Exception) -> str:
    """The decoder's own words without what the document holds."""
    return re.sub(r"\s+", " ", str(error))[:120]


def _bare(place: str, resource: bytes) -> Entry:
    entry = Entry(place, resource)
    try:
        head = _head(resource)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        entry.problem = RowError("ingest.not-a-resource", expression=place or None)
        return entry
    entry.type, entry.id = head.resourceType or "", head.id or ""
    return entry


def entry_of(place: str, raw: bytes) -> Entry | None:
    """One entry of a bundle, None where there is nothing to take (a GET, an OperationOutcome of a search)."""
    try:
        sent = _entry(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Entry(place, raw, problem=RowError("ingest.entry-form", expression=place))
    asked = sent.request or _Request()
    if asked.method == "GET" or asked.method == "HEAD" or (sent.search and sent.search.mode == "outcome"):
        return None
    if asked.method == "DELETE":
        return _deletion(place, raw, asked)
    if bytes(sent.resource) in (b"", b"null"):
        return Entry(place, raw, problem=RowError("ingest.entry-empty", expression=place))
    if asked.method == "PATCH":
        return Entry(place, raw, problem=RowError("ingest.entry-patch", expression=f"{place}.request.method"))
    entry = _bare(f"{place}.resource", bytes(sent.resource))
    entry.full_url = sent.fullUrl
    if entry.problem is None:
        _aim(entry, asked, place)
    return entry


def _deletion(place: str, raw: bytes, asked: _Request) -> Entry:
    found = _ADDRESS.fullmatch(asked.url or "")
    if found is None:
        return Entry(place, raw, problem=RowError("ingest.entry-address", expression=f"{place}.request.url"))
    return Entry(place, raw, found[1], found[2], delete=True)


def _aim(entry: Entry, asked: _Request, place: str) -> None:
    """Settle where an entry goes: its own id, else what request or fullUrl say, else what its content makes."""
    if asked.method == "PUT" and (condition := _CONDITION.fullmatch(asked.url or "")):
        entry.match = condition[2]
    elif asked.method == "PUT" and (address := _ADDRESS.fullmatch(asked.url or "")):
        if address[1] != entry.type or (entry.id and entry.id != address[2]):
            entry.problem = RowError("ingest.entry-address", expression=f"{place}.request.url")
        entry.id = address[2]
    elif asked.ifNoneExist:
        entry.match, entry.create_only = asked.ifNoneExist, True
    if not entry.id and entry.full_url:
        if uuid := _UUID.fullmatch(entry.full_url):
            entry.id = uuid[1].lower()
        elif (address := _ADDRESS.fullmatch(entry.full_url)) and address[1] == entry.type:
            entry.id = address[2]


def places_of(entries: list[Entry]) -> dict[str, str]:
    """Where each fullUrl of a bundle goes, as ``Type/id``; entries without id are given one made of their content."""
    for entry in entries:
        if entry.type and not entry.id and not entry.delete:
            entry.id = content_id(entry)
    return {
        entry.full_url: f"{entry.type}/{entry.id}"
        for entry in entries
        if entry.full_url and entry.type and not entry.delete
    }


def content_id(entry: Entry) -> str:
    """An id made of the resource's content: the same content, the same id."""
    return stable_id(entry.type, entry.resource.decode("utf-8", "surrogateescape"))


def relinked(entry: Entry, places: dict[str, str]) -> bytes:
    """The entry's resource with its id, and with links to other entries of its bundle turned to ``Type/id``.

    Only those strings change; numbers keep their digits. Raises RowError where a ``urn:`` link names no entry.
    """
    base = _base(entry.full_url)

    def link(match: re.Match[bytes]) -> bytes:
        target = _text(match[1])
        found = places.get(target)
        if found is None and base and "://" not in target:
            found = places.get(base + target)
        return match[0] if found is None else b'"reference":' + msgspec.json.encode(found)

    body = entry.resource
    if places and b'"reference"' in body:
        body = _LINK.sub(link, body)
    if b"urn:uuid:" in body and any(url.encode() in body for url in places if url.startswith("urn:")):
        body = _elsewhere(body, places)
    return with_id(body, entry.id)


def _elsewhere(body: bytes, places: dict[str, str]) -> bytes:
    """Links in uri elements and narrative are rare: the slow and thorough way finds them."""
    from xinglin.standards.fhir.edit import replace_references
    from xinglin.standards.fhir.parse import minify

    try:
        return replace_references(minify(body), places)
    except UnicodeDecodeError:  # no UTF-8: the check that follows says so, and where
        return body


def _text(written: bytes) -> str:
    """What stands between the quotes of a JSON string; as it is written where that is not valid."""
    if b"\\" in written:
        try:
            return msgspec.json.decode(b'"' + written + b'"', type=str)
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass
    return written.decode("utf-8", "replace")


def _base(full_url: str | None) -> str | None:
    if not full_url or "://" not in full_url or not (found := _ADDRESS.fullmatch(full_url)):
        return None
    return full_url[: -len(f"{found[1]}/{found[2]}")] if full_url.endswith(f"{found[1]}/{found[2]}") else None


def with_id(body: bytes, id_: str) -> bytes:
    """``body`` with ``id_`` where it has no id; unchanged where it has one."""
    try:
        head = _head(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body
    if head.id is not None or not id_:
        return body
    start = body.index(b"{") + 1
    comma = b"," if body[start:].lstrip()[:1] != b"}" else b""
    return body[:start] + b'"id":' + msgspec.json.encode(id_) + comma + body[start:]


def dangling(body: bytes) -> str | None:
    """The first ``urn:`` reference left in a body, which then names no entry of its bundle; None where there is none."""
    for match in _LINK.finditer(body):
        if match[1].startswith((b"urn:uuid:", b"urn:oid:")):
            return match[1].decode("utf-8", "replace")
    return None


def conditional_links(body: bytes) -> set[str]:
    """References that name their target by a condition: ``Practitioner?identifier=…``."""
    if b"?" not in body:
        return set()
    found = {_text(match[1]) for match in _LINK.finditer(body) if b"?" in match[1]}
    return {link for link in found if _CONDITION.fullmatch(link)}


_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\],]', re.DOTALL)
_CHUNK = 1 << 18


def scan(stream: BinaryIO, name: str, longest: int, whole: int = 0) -> Iterator[tuple[str, Entry]]:
    """``(bundle type, entry)`` of a document too long to hold: an array, or a bundle whose type stands before its entries.

    ``longest`` bounds the bytes of one entry; ``whole`` is the bound that the document is over. Raises SourceError:
    a transaction (it must be held whole), a type after the entries, a document that ends before it is complete.
    """
    scanner = _Scanner(stream, name, longest)
    first = scanner.token()
    if first == b"[":
        for at, raw in enumerate(scanner.items()):
            yield "array", _bare(f"[{at}]", raw)
        return
    kind = ""
    while (token := scanner.token()) != b"}":
        if token == b",":
            continue
        if token == b'"type"':
            kind = scanner.value().decode("utf-8", "replace").strip(' :"\t\r\n')
        elif token == b'"entry"':
            if kind not in LISTS:
                key = "ingest.transaction-long" if kind == "transaction" else "ingest.bundle-type-first"
                raise SourceError(key, name=name, most=whole, known=", ".join(LISTS))
            if scanner.token() != b"[":
                raise SourceError("ingest.not-json", name=name, reason="entry")
            for at, raw in enumerate(scanner.items()):
                if entry := entry_of(f"Bundle.entry[{at}]", raw):
                    yield kind, entry
        elif token.strip(b'"').decode("utf-8", "replace") in _Bundle.__struct_fields__:
            scanner.value()
        else:
            raise SourceError("ingest.bundle-form", name=name, reason="unknown member")


class _Scanner:
    """Walks over JSON by its brackets and strings, holding no more than one entry."""

    def __init__(self, stream: BinaryIO, name: str, longest: int) -> None:
        self._stream = stream
        self._name = name
        self._longest = longest
        self._buffer = b""
        self._at = 0

    def _more(self, keep: int) -> int:
        """Read on, dropping what stands before ``keep``; gives how far everything moved to the left."""
        chunk = self._stream.read(_CHUNK)
        if not chunk:
            raise SourceError("ingest.truncated", name=self._name)
        if len(self._buffer) - keep > self._longest:
            raise SourceError("ingest.entry-long", name=self._name, most=self._longest)
        self._buffer = self._buffer[keep:] + chunk
        return keep

    def token(self) -> bytes:
        """The next string, bracket or comma; what came before is forgotten."""
        found = self._find(self._at)
        if found is None:
            self._at -= self._more(self._at)
            return self.token()
        self._at = found.end()
        return found[0]

    def _find(self, start: int) -> re.Match[bytes] | None:
        """The next token at or after ``start``, which is outside a string; None where more must be read first."""
        found = _TOKEN.search(self._buffer, start)
        quote = self._buffer.find(b'"', start, found.start() if found else len(self._buffer))
        return None if quote >= 0 else found  # a string that has not ended hides what stands in it

    def value(self) -> bytes:
        """The bytes of the value that comes next, up to the comma or bracket that ends it, which stays."""
        at = self._at
        depth = 0
        while True:
            found = self._find(at)
            if found is None:
                moved = self._more(self._at)
                self._at -= moved
                at -= moved
                continue
            token = found[0]
            if depth == 0 and token in (b",", b"}", b"]"):
                raw = self._buffer[self._at : found.start()]
                self._at = found.start()
                return raw
            depth += (token in (b"{", b"[")) - (token in (b"}", b"]"))
            at = found.end()

    def items(self) -> Iterator[bytes]:
        """Each item of the array just begun; ends after its closing bracket."""
        while True:
            if raw := self.value().strip():
                yield raw
            if self.token() == b"]":
                return

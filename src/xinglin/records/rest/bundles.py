"""Batch and transaction bundles as data: read, checked, put in the order the standard asks, references rewritten.

Nothing here touches the store. Source: HL7 FHIR R4, http.html#transaction (§3.1.0.11), bundle.html.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote, urlsplit

import msgspec

from xinglin.records.rest.errors import Malformed, TooMany
from xinglin.records.rest.lexemes import loads
from xinglin.standards.fhir.edit import replace_references

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_RANK = {"DELETE": 0, "POST": 1, "PUT": 2, "PATCH": 2, "GET": 3, "HEAD": 3}
_LOCAL = re.compile(r"([A-Z][A-Za-z]{2,60})/([A-Za-z0-9\-.]{1,64})(/_history/[A-Za-z0-9\-.]{1,64})?")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")
_TEXTS = re.compile(rb'"((?:[^"\\]++|\\.)*+)"')
_SUBSETTED = b'{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}'
_NARRATIVE = re.compile(rb"""(?:href|src)\s*=\s*\\?["']([^"'\\#]{1,512})""")


class _Asked(msgspec.Struct, forbid_unknown_fields=True):
    method: str | None = None
    url: str | None = None
    ifNoneMatch: str | None = None  # noqa: N815
    ifModifiedSince: str | None = None  # noqa: N815
    ifMatch: str | None = None  # noqa: N815
    ifNoneExist: str | None = None  # noqa: N815
    id: str | None = None
    extension: msgspec.Raw = msgspec.Raw()
    modifierExtension: msgspec.Raw = msgspec.Raw()  # noqa: N815


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    fullUrl: str | None = None  # noqa: N815
    resource: msgspec.Raw = msgspec.Raw()
    request: _Asked | None = None
    search: msgspec.Raw = msgspec.Raw()
    response: msgspec.Raw = msgspec.Raw()
    link: msgspec.Raw = msgspec.Raw()
    id: str | None = None
    extension: msgspec.Raw = msgspec.Raw()
    modifierExtension: msgspec.Raw = msgspec.Raw()  # noqa: N815


class _Bundle(msgspec.Struct, forbid_unknown_fields=True):
    resourceType: str  # noqa: N815
    type: str | None = None
    entry: list[_Entry] | None = None
    id: str | None = None
    meta: msgspec.Raw = msgspec.Raw()
    implicitRules: str | None = None  # noqa: N815
    language: str | None = None
    identifier: msgspec.Raw = msgspec.Raw()
    timestamp: str | None = None
    total: int | None = None
    link: msgspec.Raw = msgspec.Raw()
    signature: msgspec.Raw = msgspec.Raw()


class _Loose(_Bundle):
    """A Bundle whose entries are read one by one."""

    entry: list[msgspec.Raw] | None = None  # type: ignore[assignment]


_read = msgspec.json.Decoder(_Bundle).decode
_read_entry = msgspec.json.Decoder(_Entry).decode
_read_loose = msgspec.json.Decoder(_Loose).decode


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: ``index`` in the bundle, the method, the address as sent, and what goes with it.

    ``resource`` is its own JSON text, unread; None where there is none.
    """

    index: int
    method: str
    url: str
    full_url: str | None
    resource: bytes | None
    if_match: str | None
    if_none_match: str | None
    if_modified_since: str | None
    if_none_exist: str | None
    wrong: Malformed | None = None
    """What keeps it from being a request at all; the rest of it is then empty."""

    @property
    def place(self) -> str:
        """FHIRPath of the entry."""
        return f"Bundle.entry[{self.index}]"


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch or a transaction and its entries, in the order sent."""

    kind: Literal["batch", "transaction"]
    entries: tuple[Entry, ...]


def read_bundle(body: bytes, *, most: int) -> Batch:
    """The batch or transaction in ``body``, its form checked; resources stay unread.

    Raises Malformed, naming the entry, or TooMany above ``most`` entries. An entry of a batch stands for itself: what is
    wrong with its form is kept in it.
    """
    sent: Sequence[_Entry | Malformed]
    try:
        bundle: _Bundle = _read(body)
        sent = bundle.entry or []
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        loose = _apart(body)
        if loose is None:
            raise _unreadable(body, error) from error
        bundle, sent = loose, list(_one_by_one(loose.entry or []))
    if bundle.resourceType != "Bundle":
        raise Malformed(
            "records.rest-not-a-bundle", expression="Bundle.resourceType", type=bundle.resourceType[:64]
        )
    if bundle.type not in ("batch", "transaction"):
        raise Malformed("records.rest-bundle-type", expression="Bundle.type", type=(bundle.type or "")[:40])
    if len(sent) > most:
        raise TooMany("records.rest-bundle-limit", expression="Bundle.entry", count=len(sent), most=most)
    entries = tuple(_entry(index, entry) for index, entry in enumerate(sent))
    wrong = next((entry.wrong for entry in entries if entry.wrong is not None), None)
    if wrong is not None and bundle.type == "transaction":
        raise wrong
    return Batch(bundle.type, entries)  # type: ignore[arg-type]


def _apart(body: bytes) -> _Loose | None:
    """A batch whose fault is in its entries, these unread; None for any other."""
    try:
        loose = _read_loose(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return loose if loose.resourceType == "Bundle" and loose.type == "batch" else None


def _one_by_one(entries: Sequence[msgspec.Raw]) -> Iterator[_Entry | Malformed]:
    for index, raw in enumerate(entries):
        try:
            yield _read_entry(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            yield Malformed("records.rest-bundle-form", expression=f"Bundle.entry[{index}]{_path(error)}")


def _unreadable(body: bytes, error: Exception) -> Malformed:
    document = loads(body, what="Bundle")  # raises by itself where it is no JSON
    if not isinstance(document, dict) or document.get("resourceType") != "Bundle":
        named = document.get("resourceType") if isinstance(document, dict) else None
        return Malformed(
            "records.rest-not-a-bundle", expression="Bundle.resourceType", type=str(named or "–")[:64]
        )
    return Malformed("records.rest-bundle-form", expression=f"Bundle{_path(error)}")


def _path(error: Exception) -> str:
    # msgspec ends its message with the path: "… - at `$.entry[3].request`"
    found = re.search(r"`\$((?:\.\w+|\[\d+\]|\[\.\.\.\])*)`$", str(error))
    return found[1] if found else ""


def _entry(index: int, entry: _Entry | Malformed) -> Entry:
    try:
        if isinstance(entry, Malformed):
            raise entry
        return _understood(index, entry)
    except Malformed as wrong:
        return Entry(index, "", "", None, None, None, None, None, None, wrong)


def _understood(index: int, entry: _Entry) -> Entry:
    place = f"Bundle.entry[{index}]"
    asked = entry.request
    if asked is None:
        raise Malformed("records.rest-entry-request", expression=f"{place}.request")
    if asked.method not in METHODS:
        raise Malformed(
            "records.rest-entry-method", expression=f"{place}.request.method", known=", ".join(METHODS)
        )
    if not asked.url:
        raise Malformed("records.rest-entry-url", expression=f"{place}.request.url")
    resource = bytes(entry.resource) or None
    if asked.method in ("PUT", "PATCH") and resource is None:
        raise Malformed("records.rest-entry-resource", expression=f"{place}.resource", method=asked.method)
    return Entry(
        index,
        asked.method,
        asked.url,
        entry.fullUrl or None,
        resource,
        asked.ifMatch,
        asked.ifNoneMatch,
        asked.ifModifiedSince,
        asked.ifNoneExist,
    )


def in_order(entries: Sequence[Entry]) -> list[Entry]:
    """DELETE, then POST, then PUT and PATCH, then GET and HEAD; within each as sent (§3.1.0.11.2)."""
    return sorted(entries, key=lambda entry: _RANK.get(entry.method, 0))


def check_full_urls(entries: Iterable[Entry]) -> None:
    """Raises Malformed where a transaction gives two entries one fullUrl, naming the second: references to it would
    be ambiguous. (A DELETE or GET may share its target's address.)"""
    seen: set[str] = set()
    for entry in entries:
        if entry.full_url is None or _RANK[entry.method] not in (1, 2):
            continue
        if entry.full_url in seen:
            raise Malformed("records.rest-entry-full-url", expression=f"{entry.place}.fullUrl")
        seen.add(entry.full_url)


def check_targets(targets: Iterable[tuple[Entry, str, str]]) -> None:
    """Raises Malformed where two entries change the same resource ``(entry, type, id)``, naming the second."""
    seen: set[tuple[str, str]] = set()
    for entry, kind, id_ in targets:
        if (kind, id_) in seen:
            raise Malformed("records.rest-entry-twice", expression=entry.place, type=kind, id=id_)
        seen.add((kind, id_))


def below_base(url: str, base: str) -> tuple[tuple[str, ...], str] | None:
    """The path segments below the FHIR endpoint, percent-decoded, and the query of an entry's address.

    Relative addresses, with or without a leading slash, and absolute ones under ``base``; None for any other.

    >>> below_base("Patient/1?x=%20", "http://h/fhir"), below_base("http://h/fhir/Patient", "http://h/fhir")
    ((('Patient', '1'), 'x=%20'), (('Patient',), ''))
    """
    if _ABSOLUTE.match(url.partition("?")[0]):
        if not url.startswith(base + "/") and url != base:
            return None
        url = url[len(base) :]
    try:
        parts = urlsplit("//x/" + url.lstrip("/"))
    except ValueError:
        return None
    return tuple(unquote(part) for part in parts.path.split("/") if part), parts.query


class Links:
    """Where the entries of a transaction went: fullUrls and conditional references, each with its ``Type/id``."""

    def __init__(self, places: Mapping[str, str]) -> None:
        self._places = places
        self._relative: dict[str, dict[str, str]] = {}

    def resolve(self, body: bytes, full_url: str | None) -> bytes:
        """``body`` (minified) with every link to an entry of the bundle replaced by where that entry went.

        A relative reference in an entry whose fullUrl is a RESTful address is read against that address's base.
        References, uri, url, oid and uuid elements, and the links of the narrative are replaced, nothing else.
        """
        relative = self._below(_root_of(full_url))
        found: dict[str, str] = {}
        # Few of the bundle's entries are named in any one body: look its own texts up instead of looking for each.
        for raw in (*_TEXTS.findall(body), *_NARRATIVE.findall(body)):
            text = _unescaped(raw)
            target = self._places.get(text) or relative.get(text)
            if target is not None:
                found[text] = target
        return replace_references(body, found)

    def _below(self, root: str | None) -> dict[str, str]:
        if root is None:
            return {}
        known = self._relative.get(root)
        if known is None:
            known = {url[len(root) :]: place for url, place in self._places.items() if url.startswith(root)}
            self._relative[root] = known
        return known


def _unescaped(raw: bytes) -> str:
    if b"\\" in raw:
        try:
            return str(msgspec.json.decode(b'"' + raw + b'"', type=str))
        except msgspec.DecodeError:
            return ""
    return raw.decode("utf-8", "replace")


def _root_of(full_url: str | None) -> str | None:
    """``http://h/fhir/`` of ``http://h/fhir/Patient/1``; None for a urn or nothing."""
    if not full_url or "/" not in full_url:
        return None
    head, _, tail = full_url.rpartition("/")
    root, slash, kind = head.rpartition("/")
    return root + slash if slash and _LOCAL.fullmatch(f"{kind}/{tail}") else None


def entry_bytes(
    full_url: str | None,
    resource: bytes | None,
    *,
    status: str,
    location: str | None = None,
    etag: str | None = None,
    last_modified: str | None = None,
    outcome: bytes | None = None,
) -> bytes:
    """One entry of a batch-response, transaction-response or history bundle, joined from bytes."""
    parts = []
    if full_url:
        parts.append(b'"fullUrl":' + msgspec.json.encode(full_url))
    if resource:
        parts.append(b'"resource":' + resource)
    response: list[bytes] = [b'"status":' + msgspec.json.encode(status)]
    for name, text in (("location", location), ("etag", etag), ("lastModified", last_modified)):
        if text:
            response.append(b'"%s":%s' % (name.encode(), msgspec.json.encode(text)))
    if outcome:
        response.append(b'"outcome":' + outcome)
    parts.append(b'"response":{' + b",".join(response) + b"}")
    return b"{" + b",".join(parts) + b"}"


def bundle_bytes(
    kind: str,
    entries: Sequence[bytes],
    *,
    id_: str | None = None,
    updated: str | None = None,
    total: int | None = None,
    links: Sequence[tuple[str, str]] = (),
    subsetted: bool = False,
    tags: Sequence[bytes] = (),
) -> bytes:
    """A Bundle joined from the bytes of its entries: nothing of them is read or written again. ``tags``: of its meta."""
    parts = [b'{"resourceType":"Bundle"']
    if id_:
        parts.append(b'"id":"%s"' % id_.encode())
    if updated:
        codings = [*tags, *([_SUBSETTED] if subsetted else [])]
        tag = b',"tag":[%s]' % b",".join(codings) if codings else b""
        parts.append(b'"meta":{"lastUpdated":"%s"%s}' % (updated.encode(), tag))
    parts.append(b'"type":"%s"' % kind.encode())
    if total is not None:
        parts.append(b'"total":%d' % total)
    if links:
        parts.append(
            b'"link":[%s]'
            % b",".join(
                b'{"relation":"%s","url":%s}' % (relation.encode(), msgspec.json.encode(url))
                for relation, url in links
            )
        )
    if entries:
        parts.append(b'"entry":[' + b",".join(entries) + b"]")
    return b",".join(parts) + b"}"

"""Batch and transaction bundles as data: read, checked, put in the order the standard asks, references rewritten.

Nothing here touches the store. Source: HL7 FHIR R4, http.html#transaction (§3.1.0.11), bundle.html.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

import msgspec

from xinglin.records.rest.errors import Malformed, TooMany
from xinglin.records.rest.lexemes import dumps, loads

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_RANK = {"DELETE": 0, "POST": 1, "PUT": 2, "PATCH": 2, "GET": 3, "HEAD": 3}
_LOCAL = re.compile(r"([A-Z][A-Za-z]{2,60})/([A-Za-z0-9\-.]{1,64})(/_history/[A-Za-z0-9\-.]{1,64})?")
_CONDITIONAL = re.compile(r"([A-Z][A-Za-z]{2,60})\?(.+)", re.DOTALL)
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")
_NARRATIVE = re.compile(r"""((?:href|src)\s*=\s*)("|')(.*?)\2""", re.DOTALL)


_NO_LINKS = frozenset({"system", "value", "id", "code", "fullUrl"})
"""Identifier.system names a naming system and Identifier.value may well be a uuid: neither is a link."""


class _Asked(msgspec.Struct, forbid_unknown_fields=True):
    method: str | None = None
    url: str | None = None
    ifNoneMatch: str | None = None  # noqa: N815
    ifModifiedSince: str | None = None  # noqa: N815
    ifMatch: str | None = None  # noqa: N815
    ifNoneExist: str | None = None  # noqa: N815
    id: str | None = None
    extension: msgspec.Raw | None = None
    modifierExtension: msgspec.Raw | None = None  # noqa: N815


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    fullUrl: str | None = None  # noqa: N815
    resource: msgspec.Raw | None = None
    request: _Asked | None = None
    search: msgspec.Raw | None = None
    response: msgspec.Raw | None = None
    link: msgspec.Raw | None = None
    id: str | None = None
    extension: msgspec.Raw | None = None
    modifierExtension: msgspec.Raw | None = None  # noqa: N815


class _Bundle(msgspec.Struct, forbid_unknown_fields=True):
    resourceType: str  # noqa: N815
    type: str | None = None
    entry: list[_Entry] | None = None
    id: str | None = None
    meta: msgspec.Raw | None = None
    implicitRules: str | None = None  # noqa: N815
    language: str | None = None
    identifier: msgspec.Raw | None = None
    timestamp: str | None = None
    total: int | None = None
    link: msgspec.Raw | None = None
    signature: msgspec.Raw | None = None


_read = msgspec.json.Decoder(_Bundle).decode


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

    Raises Malformed, naming the entry, or TooMany above ``most`` entries.
    """
    try:
        bundle = _read(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable(body, error) from error
    if bundle.resourceType != "Bundle":
        raise Malformed(
            "records.rest-not-a-bundle", expression="Bundle.resourceType", type=bundle.resourceType[:64]
        )
    if bundle.type not in ("batch", "transaction"):
        raise Malformed("records.rest-bundle-type", expression="Bundle.type", type=(bundle.type or "")[:40])
    sent = bundle.entry or []
    if len(sent) > most:
        raise TooMany("records.rest-bundle-limit", expression="Bundle.entry", count=len(sent), most=most)
    entries = tuple(_entry(index, entry) for index, entry in enumerate(sent))
    return Batch(bundle.type, entries)  # type: ignore[arg-type]


def _unreadable(body: bytes, error: Exception) -> Malformed:
    document = loads(body, what="Bundle")  # raises by itself where it is no JSON
    if not isinstance(document, dict) or document.get("resourceType") != "Bundle":
        named = document.get("resourceType") if isinstance(document, dict) else None
        return Malformed(
            "records.rest-not-a-bundle", expression="Bundle.resourceType", type=str(named or "–")[:64]
        )
    # msgspec ends its message with the path: "… - at `$.entry[3].request`"
    found = re.search(r"`\$((?:\.\w+|\[\d+\]|\[\.\.\.\])*)`$", str(error))
    return Malformed("records.rest-bundle-form", expression="Bundle" + (found[1] if found else ""))


def _entry(index: int, entry: _Entry) -> Entry:
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
    resource = bytes(entry.resource) if entry.resource is not None else None
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
    return sorted(entries, key=lambda entry: _RANK[entry.method])


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


def conditional_references(resource: Any) -> set[str]:
    """All references in the form ``Type?query`` in a resource (as `lexemes.loads` gives it)."""
    found: set[str] = set()

    def visit(node: Any) -> None:
        if isinstance(node, dict):
            reference = node.get("reference")
            if isinstance(reference, str) and _CONDITIONAL.fullmatch(reference):
                found.add(reference)
            for value in node.values():
                visit(value)
        elif isinstance(node, list):
            for value in node:
                visit(value)

    visit(resource)
    return found


def resolve_links(body: bytes, places: dict[str, str], full_url: str | None) -> bytes:
    """``body`` with every link to an entry of the bundle replaced by where that entry went.

    ``places`` maps fullUrls and conditional references to ``Type/id``. A relative reference in an entry whose fullUrl is
    a RESTful address is read against that address's base. References, uri, url, oid and uuid elements, and the links of
    the narrative are replaced; nothing else changes (numbers keep their digits).
    """
    root = _root_of(full_url)

    def target(text: str) -> str | None:
        place, hash_, fragment = text.partition("#")
        if not place:
            return None
        found = places.get(place)
        if found is None:
            match = _LOCAL.fullmatch(place)
            if match and root:
                found = places.get(f"{root}{match[1]}/{match[2]}")
            elif match is None and "/_history/" in place:
                found = places.get(place.partition("/_history/")[0])
        return None if found is None else found + hash_ + fragment

    # Most resources mention no other entry by anything but "reference": look before reading.
    if not _mentions(body, places, root):
        return body
    document = loads(body)
    _replace(document, target)
    return dumps(document)


def _mentions(body: bytes, places: dict[str, str], root: str | None) -> bool:
    if b"\\u" in body or b"\\/" in body:
        return True  # an escaped spelling may hide one
    if root and b'"reference"' in body:
        return True
    return b"urn:" in body or b"://" in body or b"?" in body


def _root_of(full_url: str | None) -> str | None:
    """``http://h/fhir/`` of ``http://h/fhir/Patient/1``; None for a urn or nothing."""
    if not full_url or "/" not in full_url:
        return None
    head, _, tail = full_url.rpartition("/")
    root, slash, kind = head.rpartition("/")
    return root + slash if slash and _LOCAL.fullmatch(f"{kind}/{tail}") else None


def _replace(node: Any, target: Callable[[str], str | None]) -> None:
    if isinstance(node, list):
        for index, value in enumerate(node):
            if type(value) is str:
                # arrays of canonical, uri or url (instantiatesUri …)
                if value.startswith("urn:") and (found := target(value)) is not None:
                    node[index] = found
            else:
                _replace(value, target)
        return
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if type(value) is not str:
            _replace(value, target)
        elif key == "reference":
            if (found := target(value)) is not None:
                node[key] = found
        elif key == "div":
            node[key] = _NARRATIVE.sub(
                lambda m: f"{m[1]}{m[2]}{target(m[3]) or m[3]}{m[2]}",
                value,
            )
        elif (
            key not in _NO_LINKS
            and (value.startswith(("urn:uuid:", "urn:oid:")) or key.lower().endswith(("url", "uri")))
            and (found := target(value)) is not None
        ):
            node[key] = found


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
) -> bytes:
    """A Bundle joined from the bytes of its entries: nothing of them is read or written again."""
    parts = [b'{"resourceType":"Bundle"']
    if id_:
        parts.append(b'"id":"%s"' % id_.encode())
    if updated:
        tag = b""
        if subsetted:
            tag = (
                b',"tag":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue",'
                b'"code":"SUBSETTED"}]'
            )
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

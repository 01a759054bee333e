"""Change a resource's id, meta and references in its JSON text; every other lexeme, and the order, stays as sent.

The bodies are minified and have passed `parse`. Parsing and writing a resource anew would turn ``1.10`` into ``1.1``
and ``\\/`` into ``/``; a store that must give back what it was given edits the text instead.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

import msgspec

_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_TEXT = msgspec.json.Decoder(str).decode
_ENCODE = msgspec.json.encode

_REFERENCE = re.compile(rb'"reference":("(?:[^"\\]|\\.)*")')
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
_ABSOLUTE = re.compile(rb'"((?:urn:|https?://|[A-Z][A-Za-z]+[?/])[^"\\]*)"')
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s"{}\[\]:,]+')
_LINK = re.compile(r"""((?:href|src)\s*=\s*)(?:"([^"]*)"|'([^']*)')""")
# R4 3.1.0.11.2: links are replaced in references and in elements of these types; canonical elements are not.
_LINKS = frozenset(("uri", "url", "oid", "uuid"))


def with_meta(body: bytes, id: str, version: str, last_updated: str) -> bytes:
    """The minified body with ``id``, ``meta.versionId`` and ``meta.lastUpdated`` set.

    ``id`` stands where it stood, or after ``resourceType``; ``meta`` likewise, or after ``id``. The three values are
    the store's own (no character of theirs needs escaping).

    >>> with_meta(b'{"resourceType":"Patient","active":true}', "1", "2", "2020-01-01T00:00:00Z").decode()
    '{"resourceType":"Patient","id":"1","meta":{"versionId":"2","lastUpdated":"2020-01-01T00:00:00Z"},"active":true}'
    """
    stamp = b'"versionId":"%s","lastUpdated":"%s"' % (version.encode(), last_updated.encode())
    members = _MEMBERS(body)
    meta = members.get("meta")
    if meta is None:
        new_meta = b'"meta":{%s}' % stamp
    elif b'versionId"' in (inner := bytes(meta)) or b'lastUpdated"' in inner:
        kept = [b'"%s":%s' % (k.encode(), bytes(v)) for k, v in _MEMBERS(inner).items() if k not in _STAMPED]
        new_meta = b'"meta":{%s}' % b",".join([stamp, *kept])
    else:
        new_meta = b'"meta":{%s,%s' % (stamp, inner[1:])
    identity = b',"id":"%s"' % id.encode() if meta is not None else b',"id":"%s",%s' % (id.encode(), new_meta)
    has_id = "id" in members
    out: list[bytes | msgspec.Raw] = []
    for name, value in members.items():
        if name == "id":
            out.append(identity)
        elif name == "meta":
            out += (b",", new_meta)
        else:
            out += (b',"', name.encode(), b'":', value)
            if name == "resourceType" and not has_id:
                out.append(identity)
    return b"{" + b"".join(out)[1:] + b"}"


_STAMPED = frozenset(("versionId", "lastUpdated", "_versionId", "_lastUpdated"))


def replace_references(body: bytes, mapping: Mapping[str, str]) -> bytes:
    """The minified body with every link that is exactly a key of ``mapping`` replaced by its value.

    Keys begin with ``urn:``, ``http://``, ``https://``, ``Type/`` or ``Type?``. Links are ``Reference.reference``,
    elements of type uri, url, oid and uuid, and ``href`` and ``src`` in narratives (R4 3.1.0.11.2); a fragment
    (``urn:uuid:…#part``) of a mapped link keeps its fragment in narratives. Other text that happens to hold a key (a
    note, an identifier's value) stays.
    """
    if not mapping:
        return body

    def reference(match: re.Match[bytes]) -> bytes:
        target = mapping.get(_TEXT(match[1]))
        return match[0] if target is None else b'"reference":' + _ENCODE(target)

    out = _REFERENCE.sub(reference, body)
    return _replace_typed(out, mapping) if _holds_a_link(out, mapping) else out


def _holds_a_link(body: bytes, mapping: Mapping[str, str]) -> bool:
    """Whether a key may still stand somewhere in the body, as a whole string or in a narrative."""
    if b'"div":"' in body and any(key.encode() in body for key in mapping):
        return True
    if b"\\/" in body or b"\\u" in body:  # a link may be written with escapes: compare the texts
        return any(_TEXT(m[0]) in mapping for m in _STRING.finditer(body))
    return any(text.decode() in mapping for text in _ABSOLUTE.findall(body))


def _replace_typed(body: bytes, mapping: Mapping[str, str]) -> bytes:
    """Replace by the type of each element: reads the tokens along with the types they stand for."""
    out: list[bytes] = []
    stack: list[tuple[str, bool]] = []  # (type of the object or of the list's items, whether it is an object)
    expected = ""  # type of the value to come
    key: bytes | None = None
    awaiting_key = False
    resource_types = _resource_types(body)
    last = 0
    for match in _TOKEN.finditer(body):
        token = match[0]
        first = token[:1]
        if first == b"{":
            kind = resource_types.get(match.start(), expected) if expected in ("", "Resource") else expected
            stack.append((kind, True))
            awaiting_key = True
        elif first == b"[":
            stack.append((expected, False))
        elif first in (b"}", b"]"):
            stack.pop()
            awaiting_key = False
        elif first == b",":
            awaiting_key = stack[-1][1]
            if not awaiting_key:
                expected = stack[-1][0]
        elif first == b":":
            awaiting_key = False
        elif first == b'"' and awaiting_key:
            key = token
            expected = _member_types(stack[-1][0]).get(_TEXT(key), "?")
        elif first == b'"':
            new = _new_value(token, expected, mapping)
            if new is not None:
                out += [body[last : match.start()], new]
                last = match.end()
    out.append(body[last:])
    return b"".join(out)


def _new_value(token: bytes, kind: str, mapping: Mapping[str, str]) -> bytes | None:
    if kind in _LINKS:
        target = mapping.get(_TEXT(token))
        return None if target is None else _ENCODE(target)
    if kind == "xhtml":
        before = _TEXT(token)
        after = _LINK.sub(lambda m: _new_link(m, mapping), before)
        return None if after == before else _ENCODE(after)
    return None


def _new_link(match: re.Match[str], mapping: Mapping[str, str]) -> str:
    link, mark, fragment = (match[2] if match[2] is not None else match[3]).partition("#")
    target = mapping.get(link)
    return match[0] if target is None else f'{match[1]}"{target}{mark}{fragment}"'


def _resource_types(body: bytes) -> dict[int, str]:
    """The type of each resource in the body by the offset of its opening brace."""
    opened: list[int] = []
    found: dict[int, str] = {}
    tokens = _TOKEN.finditer(body)
    for match in tokens:
        token = match[0]
        if token == b"{":
            opened.append(match.start())
        elif token == b"}":
            opened.pop()
        elif token == b'"resourceType"' and opened and body[match.end() : match.end() + 2] == b':"':
            next(tokens)
            found.setdefault(opened[-1], _TEXT(next(tokens)[0]))
    return found


@cache
def _member_types(path: str) -> dict[str, str]:
    """JSON member name → type, for one type of the standard (nothing for an unknown one)."""
    from xinglin.standards.fhir.r4.elements import ELEMENTS

    types: dict[str, str] = {}
    for element in ELEMENTS.get(path, {}).values():
        if element.choice:
            types |= {element.name + kind[0].upper() + kind[1:]: kind for kind in element.types}
        else:
            types[element.name] = element.types[0]
    types |= {"_" + name: "Element" for name in list(types)}
    return types

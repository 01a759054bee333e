"""What an answer about the past is marked with, so that nobody takes it for the present.

Each resource and the Bundle carry tags in ``meta``: ``as-of`` (known time), ``valid-at`` (valid time), and on a resource
also ``undated`` (it has no clinical date, so that nobody can say whether it had begun) and ``ended-later`` (the
end that it tells of came after the valid time: at that time it was going on, whatever its status says now). The content
itself is never changed.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from xinglin.kernel.language import Language, say
from xinglin.records.past.errors import AnOldVersion
from xinglin.records.past.instants import AsOf, shown
from xinglin.records.past.validity import CLINICAL, Validity
from xinglin.standards.fhir.temporal import MAX_US

SYSTEM: Final = "urn:xinglin:time-machine"
_SYSTEM_BYTES: Final = b'"system":"' + SYSTEM.encode() + b'"'

_HEAD: Final = re.compile(
    rb'\{"resourceType":"[A-Za-z]+","id":"[A-Za-z0-9.\-]+","meta":\{"versionId":"\d+","lastUpdated":"[0-9TZ:.\-]+"(?=\})'
)
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
_encode = msgspec.json.encode


def tags(at: AsOf, language: Language = "en", zone: str = "UTC") -> list[bytes]:
    """The tags of every answer as of ``at``, as JSON; instants as people of ``zone`` read them."""
    found = []
    if at.known_us is not None:
        found.append(_tag("as-of", say("records.past-as-of", language, at=shown(at.known_us, zone))))
    if at.valid_us is not None:
        found.append(_tag("valid-at", say("records.past-valid-at", language, at=shown(at.valid_us, zone))))
    return found


def further(type_: str, span: Validity | None, at: AsOf, language: Language = "en") -> list[bytes]:
    """What else is to be said of one resource at the valid time."""
    if at.valid_us is None:
        return []
    if span is None:
        return [_tag("undated", say("records.past-undated", language))] if type_ in CLINICAL else []
    if span.lasting and at.valid_us < span.high_us - 1 and span.high_us != MAX_US:
        return [_tag("ended-later", say("records.past-ended-later", language))]
    return []


def marked(body: bytes, new: list[bytes]) -> bytes:
    """``body``, as the record has it, with tags added; all else as it was.

    >>> marked(b'{"resourceType":"Basic","id":"1","meta":{"versionId":"1"}}', [b'{"code":"as-of"}']).decode()
    '{"resourceType":"Basic","id":"1","meta":{"versionId":"1","tag":[{"code":"as-of"}]}}'
    """
    if not new:
        return body
    # The store has written id and meta at the beginning of nearly every body: see `writing.stamp`.
    head = _HEAD.match(body)
    if head is not None:
        return b'%s,"tag":[%s]%s' % (body[: head.end()], b",".join(new), body[head.end() :])
    members = _members(body)
    meta = _members(members["meta"]) if "meta" in members else {}
    there = _items(meta["tag"]) if "tag" in meta else []
    meta["tag"] = msgspec.Raw(b"[" + b",".join([*(bytes(tag) for tag in there), *new]) + b"]")
    return _encode({**members, "meta": msgspec.Raw(_encode(meta))})


def is_marked(body: bytes) -> bool:
    """Whether ``body`` was read as of an instant: what must not be written back as if it were the present."""
    if SYSTEM.encode() not in body:
        return False
    try:
        resource = msgspec.json.decode(body)
        return any(tag.get("system") == SYSTEM for tag in resource["meta"]["tag"])
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError, UnicodeDecodeError, RecursionError):
        return False


def refuse_old(body: bytes) -> None:
    """Raises AnOldVersion for a body that `is_marked`."""
    if is_marked(body):
        raise AnOldVersion("records.past-old-version", expression="Resource.meta.tag")


def _tag(code: str, display: str) -> bytes:
    return b'{%s,"code":"%s","display":%s}' % (_SYSTEM_BYTES, code.encode(), _encode(display))

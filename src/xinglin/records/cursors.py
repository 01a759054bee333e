"""Opaque page cursors: what a page ended with, sealed so that nobody can read, change or reuse it for another question.

A cursor holds keys of rows that the next page goes on from. It is encrypted and authenticated with a key that lies in
the database (synthetic initialisation vector: the tag over scope and content is also the nonce of the keystream), so it
survives a restart, works on every process of the same record, and one made for another scope (another query, tenant or
actor) is refused. The same content under the same scope gives the same cursor.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Any

import msgspec

from xinglin.records.errors import BadCursor

KEY_BYTES = 32
_TAG_BYTES = 16
_LONGEST = 4096


class Cursors:
    """Seals and opens cursors under one key of 32 random bytes.

    >>> cursors = Cursors(bytes(32))
    >>> cursors.open(cursors.seal([1, "b"], "tenant 1|Patient?name=x"), "tenant 1|Patient?name=x")
    [1, 'b']
    """

    def __init__(self, key: bytes) -> None:
        self._authenticate = hashlib.blake2b(b"authenticate", key=key).digest()
        self._encrypt = hashlib.blake2b(b"encrypt", key=key).digest()

    def seal(self, content: list[Any], scope: str) -> str:
        """``content`` (JSON values) as text safe in a URL; ``scope`` is what it is good for."""
        plain = msgspec.json.encode(content)
        tag = self._tag(plain, scope)
        return base64.urlsafe_b64encode(tag + self._mask(plain, tag)).rstrip(b"=").decode()

    def open(self, cursor: str, scope: str) -> list[Any]:
        """The content of a cursor that `seal` made for the same scope. Raises BadCursor for any other text."""
        try:
            if len(cursor) > _LONGEST:
                raise ValueError
            sealed = base64.b64decode(
                cursor.encode("ascii") + b"=" * (-len(cursor) % 4), b"-_", validate=True
            )
            tag, plain = sealed[:_TAG_BYTES], self._mask(sealed[_TAG_BYTES:], sealed[:_TAG_BYTES])
            if not hmac.compare_digest(tag, self._tag(plain, scope)):
                raise ValueError
        except (ValueError, binascii.Error, UnicodeEncodeError) as error:
            raise BadCursor("records.bad-cursor") from error
        content: list[Any] = msgspec.json.decode(plain, type=list)
        return content

    def _tag(self, plain: bytes, scope: str) -> bytes:
        name = scope.encode("utf-8", "surrogatepass")
        framed = len(name).to_bytes(8, "big") + name + plain
        return hmac.new(self._authenticate, framed, hashlib.sha256).digest()[:_TAG_BYTES]

    def _mask(self, text: bytes, tag: bytes) -> bytes:
        stream = hashlib.shake_256(self._encrypt + tag).digest(len(text))
        return (int.from_bytes(text, "big") ^ int.from_bytes(stream, "big")).to_bytes(len(text), "big")

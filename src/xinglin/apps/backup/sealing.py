"""How parts are packed: zstd, then, where there is a key, AES-256-GCM in blocks of 1 MiB.

Each part has a key of its own, drawn from the key file by scrypt and HKDF with a random salt that stands at its head. A block's
nonce is its number and whether it is the last, so blocks can be neither swapped nor cut off (the STREAM construction:
Hoang, Reyhanitabar, Rogaway, Vizár 2015, doi:10.1007/978-3-662-47989-6_24). Without a key the manifest's mac is a plain
digest: it shows damage, not forgery.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final

from xinglin.apps.backup.errors import BackupError, Damaged, Sealed

BLOCK: Final = 1024 * 1024
TAG: Final = 16
MAGIC: Final = b"XLB1"
SALT: Final = 16
LEVEL: Final = 3
PIECE: Final = 2048
"""What is unpacked at once: about 15 bytes may hold a block of 128 KiB, as in the empty parts of an image."""
_LEAST_KEY: Final = 16


class Keys:
    """The key file, if any: what is written is sealed under it, and what is sealed is read with it."""

    def __init__(self, secret: bytes | None = None) -> None:
        self._secret = secret

    @classmethod
    def of(cls, file: str) -> Keys:
        """From the file a setting names; "" is no key. Raises BackupError."""
        if not file:
            return cls()
        try:
            secret = Path(file).expanduser().read_bytes().strip()
        except OSError as error:
            raise BackupError("apps.backup-key-file", path=file) from error
        if len(secret) < _LEAST_KEY:
            raise BackupError("apps.backup-key-short", path=file, least=_LEAST_KEY)
        return cls(secret)

    def __bool__(self) -> bool:
        return self._secret is not None

    def new_salt(self) -> str:
        """A salt for what is about to be written; "" without a key."""
        return secrets.token_hex(16) if self else ""

    def key(self, salt: str, purpose: str) -> bytes:
        """32 bytes for one purpose. Raises Sealed where there is no key file."""
        if self._secret is None:
            raise Sealed("apps.backup-sealed")
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        return HKDF(SHA256(), 32, bytes.fromhex(salt), purpose.encode()).derive(_stretched(self._secret))

    def mac(self, salt: str, text: bytes) -> str:
        """The seal of a manifest: an HMAC under the key, or without one a digest."""
        if salt:
            return hmac.new(self.key(salt, "manifest"), text, hashlib.sha256).hexdigest()
        return hashlib.sha256(b"xinglin backup\0" + text).hexdigest()


@lru_cache(4)
def _stretched(secret: bytes) -> bytes:
    """A passphrase takes a tenth of a second to try; a random key loses nothing."""
    return hashlib.scrypt(
        secret, salt=b"xinglin backup", n=2**15, r=8, p=1, maxmem=64 * 1024 * 1024, dklen=32
    )


def pack(lines: Iterable[bytes], keys: Keys, name: str) -> Iterator[bytes]:
    """``lines`` compressed and, where there is a key, sealed under ``name``."""
    packed = _compressed(lines)
    return _sealed(packed, keys, name) if keys else packed


def unpack(chunks: Iterable[bytes], keys: Keys, name: str, *, sealed: bool = False) -> Iterator[bytes]:
    """What `pack` was given, in chunks. ``sealed``: it must be encrypted. Raises Damaged, Sealed."""
    import zstandard

    stream = iter(chunks)
    head = b""
    while len(head) < len(MAGIC) + SALT and (chunk := next(stream, b"")):
        head += chunk
    if head.startswith(MAGIC):
        stream = _opened(head, stream, keys, name)
    elif sealed:
        raise Damaged("apps.backup-part", part=name)
    else:
        stream = _joined(head, stream)
    unpacker = zstandard.ZstdDecompressor().decompressobj()
    try:
        for chunk in stream:
            for start in range(0, len(chunk), PIECE):
                if unpacker.eof:
                    raise Damaged("apps.backup-part", part=name)
                plain = unpacker.decompress(chunk[start : start + PIECE])
                if plain:
                    yield plain
        if not unpacker.eof or unpacker.unused_data:
            raise Damaged("apps.backup-part", part=name)
    except zstandard.ZstdError as error:
        raise Damaged("apps.backup-part", part=name) from error


def _joined(head: bytes, stream: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    yield from stream


def _compressed(lines: Iterable[bytes]) -> Iterator[bytes]:
    import zstandard

    packer = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compressobj()
    held: list[bytes] = []
    size = 0
    for line in lines:
        held.append(line)
        size += len(line)
        if size >= BLOCK:
            chunk = packer.compress(b"".join(held))
            held, size = [], 0
            if chunk:
                yield chunk
    yield packer.compress(b"".join(held)) + packer.flush()


def _sealed(chunks: Iterable[bytes], keys: Keys, name: str) -> Iterator[bytes]:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    salt = keys.new_salt()
    cipher, number, rest = AESGCM(keys.key(salt, name)), 0, b""
    yield MAGIC + bytes.fromhex(salt)
    for chunk in chunks:
        rest += chunk
        while len(rest) > BLOCK:
            yield cipher.encrypt(_nonce(number, False), rest[:BLOCK], name.encode())
            rest, number = rest[BLOCK:], number + 1
    yield cipher.encrypt(_nonce(number, True), rest, name.encode())


def _opened(head: bytes, stream: Iterator[bytes], keys: Keys, name: str) -> Iterator[bytes]:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    salt, rest, number = head[len(MAGIC) : len(MAGIC) + SALT], head[len(MAGIC) + SALT :], 0
    cipher = AESGCM(keys.key(salt.hex(), name))
    try:
        for chunk in stream:
            rest += chunk
            while len(rest) > BLOCK + TAG:
                yield cipher.decrypt(_nonce(number, False), rest[: BLOCK + TAG], name.encode())
                rest, number = rest[BLOCK + TAG :], number + 1
        yield cipher.decrypt(_nonce(number, True), rest, name.encode())
    except InvalidTag as error:
        raise Sealed("apps.backup-sealed-other", part=name) from error


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])

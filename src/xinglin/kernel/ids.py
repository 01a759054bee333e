"""Opaque identifiers: no number tells what one may not see."""

from __future__ import annotations

import base64
import hashlib
import secrets


def new_id() -> str:
    """A random server-assigned id: 26 lower-case letters and digits (128 bits), valid as a FHIR id."""
    return base64.b32encode(secrets.token_bytes(16)).decode("ascii").rstrip("=").lower()


def stable_id(*parts: str) -> str:
    """An id that is always the same for the same parts, in form like ``new_id``.

    Where a person could be found by trying numbers, one of the parts must be random, such as a patient's id.

    >>> stable_id("a", "b") == stable_id("a", "b") != stable_id("ab")
    True
    """
    digest = hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).digest()[:16]
    return base64.b32encode(digest).decode("ascii").rstrip("=").lower()

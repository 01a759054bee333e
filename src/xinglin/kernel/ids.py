"""Opaque identifiers: no number tells what one may not see."""

from __future__ import annotations

import base64
import secrets


def new_id() -> str:
    """A random server-assigned id: 26 lower-case letters and digits (128 bits), valid as a FHIR id."""
    return base64.b32encode(secrets.token_bytes(16)).decode("ascii").rstrip("=").lower()

"""Bounds on text in index columns, the same when written and when searched.

PostgreSQL refuses index entries over about 2,700 bytes and text holding U+0000; nobody searches for either.
"""

from __future__ import annotations

import hashlib

LONGEST_CODE = 200
LONGEST_TEXT = 200


def clip_code(text: str) -> str:
    """A system, code, id or uri as the index has it: a long one keeps its beginning and a digest of the whole, so equal
    stays equal and different stays different.

    >>> clip_code("8480-6"), len(clip_code("x" * 1000))
    ('8480-6', 200)
    """
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    if len(text) <= LONGEST_CODE:
        return text
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return text[: LONGEST_CODE - len(digest) - 1] + "#" + digest


def clip_text(text: str) -> str:
    """A display text as the index has it: at most its first 200 characters."""
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    return text[:LONGEST_TEXT]

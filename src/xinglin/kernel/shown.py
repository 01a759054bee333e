"""How names and addresses are shown to a person: no secret, and what was probably meant."""

from __future__ import annotations

from collections.abc import Iterable


def redacted(url: str) -> str:
    """``url`` with the password, and any secret among its parameters, replaced by ***.

    >>> redacted("postgresql://ward:secret@db/xinglin?password=p")
    'postgresql://ward:***@db/xinglin?password=***'
    """
    import re

    url = re.sub(r"(://[^/?#@\s]*?:)[^\s]*(?=@)", r"\1***", url)
    return re.sub(r"(?i)([?&\s](?:password|sslpassword|key|token)=)[^&\s]*", r"\1***", url)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like ``name``, or None where none is near.

    >>> nearest("time_zon", ["time_zone", "host"])
    'time_zone'
    """
    import difflib

    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return found[0] if found else None

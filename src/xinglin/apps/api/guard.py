"""Who may speak to a server that has no sign-in yet: this machine's own programs and this server's own pages.

A page of another site, open in a browser on this machine, can send requests to loopback. Two checks keep it out: the
Host must be one of ours (else a foreign name was made to point here, DNS rebinding), and a request that a browser marks
as made by another site (Origin, Sec-Fetch-Site) is refused.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


def is_loopback(host: str) -> bool:
    """Whether a server bound to ``host`` can be reached from this machine only.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0"), is_loopback("")
    (True, True, False, False)
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def host_name(host: str) -> str:
    """The name in a Host header, without port and brackets, lower case; "" where it is none.

    >>> host_name("LOCALHOST:8080"), host_name("[::1]:80"), host_name("a b")
    ('localhost', '::1', '')
    """
    try:
        return urlsplit("//" + host).hostname or "" if not any(c in host for c in " /\\@?#\t,") else ""
    except ValueError:
        return ""


class Guard:
    """The names under which this server may be addressed."""

    def __init__(self, base_url: str = "", names: frozenset[str] = LOOPBACK_NAMES) -> None:
        self.base_url = base_url.rstrip("/")
        own = urlsplit(self.base_url).hostname if self.base_url else None
        self._names = names | ({own} if own else set())
        self._known: dict[bytes, str | None] = {}

    def base(self, host: bytes, scheme: str) -> str | None:
        """The server's address as this client sees it, or None where ``host`` is not ours."""
        found = self._known.get(host)
        if found is None:
            text = host.decode("latin-1")
            if host_name(text) not in self._names:
                return None
            found = self.base_url or f"{scheme}://{text}"
            if len(self._known) < 64:
                self._known[host] = found
        return found

    def foreign(self, host: bytes, origin: str | None, fetch_site: str | None) -> bool:
        """Whether a browser says that another site's page sent this."""
        if fetch_site in ("cross-site", "same-site"):
            return True
        if origin is None:
            return False
        try:
            place = urlsplit(origin)
        except ValueError:
            return True
        own = urlsplit(self.base_url).netloc if self.base_url else ""
        return place.netloc not in (host.decode("latin-1"), own) or not place.netloc

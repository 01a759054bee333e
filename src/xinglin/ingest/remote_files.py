"""Files fetched from addresses that a client of `$import` names: only from hosts that the settings allow.

Which of a host's addresses are asked: `connecting`.

What breaks off is asked for again from where it broke; what stays away raises, and the job tries again later.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterable, Iterator
from http.client import HTTPException
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from xinglin.ingest.connecting import Plain, Secure, listed
from xinglin.ingest.errors import FetchError, HostError, SourceError
from xinglin.kernel.settings import Settings

TIMEOUT_S: Final = 60.0
ATTEMPTS: Final = 4
"""Times in a row that an address may fail without giving one further byte."""
PAUSE_S: Final = 1.0
CHUNK: Final = 1024 * 1024
_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_GZIP: Final = 31  # of zlib: with the header of gzip


def check_address(url: str, settings: Settings) -> None:
    """Raises HostError unless the settings allow to fetch from ``url``.

    >>> check_address("http://localhost:9000/a.ndjson", Settings())
    """
    try:
        place = urlsplit(url)
        host, port = (place.hostname or "").lower(), place.port
    except ValueError as error:
        raise HostError("ingest.bulk-address", url=_shown(url)) from error
    if place.scheme not in ("http", "https") or not host or place.username or place.password:
        raise HostError("ingest.bulk-address", url=_shown(url))
    allowed = listed(settings)
    if "*" not in allowed and host not in allowed and f"{host}:{port}" not in allowed:
        raise HostError("ingest.bulk-host", host=host, setting="import_hosts")


def unpacked(chunks: Iterable[bytes], settings: Settings, name: str) -> Iterator[bytes]:
    """``chunks`` as they are, or unpacked where they are gzip, which their first bytes say whatever headers do.

    Raises SourceError where they break off, or are beyond the bounds of an import.
    """
    most, ratio = settings.import_unpacked_limit_bytes, settings.import_ratio_limit
    unpacker: Any = None
    came = size = 0
    for raw in chunks:
        if came == 0 and raw[:2] == b"\x1f\x8b":
            unpacker = zlib.decompressobj(_GZIP)
        came += len(raw)
        while raw:
            chunk = raw
            if unpacker is None:
                raw = b""
            else:
                chunk, raw, unpacker = _unpack(unpacker, raw, name)
            size += len(chunk)
            if size > most:
                raise SourceError("ingest.unpacked-limit", name=name, most=most)
            if unpacker is not None and size > 10 * CHUNK and size > came * ratio:
                raise SourceError("ingest.ratio-limit", name=name, most=ratio)
            if chunk:
                yield chunk
    if unpacker is not None and not unpacker.eof:
        raise SourceError("ingest.broken-archive", name=name)


def _unpack(unpacker: Any, raw: bytes, name: str) -> tuple[bytes, bytes, Any]:
    """A piece unpacked, what is left of ``raw``, and with what to go on: gzip may hold several members."""
    if unpacker.eof:
        unpacker = zlib.decompressobj(_GZIP)
    try:
        chunk = unpacker.decompress(raw, CHUNK)
    except zlib.error as error:
        raise SourceError("ingest.broken-archive", name=name) from error
    return chunk, unpacker.unconsumed_tail or unpacker.unused_data, unpacker


class _Redirects(HTTPRedirectHandler):
    """Follows a redirection only to where the settings allow."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        check_address(newurl, self._settings)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class Fetch:
    """One file behind an address, unpacked where it is gzip; iterate over its bytes.

    Raises HostError, SourceError (it is not to be had: 404 and the like, or too large unpacked), FetchError (it may be
    later).
    """

    def __init__(self, url: str, settings: Settings) -> None:
        check_address(url, settings)
        self._url = url
        self._settings = settings
        self._opener = build_opener(_Redirects(settings), Plain(settings), Secure(settings))
        self._got = 0  # bytes as they come over the wire
        self._tag = ""
        self._encoded = False  # packed on its way: without a tag, what comes another time may be other bytes

    def __iter__(self) -> Iterator[bytes]:
        return unpacked(self._raw(), self._settings, _shown(self._url))

    def _raw(self) -> Iterator[bytes]:
        failures = 0
        while True:
            before = self._got
            try:
                yield from self._once()
                return
            except _Broken as error:
                failures = 1 if self._got > before else failures + 1
                if failures >= ATTEMPTS or (self._got and self._encoded and not self._tag):
                    raise FetchError("ingest.bulk-away", url=_shown(self._url), reason=str(error)) from error
                time.sleep(PAUSE_S * 2 ** (failures - 1))

    def _once(self) -> Iterator[bytes]:
        """What one request gives, from where the last one broke. Raises _Broken."""
        headers = {"Accept": "application/fhir+ndjson, */*;q=0.5", "Accept-Encoding": "gzip"}
        if self._got:
            headers["Range"] = f"bytes={self._got}-"
            if self._tag:
                headers["If-Range"] = self._tag
        try:
            response = self._opener.open(Request(self._url, headers=headers), timeout=TIMEOUT_S)  # noqa: S310
        except HTTPError as error:
            with error:
                if error.code in _PASSING:
                    raise _Broken(str(error.code)) from error
                raise SourceError("ingest.bulk-refused", url=_shown(self._url), status=error.code) from error
        except (URLError, HTTPException, OSError) as error:
            raise _Broken(type(getattr(error, "reason", error)).__name__) from error
        with response:
            if self._got and response.status != 206:
                # It cannot go on: what is written already is thrown away, and the job begins this file anew.
                raise FetchError("ingest.bulk-away", url=_shown(self._url), reason="no Range")
            tag = response.headers.get("ETag", "")
            self._tag = tag if not tag.startswith("W/") else ""
            self._encoded = bool(response.headers.get("Content-Encoding"))
            length = response.headers.get("Content-Length", "")
            left = int(length) if length.isdigit() else None
            while True:
                try:
                    chunk = response.read(CHUNK if left is None else min(CHUNK, left))
                except (HTTPException, OSError) as error:
                    raise _Broken(type(error).__name__) from error
                if not chunk:
                    break
                self._got += len(chunk)
                left = None if left is None else left - len(chunk)
                yield chunk
            if left:
                raise _Broken("IncompleteRead")


class _Broken(Exception):
    """The connection, or the server behind it, failed for now."""


def _shown(url: str) -> str:
    """An address as it may be told: a signed one carries its secret in the query."""
    from xinglin.kernel.settings import redacted

    return redacted(url.partition("?")[0].partition("#")[0])[:200]

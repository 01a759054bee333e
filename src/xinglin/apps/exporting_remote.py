"""Exporting from a server by the Bulk Data pattern: kick-off, asking how far it is, and fetching its files.

A file that breaks off is gone on with by Range; what is there whole is not fetched again.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import msgspec

from xinglin.apps.errors import RemoteError
from xinglin.apps.exporting import Ticks, Wanted
from xinglin.apps.remote import TIMEOUT_S, Remote

CHUNK: Final = 1024 * 1024
ATTEMPTS: Final = 5
LONGEST_PAUSE_S: Final = 10.0


def from_server(
    remote: Remote, place: Path, wanted: Wanted, status: str | None, keep: Callable[[str], None], tell: Ticks
) -> dict[str, Any]:
    """The manifest, with names of files in ``place`` where the server has addresses. Raises RemoteError.

    ``status``: address of an export begun before. ``keep`` is given the address of a new one.
    """
    if status is None:
        status = _kick_off(remote, wanted)
        keep(status)
    manifest = _wait(remote, status, tell)
    whole = sum(len(manifest[name]) for name in ("output", "deleted", "error"))
    done = 0
    for name in ("output", "deleted", "error"):
        for each in manifest[name]:
            file = each["url"].rpartition("/")[2]
            if not file or file.startswith(".") or "\\" in file or "%" in file:
                raise RemoteError("apps.remote-broken", url=remote.base)
            done += 1
            tell(done, whole, file)
            _fetch(remote, _same_server(remote, each["url"]), place / file)
            each["url"] = _packed(place / file) if wanted.gzip else file
    remote.ask("DELETE", status)
    return manifest


def _kick_off(remote: Remote, wanted: Wanted) -> str:
    url = f"{remote.base}/{wanted.request}"
    answered, _, headers = remote.ask("GET", url, headers={"Prefer": "respond-async"})
    status = headers.get("content-location")
    if answered != 202 or not status:
        raise RemoteError("apps.remote-broken", url=remote.base)
    return _same_server(remote, status)


def _same_server(remote: Remote, url: str) -> str:
    """``url`` where it is on the server that was asked: no other is sent to because one said so."""
    if urlsplit(url)[:2] != urlsplit(remote.base)[:2]:
        raise RemoteError("apps.remote-elsewhere", url=remote.base)
    return url


def _wait(remote: Remote, status: str, tell: Ticks) -> dict[str, Any]:
    pause_s = 0.2
    while True:
        answered, body, headers = remote.ask("GET", status, headers={"Accept": "application/json"})
        if answered == 200:
            found: dict[str, Any] = {
                "deleted": [],
                "error": [],
                **msgspec.json.decode(body, type=dict[str, Any]),
            }
            return found
        percent, sign, _ = headers.get("x-progress", "").partition("%")
        tell(int(percent) if sign and percent.isdigit() else 0, 100, headers.get("x-progress", ""))
        time.sleep(min(pause_s, LONGEST_PAUSE_S, float(headers.get("retry-after", "60"))))
        pause_s *= 1.5


def _fetch(remote: Remote, url: str, place: Path) -> None:
    """One file, unless it is there; gone on with where it broke off, a few times."""
    if place.exists() or place.with_name(place.name + ".gz").exists():
        return
    part = place.with_name(f".{place.name}.part")
    for attempt in range(ATTEMPTS):
        try:
            _once(remote, url, part)
            part.replace(place)
            return
        except (URLError, TimeoutError, ConnectionError, _Short) as error:
            if isinstance(error, HTTPError) and error.code < 500:
                raise RemoteError("apps.remote-refused", answered=error.code, http=error.code) from error
            if attempt == ATTEMPTS - 1:
                raise RemoteError("apps.remote-unreachable", url=remote.base) from error
            time.sleep(0.5 * 2**attempt)


class _Short(Exception):
    """The connection ended before the file did."""


def _once(remote: Remote, url: str, part: Path) -> None:
    got = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={got}-"} if got else {})}
    try:
        response = urlopen(Request(url, headers=headers), timeout=TIMEOUT_S)  # noqa: S310 checked before
    except HTTPError as error:
        if error.code == 416 and got:  # it was whole already
            return
        raise
    with response, open(part, "ab" if response.status == 206 else "wb") as stream:
        length = response.headers.get("Content-Length", "")
        wanted = stream.tell() + int(length) if length.isdigit() else None
        shutil.copyfileobj(response, stream, CHUNK)
        stream.flush()
        os.fsync(stream.fileno())
        if wanted is not None and stream.tell() < wanted:
            raise _Short


def _packed(place: Path) -> str:
    """The name of the file once it is packed."""
    import gzip

    packed = place.with_name(place.name + ".gz")
    if not packed.exists():
        draft = place.with_name(f".{packed.name}.part")
        with open(place, "rb") as stream, gzip.GzipFile(draft, "wb", 6, mtime=0) as target:
            shutil.copyfileobj(stream, target, CHUNK)
        draft.replace(packed)
        place.unlink()
    return packed.name

"""A server that was named in place of a database: what it says of itself, since this machine tells nothing about it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.client import HTTPException
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from xinglin.apps.doctor.finding import Finding, Level
from xinglin.apps.errors import RemoteError
from xinglin.kernel.language import Language
from xinglin.kernel.settings import redacted

TIMEOUT_S: Final = 30.0
_LEVELS: Final[dict[str, Level]] = {"ok": "ok", "note": "note", "warning": "warning"}
_MOST: Final = 1_000_000


def server(address: str, language: Language) -> Iterator[Finding]:
    """How the server at ``address`` is, by its own ``/ready`` and its own checks; an error where it cannot be asked."""
    parts = urlsplit(address)
    base, shown = f"{parts.scheme}://{parts.netloc}", redacted(address)
    try:
        status, ready = _asked(f"{base}/ready", language)
    except RemoteError as error:
        yield Finding("server", "error", "apps.doctor-database-error", {"database": shown, "reason": error})
        return
    if not isinstance(ready.get("checks"), dict):
        yield Finding("server", "error", "apps.doctor-server-foreign", {"url": shown})
        return
    try:
        version = str(_asked(f"{base}/api/status", language)[1].get("version", "?"))
        yield Finding("server", "ok", "apps.doctor-server", {"url": shown, "version": version})
    except RemoteError as error:
        yield Finding("server", "error", "apps.doctor-server-unchecked", {"reason": error})
    yield _ready(status, ready)
    yield from _checks(base, language)


def _ready(status: int, ready: dict[str, Any]) -> Finding:
    told = ", ".join(f"{name}: {state}" for name, state in sorted(ready["checks"].items()))
    if status == 200:
        return Finding("ready", "ok", "apps.doctor-server-ready", {"checks": told})
    reason = str(ready.get("reason") or told)
    return Finding("ready", "error", "apps.doctor-server-not-ready", {"reason": reason})


def _checks(base: str, language: Language) -> Iterator[Finding]:
    try:
        status, told = _asked(f"{base}/api/status/checks", language)
        checks = told.get("checks")
        if status != 200 or not isinstance(checks, list):
            raise RemoteError("apps.doctor-server-foreign", url=base)
    except RemoteError as error:
        yield Finding("checks", "error", "apps.doctor-server-unchecked", {"reason": error})
        return
    for check in checks:
        if isinstance(check, dict):
            level = _LEVELS.get(str(check.get("level")), "error")
            message = str(check.get("message"))
            yield Finding(str(check.get("name")), level, "apps.doctor-server-check", {"told": message})


def _asked(url: str, language: Language) -> tuple[int, dict[str, Any]]:
    """Status and JSON object of an answer, {} where it is none. Raises RemoteError where nobody answers."""
    headers = {"Accept": "application/json", "Accept-Language": language}
    try:
        try:
            with urlopen(Request(url, headers=headers), timeout=TIMEOUT_S) as answer:  # noqa: S310 http and https only
                status, text = answer.status, answer.read(_MOST)
        except HTTPError as error:
            with error:
                status, text = error.code, error.read(_MOST)
    except (URLError, OSError, HTTPException) as error:
        raise RemoteError("apps.remote-unreachable", url=redacted(url)) from error
    try:
        found = json.loads(text)
    except ValueError:
        found = {}
    return status, found if isinstance(found, dict) else {}

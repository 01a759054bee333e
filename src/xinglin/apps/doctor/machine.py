"""The machine and the settings: version, clock, disk, port, what is unsafe."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from xinglin.apps.doctor.finding import Finding
from xinglin.kernel.settings import Settings

LITTLE_BYTES: Final = 2 * 1024**3  # free space below which writes may soon be refused
NO_EARLIER: Final = 2026  # a clock before this program was written is wrong
SKEW_S: Final = 2.0
"""By how much two clocks may differ: file systems keep times to two seconds at worst."""


def machine(settings: Settings) -> Iterator[Finding]:
    """Everything that can be looked at without the record."""
    yield Finding("version", "ok", "apps.doctor-version", _versions())
    yield from _clock(settings)
    yield from _disk(settings)
    yield from _port(settings)
    yield from _unsafe(settings)


def _versions() -> dict[str, object]:
    from xinglin import __version__

    return {"version": __version__, "python": ".".join(map(str, sys.version_info[:3]))}


def _clock(settings: Settings) -> Iterator[Finding]:
    from xinglin.kernel.clock import now

    at = now()
    sound = at.year >= NO_EARLIER
    yield Finding(
        "clock",
        "ok" if sound else "error",
        "apps.doctor-clock" if sound else "apps.doctor-clock-wrong",
        {"now": at.isoformat(timespec="seconds")},
    )
    apart = _apart_from_files(settings)
    if apart is not None and abs(apart) > SKEW_S:
        yield Finding("clock_files", "warning", "apps.doctor-clock-files", {"seconds": f"{apart:+.1f}"})


def _apart_from_files(settings: Settings) -> float | None:
    """Seconds that the file system's clock, another machine's where the folder is shared, is ahead of ours."""
    folder = settings.data_folder
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        return None
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as file:
            file.write(b".")
            file.flush()
            return os.fstat(file.fileno()).st_mtime - time.time()
    except OSError:
        return None


def _disk(settings: Settings) -> Iterator[Finding]:
    url = settings.database_url
    path = Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else settings.data_folder
    there = {"disk": path, "disk_data": settings.data_folder}
    if settings.backup_folder and "://" not in settings.backup_folder:
        there["disk_backup"] = Path(settings.backup_folder).expanduser().absolute()
    seen: set[int] = set()
    for name, wanted in there.items():
        folder = next((one for one in (wanted, *wanted.parents) if one.is_dir()), Path("/"))
        device = folder.stat().st_dev
        if device in seen:
            continue
        seen.add(device)
        free = shutil.disk_usage(folder).free
        little = free < LITTLE_BYTES
        values: dict[str, object] = {"folder": str(folder), "free_gib": f"{free / 1024**3:.1f}"}
        level, key = ("warning", "apps.doctor-disk-little") if little else ("ok", "apps.doctor-disk")
        yield Finding(name, "warning" if level == "warning" else "ok", key, values)
        if not os.access(folder, os.W_OK):
            yield Finding(f"{name}_rights", "error", "apps.doctor-disk-rights", {"folder": str(folder)})


def _port(settings: Settings) -> Iterator[Finding]:
    import socket

    if settings.port == 0:
        return
    host = settings.host.strip("[]")
    values: dict[str, object] = {"host": settings.host, "port": settings.port}
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, settings.port))
        except OSError:
            ours = _is_xinglin(settings)
            key = "apps.doctor-port-ours" if ours else "apps.doctor-port-taken"
            yield Finding("port", "ok" if ours else "warning", key, values)
        else:
            yield Finding("port", "ok", "apps.doctor-port", values)


def _is_xinglin(settings: Settings) -> bool:
    """Whether what listens there answers as one of our servers does."""
    import json
    from http.client import HTTPConnection, HTTPException

    asked = HTTPConnection(settings.host.strip("[]"), settings.port, timeout=2)
    try:
        asked.request("GET", "/health")
        return bool(json.loads(asked.getresponse().read(1000)).get("status"))
    except (OSError, ValueError, AttributeError, HTTPException):
        return False
    finally:
        asked.close()


def _unsafe(settings: Settings) -> Iterator[Finding]:
    import ipaddress

    host = settings.host.strip("[]")
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if not loopback:
        yield Finding("host", "error", "apps.doctor-host", {"host": settings.host})
    if settings.body_limit_bytes > 256 * 1024**2:
        yield Finding("body_limit_bytes", "warning", "apps.doctor-large", {"name": "body_limit_bytes"})
    if settings.database_url.startswith("postgres"):
        yield Finding("encryption", "note", "apps.doctor-volume")
    if settings.log_level == "debug":
        yield Finding("log_level", "note", "apps.doctor-debug")
    if (
        hasattr(os, "getuid")
        and settings.data_folder.is_dir()
        and settings.data_folder.stat().st_mode & 0o007
    ):
        yield Finding(
            "data_rights", "warning", "apps.doctor-data-rights", {"folder": str(settings.data_folder)}
        )

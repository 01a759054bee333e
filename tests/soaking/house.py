"""Servers and workers of one PostgreSQL as processes that can be killed and started again."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx

from postgres import Cluster, _free_port

DURABLE = (
    "shared_buffers=128MB",
    "fsync=off",
)  # kill -9 leaves the page cache: what a sync adds is shown elsewhere


class House:
    """``servers`` and ``workers`` processes on a database of their own."""

    def __init__(self, servers: int, workers: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="xinglin-soak-"))
        self.cluster = Cluster(*DURABLE)
        self.url = self.cluster.new_database()
        self.ports = [_free_port() for _ in range(servers)]
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()
        for number in range(servers):
            self._start(f"server {number}")
            self.wait(number)  # the first one makes the tables
        for number in range(workers):
            self._start(f"worker {number}")

    def address(self, number: int) -> str:
        """The FHIR endpoint of a server."""
        return f"http://127.0.0.1:{self.ports[number % len(self.ports)]}"

    def wait(self, number: int, most_s: float = 30) -> None:
        """Until the server answers."""
        until = time.monotonic() + most_s
        while time.monotonic() < until:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.address(number)}/ready", timeout=5).status_code == 200:
                    return
            time.sleep(0.1)
        raise RuntimeError((self.folder / f"server {number}.log").read_text(errors="replace")[-2000:])

    def kill(self, what: str, rng: random.Random) -> None:
        """Kill one of them with signal 9, and start it again."""
        if what == "PostgreSQL":
            self.cluster.crash()
            time.sleep(1)
            self.cluster.start()
            return
        with self._lock:
            name = rng.choice([name for name in self._processes if name.startswith(what)])
            process = self._processes[name]
        process.kill()
        process.wait()
        time.sleep(rng.uniform(0, 2))
        self._start(name)

    def _start(self, name: str) -> None:
        kind, number = name.split()
        words = [sys.executable, "-m", "xinglin.apps.cli.main", kind, "--database", self.url]
        words += ["--data", str(self.folder / "data"), "--set", "subscription_loopback=true"]
        if kind == "server":
            words[3] = "serve"
            words += ["--port", str(self.ports[int(number)]), "--set", "worker=false"]
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                words, stdout=log, stderr=log, env={**os.environ, "XINGLIN_LANGUAGE": "en"}
            )
        with self._lock:
            self._processes[name] = process

    def close(self) -> None:
        """End everything."""
        for process in self._processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self._processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
        self.cluster.close()

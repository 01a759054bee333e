"""A server process for clients that others wrote, on a free loopback port, over a temporary database."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

START = "import sys; from xinglin.apps.api.server import serve; serve(sys.argv[1], '127.0.0.1', 0)"


class ServerProcess:
    """``with ServerProcess(folder) as base``: the address of its FHIR endpoint."""

    def __init__(self, folder: Path) -> None:
        self._command = [sys.executable, "-c", START, f"sqlite:///{folder}/clients.db"]

    def __enter__(self) -> str:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        address = self._process.stdout.readline().strip()
        assert address, "the server did not start"
        return f"{address}/fhir"

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(20)

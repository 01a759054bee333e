"""A PostgreSQL server of our own for tests: started on a free port as an ordinary user, thrown away afterwards."""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

FAST = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "autovacuum=off",
    "shared_buffers=64MB",
)
START_S = 30.0


def programs() -> Path | None:
    """The folder of initdb and postgres, or None where they are not installed."""
    for folder in [
        *map(Path, os.environ.get("PATH", "").split(os.pathsep)),
        *sorted(_debian(), reverse=True),
    ]:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    return None


def _debian() -> list[Path]:
    return list(Path("/usr/lib/postgresql").glob("*/bin"))


def _ordinary_user() -> str | None:
    """Whom to run the server as: initdb refuses root. None: whoever runs the tests."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    pytest.skip("needs an ordinary user to run PostgreSQL as; the tests run as root and there is none")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Cluster:
    """One server with its data folder; ``settings`` as ``name=value``.

    Skips the test where PostgreSQL's server programs are not installed.
    """

    def __init__(self, *settings: str, folder: Path | None = None) -> None:
        found = programs()
        if found is None:
            pytest.skip("needs PostgreSQL's server programs: apt install postgresql (Debian, Ubuntu)")
        pytest.importorskip("psycopg", reason="needs psycopg: pip install 'xinglin[postgres]'")
        self._programs = found
        self._user = _ordinary_user()
        self._own = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="xinglin-postgres-"))
        self.port = _free_port()
        self._settings = settings
        self._server: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)
        if self._user:
            shutil.chown(self.folder, self._user)
            self.folder.chmod(0o700)
        self._run(
            "initdb",
            "-D",
            str(self.data),
            "-U",
            "xinglin",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
        )
        self.start()

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def pid(self) -> int:
        assert self._server is not None
        return self._server.pid

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._programs / program), *arguments],
            user=self._user, cwd="/", capture_output=True, check=False, timeout=120,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr.decode(errors='replace')[-500:]}")

    def start(self) -> None:
        """Start the server and wait until it answers."""
        import psycopg

        options = [part for setting in self._settings for part in ("-c", setting)]
        with (self.folder / "log").open("ab") as log:
            self._server = subprocess.Popen(
                [
                    str(self._programs / "postgres"), "-D", str(self.data), "-p", str(self.port),
                    "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", *options,
                ],
                user=self._user, cwd="/", stdout=log, stderr=log,
            )  # fmt: skip
        deadline = time.monotonic() + START_S
        while True:
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=2).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self._server.poll() is not None:
                    raise RuntimeError((self.folder / "log").read_text(errors="replace")[-2000:]) from None
                time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: SIGINT at once and cleanly, SIGQUIT as in a crash."""
        if self._server is not None and self._server.poll() is None:
            self._server.send_signal(how)
            try:
                self._server.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()

    def own(self, *folders: Path) -> None:
        """Give folders to the server's user."""
        for folder in folders:
            if self._user:
                shutil.chown(folder, self._user)

    def crash(self) -> None:
        """kill -9 of every process of the server at once, as a power cut would end them (the page cache stays)."""
        assert self._server is not None
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        pids = [self.pid, *map(int, children.read_text().split())] if children.exists() else [self.pid]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._server.wait()

    def url(self, name: str) -> str:
        return f"postgresql://xinglin@127.0.0.1:{self.port}/{name}"

    def new_database(self) -> str:
        """The URL of a new, empty database."""
        import psycopg

        name = f"test{next(self._numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Remove a database of `new_database`, whoever is still connected."""
        import psycopg

        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {url.rsplit('/', 1)[1]} WITH (FORCE)")

    def close(self) -> None:
        self.stop()
        if self._own:
            shutil.rmtree(self.folder, ignore_errors=True)

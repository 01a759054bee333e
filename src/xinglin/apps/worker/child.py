"""The worker that a server starts: a process of its own that ends when the server does, however that ends.

The settings come over a pipe, as JSON on one line, so that no password stands in a list of processes. The server never
closes its end; the operating system does, also after a kill -9, and the end of the pipe is what the child waits for.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from typing import Final

from xinglin.kernel.log import logger
from xinglin.kernel.settings import Settings

GRACE_S: Final = 10.0
BACKOFF_S: Final = 1.0
BACKOFF_MOST_S: Final = 60.0


class Child:
    """Keeps one worker process going until `stop`; one that dies is started anew, later and later if it keeps dying."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._told: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="worker child", daemon=True)

    def start(self) -> None:
        """Start it, without waiting until it works."""
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """The process number while it runs."""
        return self._process.pid if self._process is not None else None

    def ask_to_stop(self) -> None:
        """Let it end what it does, without waiting."""
        self._stopping.set()
        if (process := self._process) is not None:
            self._terminate(process)

    def _terminate(self, process: subprocess.Popen[bytes]) -> None:
        """Once only: to the child a second signal means to end at once, whatever it does."""
        with self._lock:
            if self._told is not process:
                self._told = process
                process.terminate()

    def stop(self, grace_s: float = GRACE_S + 5) -> None:
        """Return once it has ended; it is killed after ``grace_s``."""
        if not self._thread.is_alive():
            return
        self.ask_to_stop()
        self._thread.join(grace_s)
        if self._thread.is_alive() and (process := self._process) is not None:
            process.kill()
            self._thread.join()

    def _keep(self) -> None:
        pause = BACKOFF_S
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                code = self._once()
            except OSError as error:  # no process or no memory to be had: later, perhaps
                code = -(error.errno or 1)
            if self._stopping.is_set():
                return
            logger("worker").error("ended", code=code)
            if time.monotonic() - began > BACKOFF_MOST_S:
                pause = BACKOFF_S
            self._stopping.wait(pause)
            pause = min(2 * pause, BACKOFF_MOST_S)

    def _once(self) -> int:
        import msgspec

        with subprocess.Popen(
            [sys.executable, "-m", "xinglin.apps.worker.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # the terminal's Ctrl-C goes to the server, which stops us
        ) as process:
            self._process = process
            assert process.stdin is not None
            try:
                process.stdin.write(msgspec.json.encode(asdict(self._settings)) + b"\n")
                process.stdin.flush()
            except BrokenPipeError:
                pass  # it has ended already: its code says so
            if self._stopping.is_set():
                self._terminate(process)
            # Not `with` alone: leaving it closes the pipe first, which is how a child learns that its server ended.
            code = process.wait()
            self._process = None
        return code


def main() -> int:
    """What the child process runs."""
    import msgspec

    from xinglin.apps.worker.process import stop_on_signals, work
    from xinglin.kernel.errors import XinglinError
    from xinglin.kernel.log import configure

    stop = stop_on_signals()
    line = sys.stdin.buffer.readline()
    if not line:
        return 0  # the server has ended meanwhile
    settings = Settings(**msgspec.json.decode(line))
    configure(settings.log_level)

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        stop.set()
        time.sleep(GRACE_S + 5)
        os._exit(1)  # a job that neither ends nor lets go: its lease does

    threading.Thread(target=watch, name="server gone", daemon=True).start()
    try:
        work(settings, stop, ready=lambda: None, grace_s=GRACE_S)
    except XinglinError as error:
        logger("worker").error("failed", reason=error.key)
        return 1
    except KeyboardInterrupt:  # a second signal: jobs under way are given back by their lease
        logger("worker").warning("interrupted")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())

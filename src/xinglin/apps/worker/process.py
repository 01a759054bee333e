"""One worker process, from an open record to a clean end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Final

from xinglin.apps.assemble import gathered, open_record
from xinglin.apps.backup.jobs import Archiver
from xinglin.jobs import Worker
from xinglin.kernel.log import logger
from xinglin.kernel.settings import Settings
from xinglin.records.feed import Consumers
from xinglin.records.site import Site

GRACE_S: Final = 20.0
"""How long jobs may take to end once a stop is asked for; those that ask are interrupted after a second."""


def work(
    settings: Settings, stop: threading.Event, *, ready: Callable[[], None], grace_s: float = GRACE_S
) -> None:
    """Run jobs and consumers until ``stop`` is set. Raises what `open_record` raises."""
    records = open_record(settings)
    try:
        site = Site(records, settings)
        worker = Worker(
            site.queue,
            gathered(site, "jobs"),
            threads=settings.worker_threads,
            retention_s=settings.job_retention_days * 86400,
        )
        consumers = Consumers(site, gathered(site, "consumers"))
        archiver = Archiver(site)
        worker.start()
        consumers.start()
        archiver.start()
        logger("worker").info("started", worker=worker.token, kinds=len(worker.kinds))
        try:
            ready()
            stop.wait()
        finally:
            # Both at once: neither waits for the other's grace to end.
            closing = threading.Thread(target=consumers.close, name="consumers closing", daemon=True)
            closing.start()
            worker.stop(grace_s)
            closing.join(grace_s)
            archiver.close()
            logger("worker").info("stopped", worker=worker.token)
    finally:
        records.close()


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set; the second signal ends the process at once."""
    stop = threading.Event()

    def asked(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    for each in (signal.SIGTERM, signal.SIGINT):
        with suppress(ValueError):  # not the main thread: whoever started us stops us
            signal.signal(each, asked)
    return stop

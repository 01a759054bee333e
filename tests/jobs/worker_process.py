"""A worker process for tests: ``python worker_process.py URL [LEASE_S]``, until it is told to end.

``note`` inserts its number into the table ``ran`` in the transaction that ends it; ``slow`` counts by checkpoints first;
``poison`` kills its process.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from typing import Any

from xinglin.jobs import Kind, Queue, Work, Worker
from xinglin.kernel.database import open_database


def note(work: Work) -> None:
    work.complete(
        lambda connection: connection.execute(
            "INSERT INTO ran (n, worker) VALUES (?, ?)", (work.arguments["n"], os.getpid())
        )
    )


def small(work: Work) -> None:
    """Ends among many others; leaves a mark outside of the database, which may be there twice after a kill."""


def slow(work: Work) -> None:
    done = work.checkpoint.get("done", 0)
    while done < work.arguments["steps"]:
        work.check()
        time.sleep(work.arguments["pause_s"])
        done += 1
        n = work.arguments["n"] * 1000 + done
        work.save(
            {"done": done},
            lambda connection, n=n: connection.execute(  # type: ignore[misc]
                "INSERT INTO ran (n, worker) VALUES (?, ?)", (n, os.getpid())
            ),
        )


def poison(work: Work) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    database = open_database(sys.argv[1], durable=False)
    options: dict[str, Any] = (
        {"lease_s": float(sys.argv[2]), "name": "elsewhere"} if len(sys.argv) > 2 else {}
    )
    kinds = [
        Kind(function.__name__, function, attempts=50 if function is not poison else 3)
        for function in (note, small, slow, poison)
    ]
    worker = Worker(Queue(database), kinds, **options)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
    worker.start()
    print("ready", flush=True)
    stop.wait()
    worker.stop(4)
    database.close()


if __name__ == "__main__":
    main()

"""The threads that a consumer's lists of changes run in.

Daemon threads, unlike those of ``concurrent.futures``, for which Python waits at its end: a handler that hangs must not
keep a worker from stopping. What it was given is not counted as handled, and comes again in the next process.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")


class Lanes:
    """``count`` threads, begun when there is work for them; with one it is done in the caller's own."""

    def __init__(self, count: int, name: str) -> None:
        self._count = count
        self._name = name
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def submit(self, work: Callable[..., T], *given: object) -> Future[T]:
        """Have ``work`` done; what it gives, or raises, is the future's."""
        future: Future[T] = Future()

        def task() -> None:
            try:
                found = work(*given)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(found)

        if self._count <= 1:
            task()
            return future
        if len(self._threads) < self._count:
            thread = threading.Thread(
                target=self._run, name=f"{self._name} {len(self._threads)}", daemon=True
            )
            self._threads.append(thread)
            thread.start()
        self._work.put(task)
        return future

    def _run(self) -> None:
        while (task := self._work.get()) is not None:
            task()

    def close(self) -> None:
        """Wait for what is under way, and end the threads."""
        for _ in self._threads:
            self._work.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()

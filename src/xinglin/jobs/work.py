"""What a running job is given: its arguments and checkpoint, and the ways to tell how far it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

from xinglin.jobs import repository
from xinglin.jobs.errors import Cancelled, Interrupted, LeaseLost, Stopping
from xinglin.jobs.logs import repository as logs
from xinglin.jobs.model import Job, Level
from xinglin.kernel.clock import now_us
from xinglin.kernel.database import Connection
from xinglin.kernel.errors import XinglinError

if TYPE_CHECKING:
    from xinglin.jobs.queue import Queue

T = TypeVar("T")

LOOK_S: Final = 0.5
"""How often `Work.check` asks the database, and `Work.progress` writes to it, at most."""
RESULT_MOST: Final = 1 << 20
CHECKPOINT_MOST: Final = 16 << 20
"""Bytes as JSON. A result is what people and Tasks are shown; what a job makes belongs into the record or the blobs."""
VALUE_MOST: Final = 500
"""Characters of a text in a sentence of the log, or of the reason why a job failed."""
SHOWN_STEP: Final = 0.1
"""The share of the whole after which what shows the job is written anew."""


class Work:
    """One run of one job. Used by the function that runs it, in whatever threads it has."""

    def __init__(self, queue: Queue, job: Job) -> None:
        self.queue = queue
        self.job = job
        self.arguments = job.arguments
        self.checkpoint: dict[str, Any] = dict(job.checkpoint)
        self.completed = False
        self.reported: tuple[int, int | None, str] | None = None
        self._stop: type[Interrupted] | None = None
        self.silent_since_s = 0.0
        self.began_s = self.heard_s = time.monotonic()
        self._looked_s = float("-inf")
        self._wrote_s = float("-inf")
        self._shown = (0, "")

    def interrupt(self, why: type[Interrupted], *, instead: bool = False) -> None:
        """Let the next `check` raise ``why``; what came first stands, or does not where it is to be ``instead``."""
        self._stop = why if instead else self._stop or why
        self.silent_since_s = self.heard_s

    def check(self) -> None:
        """Raise Cancelled, LeaseLost, Stopping or TooLong where the job is to end; call it often, it costs next to nothing.

        All four are Interrupted: let them pass.
        """
        self.heard_s = now_s = time.monotonic()
        if self._stop is None and now_s - self._looked_s >= LOOK_S:
            self._looked_s = now_s
            self._look()
        if self._stop is Cancelled:
            raise Cancelled
        if self._stop is not None:
            raise self._stop

    def _look(self) -> None:
        with suppress(XinglinError), self.queue.database.read(snapshot=False) as connection:
            job = repository.get(connection, self.job.tenant, self.job.id)
            if job is None or (job.state, job.owner, job.fence) != (
                "running",
                self.job.owner,
                self.job.fence,
            ):
                self._stop = LeaseLost
            elif job.cancel_asked:
                self._stop = Cancelled

    @property
    def stopping(self) -> bool:
        """Whether `check` would raise because this worker ends: for jobs that have a better place to stop at."""
        return self._stop is Stopping

    def save(self, checkpoint: Mapping[str, Any], unit: Callable[[Connection], T] | None = None) -> T | None:
        """Keep ``checkpoint``: from there another run goes on, whatever becomes of this one.

        ``unit`` is run in the same transaction, so that its work is done exactly as often as the checkpoint says;
        gives what it gives. Raises LeaseLost, TooLarge, and then neither is done.
        """

        self.heard_s = time.monotonic()
        text = repository.packed_within(checkpoint, CHECKPOINT_MOST, "jobs.checkpoint-large")

        def both(connection: Connection) -> T | None:
            if not repository.save(connection, self.job, text):
                raise _lost()
            return None if unit is None else unit(connection)

        result = self._write(both)
        self.checkpoint = dict(checkpoint)
        return result

    def progress(self, done: int, of: int | None = None, stage: str = "") -> None:
        """Tell how far it is: ``done`` of ``of`` (None: not known), in the stage whose sentence has this key.

        Written at most twice a second, without waiting.
        """
        self.reported = (done, of, stage)
        self.heard_s = time.monotonic()
        if time.monotonic() - self._wrote_s >= LOOK_S or stage != self._shown[1]:
            self._wrote_s = time.monotonic()
            step = int(done / of / SHOWN_STEP) if of else 0
            tell, self._shown = (step, stage) != self._shown, (step, stage)
            with suppress(XinglinError):
                self.queue.database.submit(lambda connection: self._report(connection, done, of, stage, tell))

    def _report(self, connection: Connection, done: int, of: int | None, stage: str, tell: bool) -> None:
        job = repository.progress(connection, self.job, done, of, stage)
        if job is None:
            self.interrupt(LeaseLost)
        elif tell:
            self.queue.tell(connection, job)

    def say(self, level: Level, key: str, **values: Any) -> None:
        """Add the sentence ``key`` to the job's log, without waiting. Ids and numbers only, never clinical content."""
        at = now_us()
        plain = plain_values(values)
        with suppress(XinglinError):
            self.queue.database.submit(
                lambda connection: logs.log(connection, self.job, at, level, key, plain)
            )

    def complete(self, unit: Callable[[Connection], T]) -> T:
        """Run ``unit`` and mark the job done, in ONE transaction: its work is done exactly once.

        A mapping that ``unit`` gives is the job's result. Raises LeaseLost, and then nothing is done.
        """

        def both(connection: Connection) -> T:
            result = unit(connection)
            self.finish(connection, result if isinstance(result, Mapping) else None)
            return result

        result = self._write(both)
        self.completed = True
        return result

    def finish(self, connection: Connection, result: Mapping[str, Any] | None) -> None:
        """Mark the job done inside a unit of work. Raises LeaseLost."""
        if self.reported is not None:
            repository.progress(connection, self.job, *self.reported)
        text = None
        if result is not None:
            text = repository.packed_within(result, RESULT_MOST, "jobs.result-large")
        job = repository.finish(connection, self.job, "done", now_us(), result=text)
        if job is None:
            raise _lost()
        self.queue.tell(connection, job)

    def _write(self, unit: Callable[[Connection], T]) -> T:
        try:
            return self.queue.database.write(unit)
        except LeaseLost:
            self.interrupt(LeaseLost)
            raise


def _lost() -> LeaseLost:
    return LeaseLost()


def plain_values(values: Mapping[str, object]) -> dict[str, Any]:
    """Values as JSON holds them, what is no number or truth value as text of at most `VALUE_MOST` characters.

    >>> plain_values({"id": "x", "n": 3, "path": OSError("gone")})
    {'id': 'x', 'n': 3, 'path': 'gone'}
    """
    return {
        name: value if value is None or isinstance(value, (bool, int, float)) else _clipped(str(value))
        for name, value in values.items()
    }


def _clipped(text: str) -> str:
    text = text.encode(errors="replace").decode()  # a file's name may be no text at all
    return text if len(text) <= VALUE_MOST else text[: VALUE_MOST - 1] + "…"

"""Jobs as they change, told to many at once: one look at the queue for all listeners, after somebody's commit.

However many listen, the queue is read at most each `PAUSE_S` for each tenant, and not at all while nobody commits. A
listener that is slow gets the newest state of each job, not every one; one that takes nothing at all is let go.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from xinglin.apps.api.beats import Beats, until
from xinglin.apps.api.leaving import leaving
from xinglin.apps.worker import view
from xinglin.jobs import Job, Queue
from xinglin.kernel.database import Unavailable
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.language import Language
from xinglin.kernel.log import logger

if TYPE_CHECKING:
    from xinglin.records.site import Site

FIRST: Final = 20
WATCHED: Final = 100
"""Events follow this many of the newest jobs, and this many of those that have not ended."""
PAUSE_S: Final = 0.5
QUIET_S: Final = 15.0
SLOW_S: Final = 60.0
LISTENERS_MOST: Final = 200


class Listener:
    """One who listens: what is new for it, by job."""

    def __init__(self) -> None:
        self.fresh = True
        self.pending: dict[str, Job] = {}
        self.told = asyncio.Event()

    def tell(self, jobs: list[Job]) -> None:
        for job in jobs:
            self.pending.pop(job.id, None)  # in the order of what happened last
            self.pending[job.id] = job
        if jobs:
            self.told.set()

    def take(self) -> list[Job]:
        self.told.clear()
        jobs, self.pending = list(self.pending.values()), {}
        return jobs


class Watch:
    """Of the jobs of one tenant, or of those that are shown."""

    def __init__(self, queue: Queue, beats: Beats, tenant: int, shown: bool | None) -> None:
        self._queue = queue
        self._beats = beats
        self._tenant = tenant
        self._shown = shown
        self._heard = asyncio.Event()
        self._texts: dict[tuple[str, str], tuple[Job, bytes]] = {}
        self._task: asyncio.Task[None] | None = None
        self.listeners: set[Listener] = set()

    def join(self) -> Listener:
        """Another listener; it is told the newest jobs as they are first."""
        listener = Listener()
        self.listeners.add(listener)
        if self._task is None or self._task.done():
            self._heard = self._beats.join()
            self._task = asyncio.ensure_future(self._look_on(self._heard))
        self._heard.set()
        return listener

    def leave(self, listener: Listener) -> None:
        """One listener less; the last one ends the watch."""
        self.listeners.discard(listener)
        if not self.listeners and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _look_on(self, heard: asyncio.Event) -> None:
        known: dict[str, Job] = {}
        try:
            while True:
                heard.clear()
                try:
                    known = await self._look(known)
                except Unavailable:
                    heard.set()  # it is tried again, and the listeners stay
                except Exception as error:
                    logger("api").error("unexpected", kind=type(error).__name__)
                    heard.set()
                await asyncio.sleep(PAUSE_S)  # what happens close together is told together
                await until(heard, QUIET_S)
        finally:
            self._beats.leave(heard)

    async def _look(self, known: dict[str, Job]) -> dict[str, Job]:
        seen = await run_in_threadpool(self._watched)
        changed = [job for id_, job in seen.items() if known.get(id_) != job]
        # What is no longer among those watched may have changed as it went.
        for id_ in known.keys() - seen.keys():
            if not known[id_].ended:
                changed += await run_in_threadpool(self._queue.find, id_, self._tenant)
        self._texts = {key: text for key, text in self._texts.items() if key[0] in seen}
        newest = sorted(seen.values(), key=lambda job: job.seq)[-FIRST:]
        for listener in self.listeners:
            listener.tell(newest if listener.fresh else changed)
            listener.fresh = False
        return seen

    def _watched(self) -> dict[str, Job]:
        newest = self._queue.list(self._tenant, shown=self._shown, limit=WATCHED, brief=True)
        under_way = self._queue.under_way(self._tenant, shown=self._shown, limit=WATCHED)
        return {job.id: job for job in sorted((*newest, *under_way), key=lambda job: job.seq)}

    def text(self, job: Job, language: Language, zone: str) -> bytes:
        """One event; made once for all who hear it in this language."""
        there = self._texts.get((job.id, language))
        if there is not None and there[0] is job:
            return there[1]
        shown = msgspec.json.encode(view.shown(self._queue, job, language, zone))
        text = b"event: job\ndata: %s\n\n" % shown
        self._texts[job.id, language] = job, text
        return text


class Events:
    """All watches of one application."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._beats = Beats(site.records.database)
        self._watches: dict[tuple[int, bool | None], Watch] = {}
        self._listening = 0

    async def told(
        self, queue: Queue, tenant: int, shown: bool | None, language: Language
    ) -> AsyncIterator[bytes]:
        """The text of a stream, until the asker or the server goes."""
        gone, zone = leaving(), await run_in_threadpool(self._site.records.zone, tenant)
        await self._beats.ready()
        watch = self._watches.setdefault((tenant, shown), Watch(queue, self._beats, tenant, shown))
        listener = watch.join()
        self._listening += 1
        try:
            yield b": listening\n\n"
            while not gone.is_set():
                await until(listener.told, QUIET_S)
                jobs = listener.take()
                yield b"".join(watch.text(job, language, zone) for job in jobs) or b": still here\n\n"
        finally:
            self._listening -= 1
            watch.leave(listener)
            if not watch.listeners:
                self._watches.pop((tenant, shown), None)

    def check(self) -> None:
        """Raises Unavailable where too many listen."""
        if self._listening >= LISTENERS_MOST:
            raise Unavailable("apps.jobs-listeners", most=LISTENERS_MOST)


class Stream(StreamingResponse):
    """Server-sent events; who takes nothing for `SLOW_S` is let go, and asks again when it is back."""

    def __init__(self, told: AsyncIterator[bytes]) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(told, media_type="text/event-stream", headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def in_time(message: Message) -> None:
            async with asyncio.timeout(SLOW_S):
                await send(message)

        try:
            with suppress(TimeoutError, XinglinError):
                await super().__call__(scope, receive, in_time)
        finally:
            closing: Any = getattr(self.body_iterator, "aclose", None)
            if closing is not None:
                await closing()

"""``xinglin demo --live``: the hospital at work, as a job of the queue.

The job writes what `demo.live` says is due, each batch in one transaction with the job's own checkpoint, so that a kill -9
neither doubles nor loses a step. It runs until it is cancelled; when the worker stops it is queued again, and goes on from
there with the next server.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from xinglin.apps.demo.bedside import places
from xinglin.apps.demo.live import SPEED, Due, Hospital, State, due
from xinglin.apps.hospital import demo_there
from xinglin.kernel.clock import now_us
from xinglin.kernel.settings import Settings

if TYPE_CHECKING:
    from xinglin.jobs import Work
    from xinglin.records.site import Site
    from xinglin.records.transaction import Transaction

KIND: Final = "demo-live"
_LOOK_S: Final = 0.25
_SLEPT_US: Final = 60_000_000
"""A longer while between two looks was no work: the machine slept, or its clock was set. It is not made up for."""


def kinds(site: Site) -> list[Any]:
    """The one kind of job of this module."""
    from xinglin.jobs import SILENT_S, Kind

    return [
        Kind(
            KIND,
            lambda work: run(work, site),
            attempts=1_000_000,
            concurrency=1,
            title="apps.demo-live",
            silent_s=SILENT_S,
        )
    ]


def set_going(settings: Settings, speed: float | None) -> None:
    """Let the hospital work at ``speed`` once a worker runs; None: let it rest, to go on from there another time."""
    from xinglin.apps.assemble import open_record
    from xinglin.jobs import Queue

    made = demo_there(settings)
    if made is None:
        return
    records = open_record(settings)
    try:
        queue = Queue(records.database)
        before = next(iter(queue.list(kind=KIND, limit=1)), None)
        if before is not None and not before.ended:
            queue.cancel(before.id)
        if speed is None:
            return
        arguments: dict[str, Any] = {"patients": made.patients, "seed": made.seed, "speed": speed}
        if before is not None and before.arguments.get("seed") == made.seed:
            arguments["from"] = before.checkpoint or before.arguments.get("from") or {}
        queue.add(KIND, arguments, attempts=1_000_000)
    finally:
        records.close()


def run(work: Work, site: Site, *, most: int | None = None) -> dict[str, Any]:
    """Work until cancelled (``most``: or until that many resources are written, for tests)."""
    from xinglin.trust import local_system

    hospital, looked_us = _hospital(work), now_us()
    actor = local_system(work.job.tenant)
    patients, speed = work.arguments["patients"], work.arguments.get("speed", SPEED)
    work.say("info", "apps.demo-live-begun", patients=patients, speed=f"{speed:g}")
    kept = work.checkpoint if "state" in work.checkpoint else work.arguments.get("from") or {}
    written = int(kept.get("written", 0))
    first = [] if written else [due(place) for place in places()]
    while most is None or written < most:
        work.check()
        before_us, looked_us = looked_us, now_us()
        if not before_us <= looked_us <= before_us + _SLEPT_US:
            hospital = Hospital.resumed(
                patients, work.arguments["seed"], hospital.state, looked_us, float(speed)
            )
        if batch := [*first, *hospital.due(looked_us)]:
            first, written = [], written + len(batch)
            unit = site.records.unit(actor, partial(_write, batch))
            work.save({"state": msgspec.to_builtins(hospital.state), "written": written}, unit)
        work.progress(written, stage="apps.demo-live-working")
        time.sleep(min(_LOOK_S, max(0.02, (hospital.next_us() - now_us()) / 1e6)))
    return {"written": written}


def _hospital(work: Work) -> Hospital:
    """Where the hospital stands: as this job left it, as the job before it did, or opening now."""
    patients, seed = work.arguments["patients"], work.arguments["seed"]
    speed = float(work.arguments.get("speed", SPEED))
    kept = work.checkpoint if "state" in work.checkpoint else work.arguments.get("from") or {}
    if "state" not in kept:
        return Hospital.begun(patients, seed, now_us(), speed)
    return Hospital.resumed(patients, seed, msgspec.convert(kept["state"], State), now_us(), speed)


def _write(batch: list[Due], transaction: Transaction) -> None:
    for kind, id_, body in batch:
        transaction.update(kind, id_, body, skip_unchanged=True)

"""A job as people and scripts are shown it, in their language: by ``/api/jobs`` and ``xinglin jobs --json``."""

from __future__ import annotations

from typing import Any

from xinglin.jobs import Job, LogLine, Queue, Schedule
from xinglin.jobs.model import sentence
from xinglin.kernel.language import Language
from xinglin.records.stored import instant
from xinglin.standards.fhir.temporal import site_zone


def instant_text(us: int | None, zone: str) -> str | None:
    """ISO with milliseconds, in the record's time zone, with its offset.

    >>> instant_text(1_800_000_000_000_000, "Asia/Shanghai")
    '2027-01-15T16:00:00.000+08:00'
    """
    return None if us is None else instant(us).astimezone(site_zone(zone)).isoformat(timespec="milliseconds")


def shown(queue: Queue, job: Job, language: Language, zone: str) -> dict[str, Any]:
    """See `xinglin.apps.api.jobs_routes` for what each member says."""
    return {
        "id": job.id,
        "kind": job.kind,
        "title": queue.title(job, language),
        "state": job.state,
        "done": job.done,
        "of": job.of,
        "stage": sentence(job.stage, language, {}) if job.stage else "",
        "queued": instant_text(job.queued_us, zone),
        "started": instant_text(job.started_us, zone),
        "ended": instant_text(job.ended_us, zone),
        "attempts": job.attempts,
        "attemptsMost": job.attempts_most,
        "reason": job.reason(language),
        "cancelAsked": job.cancel_asked,
        "canCancel": not job.ended and not job.cancel_asked,
        "canRetry": job.state in ("failed", "cancelled"),
    }


def line(logged: LogLine, language: Language, zone: str) -> dict[str, Any]:
    """One line of a log."""
    return {"at": instant_text(logged.at_us, zone), "level": logged.level, "text": logged.say(language)}


def schedule(found: Schedule, zone: str) -> dict[str, Any]:
    """One schedule."""
    return {
        "name": found.name,
        "kind": found.kind,
        "everySeconds": found.every_s,
        "cron": found.cron,
        "zone": found.zone,
        "next": instant_text(found.next_us, zone),
        "last": instant_text(found.last_us, zone),
    }

"""Jobs as people see them: a FHIR Task of the same id, written in the transaction in which the job changes.

The Task follows the job: what is written to such a Task over FHIR is written over at the job's next change. One thing goes
the other way: the status ``cancelled`` cancels the job, as `Queue.cancel` does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, get_args

import msgspec

from xinglin.jobs import Job
from xinglin.jobs.model import sentence
from xinglin.kernel.database import Connection
from xinglin.kernel.language import Language
from xinglin.records.stored import instant
from xinglin.trust import Actor
from xinglin.trust.actor import Purpose

if TYPE_CHECKING:
    from xinglin.records.service import Records
    from xinglin.records.site import Site
    from xinglin.records.transaction import Transaction
    from xinglin.records.writing import Version

KIND_SYSTEM: Final = "urn:xinglin:job"
RESULT_SYSTEM: Final = "urn:xinglin:job:result"
PERCENT: Final = "percent"
_TRANSLATION: Final = "http://hl7.org/fhir/StructureDefinition/translation"
# https://hl7.org/fhir/R4/valueset-task-status.html
_STATUS: Final = {
    "queued": "requested",
    "running": "in-progress",
    "done": "completed",
    "failed": "failed",
    "cancelled": "cancelled",
}


def submit(
    site: Site, actor: Actor, kind: str, arguments: Mapping[str, Any] | None = None, **options: Any
) -> Job:
    """A new job that people see, and its Task, both or neither; ``options`` as of `Queue.add`."""
    return site.queue.add(
        kind, arguments, tenant=actor.tenant, actor=actor.id, purpose=actor.purpose, shown=True, **options
    )


def actor_of(job: Job) -> Actor:
    """Who asked for the job: what it reads and writes, it does as this one."""
    purpose: Purpose = job.purpose if job.purpose in get_args(Purpose) else "HOPERAT"  # type: ignore[assignment]
    return Actor(id=job.actor, tenant=job.tenant, purpose=purpose)


class _Status(msgspec.Struct):
    status: str = ""


def follow(connection: Connection, tenant: int, versions: Sequence[Version]) -> None:
    """Cancel the jobs of those Tasks among ``versions`` that were written as cancelled; in the transaction that wrote them.

    A job that is ending so shows its Task last, when its state says so already: that is not taken for a request.
    """
    from xinglin.jobs.queue import ask_to_cancel

    for version in versions:
        if version.type != "Task" or version.body is None or b'"cancelled"' not in version.body:
            continue
        if msgspec.json.decode(version.body, type=_Status).status == "cancelled":
            ask_to_cancel(connection, tenant, version.id)


class Tasks:
    """Writes the Tasks of one record; the queue's `Observer`."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def changed(self, connection: Connection, job: Job, titles: Mapping[Language, str]) -> None:
        """See `xinglin.jobs.queue.Observer`."""
        body = msgspec.json.encode(task(job, titles))

        def write(transaction: Transaction) -> None:
            transaction.update("Task", job.id, body, skip_unchanged=True)

        self._records.unit(actor_of(job), write)(connection)


def task(job: Job, titles: Mapping[Language, str]) -> dict[str, Any]:
    """The Task that shows ``job``. Its sentences are English, with the Chinese ones as translations."""
    found: dict[str, Any] = {
        "resourceType": "Task",
        "id": job.id,
        "status": _STATUS[job.state],
        "intent": "order",
        "priority": "urgent" if job.priority > 0 else "routine",
        "code": {
            "coding": [{"system": KIND_SYSTEM, "code": job.kind}],
            **_both(titles["en"], titles["zh"]),
        },
        "requester": {"identifier": {"system": "urn:xinglin:actor", "value": job.actor}},
        "authoredOn": _instant(job.queued_us),
    }
    if job.error is not None:
        key, values = job.error
        found["statusReason"] = _both(sentence(key, "en", values), sentence(key, "zh", values))
    if job.stage and not job.ended:
        found["businessStatus"] = _both(sentence(job.stage, "en", {}), sentence(job.stage, "zh", {}))
    if job.started_us is not None:
        period = {"start": _instant(job.started_us)}
        if job.ended_us is not None:
            period["end"] = _instant(max(job.ended_us, job.started_us))
        found["executionPeriod"] = period
    if outputs := _outputs(job):
        found["output"] = outputs
    return found


def _outputs(job: Job) -> list[dict[str, Any]]:
    """How far it is, in per cent, and each plain value of its result."""
    outputs: list[dict[str, Any]] = []
    percent = 100 if job.state == "done" else int(100 * min(1.0, job.done / job.of)) if job.of else None
    if percent is not None:
        outputs.append(
            {"type": {"coding": [{"system": RESULT_SYSTEM, "code": PERCENT}]}, "valueInteger": percent}
        )
    for name, value in (job.result or {}).items():
        typed = {bool: "valueBoolean", int: "valueInteger", str: "valueString"}.get(type(value))
        if typed is None or value == "" or (type(value) is int and abs(value) >= 2**31):
            continue
        outputs.append({"type": {"coding": [{"system": RESULT_SYSTEM, "code": name}]}, typed: value})
    return outputs


def _both(en: str, zh: str) -> dict[str, Any]:
    """The text of a CodeableConcept in both languages."""
    if en == zh:
        return {"text": en}
    parts = [{"url": "lang", "valueCode": "zh"}, {"url": "content", "valueString": zh}]
    return {"text": en, "_text": {"extension": [{"url": _TRANSLATION, "extension": parts}]}}


def _instant(us: int) -> str:
    return instant(us).isoformat(timespec="milliseconds").replace("+00:00", "Z")

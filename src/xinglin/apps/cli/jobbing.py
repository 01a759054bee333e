"""``xinglin jobs``: what is queued, runs and has ended, in the database itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xinglin.apps.cli.grammar import Asked
from xinglin.apps.cli.output import plain_json, print_json, print_table, safe, width
from xinglin.apps.errors import UsageError
from xinglin.kernel.language import Language, say
from xinglin.kernel.settings import Loaded

if TYPE_CHECKING:
    from xinglin.jobs import Job, Queue

LIMIT = 50
_WITH_ID = ("show", "log", "cancel", "retry")


def run(asked: Asked, loaded: Loaded, language: Language) -> int:
    """Do what the first word says; `list` where there is none."""
    what, id_ = [*asked.arguments, "", ""][:2]
    what = what or "list"
    if what not in ("list", "schedules", *_WITH_ID):
        raise UsageError("apps.jobs-what", what=what)
    if what in _WITH_ID and not id_:
        raise UsageError("apps.jobs-needs-id", what=what)
    if what not in _WITH_ID and id_:
        raise UsageError("apps.cli-too-many", word=id_, command="jobs")
    settings = loaded.settings
    if settings.database.startswith(("http://", "https://")):
        raise UsageError("apps.jobs-remote", address=settings.database)
    _check(asked)

    from xinglin.apps.assemble import gathered, open_record
    from xinglin.apps.backend import there
    from xinglin.records.site import Site

    there(settings)
    records = open_record(settings)
    try:
        site = Site(records, settings)
        queue = site.queue
        queue.know(gathered(site, "jobs"))
        zone = records.zone()
        if what == "list":
            _list(asked, queue, language, zone)
        elif what == "schedules":
            _schedules(asked, queue, language, zone)
        elif what == "log":
            _log(asked, queue, id_, language, zone)
        else:
            _one(asked, queue, what, id_, language, zone)
    finally:
        records.close()
    return 0


def _check(asked: Asked) -> None:
    from xinglin.jobs.model import STATES

    state, limit = asked.options["state"], asked.options["limit"]
    if state is not None and state not in STATES:
        raise UsageError("apps.jobs-state", state=state)
    if limit is not None and not (limit.isascii() and limit.isdigit() and 1 <= int(limit) <= 1_000_000):
        raise UsageError("apps.cli-number", option="--limit", given=limit, least=1, most=1_000_000)


def _list(asked: Asked, queue: Queue, language: Language, zone: str) -> None:
    from xinglin.apps.worker.view import shown

    state = asked.options["state"]
    jobs = queue.list(
        states=(state,) if state else (),
        kind=asked.options["kind"],
        limit=int(asked.options["limit"] or LIMIT),
    )
    if asked.options["json"]:
        print_json({"jobs": [shown(queue, job, language, zone) for job in jobs], "counts": queue.counts()})
        return
    if not jobs:
        print(say("apps.jobs-none", language))
        return
    heads = ("job", "kind", "state", "progress", "queued", "reason")
    rows: list[tuple[Any, ...]] = [tuple(_head(name, language) for name in heads)]
    for job in jobs:
        told = shown(queue, job, language, zone)
        state_said = say(f"apps.jobs-state-{job.state}", language)
        rows.append(
            (job.id, told["title"], state_said, _progress(job), _time(told["queued"]), told["reason"])
        )
    print_table(rows)


def _head(name: str, language: Language) -> str:
    return say(f"apps.jobs-head-{name}", language)


def _progress(job: Job) -> str:
    if job.of:
        return f"{min(100, 100 * job.done // job.of)} %"
    return f"{job.done:,}" if job.done else ""


def _time(instant: str | None) -> str:
    return "" if instant is None else instant[:19].replace("T", " ") + instant[-6:]


def _one(asked: Asked, queue: Queue, what: str, id_: str, language: Language, zone: str) -> None:
    from xinglin.apps.worker.view import shown

    job = queue.cancel(id_) if what == "cancel" else queue.retry(id_) if what == "retry" else queue.get(id_)
    told = shown(queue, job, language, zone)
    if asked.options["json"]:
        print_json(told | {"arguments": job.arguments, "result": job.result})
    elif what == "cancel":
        asked_only = job.state == "running"
        print(say("apps.jobs-cancel-asked" if asked_only else "apps.jobs-cancelled", language, id=id_))
    elif what == "retry":
        print(say("apps.jobs-retried", language, id=id_))
    else:
        state_said = say(f"apps.jobs-state-{job.state}", language)
        rows = [
            ("job", job.id),
            ("kind", told["title"]),
            ("state", state_said),
            ("progress", " ".join(part for part in (_progress(job), told["stage"]) if part)),
            ("attempts", f"{job.attempts} / {job.attempts_most}"),
            ("queued", _time(told["queued"])),
            ("started", _time(told["started"])),
            ("ended", _time(told["ended"])),
            ("reason", told["reason"]),
            ("arguments", plain_json(job.arguments) if job.arguments else ""),
            ("result", plain_json(job.result) if job.result else ""),
        ]
        heads = {name: _head(name, language) for name, _ in rows}
        widest = max(map(width, heads.values()))
        for name, value in rows:
            if value:
                print(f"{heads[name]}{' ' * (widest - width(heads[name]))}  {safe(value)}")


def _log(asked: Asked, queue: Queue, id_: str, language: Language, zone: str) -> None:
    from xinglin.apps.worker.view import line

    lines = [line(each, language, zone) for each in queue.log(id_)]
    if asked.options["json"]:
        print_json({"lines": lines})
        return
    for each in lines:
        print(f"{_time(each['at'])}  {each['level']:<7}  {each['text']}")


def _schedules(asked: Asked, queue: Queue, language: Language, zone: str) -> None:
    from xinglin.apps.worker.view import schedule

    found = queue.schedules()
    if asked.options["json"]:
        print_json({"schedules": [schedule(each, zone) for each in found]})
        return
    if not found:
        print(say("apps.jobs-no-schedules", language))
        return
    rows: list[tuple[Any, ...]] = [tuple(_head(name, language) for name in ("name", "kind", "times", "next"))]
    for each in found:
        times = (
            f"{each.cron} ({each.zone})"
            if each.cron
            else say("apps.jobs-every", language, seconds=f"{each.every_s:g}")
        )
        rows.append((each.name, each.kind, times, _time(schedule(each, zone)["next"])))
    print_table(rows)

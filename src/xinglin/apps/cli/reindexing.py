"""``xinglin reindex``: make index rows anew or compare them, in the database itself, and show what was proven."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from xinglin.apps.cli.grammar import Asked
from xinglin.apps.cli.output import print_json, print_table
from xinglin.apps.errors import UsageError
from xinglin.kernel.language import Language, say
from xinglin.kernel.settings import Loaded

if TYPE_CHECKING:
    from xinglin.jobs import Job
    from xinglin.records.site import Site

LOOK_S = 0.5
_COUNTS = ("resources", "checked", "different", "with_rows", "rows")


def run(asked: Asked, loaded: Loaded, language: Language) -> int:
    """0 where all is as it should be, else 1."""
    settings = loaded.settings
    if settings.database.startswith(("http://", "https://")):
        raise UsageError("apps.jobs-remote", address=settings.database)

    from xinglin.apps.assemble import open_record
    from xinglin.apps.backend import there
    from xinglin.records.site import Site

    there(settings)
    records = open_record(settings)
    try:
        site = Site(records, settings)
        if asked.options["status"]:
            _status(asked, site, language)
            return 0
        return _reindexed(asked, site, language)
    finally:
        records.close()


def _status(asked: Asked, site: Site, language: Language) -> None:
    from xinglin.records.custom.job import status
    from xinglin.trust import local_system

    found = status(site.records, local_system())
    if asked.options["json"]:
        print_json(found)
        return
    if not found["parameters"]:
        print(say("apps.reindex-none", language))
    else:
        heads = ("parameter", "state", "progress", *_COUNTS)
        rows: list[tuple[Any, ...]] = [tuple(say(f"apps.reindex-head-{name}", language) for name in heads)]
        # One on every type has a line for each: those of types that there are none of say nothing.
        empty = 0
        for one in found["parameters"]:
            report = one["report"] or {}
            if one["state"] == "ready" and not report.get("resources", 1):
                empty += 1
                continue
            rows.append(
                (
                    f"{one['base']}.{one['code']}",
                    say(f"apps.reindex-state-{one['state']}", language),
                    f"{one['done']:,}/{one['total']:,}" if one["state"] == "building" else "",
                    *(report.get(name, "") for name in _COUNTS),
                )
            )
        if len(rows) > 1:
            print_table(rows)
        if empty:
            print(say("apps.reindex-empty", language, count=empty))
    for kind, count in found["stale"].items():
        print(say("apps.reindex-stale", language, type=kind, count=f"{count:,}"))


def _reindexed(asked: Asked, site: Site, language: Language) -> int:
    from xinglin.jobs import Worker
    from xinglin.records.custom.job import asked as arguments
    from xinglin.records.custom.job import kinds, submit
    from xinglin.trust import local_system

    options, actor = asked.options, local_system()
    wanted = arguments(
        site.records,
        actor,
        tuple(options["type"] or ()),
        options["parameter"],
        verify=bool(options["verify-only"]),
        anew=bool(options["all"]),
    )
    job = submit(site, actor, wanted)
    # A worker beside may be quicker to take it: then it is only watched.
    worker = Worker(site.queue, kinds(site), threads=1)
    try:
        while not job.ended:
            worker.run_pending()
            job = site.queue.get(job.id)
            if not job.ended:
                time.sleep(LOOK_S)
    finally:
        worker.stop()  # or it would be counted among the workers until its lease runs out
    if options["json"]:
        print_json({"job": job.id, "state": job.state, "reason": job.reason(language), **(job.result or {})})
    else:
        _told(job, language)
        if job.result is not None and not job.result["proofs"]:
            _status(asked, site, language)
    return 0 if job.state == "done" else 1


def _told(job: Job, language: Language) -> None:
    if job.state != "done":
        reason = job.reason(language) or say(f"apps.jobs-state-{job.state}", language)
        print(say("apps.reindex-failed", language, id=job.id, reason=reason))
        return
    result = job.result or {"types": {}, "proofs": {}}
    for kind, counts in result["types"].items():
        if counts["redrawn"]:
            print(say("records.reindex-redrawn", language, type=kind, **counts))
    for name, proof in result["proofs"].items():
        kind, _, code = name.partition(".")
        key = "records.reindex-proven" if code else "records.reindex-compared"
        print(say(key, language, type=kind, code=code, **proof))
    if not result["proofs"]:
        print(say("apps.reindex-nothing", language))

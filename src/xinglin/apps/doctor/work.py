"""The work behind a record: schema, index rows, queue, feed, subscriptions, full text, backups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import msgspec

from xinglin.apps.doctor import repository
from xinglin.apps.doctor.finding import Finding, Level
from xinglin.kernel.clock import now_us
from xinglin.kernel.errors import XinglinError

if TYPE_CHECKING:
    from xinglin.records.site import Site

LAG_COMMITS: Final = 1000
LAG_S: Final = 60.0
WAITED_S: Final = 60.0
FAILED_WITHIN_S: Final = 7 * 86400
REHEARSED_WITHIN_S: Final = 35 * 86400
LOSS_S: Final = 60.0
FILES_GONE: Final = 0.1
"""Share of the files of one backup that the next one may lack before somebody is asked whether the disk is mounted."""


def work(site: Site) -> Iterator[Finding]:
    """Everything that goes on around the record."""
    for part in (_schema, _indexes, _fulltext, _queue, _feed, _backup, _store, _restored, _counts):
        try:
            yield from part(site)
        except XinglinError as error:
            yield Finding(part.__name__.strip("_"), "error", "apps.doctor-part-error", {"reason": error})


def _schema(site: Site) -> Iterator[Finding]:
    from xinglin.records.schema import SCHEMA_VERSION

    yield Finding("schema", "ok", "apps.doctor-schema", {"schema": SCHEMA_VERSION})


def _indexes(site: Site) -> Iterator[Finding]:
    from xinglin.records.reindexing import count_stale
    from xinglin.trust import local_system

    stale = sum(count_stale(site.records, local_system()).values())
    key = "apps.doctor-stale" if stale else "apps.doctor-indexes"
    yield Finding("indexes", "warning" if stale else "ok", key, {"stale": stale})


def _fulltext(site: Site) -> Iterator[Finding]:
    from xinglin.records.fulltext.follower import Follower

    lag = Follower(site.records.database).behind()
    key = "apps.doctor-fulltext-lag" if lag > LAG_COMMITS else "apps.doctor-fulltext"
    yield Finding("fulltext", "note" if lag else "ok", key, {"lag": lag})


def _queue(site: Site) -> Iterator[Finding]:
    workers = len(site.queue.workers())
    waiting, oldest_s = site.queue.waiting()
    if workers:
        yield Finding("workers", "ok", "apps.doctor-workers", {"workers": workers})
    else:
        level: Level = "warning" if waiting else "note"
        yield Finding("workers", level, "apps.doctor-no-worker", {"waiting": waiting})
    late = oldest_s > WAITED_S and workers > 0
    key = "apps.doctor-queue-late" if late else "apps.doctor-queue"
    yield Finding("queue", "warning" if late else "ok", key, {"waiting": waiting, "seconds": int(oldest_s)})
    with site.records.database.read() as connection:
        failed = repository.failed_jobs(connection, now_us() - FAILED_WITHIN_S * 1_000_000)
    if failed:
        told = ", ".join(f"{kind}: {count}" for kind, count in failed)
        yield Finding("jobs_failed", "warning", "apps.doctor-jobs-failed", {"kinds": told})


def _feed(site: Site) -> Iterator[Finding]:
    from xinglin.records.feed import Feed

    lags = Feed(site.records).lag()
    for name, lag in sorted(lags.items()):
        values: dict[str, object] = {"name": name, "commits": lag.commits, "seconds": int(lag.seconds)}
        if lag.parked:
            yield Finding(
                f"feed_{name}", "warning", "apps.doctor-feed-parked", {**values, "parked": lag.parked}
            )
        elif lag.reason is not None:
            yield Finding(f"feed_{name}", "warning", "apps.doctor-feed-stands", values)
        elif lag.commits and lag.seconds > LAG_S:
            yield Finding(f"feed_{name}", "warning", "apps.doctor-feed-late", values)
    if lags:
        worst = max(lag.commits for lag in lags.values())
        yield Finding("feed", "ok", "apps.doctor-feed", {"consumers": len(lags), "commits": worst})
    wrong = _subscriptions_in_error(site)
    if wrong:
        yield Finding("subscriptions", "warning", "apps.doctor-subscriptions", {"ids": ", ".join(wrong)})


def _subscriptions_in_error(site: Site) -> list[str]:
    """Ids of the Subscriptions whose status is error."""
    from xinglin.standards.fhir.search.grammar import parse_query
    from xinglin.trust import local_system

    query = parse_query("Subscription", [("status", "error"), ("_count", "20")], strict=True)
    return [entry.stored.id for entry in site.records.search(local_system(), query).entries]


def _backup(site: Site) -> Iterator[Finding]:
    from xinglin.apps.backup.memory import remembered

    settings, records = site.settings, site.records
    last = _last(site)
    if last is None:
        key = "apps.doctor-backup-none" if settings.backup_folder else "apps.doctor-backup-off"
        yield Finding("backup", "warning", key)
        return
    failed = remembered(records, "backup_failed")
    age_s = (now_us() - last["at_us"]) / 1e6
    values: dict[str, object] = {"hours": f"{age_s / 3600:.1f}", "store": last["store"]}
    old = age_s > 2 * settings.backup_every_s
    if failed is not None and failed["at_us"] > last["at_us"]:
        yield Finding(
            "backup",
            "error",
            "apps.doctor-backup-failed",
            {**values, "reason": XinglinError(failed["reason"], **failed["values"])},
        )
    else:
        yield Finding(
            "backup", "warning" if old else "ok", f"apps.doctor-backup{'-old' if old else ''}", values
        )
    if not last.get("sealed"):
        yield Finding("backup_open", "note", "apps.backup-open")
    yield from _files(site, last)
    yield from _archive(site, last)
    rehearsed = remembered(records, "backup_rehearsal")
    if rehearsed is None:
        yield Finding("rehearsal", "warning", "apps.doctor-rehearsal-none")
    elif not rehearsed["well"]:
        key, told = rehearsed.get("reason") or ("apps.interrupted", {})
        reason = XinglinError(key, **told)
        yield Finding(
            "rehearsal", "error", "apps.doctor-rehearsal-failed", {"at": rehearsed["at"], "reason": reason}
        )
    else:
        age_s = (now_us() - rehearsed["at_us"]) / 1e6
        level: Level = "warning" if age_s > REHEARSED_WITHIN_S else "ok"
        yield Finding("rehearsal", level, "apps.doctor-rehearsal", {"days": f"{age_s / 86400:.1f}"})


def _files(site: Site, last: dict[str, Any]) -> Iterator[Finding]:
    """Whether the large files are in the last backup and the archive."""
    found = last.get("files")
    values: dict[str, object] = {"store": site.blobs.name}
    if found is None:
        yield Finding("files", "note", "apps.doctor-files-none", values)
    else:
        gone = found["gone"]
        many = gone > FILES_GONE * (found["count"] + gone)
        key = "apps.backup-files-gone" if many else "apps.doctor-files"
        yield Finding(
            "files", "warning" if many else "ok", key, {**values, "files": found["count"], "gone": gone}
        )
    note = next(iter(site.blobs.noted(1)), None) if site.settings.backup_folder else None
    late_s = 0.0 if note is None else (now_us() - note.at_us) / 1e6
    if late_s > LOSS_S:
        yield Finding("files_archive", "warning", "apps.doctor-files-late", {"seconds": int(late_s)})


def _restored(site: Site) -> Iterator[Finding]:
    """Whether the restore that this record comes from brought all of its files."""
    from xinglin.apps.backup.bringing import Brought
    from xinglin.apps.backup.memory import remembered

    told = (remembered(site.records, "restored") or {}).get("files")
    if told is not None:
        brought = msgspec.convert(told, Brought)
        if brought.wrong:
            wrong = {"wrong": brought.wrong, "named": ", ".join(brought.first)}
            yield Finding("files_restored", "error", "apps.doctor-restored-files", wrong)


def _store(site: Site) -> Iterator[Finding]:
    """Whether what the record says it has written is still there."""
    from xinglin.apps.backup.archive import chain
    from xinglin.apps.backup.keeping import read_manifest
    from xinglin.apps.backup.memory import identity, remembered_of
    from xinglin.apps.backup.place import open_place

    if not site.settings.backup_folder:
        return
    place = open_place(site.settings)
    _, epoch = identity(site.records)
    last = remembered_of(site.records, "backup_last", place.name, epoch)
    if last is None:
        return
    try:
        read_manifest(place, last["name"])
    except XinglinError as error:
        values = {"name": last["name"], "store": place.name, "reason": error}
        yield Finding("backup_there", "error", "apps.doctor-backup-gone", values)
        return
    archived = remembered_of(site.records, "backup_archived", place.name, epoch)
    if archived is None:
        return
    led = chain(place, epoch, last["position"])
    reaches = led[-1].upto if led else last["position"]
    if reaches < archived["position"]:
        values = {"store": place.name, "position": archived["position"], "reaches": reaches}
        yield Finding("archive_there", "error", "apps.doctor-archive-missing", values)


def _last(site: Site) -> dict[str, Any] | None:
    """The last backup: of where the settings say, or, where they say nothing, of anywhere."""
    from xinglin.apps.backup.memory import identity, remembered, remembered_of
    from xinglin.apps.backup.place import open_place

    if not site.settings.backup_folder:
        return remembered(site.records, "backup_last")
    _, epoch = identity(site.records)
    return remembered_of(site.records, "backup_last", open_place(site.settings).name, epoch)


def _archive(site: Site, last: dict[str, object]) -> Iterator[Finding]:
    """How much a disk that died now would take."""
    from xinglin.apps.backup.memory import remembered_of

    if not site.settings.backup_folder:
        return
    store, epoch = str(last["store"]), str(last["epoch"])
    archived = remembered_of(site.records, "backup_archived", store, epoch) or last
    with site.records.database.read() as connection:
        first_us = repository.first_commit_after(connection, int(str(archived["position"])))
    lost_s = 0.0 if first_us is None else max(0.0, (now_us() - first_us) / 1e6)
    late = lost_s > LOSS_S
    key = "apps.doctor-archive-late" if late else "apps.doctor-archive"
    yield Finding("archive", "error" if late else "ok", key, {"seconds": int(lost_s)})


def _counts(site: Site) -> Iterator[Finding]:
    from xinglin.trust import local_system

    counts = site.records.count(local_system())
    values: dict[str, object] = {"resources": sum(counts.values()), "patients": counts.get("Patient", 0)}
    yield Finding("counts", "ok", "apps.doctor-counts", values)

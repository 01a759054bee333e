"""Exports as jobs: kicked off, run by a worker, looked at, removed, and swept away when their time is over.

What is asked for lies beside the export's files, not in the job's row: a ``_typeFilter`` may name a person.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from xinglin.jobs import SILENT_S, Cancelled, Job, Kind, NoSuchJob, Work
from xinglin.kernel.blobs import NoSuchBlob
from xinglin.kernel.clock import now_us
from xinglin.kernel.ids import new_id
from xinglin.records.bulk.errors import BadExport, NoSuchExport
from xinglin.records.bulk.exporter import Exporter, File, State, Watch
from xinglin.records.bulk.files import BlobFiles
from xinglin.records.bulk.request import Export
from xinglin.records.rest.outcome import Issue, outcome
from xinglin.records.writing import instant_text
from xinglin.trust import Actor

if TYPE_CHECKING:
    from xinglin.records.bulk.selection import Ask
    from xinglin.records.site import Site
    from xinglin.standards.fhir.search.query import Query

EXPORT: Final = "records.bulk-export"
IMPORT: Final = "ingest.bulk-import"
PLACES: Final = {EXPORT: "exports", IMPORT: "imports"}
"""Kinds of job whose files lie under that name, in a folder of each job's own."""
SWEEP: Final = "records.bulk-sweep"
SWEEP_EVERY_S: Final = 3600.0
ATTEMPTS: Final = 12
"""Each goes on from the last file or line: workers that end during hours of work must not be its end."""
MANIFEST: Final = "manifest.json"
_REQUEST: Final = "request.json"


class Asked(msgspec.Struct):
    """What was asked: the export, the address it was asked by, that of the FHIR endpoint, what was left aside."""

    export: dict[str, Any]
    url: str
    base: str
    left: list[str] = []


class Manifest(msgspec.Struct):
    """What came of an export; names of files in place of addresses."""

    at: str
    url: str
    output: list[File]
    deleted: list[File]
    error: list[File]


def kinds(site: Site) -> list[Kind]:
    """The kinds of job of bulk export."""
    return [
        Kind(EXPORT, partial(_run, site), attempts=ATTEMPTS, silent_s=SILENT_S),
        Kind(SWEEP, partial(_sweep, site), silent_s=SILENT_S),
    ]


def begin(
    site: Site, actor: Actor, export: Export, *, url: str, base: str, left: list[BadExport] | None = None
) -> Job:
    """Put an export into the queue."""
    from xinglin.records.tasks import submit

    folder = new_folder()
    asked = Asked(export.as_dict(), url, base, [error.say() for error in left or ()])
    own = BlobFiles(site.blobs, place(EXPORT, actor.tenant, folder))
    own.put(_REQUEST, [msgspec.json.encode(asked)])
    keep_sweeping(site, actor.tenant)
    return submit(site, actor, EXPORT, {"folder": folder, "level": export.level})


def new_folder() -> str:
    """A name for the folder of a new job: when it was made, and nothing that can be guessed."""
    return f"{now_us() // 1_000_000}-{new_id()}"


def place(kind: str, tenant: int, folder: str) -> str:
    """The path of a job's folder."""
    return f"{tenant}/{PLACES[kind]}/{folder}"


def keep_sweeping(site: Site, tenant: int) -> None:
    """See to it that what expires is taken away."""
    site.queue.schedule(SWEEP, SWEEP, every_s=SWEEP_EVERY_S, tenant=tenant)


def asker(site: Site, actor: Actor, base: str) -> Ask:
    """What makes a Query of the pairs of a ``_typeFilter``, as a search over REST would be read."""
    from xinglin.records.rest.edge import Edge
    from xinglin.records.rest.exchange import Request

    edge, request = Edge(site), Request("GET", (), actor, base)

    def ask(kind: str, pairs: list[tuple[str, str]]) -> Query:
        return edge.query(request, kind, tuple(pairs), strict=True)

    return ask


def theirs(site: Site, actor: Actor, id_: str, kind: str = EXPORT) -> Job:
    """The job, where it is this actor's. Raises NoSuchExport: whose it is otherwise is not told."""
    try:
        job = site.queue.get(id_, tenant=actor.tenant)
    except NoSuchJob as error:
        raise NoSuchExport("records.bulk-no-export") from error
    if job.kind != kind or job.actor != actor.id or job.state == "cancelled" or job.cancel_asked:
        raise NoSuchExport("records.bulk-no-export")
    return job


def manifest(site: Site, job: Job) -> Manifest:
    """What a finished export has come to. Raises NoSuchExport where its files are gone."""
    return msgspec.json.decode(whole(site, job), type=Manifest)


def whole(site: Site, job: Job) -> bytes:
    """The manifest as it lies there, of an export or import. Raises NoSuchExport."""
    try:
        return files(site, job).get(MANIFEST)
    except NoSuchBlob as error:
        raise NoSuchExport("records.bulk-no-export") from error


def path(site: Site, job: Job, name: str) -> str:
    """The blob of a file that the manifest names. Raises NoSuchExport for any other."""
    made = manifest(site, job)
    if name not in (each.name for each in (*made.output, *made.deleted, *made.error)):
        raise NoSuchExport("records.bulk-no-export")
    return f"{place(job.kind, job.tenant, job.arguments['folder'])}/{name}"


def remove(site: Site, job: Job) -> None:
    """Cancel an export, or take its files away. Raises NoSuchExport where they are gone already."""
    if job.state == "done":
        whole(site, job)
    if not job.ended:
        site.queue.cancel(job.id, job.tenant)
    if job.state != "running":  # else the worker does, once it has stopped
        files(site, job).clear()


def files(site: Site, job: Job) -> BlobFiles:
    """The files of an export or import."""
    return BlobFiles(site.blobs, place(job.kind, job.tenant, job.arguments["folder"]))


class _Watch(Watch):
    """A job's work as the exporter sees it."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def save(self, state: State) -> None:
        self._work.save({"state": state.as_dict()})

    def progress(self, kind: str, done: int, of: int) -> None:
        self._work.progress(done, max(done, of), "records.bulk-stage-writing")

    def check(self) -> None:
        self._work.check()


def _run(site: Site, work: Work) -> Mapping[str, Any]:
    from xinglin.records.tasks import actor_of

    own = files(site, work.job)
    asked = msgspec.json.decode(own.get(_REQUEST), type=Asked)
    actor = actor_of(work.job)
    saved = work.checkpoint.get("state")
    try:
        exporter = Exporter(
            site.records,
            actor,
            Export.of(asked.export),
            own,
            ask=asker(site, actor, asked.base),
            watch=_Watch(work),
            state=State.of(saved) if saved else None,
            file_bytes=site.settings.export_file_bytes,
        )
        state = exporter.run()
        made = Manifest(
            instant_text(state.moment.at_us), asked.url, state.output, state.deleted, state.errors
        )
        if asked.left:
            said = outcome([Issue("warning", "not-supported", text) for text in asked.left])
            size = own.put("errors-request.ndjson", [said, b"\n"])
            made.error.append(File("OperationOutcome", "errors-request.ndjson", 1, size))
        own.put(MANIFEST, [msgspec.json.encode(made)])
    except Cancelled:
        own.clear()
        raise
    return {
        "resources": sum(each.count for each in made.output),
        "files": len(made.output) + len(made.deleted),
        "errors": sum(each.count for each in made.error),
    }


def _sweep(site: Site, work: Work) -> Mapping[str, Any]:
    """Take away the files of jobs that ended longer ago than the setting says, and of those that never began."""
    tenant = work.job.tenant
    before_us = now_us() - int(site.settings.export_keep_hours * 3_600_000_000)
    swept = set()
    for kind, name in PLACES.items():
        kept = {
            job.arguments["folder"]
            for job in _jobs(site, tenant, kind)
            if not job.ended or (job.ended_us or 0) >= before_us
        }
        for blob in list(site.blobs.list(f"{tenant}/{name}/")):
            work.check()
            folder = blob.split("/")[2]
            if folder not in kept and int(folder.partition("-")[0]) * 1_000_000 < before_us:
                site.blobs.delete(blob)
                swept.add(folder)
    return {"swept": len(swept)}


def _jobs(site: Site, tenant: int, kind: str) -> Iterator[Job]:
    before = None
    while found := site.queue.list(tenant, kind=kind, before=before, limit=200):
        yield from found
        before = found[-1].seq

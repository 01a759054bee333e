"""What a client sees of its export: still running, done with a manifest, or failed with the reason.

Source: HL7 FHIR Bulk Data Access 2.0, "Bulk Data Status Request".
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec

from xinglin.jobs import Job
from xinglin.kernel.clock import now_us
from xinglin.kernel.language import Language
from xinglin.records.bulk import job as exports
from xinglin.records.bulk.exporter import File
from xinglin.records.rest.conditional import http_date
from xinglin.records.rest.exchange import FHIR_JSON, Answer
from xinglin.records.rest.outcome import Issue, outcome
from xinglin.records.site import Site
from xinglin.records.stored import instant

_JSON = b"application/json"


def export_status(site: Site, job: Job, address: str, language: Language) -> Answer:
    """The answer to a status request. ``address``: of the export, below which its files are. Raises NoSuchExport."""
    if job.state in ("queued", "running"):
        return running(job)
    if job.state == "failed":
        return failed(job, language)
    made = exports.manifest(site, job)

    def listed(files: list[File]) -> list[dict[str, Any]]:
        return [
            {"type": each.type, "url": f"{address}/{quote(each.name)}", "count": each.count} for each in files
        ]

    body = {
        "transactionTime": made.at,
        "request": made.url,
        "requiresAccessToken": False,
        "output": listed(made.output),
        "deleted": listed(made.deleted),
        "error": listed(made.error),
    }
    return finished(site, job, body)


def finished(site: Site, job: Job, body: dict[str, Any]) -> Answer:
    """200 and the manifest, which says until when its files are there."""
    return Answer(
        200,
        [
            (b"content-type", _JSON),
            (b"expires", http_date(instant(expires_us(site, job)))),
            (b"cache-control", b"no-store"),
        ],
        msgspec.json.encode(body),
    )


def expires_us(site: Site, job: Job) -> int:
    """When its files may be taken away."""
    return (job.ended_us or now_us()) + int(site.settings.export_keep_hours * 3_600_000_000)


def running(job: Job) -> Answer:
    """202: how far it is, and when to ask again: soon at first, ever more rarely later."""
    elapsed_s = (now_us() - job.queued_us) / 1e6
    shown = "queued"
    if job.state == "queued" and job.attempts:  # so that whoever waits can see that something is wrong
        shown = f"waiting to try again after attempt {job.attempts} of {job.attempts_most}"
    if job.state == "running":
        shown = (
            f"{min(99, 100 * job.done // job.of)}% ({job.done} of about {job.of})" if job.of else "running"
        )
    wait = min(60, max(1, int(elapsed_s / 10)))
    return Answer(
        202,
        [
            (b"x-progress", shown.encode()),
            (b"retry-after", b"%d" % wait),
            (b"cache-control", b"no-store"),
        ],
    )


def failed(job: Job, language: Language) -> Answer:
    """500 and the reason, as an OperationOutcome."""
    said = job.reason(language) or job.state
    return Answer(500, [(b"content-type", FHIR_JSON)], outcome([Issue("error", "exception", said)]))

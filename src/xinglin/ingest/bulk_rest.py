"""``$import``: the kick-off of a bulk import, by a manifest that names files or with the lines themselves, and its status.

Source: SMART's bulk data import proposal (github.com/smart-on-fhir/bulk-import, "import-manifest"), whose ``$import`` takes a
manifest of ``input`` files; the same as a Parameters resource.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from xinglin.ingest import bulk
from xinglin.ingest.bulk import Asked, Input
from xinglin.ingest.errors import BadImport
from xinglin.ingest.remote_files import check_address
from xinglin.kernel.language import Language
from xinglin.records.bulk.files import BlobFiles
from xinglin.records.bulk.job import IMPORT, new_folder, place, whole
from xinglin.records.bulk.status import failed, finished, running
from xinglin.records.rest.bulk import accepted, require_async
from xinglin.records.rest.edge import Edge
from xinglin.records.rest.errors import Malformed
from xinglin.records.rest.exchange import Answer, Request
from xinglin.records.rest.negotiate import FHIR_BODIES, check_sent
from xinglin.standards.fhir.search.names import RESOURCE_TYPES

if TYPE_CHECKING:
    from xinglin.jobs import Job
    from xinglin.records.site import Site

NDJSON = ("application/fhir+ndjson", "application/ndjson", "application/x-ndjson")
UPLOAD = "upload-1.ndjson"


def import_(edge: Edge, request: Request, type_: str | None, id_: str | None) -> Answer:
    """202 and the address of its status. Raises NotAsync, BadImport, HostError, Malformed."""
    require_async(request)
    folder = new_folder()
    if check_sent(request.headers.get("content-type"), taken=(*FHIR_BODIES, *NDJSON)) in NDJSON:
        if not request.body.strip():
            raise BadImport("ingest.bulk-nothing")
        own = BlobFiles(edge.site.blobs, place(IMPORT, request.actor.tenant, folder))
        own.put(UPLOAD, [request.body])
        asked = Asked([Input(upload=UPLOAD)], f"{request.base}/$import")
    else:
        asked = _asked(request)
        for each in asked.inputs:
            check_address(each.url, edge.settings)
    job = bulk.begin(edge.site, request.actor, asked, folder)
    return accepted(request, "imports", job.id)


def import_status(site: Site, job: Job, address: str, language: Language) -> Answer:
    """The answer to a status request; done: a manifest, with the report that every import has. Raises NoSuchExport."""
    if job.state in ("queued", "running"):
        return running(job)
    if job.state == "failed":
        return failed(job, language)
    made = msgspec.json.decode(whole(site, job), type=bulk.Manifest)
    output, errors = [], []
    for each in made.files:
        source = {"inputUrl": each.url} if each.url else {}
        for kind, counts in sorted(each.counts.items()):
            count = counts.taken + counts.updated + counts.unchanged
            if count:
                output.append({"type": kind, "count": count, **source})
        errors += [
            {"type": file.type, "url": f"{address}/{quote(file.name)}", "count": file.count, **source}
            for file in each.errors
        ]
    body = {
        "transactionTime": made.at,
        "request": made.url,
        "requiresAccessToken": False,
        "output": output,
        "error": errors,
        "report": made.report().as_dict(language),
    }
    return finished(site, job, body)


def error_file(site: Site, job: Job, name: str) -> str:
    """The blob of a file that the manifest names. Raises NoSuchExport for any other."""
    from xinglin.records.bulk.errors import NoSuchExport

    made = msgspec.json.decode(whole(site, job), type=bulk.Manifest)
    if name not in (file.name for each in made.files for file in each.errors):
        raise NoSuchExport("records.bulk-no-export")
    return f"{place(IMPORT, job.tenant, job.arguments['folder'])}/{name}"


def _asked(request: Request) -> Asked:
    try:
        sent = msgspec.json.decode(request.body, type=dict[str, Any])
        return (_of_parameters if sent.get("resourceType") == "Parameters" else _of_manifest)(request, sent)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed("ingest.bulk-manifest") from error


class _Input(msgspec.Struct):
    url: str
    type: str = ""


class _Manifest(msgspec.Struct):
    input: list[_Input] = []
    inputFormat: str = NDJSON[0]  # noqa: N815
    inputSource: str = ""  # noqa: N815


def _of_manifest(request: Request, sent: dict[str, Any]) -> Asked:
    found = msgspec.convert(sent, _Manifest)
    if found.inputFormat not in NDJSON:
        raise BadImport("ingest.bulk-format", format=found.inputFormat[:60])
    if not found.input:
        raise BadImport("ingest.bulk-nothing")
    for each in found.input:
        if each.type and each.type not in RESOURCE_TYPES:
            raise BadImport("records.rest-unknown-type", expression="input.type", type=each.type[:64])
    inputs = [Input(each.url, "", each.type) for each in found.input]
    return Asked(inputs, f"{request.base}/$import", found.inputSource[:200])


class _Part(msgspec.Struct):
    name: str = ""
    valueString: str = ""  # noqa: N815
    valueCode: str = ""  # noqa: N815
    valueUri: str = ""  # noqa: N815
    valueUrl: str = ""  # noqa: N815
    part: list[_Part] = []

    @property
    def value(self) -> str:
        return self.valueUrl or self.valueUri or self.valueString or self.valueCode


class _Parameters(msgspec.Struct):
    parameter: list[_Part] = []


def _of_parameters(request: Request, sent: dict[str, Any]) -> Asked:
    manifest: dict[str, Any] = {"input": []}
    for one in msgspec.convert(sent, _Parameters).parameter:
        if one.name == "input":
            manifest["input"].append(
                {part.name: part.value for part in one.part if part.name in ("url", "type")}
            )
        elif one.name in ("inputFormat", "inputSource"):
            manifest[one.name] = one.value
    return _of_manifest(request, manifest)

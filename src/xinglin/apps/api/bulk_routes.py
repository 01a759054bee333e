"""``/api/exports`` and ``/api/imports``: the status of a bulk export or import, its files, its end; and uploads.

Each is its asker's own: to anybody else it is not there.
"""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from xinglin.ingest import bulk, bulk_rest
from xinglin.ingest.errors import BadImport
from xinglin.ingest.remote_files import unpacked
from xinglin.kernel.language import say
from xinglin.records.bulk import job as exports
from xinglin.records.bulk.files import BlobFiles
from xinglin.records.bulk.status import export_status
from xinglin.records.rest.errors import TooSlow, UnsupportedMedia
from xinglin.records.rest.exchange import FHIR_JSON, Answer
from xinglin.records.rest.negotiate import check_sent
from xinglin.records.rest.outcome import Issue, outcome

if TYPE_CHECKING:
    from xinglin.jobs import Job
    from xinglin.records.site import Site

STALLED_S = 120
"""How long an upload may send nothing."""
NDJSON = "application/fhir+ndjson"
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_GZIP = re.compile(r"(?i)(?:^|[,\s])(?:gzip|\*)(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))")
_PACKED_LEVEL = 3


def routes(site: Site) -> list[BaseRoute]:
    """See the module."""

    def status(request: Request) -> Response:
        job = exports.theirs(site, request.state.actor, request.path_params["id"])
        address = f"{request.state.base}/api/exports/{job.id}"
        return answered(export_status(site, job, address, request.state.language))

    def remove(request: Request) -> Response:
        exports.remove(site, exports.theirs(site, request.state.actor, request.path_params["id"]))
        return Response(status_code=202)

    def file(request: Request) -> Response:
        job = exports.theirs(site, request.state.actor, request.path_params["id"])
        path = exports.path(site, job, request.path_params["name"])
        return sent(site, request, path)

    def import_state(request: Request) -> Response:
        job = exports.theirs(site, request.state.actor, request.path_params["id"], exports.IMPORT)
        address = f"{request.state.base}/api/imports/{job.id}"
        return answered(bulk_rest.import_status(site, job, address, request.state.language))

    def import_remove(request: Request) -> Response:
        job = exports.theirs(site, request.state.actor, request.path_params["id"], exports.IMPORT)
        exports.remove(site, job)
        return Response(status_code=202)

    def import_file(request: Request) -> Response:
        job = exports.theirs(site, request.state.actor, request.path_params["id"], exports.IMPORT)
        return sent(site, request, bulk_rest.error_file(site, job, request.path_params["name"]))

    async def upload(request: Request) -> Response:
        return await taken_in(site, request)

    return [
        Route("/imports", upload, methods=["POST"]),
        Route("/imports/{id}", import_state, methods=["GET"]),
        Route("/imports/{id}", import_remove, methods=["DELETE"]),
        Route("/imports/{id}/{name}", import_file, methods=["GET"]),
        Route("/exports/{id}", status, methods=["GET"]),
        Route("/exports/{id}", remove, methods=["DELETE"]),
        Route("/exports/{id}/{name}", file, methods=["GET"]),
    ]


async def taken_in(site: Site, request: Request) -> Response:
    """An upload of NDJSON of any length, on its way to the blob store as it comes; then an import of it."""
    actor, url = request.state.actor, f"{request.state.base}/api/imports"
    check_sent(request.headers.get("content-type", bulk_rest.NDJSON[0]), taken=bulk_rest.NDJSON)
    packing = request.headers.get("content-encoding", "identity").strip().lower()
    if packing not in ("identity", "gzip", "x-gzip"):
        raise UnsupportedMedia("records.rest-encoding", encoding=packing[:40])
    folder = exports.new_folder()
    own = BlobFiles(site.blobs, exports.place(exports.IMPORT, actor.tenant, folder))
    loop, stream = asyncio.get_running_loop(), aiter(request.stream())

    async def following() -> bytes | None:
        async with asyncio.timeout(STALLED_S):
            return await anext(stream, None)

    def received() -> Iterator[bytes]:
        while True:
            try:
                chunk = asyncio.run_coroutine_threadsafe(following(), loop).result()
            except TimeoutError:
                raise TooSlow("records.rest-body-slow", seconds=STALLED_S) from None
            if chunk is None:
                return
            yield chunk

    def keep() -> Job:
        # Also a packed file that no header calls one, as `curl --data-binary @file.gz` sends it.
        if not own.put(bulk_rest.UPLOAD, unpacked(received(), site.settings, "upload")):
            own.clear()
            raise BadImport("ingest.bulk-nothing")
        asked = bulk.Asked([bulk.Input(upload=bulk_rest.UPLOAD)], url)
        return bulk.begin(site, actor, asked, folder)

    job = await run_in_threadpool(keep)
    said = Issue("information", "informational", say("records.bulk-accepted", request.state.language))
    return Response(
        outcome([said]),
        202,
        {"content-type": FHIR_JSON.decode(), "content-location": f"{url}/{job.id}"},
    )


def answered(answer: Answer) -> Response:
    """An Answer as the web framework has it."""
    headers = {name.decode(): value.decode("latin-1") for name, value in answer.headers}
    return Response(answer.body, answer.status, headers)


def sent(site: Site, request: Request, path: str) -> Response:
    """A blob as the answer: whole (packed where the client takes that), or the range it asks for. Raises NoSuchBlob."""
    size = site.blobs.size(path)
    tag = f'"{zlib.crc32(path.encode()):08x}-{size}"'  # a blob of an export never changes
    headers = {
        "content-type": NDJSON,
        "accept-ranges": "bytes",
        "etag": tag,
        "cache-control": "private, no-store",
        "x-content-type-options": "nosniff",
        "vary": "accept-encoding",
    }
    asked = request.headers.get("range")
    if asked is not None and request.headers.get("if-range", tag) == tag:
        found = _range(asked, size)
        if found is not None:
            start, end = found
            if start >= end:
                return Response(status_code=416, headers={"content-range": f"bytes */{size}"})
            headers |= {
                "content-range": f"bytes {start}-{end - 1}/{size}",
                "content-length": str(end - start),
            }
            return _streaming(request, lambda: site.blobs.open(path, start, end), 206, headers)
    if _GZIP.search(request.headers.get("accept-encoding", "")):
        headers["content-encoding"] = "gzip"
        headers["etag"] = f'{tag[:-1]}-gzip"'
        return _streaming(request, lambda: _packed(site.blobs.open(path)), 200, headers)
    headers["content-length"] = str(size)
    return _streaming(request, lambda: site.blobs.open(path), 200, headers)


def _streaming(request: Request, chunks: Any, status: int, headers: dict[str, str]) -> Response:
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    return StreamingResponse(chunks(), status, headers)


def _range(text: str, size: int) -> tuple[int, int] | None:
    """The half-open range that a Range header asks for; None where it is none that is understood: then all is sent.

    >>> _range("bytes=2-3", 10), _range("bytes=8-", 10), _range("bytes=-3", 10), _range("bytes=12-", 10), _range("x", 10)
    ((2, 4), (8, 10), (7, 10), (12, 10), None)
    """
    match = _RANGE.fullmatch(text.replace(" ", ""))
    if match is None or (not match[1] and not match[2]):
        return None
    if not match[1]:
        return max(0, size - int(match[2])), size
    start = int(match[1])
    end = size if not match[2] else min(size, int(match[2]) + 1)
    return None if match[2] and int(match[2]) < start else (start, end)


def _packed(chunks: Iterable[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(_PACKED_LEVEL, zlib.DEFLATED, 31)
    for chunk in chunks:
        if packed := packer.compress(chunk):
            yield packed
    yield packer.flush()

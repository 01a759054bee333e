"""``$export``: the kick-off of a bulk export, of everything, of all patients, or of a Group's.

Source: HL7 FHIR Bulk Data Access 2.0, "Bulk Data Kick-off Request".
"""

from __future__ import annotations

from xinglin.kernel.language import say
from xinglin.records.bulk.errors import NoSuchGroup, NotAsync
from xinglin.records.bulk.job import asker, begin
from xinglin.records.bulk.request import Level, read_export
from xinglin.records.errors import Gone, NotFound
from xinglin.records.rest.edge import Edge, json_answer
from xinglin.records.rest.exchange import Answer, Request
from xinglin.records.rest.links import link
from xinglin.records.rest.outcome import Issue, outcome
from xinglin.records.rest.parameters import asked as parameters


def export(edge: Edge, request: Request, type_: str | None, id_: str | None) -> Answer:
    """202 and the address of its status. Raises NotAsync, BadExport, NoSuchGroup, SearchError."""
    require_async(request)
    level: Level = "system" if type_ is None else "group" if id_ is not None else "patient"
    if level == "group":
        assert id_ is not None
        try:
            edge.records.read(request.actor, "Group", id_)
        except (NotFound, Gone) as error:
            raise NoSuchGroup("records.bulk-no-group", id=id_) from error
    pairs = parameters(request)
    ask = asker(edge.site, request.actor, request.base)

    def check(kind: str, pairs: list[tuple[str, str]]) -> None:
        ask(kind, pairs)

    asked, left = read_export(
        pairs,
        level,
        id_,
        zone=edge.records.zone(request.actor.tenant),
        check=check,
        lenient=request.prefer.strict is False,
    )
    url = link(request, "/".join(request.path), request.pairs)
    job = begin(edge.site, request.actor, asked, url=url, base=request.base, left=left)
    return accepted(request, "exports", job.id)


def require_async(request: Request) -> None:
    """Raises NotAsync where the client would wait for the answer."""
    wanted = [part.strip().lower() for part in request.headers.get("prefer", "").replace(";", ",").split(",")]
    if "respond-async" not in wanted:
        raise NotAsync("records.bulk-not-async", expression="http.Prefer")


def accepted(request: Request, what: str, id_: str) -> Answer:
    """202: the work is in the queue, and this is where to ask for it."""
    place = f"{request.base.removesuffix('/fhir')}/api/{what}/{id_}"
    said = Issue("information", "informational", say("records.bulk-accepted", request.language))
    return json_answer(
        request,
        outcome([said]),
        status=202,
        headers=[(b"content-location", place.encode("ascii", "replace"))],
    )

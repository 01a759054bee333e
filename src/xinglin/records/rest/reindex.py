"""``$reindex``: make index rows anew, or compare them with what the resources say; ``SearchParameter/…/$status``.

Both are this server's own operations; their definitions are described in docs/search-parameters.md.
"""

from __future__ import annotations

from typing import Any

import msgspec

from xinglin.records.custom.job import asked, status, submit
from xinglin.records.rest.edge import Edge, json_answer, known_type, only_known
from xinglin.records.rest.errors import NoSuchResource
from xinglin.records.rest.exchange import Answer, Request
from xinglin.records.rest.parameters import asked as parameters

_KNOWN = ("type", "parameter", "verify", "all")


def reindex(edge: Edge, request: Request, type_: str | None, id_: str | None) -> Answer:
    """202 with the Task that shows the job; where the same is queued or runs already, with that one's.

    Parameters ``type`` (repeats; at system level), ``parameter`` (a code), ``verify=true`` (compare only), ``all=true``
    (index everything anew). Raises BadValue, NoSuchPlace, NoSuchParameter.
    """
    pairs = parameters(request)
    only_known(pairs, _KNOWN, strict=True)
    types = tuple(known_type(value) for name, value in pairs if name == "type")
    named = [value for name, value in pairs if name == "parameter"]
    wanted = asked(
        edge.records,
        request.actor,
        (type_,) if type_ is not None else types,
        named[0] if named else None,
        verify=("verify", "true") in pairs,
        anew=("all", "true") in pairs,
    )
    job = submit(edge.site, request.actor, wanted)
    task = edge.records.read(request.actor, "Task", job.id)
    place = f"{request.base}/Task/{job.id}".encode("ascii", "replace")
    return json_answer(request, task.body, status=202, headers=[(b"content-location", place)])


def show(edge: Edge, request: Request, type_: str | None, id_: str | None) -> Answer:
    """Parameters with one part for each type that the SearchParameter, or any, is searched on. Raises NoSuchResource."""
    found = [
        one
        for one in status(edge.records, request.actor, stale=False)["parameters"]
        if id_ is None or one["resource"] == f"SearchParameter/{id_}"
    ]
    if not found and id_ is not None:
        raise NoSuchResource("records.custom-not-searchable", id=id_)
    body = {"resourceType": "Parameters", "parameter": [_part(one) for one in found]}
    return json_answer(request, msgspec.json.encode(body))


def _part(one: dict[str, Any]) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [
        {"name": "base", "valueCode": one["base"]},
        {"name": "code", "valueCode": one["code"]},
        {"name": "state", "valueCode": one["state"]},
        {"name": "done", "valueInteger": min(one["done"], 2**31 - 1)},
        {"name": "total", "valueInteger": min(one["total"], 2**31 - 1)},
    ]
    for name in ("resources", "checked", "different", "with_rows", "rows"):
        if one["report"] is not None:
            parts.append({"name": name, "valueInteger": min(one["report"][name], 2**31 - 1)})
    return {"name": "searchParameter", "part": parts}

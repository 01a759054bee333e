"""``$validate``: everything that a write would be told, without writing.

Source: HL7 FHIR R4, resource-operation-validate.html.
"""

from __future__ import annotations

import msgspec

from xinglin.records.rest.edge import Edge, json_answer, known_type, one_value
from xinglin.records.rest.errors import BadValue, Malformed, NotUnderstood, WrongMethod
from xinglin.records.rest.exchange import Answer, Request
from xinglin.records.rest.negotiate import check_sent
from xinglin.records.rest.outcome import Issue, all_ok, findings_as_issues, issues_of, outcome
from xinglin.records.rest.writes import check_type
from xinglin.standards.fhir.errors import Invalid

MODES = ("create", "update", "delete", "profile")


class _Parameter(msgspec.Struct):
    name: str = ""
    resource: msgspec.Raw = msgspec.Raw()
    valueCode: str | None = None  # noqa: N815
    valueString: str | None = None  # noqa: N815
    valueUri: str | None = None  # noqa: N815
    valueCanonical: str | None = None  # noqa: N815


class _Parameters(msgspec.Struct):
    resourceType: str  # noqa: N815
    parameter: list[_Parameter] = []


def validate(edge: Edge, request: Request, type_: str | None, id_: str | None) -> Answer:
    """``POST [type]/$validate``, ``POST|GET [type]/[id]/$validate``: an OperationOutcome with status 200.

    The body is a resource, or a Parameters with ``resource``, ``mode`` (create, update, delete, profile) and ``profile``.
    """
    if request.method == "GET" and id_ is None:
        raise WrongMethod("records.rest-method", method="GET", allowed="POST")
    body, mode, profile = _asked(request)
    if profile is not None:
        raise NotUnderstood("records.rest-validate-profile", expression="Parameters.parameter.profile")
    if mode is not None and mode not in MODES:
        raise BadValue(
            "records.rest-validate-mode", expression="Parameters.parameter.mode", modes=", ".join(MODES)
        )
    if mode == "profile":
        raise NotUnderstood("records.rest-validate-profile", expression="Parameters.parameter.mode")
    if mode in ("update", "delete") and id_ is None:
        raise BadValue("records.rest-validate-instance", mode=mode)
    if id_ is not None and (body is None or mode in ("update", "delete")):
        stored = edge.records.read(request.actor, known_type(type_ or ""), id_)
        if body is None and mode != "delete":
            body = stored.body
    if mode == "delete":
        return json_answer(request, all_ok(request.language, "records.rest-validate-delete"))
    if body is None:
        raise Malformed("records.rest-empty-body", type=type_ or "Resource")
    issues = check(edge, request, body, type_, id_ if mode == "update" else None)
    return json_answer(request, outcome(issues) if issues else all_ok(request.language))


def check(edge: Edge, request: Request, body: bytes, type_: str | None, id_: str | None) -> list[Issue]:
    """All that tiers 1 and 2 find in ``body``, which is to be a ``type_`` with the id ``id_`` where these are given."""
    from xinglin.standards.fhir.parse import parse
    from xinglin.standards.fhir.validate import tier2

    try:
        resource = parse(body)
        own = type(resource).__name__
        if type_ is not None and own != type_:
            raise BadValue("records.rest-other-type", expression="resourceType", type=type_, own=own)
        if id_ is not None and resource.id != id_:
            raise BadValue("records.rest-id-other", expression=f"{own}.id", id=id_)
    except (Invalid, BadValue) as error:
        found = issues_of(error, request.language)
        if isinstance(error, Invalid) and type_ is not None:
            try:
                check_type(body, type_)
            except BadValue as other:
                return [*issues_of(other, request.language), *found]
        return found
    return findings_as_issues(tier2(resource), request.language)


def _asked(request: Request) -> tuple[bytes | None, str | None, str | None]:
    """The resource's own text, the mode and the profile, from the query and the body."""
    mode, profile = one_value(request.pairs, "mode"), one_value(request.pairs, "profile")
    if not request.body:
        return None, mode, profile
    check_sent(request.headers.get("content-type"))
    try:
        head = msgspec.json.decode(request.body, type=_Parameters)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return request.body, mode, profile
    if head.resourceType != "Parameters":
        return request.body, mode, profile
    body = None
    for parameter in head.parameter:
        if parameter.name == "resource" and bytes(parameter.resource):
            body = bytes(parameter.resource)
        elif parameter.name == "mode":
            mode = parameter.valueCode or parameter.valueString
        elif parameter.name == "profile":
            profile = parameter.valueUri or parameter.valueCanonical or parameter.valueString
    return body, mode, profile

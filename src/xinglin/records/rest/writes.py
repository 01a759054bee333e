"""create, update, patch and delete, plain and conditional: each becomes one Operation, checked in the write transaction.

Source: HL7 FHIR R4, http.html §3.1.0.5–8 (contention, update, patch, delete), §3.1.0.8.1 (conditional create).
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import msgspec
from msgspec import structs

from xinglin.kernel.ids import new_id
from xinglin.records.errors import TooLarge
from xinglin.records.past.marks import refuse_old
from xinglin.records.prepared import Prepared, prepare_parsed
from xinglin.records.rest.conditional import tags, version_of
from xinglin.records.rest.edge import (
    PRESENTING,
    Edge,
    json_answer,
    located,
    only_known,
    resource_types,
    told,
    version_headers,
)
from xinglin.records.rest.errors import BadValue, Malformed, PreconditionFailed, Unprocessable
from xinglin.records.rest.exchange import Answer, Pending, Request
from xinglin.records.rest.negotiate import FHIR_BODIES, PATCH, check_sent, media_type
from xinglin.records.rest.outcome import findings_as_issues, outcome
from xinglin.records.rest.patch import apply, read_patch
from xinglin.records.rest.references import conditional_in, resolved
from xinglin.records.stored import Operation, Stored
from xinglin.standards.fhir.errors import Invalid
from xinglin.standards.fhir.search.query import Query

if TYPE_CHECKING:
    from xinglin.standards.fhir.findings import Finding
    from xinglin.standards.fhir.r4.model import ResourceBase


@dataclass(frozen=True, slots=True)
class Write:
    """A change ready to be made: the operation, its body read and checked, and warnings that do not stop it."""

    operation: Operation
    prepared: Prepared | None = None
    warnings: tuple[Finding, ...] = ()


def create(edge: Edge, request: Request, type_: str, id_: str | None = None, *, refer: bool = True) -> Write:
    """``POST [type]``; If-None-Exist makes it conditional. An id in the body is passed over: the server gives one.

    A query on the address means the same as If-None-Exist: some clients send it so, and passing it over would make the
    duplicate that they mean to prevent. ``refer``: conditional references in the body are resolved (a transaction has
    done so).
    """
    request = _readable(request, type_, None)
    given = request.headers.get("if-none-exist")
    where = condition(edge, request, type_, given, "If-None-Exist") if given is not None else None
    if where is None and request.pairs:
        where = condition_of_url(edge, request, type_)
    id_ = id_ or new_id()
    prepared, warnings = ready(edge, request, _checked(edge, request, type_, refer), id_)
    return Write(Operation("create", type_, id=id_, where=where), prepared, warnings)


def _readable(request: Request, type_: str, id_: str | None) -> Request:
    """The request with a body that is FHIR JSON: content of any other kind, sent to Binary, is put into one.

    Raises UnsupportedMedia.
    """
    sent = request.headers.get("content-type")
    if type_ != "Binary" or sent is None or media_type(sent)[0] in FHIR_BODIES or "fhir" in sent:
        check_sent(sent)
        return request
    content = {"contentType": sent, "data": base64.b64encode(request.body).decode("ascii")}
    body = msgspec.json.encode({"resourceType": "Binary", **({"id": id_} if id_ else {}), **content})
    return structs.replace(request, body=body)


def update(edge: Edge, request: Request, type_: str, id_: str, *, refer: bool = True) -> Write:
    """``PUT [type]/[id]``; makes the resource where there is none (update as create). If-Match and If-None-Match: ``*``."""
    request = _readable(request, type_, id_)
    only_known(request.pairs, PRESENTING, strict=True)
    checked = _checked(edge, request, type_, refer)
    own = checked.resource.id
    if own is None:
        raise BadValue("records.rest-id-missing", expression=f"{type_}.id", id=id_)
    if own != id_:
        raise BadValue("records.rest-id-other", expression=f"{type_}.id", id=id_)
    absent = "*" in tags(request.headers.get("if-none-match", ""))
    prepared, warnings = ready(edge, request, checked, id_)
    operation = Operation("update", type_, id=id_, if_match=_if_match(request), if_absent=absent)
    return Write(operation, prepared, warnings)


def update_where(edge: Edge, request: Request, type_: str) -> Write:
    """``PUT [type]?…``: the one that matches, or a new one (with the body's id, if it has one)."""
    check_sent(request.headers.get("content-type"))
    where = condition_of_url(edge, request, type_)
    checked = _checked(edge, request, type_)
    own = checked.resource.id
    prepared, warnings = ready(edge, request, checked, own or new_id())
    return Write(
        Operation("update", type_, id=own, where=where, if_match=_if_match(request)), prepared, warnings
    )


def patch(edge: Edge, request: Request, type_: str, id_: str | None) -> Write:
    """``PATCH [type]/[id]`` or ``PATCH [type]?…`` with a JSON Patch, or a FHIRPath Patch (a Parameters resource), applied
    to the body as it is in the transaction.
    """
    changed = _patching(request)
    where = _named_by(edge, request, type_, id_)

    def edit(body: bytes) -> bytes:
        patched = changed(body)
        if len(patched) > edge.settings.body_limit_bytes:
            raise TooLarge("records.rest-body-limit", most=edge.settings.body_limit_bytes)
        before = msgspec.json.decode(body, type=Identity).id
        try:
            own = check(patched, type_).resource.id
        except Invalid as error:
            raise _PatchedInvalid(error) from error
        except BadValue as error:
            raise Unprocessable("records.rest-patch-id", expression="resourceType") from error
        if own != before:
            raise Unprocessable("records.rest-patch-id", expression=f"{type_}.id")
        new = conditional_in(patched)
        for reference in conditional_in(body) if new else ():
            new.pop(reference, None)
        if new:
            raise Unprocessable("records.rest-patch-reference", expression=next(iter(new.values())))
        return patched

    return Write(Operation("patch", type_, id=id_, patch=edit, where=where, if_match=_if_match(request)))


def _patching(request: Request) -> Callable[[bytes], bytes]:
    """What the patch that was sent makes of a body. Raises BadValue, UnsupportedMedia, Malformed."""
    sent = request.headers.get("content-type")
    if sent is None:
        raise BadValue("records.rest-patch-media", media=f"{PATCH}, {FHIR_BODIES[0]}")
    check_sent(sent, taken=(PATCH, *FHIR_BODIES))
    if media_type(sent)[0] == PATCH:
        document = read_patch(request.body)
        return lambda body: apply(document, body)
    from xinglin.records.rest import fhirpath_patch

    changes = fhirpath_patch.read_patch(request.body)
    return lambda body: fhirpath_patch.apply(changes, body)


def delete(edge: Edge, request: Request, type_: str, id_: str | None) -> Write:
    """``DELETE [type]/[id]`` or ``DELETE [type]?…`` (several matches: 412)."""
    where = _named_by(edge, request, type_, id_)
    return Write(Operation("delete", type_, id=id_, where=where, if_match=_if_match(request)))


def pending(edge: Edge, request: Request, write: Write) -> Pending:
    """The write, queued when asked for, and its answer."""
    records, actor = edge.records, request.actor
    return Pending(
        lambda: records.begin(actor, lambda transaction: transaction.apply(write.operation, write.prepared)),
        lambda stored: answer(request, write, stored[0] if stored else None),
    )


def answer(request: Request, write: Write, stored: Stored | None) -> Answer:
    """Status, headers and body of a write, as ``Prefer: return`` asks."""
    operation = write.operation
    if operation.kind == "delete":
        return _deleted(request, stored)
    if stored is None:
        raise PreconditionFailed("records.rest-no-match", type=operation.type)
    created = stored.outcome == "created"
    headers = [*version_headers(stored), (b"location", located(request, stored).encode())]
    status = 201 if created else 200
    returning = request.prefer.returning
    if returning == "minimal":
        return Answer(status, headers, stored=stored)
    if returning == "OperationOutcome":
        if write.warnings:
            body = outcome(findings_as_issues(write.warnings, request.language))
            return json_answer(request, body, status=status, headers=headers, stored=stored)
        place = f"{stored.type}/{stored.id}"
        return told(
            request,
            f"rest-{stored.outcome}",
            status=status,
            headers=headers,
            place=place,
            version=stored.version,
        )
    return json_answer(request, stored.body, status=status, headers=headers, stored=stored)


def _deleted(request: Request, stored: Stored | None) -> Answer:
    headers = version_headers(stored) if stored is not None and stored.version else []
    if request.prefer.returning == "OperationOutcome":
        key = "rest-deleted" if stored is not None and stored.outcome == "deleted" else "rest-nothing-deleted"
        return told(request, key, headers=headers)
    return Answer(204, headers[:1], stored=stored)


def _named_by(edge: Edge, request: Request, type_: str, id_: str | None) -> Query | None:
    """The condition that stands in place of an id."""
    if id_ is None:
        return condition_of_url(edge, request, type_)
    only_known(request.pairs, PRESENTING, strict=True)
    return None


def condition_of_url(edge: Edge, request: Request, type_: str) -> Query:
    """The condition of a conditional update, patch or delete. Raises PreconditionFailed where it would select all."""
    if not request.pairs:
        raise PreconditionFailed("records.rest-condition-empty", type=type_)
    return _condition(edge, request, type_, request.pairs)


def condition(edge: Edge, request: Request, type_: str, text: str, header: str) -> Query:
    """The condition that If-None-Exist holds, as a query string or a whole address."""
    query = text.rpartition("?")[2].strip()
    pairs = tuple(parse_qsl(query, keep_blank_values=True))
    if not pairs:
        raise Malformed("records.rest-condition-form", header=header)
    return _condition(edge, request, type_, pairs)


def _condition(edge: Edge, request: Request, type_: str, pairs: tuple[tuple[str, str], ...]) -> Query:
    # Always strict: a condition of which a part was passed over would name another resource than was meant.
    query = edge.query(request, type_, pairs, strict=True)
    if not query.criteria:
        raise PreconditionFailed("records.rest-condition-empty", type=type_)
    return query


class Identity(msgspec.Struct):
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """A body that has passed tiers 1 and 2: the resource, its minified text, and what is worth a warning."""

    resource: ResourceBase
    small: bytes
    warnings: tuple[Finding, ...]


class _Kind(msgspec.Struct):
    resourceType: str  # noqa: N815


def check_type(body: bytes, type_: str) -> None:
    """Raises BadValue where ``body`` says that it is another resource type of R4 than ``type_``."""
    try:
        own = msgspec.json.decode(body, type=_Kind).resourceType
    except (ValueError, RecursionError):
        return
    if own != type_ and own in resource_types():
        raise BadValue("records.rest-other-type", expression="resourceType", type=type_, own=own)


def check(body: bytes, type_: str) -> Checked:
    """Tiers 1 and 2 on a body that must be a ``type_``. Raises Invalid (400), BrokenRule (422), BadValue."""
    from xinglin.standards.fhir.parse import parse_minified
    from xinglin.standards.fhir.validate import tier2

    if not body:
        raise Malformed("records.rest-empty-body", type=type_)
    try:
        resource, small = parse_minified(body)
    except Invalid:
        check_type(
            body, type_
        )  # what is wrong with a resource sent to the wrong place matters less than the place
        raise
    own = type(resource).__name__
    if own != type_:
        raise BadValue("records.rest-other-type", expression="resourceType", type=type_, own=own)
    findings = tier2(resource)
    if any(finding.is_error for finding in findings):
        raise BrokenRule(findings)
    return Checked(resource, small, tuple(findings))


def _checked(edge: Edge, request: Request, type_: str, refer: bool = True) -> Checked:
    """`check` on the request's body, its conditional references resolved."""
    checked = check(request.body, type_)
    if not refer:
        return checked
    small = resolved(edge, request, checked.small)
    return checked if small is checked.small else check(small, type_)


def ready(edge: Edge, request: Request, checked: Checked, id_: str) -> tuple[Prepared, tuple[Finding, ...]]:
    """The body with its index rows, to be written as ``id_``. Raises Mismatch for an id that is none."""
    type_ = type(checked.resource).__name__
    refuse_old(checked.small)
    context = edge.records.context(request.actor.tenant)
    if type_ == "Subscription":
        from xinglin.records.subscriptions.endpoints import check_written

        check_written(checked.resource, edge.settings)
    prepared = prepare_parsed(checked.resource, checked.small, type_, id_, context)
    return prepared, checked.warnings


def _if_match(request: Request) -> int | None:
    return version_of(request.headers.get("if-match"))


class BrokenRule(Invalid):
    """The body is well formed but breaks an invariant of the standard."""

    status = 422


class _PatchedInvalid(Unprocessable):
    """What the patch would make is no valid resource."""

    def __init__(self, error: Invalid) -> None:
        super().__init__("records.rest-patch-invalid")
        self.findings = error.findings

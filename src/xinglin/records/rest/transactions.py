"""batch and transaction: every entry is a request of its own; a transaction's writes are one.

A transaction goes so: every entry becomes a write; what conditions name is looked up; ids are given to what will be made;
links between entries are rewritten; every body is checked; then all is written in one unit. What was looked up is looked at
again inside the unit (`_Step.run`): had another writer come in between, the unit is undone and the transaction done again.

A conditional reference may find what the transaction itself makes. Where it might, all is written once, the references are
looked up in that state, and all is undone (`_tried`); then it is written with the references resolved.

Source: HL7 FHIR R4, http.html §3.1.0.11.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from msgspec import structs

from xinglin.kernel.clock import now
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.ids import new_id
from xinglin.records.errors import NotFound
from xinglin.records.rest import writes
from xinglin.records.rest.bundles import (
    Entry,
    Links,
    below_base,
    bundle_bytes,
    check_full_urls,
    check_targets,
    entry_bytes,
    in_order,
    read_bundle,
)
from xinglin.records.rest.conditional import instant_text, version_of
from xinglin.records.rest.edge import PRESENTING, Edge, json_answer, known_type, only_known
from xinglin.records.rest.errors import (
    AtEntry,
    BadValue,
    Malformed,
    MultipleMatches,
    NotUnderstood,
    RestError,
)
from xinglin.records.rest.exchange import Answer, Pending, Request
from xinglin.records.rest.negotiate import FHIR_BODIES, PATCH
from xinglin.records.rest.outcome import issues_of, outcome
from xinglin.records.rest.references import (
    alone,
    check_links,
    condition_of,
    conditional_in,
    minified,
    named,
    only_one,
)
from xinglin.records.rest.writes import Write
from xinglin.records.stored import Operation, Stored
from xinglin.records.transaction import Transaction
from xinglin.standards.fhir.search.query import Query

Answering = Callable[[Request], Answer | Pending]
ATTEMPTS = 5


def bundle(edge: Edge, request: Request, answering: Answering) -> Answer:
    """``POST [base]`` with a batch or a transaction. ``answering`` is how a request by itself would be answered.

    Waits for the writer: to be called in a thread.
    """
    sent = read_bundle(request.body, most=edge.settings.bundle_limit)
    parts = (
        [(entry, _guarded(entry, lambda e: _request(request, e), entry)) for entry in sent.entries]
        if sent.kind == "transaction"
        else []
    )
    if sent.kind == "transaction":
        entries = _transaction(edge, request, parts, answering)
    else:
        entries = _batch(request, sent.entries, answering)
    body = bundle_bytes(f"{sent.kind}-response", entries, id_=new_id(), updated=instant_text(now()))
    return json_answer(request, body)


def _guarded(entry: Entry, action: Callable[..., Any], *arguments: Any) -> Any:
    """``action``'s result; its error as that of ``entry``."""
    try:
        return action(*arguments)
    except AtEntry:
        raise
    except XinglinError as error:
        raise AtEntry(error, entry.place) from error


def _request(request: Request, entry: Entry) -> Request:
    """The request that an entry stands for. Raises BadValue for an address elsewhere."""
    target = below_base(entry.url, request.base)
    if target is None:
        raise BadValue("records.rest-entry-elsewhere", expression=f"{entry.place}.request.url")
    path, query = target
    if not path and entry.method == "POST":
        raise NotUnderstood("records.rest-entry-nested", expression=f"{entry.place}.request.url")
    headers = {
        name: value
        for name, value in (
            ("if-match", entry.if_match),
            ("if-none-match", entry.if_none_match),
            ("if-modified-since", entry.if_modified_since),
            ("if-none-exist", entry.if_none_exist),
        )
        if value is not None
    }
    body = entry.resource or b""
    if entry.method == "PATCH":
        headers["content-type"], body = _patch_of(entry)
    pairs = tuple(p for p in parse_qsl(query, keep_blank_values=True) if p[0] not in ("_format", "_pretty"))
    return structs.replace(
        request, method=entry.method, path=path, pairs=pairs, headers=headers, body=body, raw_accepted=False
    )


def _patch_of(entry: Entry) -> tuple[str, bytes]:
    """The patch of a PATCH entry, and its media type: a JSON Patch in a Binary, or a FHIRPath Patch as it stands."""

    class Carrier(msgspec.Struct):
        resourceType: str  # noqa: N815
        contentType: str = ""  # noqa: N815
        data: str = ""

    try:
        carrier = msgspec.json.decode(entry.resource or b"", type=Carrier)
        if carrier.resourceType == "Parameters":
            return FHIR_BODIES[0], entry.resource or b""
        if carrier.resourceType != "Binary" or carrier.contentType.partition(";")[0] != PATCH:
            raise NotUnderstood("records.rest-entry-patch", expression=f"{entry.place}.resource")
        return PATCH, base64.b64decode(carrier.data, validate=True)
    except (msgspec.DecodeError, binascii.Error, ValueError) as error:
        raise Malformed("records.rest-entry-patch", expression=f"{entry.place}.resource") from error


def _batch(request: Request, entries: Sequence[Entry], answering: Answering) -> list[bytes]:
    """Each entry by itself; the writes of one kind are queued together, so that they share commits."""
    found: dict[int, bytes] = {}
    waiting: list[tuple[Entry, Pending, Future[Any]]] = []
    rank: str | None = None

    def settle() -> None:
        for entry, pending, future in waiting:
            found[entry.index] = _of_batch(request, entry, partial(_finished, pending, future))
        waiting.clear()

    for entry in in_order(entries):
        if entry.wrong is not None:
            found[entry.index] = _refused(request, entry, entry.wrong)
            continue
        if entry.method != rank:
            settle()
            rank = entry.method
        queued: list[Pending] = []

        def first(entry: Entry = entry, queued: list[Pending] = queued) -> Answer | None:
            answer = answering(_request(request, entry))
            if isinstance(answer, Pending):
                queued.append(answer)
                return None
            return answer

        made = _of_batch(request, entry, first)
        if queued:
            waiting.append((entry, queued[0], queued[0].submit()))
        else:
            found[entry.index] = made
    settle()
    return [found[index] for index in sorted(found)]


def _finished(pending: Pending, future: Future[Any]) -> Answer:
    return pending.finish(future.result())


def _of_batch(request: Request, entry: Entry, action: Callable[[], Answer | None]) -> bytes:
    try:
        answer = action()
    except XinglinError as error:
        return _refused(request, entry, error)
    return b"" if answer is None else answer_entry(request, answer, entry.method)


def _refused(request: Request, entry: Entry, error: XinglinError) -> bytes:
    issues = issues_of(error, request.language, entry.place)
    return entry_bytes(None, None, status=_status(error.status), outcome=outcome(issues))


def answer_entry(request: Request, answer: Answer, method: str) -> bytes:
    """The entry of a response bundle for one answer."""
    stored = answer.stored
    body: bytes | None = answer.body or None
    told: bytes | None = None
    if body is not None and body.startswith(b'{"resourceType":"OperationOutcome"'):
        told, body = body, None
    if body is not None and stored is not None and method in ("POST", "PUT", "PATCH"):
        # As in a transaction: what was just sent comes back only where it is asked for.
        body = body if request.prefer.returning == "representation" else None
    written = stored is not None and stored.version > 0
    return entry_bytes(
        f"{request.base}/{stored.type}/{stored.id}" if stored is not None and not stored.deleted else None,
        body,
        status=_status(answer.status),
        location=f"{stored.type}/{stored.id}/_history/{stored.version}"
        if stored is not None and method in ("POST", "PUT", "PATCH")
        else None,
        etag=answer.header(b"etag"),
        last_modified=instant_text(stored.updated) if stored is not None and written else None,
        outcome=told,
    )


def _status(status: int) -> str:
    return f"{status} {HTTPStatus(status).phrase}"


class _Raced(RestError):
    """Another writer changed what a condition of this transaction names, between looking and writing."""

    status = 409
    issue = "conflict"


class _Tried(RestError):
    """Ends a unit that was only to look: ``found`` has the ids that each conditional reference finds."""

    def __init__(self, found: dict[str, list[str]]) -> None:
        super().__init__("records.rest-raced")
        self.found = found


@dataclass(slots=True)
class _Step:
    """One entry on its way.

    ``condition`` and ``found``: what it is conditional on, and the id that this named when looked up. ``id``: of the
    resource that will be written, or that is there already. ``references``: its conditional references, with their places.
    """

    entry: Entry
    request: Request
    type: str
    id: str | None = None
    condition: Query | None = None
    found: str | None = None
    write: Write | None = None
    references: dict[str, str] = field(default_factory=dict)

    def run(self, transaction: Transaction) -> Stored | None:
        """Make the change inside the transaction. Raises _Raced where the condition now names another resource."""
        assert self.write is not None
        if self.condition is not None:
            matches = transaction.find(self.condition)
            if len(matches) > 1:
                raise MultipleMatches("records.rest-several", type=self.type)
            if (matches[0][1] if matches else None) != self.found:
                raise _Raced("records.rest-raced", expression=self.entry.place)
            if self.entry.method == "POST" and self.found is not None:
                return transaction.read(self.type, self.found)
            if self.found is None and self.entry.method == "DELETE":
                return None
        operation = replace(self.write.operation, where=None, id=self.id)
        done = transaction.apply(operation, self.write.prepared)
        return done[0] if done else None


def _transaction(
    edge: Edge, request: Request, parts: Sequence[tuple[Entry, Request]], answering: Answering
) -> list[bytes]:
    check_full_urls(entry for entry, _ in parts)
    by_index = {entry.index: asked for entry, asked in parts}
    ordered = in_order([entry for entry, _ in parts])
    writing = [entry for entry in ordered if _writes(entry, by_index[entry.index])]
    found: dict[int, bytes] = {}
    if writing:
        steps, stored = _written(edge, request, [(entry, by_index[entry.index]) for entry in writing])
        for step, one in zip(steps, stored, strict=True):
            assert step.write is not None
            answer = writes.answer(step.request, step.write, one)
            found[step.entry.index] = answer_entry(request, answer, step.entry.method)
    for entry in ordered:
        if entry.index not in found:
            asked = by_index[entry.index]
            found[entry.index] = _of_batch(request, entry, partial(_waited, answering, asked))
    return [found[index] for index in sorted(found)]


def _waited(answering: Answering, asked: Request) -> Answer:
    answer = answering(asked)
    return answer.wait() if isinstance(answer, Pending) else answer


def _written(
    edge: Edge, request: Request, parts: Sequence[tuple[Entry, Request]]
) -> tuple[list[_Step], list[Stored | None]]:
    """All writes of a transaction, made in one unit. Raises AtEntry; then nothing was written."""
    for attempt in range(ATTEMPTS):
        try:
            steps = _plan(edge, request, parts)
            return steps, edge.records.transact(request.actor, partial(_run, steps))
        except AtEntry as error:
            if not isinstance(error.error, _Raced) or attempt == ATTEMPTS - 1:
                raise
    raise AssertionError


def _run(steps: Sequence[_Step], transaction: Transaction) -> list[Stored | None]:
    return [_guarded(step.entry, step.run, transaction) for step in steps]


def _writes(entry: Entry, asked: Request) -> bool:
    if entry.method in ("GET", "HEAD"):
        return False
    if entry.method == "POST" and asked.path[-1] == "_search":
        return False
    if any(part.startswith("$") for part in asked.path):
        raise AtEntry(
            NotUnderstood("records.rest-entry-operation", expression=f"{entry.place}.request.url"),
            entry.place,
        )
    return True


def _plan(edge: Edge, request: Request, parts: Sequence[tuple[Entry, Request]]) -> list[_Step]:
    """Ids for all, links rewritten, bodies checked. Raises AtEntry, naming the entry."""
    steps = [_guarded(entry, _step, edge, entry, asked) for entry, asked in parts]
    places: dict[str, str] = {}
    for step in steps:
        if step.entry.full_url and step.id and step.entry.method in ("POST", "PUT", "PATCH"):
            places[step.entry.full_url] = f"{step.type}/{step.id}"
    _check_conditions(steps)
    check_targets((step.entry, step.type, step.id) for step in steps if step.id)
    bodies = [step for step in steps if step.entry.method in ("POST", "PUT")]
    own: dict[str, Query] = {}
    written = frozenset(step.type for step in steps)
    for step in bodies:
        _guarded(step.entry, _look_up, edge, request, step, places, own, written)
    links = Links(places)
    for step in bodies:
        step.request = structs.replace(
            step.request, body=links.resolve(minified(step.request.body), step.entry.full_url)
        )
        _guarded(step.entry, check_links, step.request.body)
    for step in steps:
        step.write = _guarded(step.entry, _write, edge, step)
    if own:
        _refer(edge, steps, own, _tried(edge, request, steps, own))
    return steps


def _look_up(
    edge: Edge,
    request: Request,
    step: _Step,
    places: dict[str, str],
    own: dict[str, Query],
    written: frozenset[str],
) -> None:
    """What the entry's conditional references find, into ``places``; those that may find an entry, into ``own``."""
    step.references = conditional_in(step.request.body)
    for reference, place in sorted(step.references.items()):
        if reference in places or reference in own:
            continue
        query = condition_of(edge, request, reference, place)
        if alone(query, written):
            places[reference] = only_one(query.type, named(edge, request, query), place)
        else:
            own[reference] = query


def _tried(
    edge: Edge, request: Request, steps: Sequence[_Step], own: dict[str, Query]
) -> dict[str, list[str]]:
    """The ids that each conditional reference finds once all is written, which is then undone."""

    def work(transaction: Transaction) -> None:
        _run(steps, transaction)
        raise _Tried({one: [id_ for _, id_ in transaction.find(own[one])] for one in sorted(own)})

    try:
        edge.records.transact(request.actor, work)
    except _Tried as tried:
        return tried.found
    raise AssertionError


def _refer(edge: Edge, steps: Sequence[_Step], own: dict[str, Query], found: dict[str, list[str]]) -> None:
    """The steps' bodies with the references ``own`` replaced by what they were ``found`` to mean."""
    for step in steps:
        places = {
            one: _guarded(step.entry, only_one, own[one].type, found[one], place)
            for one, place in step.references.items()
            if one in own
        }
        if places:
            step.request = structs.replace(step.request, body=Links(places).resolve(step.request.body, None))
            step.write = _guarded(step.entry, _write, edge, step)


def _step(edge: Edge, entry: Entry, asked: Request) -> _Step:
    """The entry with what it will write: a known id, what its condition names, or a new id."""
    path, method = asked.path, entry.method
    if not (len(path) == 1 or (len(path) == 2 and method != "POST")):
        raise BadValue("records.rest-entry-address", expression=f"{entry.place}.request.url")
    step = _Step(entry, asked, known_type(path[0]))
    if len(path) == 2:
        only_known(asked.pairs, PRESENTING, strict=True)
        step.id = path[1]
        return step
    if method != "POST" or (asked.pairs and entry.if_none_exist is None):
        step.condition = writes.condition_of_url(edge, asked, step.type)
    elif entry.if_none_exist is not None:
        step.condition = writes.condition(edge, asked, step.type, entry.if_none_exist, "ifNoneExist")
    if step.condition is not None:
        step.found = _named(edge, asked, step.condition)
    step.id = step.found
    if step.id is None and method == "POST":
        step.id = new_id()
    elif step.id is None and method == "PUT":
        # Given here rather than by the store, so that links to it can be rewritten.
        step.id = _own_id(asked.body) or new_id()
    elif step.id is None and method == "PATCH":
        raise NotFound("records.no-match", type=step.type)
    return step


def _check_conditions(steps: Sequence[_Step]) -> None:
    """Raises AtEntry where two entries have one condition: the second would meet what the first has made."""
    seen: set[Query] = set()
    for step in steps:
        if step.condition in seen:
            error = Malformed("records.rest-entry-condition", expression=step.entry.place, type=step.type)
            raise AtEntry(error, step.entry.place)
        if step.condition is not None:
            seen.add(step.condition)


def _own_id(body: bytes) -> str | None:
    try:
        return msgspec.json.decode(body, type=writes.Identity).id
    except msgspec.DecodeError:
        return None  # the check of the body says what is wrong with it


def _named(edge: Edge, request: Request, condition: Query) -> str | None:
    """The id of the one resource that meets ``condition``, None for none. Raises MultipleMatches."""
    matches = named(edge, request, condition)
    if len(matches) > 1:
        raise MultipleMatches("records.rest-several", type=condition.type)
    return matches[0] if matches else None


def _write(edge: Edge, step: _Step) -> Write:
    """The entry as a write, its body checked."""
    request, method = (
        structs.replace(step.request, pairs=()),
        step.entry.method,
    )  # the condition is looked after by `run`
    if method == "POST":
        return writes.create(edge, request, step.type, step.id, refer=False)
    if method == "PATCH":
        return writes.patch(edge, request, step.type, step.id)
    if method == "DELETE":
        if step.id is None:  # its condition finds nothing: nothing is done
            return Write(Operation("delete", step.type))
        return writes.delete(edge, request, step.type, step.id)
    if len(request.path) == 2:
        return writes.update(edge, request, step.type, request.path[1], refer=False)
    checked = writes.check(request.body, step.type)
    assert step.id is not None
    if checked.resource.id not in (None, step.id):
        raise BadValue("records.rest-id-other", expression=f"{step.type}.id", id=step.id)
    prepared, warnings = writes.ready(edge, request, checked, step.id)
    operation = Operation(
        "update", step.type, id=step.id, if_match=version_of(request.headers.get("if-match"))
    )
    return Write(operation, prepared, warnings)

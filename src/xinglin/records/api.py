"""The FHIR REST API over a record: which address and method mean which interaction, and every error as an outcome.

Nothing here knows a web framework: a `Request` comes in, an `Answer` goes out (or a `Pending` one, which waits for the
writer). `apps.api.endpoint` turns HTTP into the one and the other into HTTP; a batch comes back here for every entry.

Source: HL7 FHIR R4, http.html.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from xinglin.kernel.capability import FhirOperation, resolve
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.language import Language
from xinglin.records.capability import CAPABILITY
from xinglin.records.errors import RecordError
from xinglin.records.rest import reads, writes
from xinglin.records.rest.conditional import etag, http_date
from xinglin.records.rest.edge import PRIVATE, Edge, json_answer, known_type, resource_types
from xinglin.records.rest.errors import NoSuchPlace, WrongMethod
from xinglin.records.rest.exchange import FHIR_JSON, Answer, Header, Pending, Request
from xinglin.records.rest.outcome import issues_of, outcome
from xinglin.records.rest.references import may_be_conditional
from xinglin.records.rest.searches import search
from xinglin.records.search.errors import OverBudget
from xinglin.standards.fhir.search.query import Compartment
from xinglin.trust import Actor

if TYPE_CHECKING:
    from xinglin.records.site import Site

LIGHT_BODY_BYTES = 32 * 1024
"""Up to this size a body is checked on the event loop: about 2 ms."""
STEPS_INLINE = 40_000
"""Steps of the database engine that a search may take on the event loop, about 2 ms; past it it goes to a thread."""

_READING = ("GET", "HEAD")


class Api:
    """Answers requests for one record."""

    def __init__(self, site: Site, operations: Sequence[FhirOperation] = CAPABILITY.operations) -> None:
        records = site.records
        self.edge = Edge(site)
        self._operations = {operation.name: operation for operation in operations}
        self._records = records
        # Another process's database is waited for in a thread: the event loop goes on.
        self._near = records.database.dialect == "sqlite"

    def quick(self, actor: Actor, type_: str, id_: str) -> tuple[list[Header], bytes] | None:
        """Headers and body of a plain read; None where it is no plain success (the long way then says why)."""
        if not self._near or type_ not in resource_types():
            return None
        try:
            stored = self._records.read(actor, type_, id_)
        except RecordError:
            return None
        if stored.type == "Binary":
            return None
        body = stored.body
        return [
            _TYPE,
            (b"etag", etag(stored.version)),
            (b"last-modified", http_date(stored.updated)),
            PRIVATE,
            _NO_SNIFF,
            (b"content-length", b"%d" % len(body)),
        ], body

    def light(self, request: Request) -> bool:
        """Whether the request may be answered on the event loop, without keeping others waiting."""
        path = request.path
        if not self._near:
            return path == ("metadata",)
        if request.method in _READING:
            return not any(part.startswith("$") for part in path) and path[-1:] != ("_history",)
        if path[-1:] == ("_search",):
            return True
        # A conditional reference is looked up while the body is read: a search, for a thread.
        short = len(request.body) <= LIGHT_BODY_BYTES and not may_be_conditional(request.body)
        return short and bool(path) and not path[-1].startswith("$")

    def answer(self, request: Request, *, inline: bool = False) -> Answer | Pending:
        """The answer to ``request``. Raises XinglinError (see `refuse`); ``inline``: OverBudget for a long search."""
        path = request.path
        if not path:
            return self._system(request, inline)
        first = path[0]
        if first in ("metadata", "_history", "_search") or first.startswith("$"):
            return self._system_named(request, first, inline)
        type_ = known_type(first)
        if len(path) == 1:
            return self._type(request, type_, inline)
        if len(path) == 2:
            if path[1] == "_search":
                _only(request, "POST")
                return self._search(request, type_, None, inline)
            if path[1] == "_history":
                _only(request, *_READING)
                return reads.history(self.edge, request, type_, None)
            if path[1].startswith("$"):
                return self._operation(request, path[1], type_, None)
            return self._instance(request, type_, path[1])
        return self._below(request, type_, path[1], path[2:], inline)

    def refuse(self, error: XinglinError, language: Language) -> Answer:
        """The OperationOutcome of an error, with its status."""
        headers: list[Header] = [(b"content-type", FHIR_JSON)]
        if isinstance(error, WrongMethod):
            headers.append((b"allow", str(error.values["allowed"]).encode()))
        if error.status == 503:
            headers.append((b"retry-after", b"5"))
        return Answer(error.status, headers, outcome(issues_of(error, language)))

    def _system(self, request: Request, inline: bool) -> Answer | Pending:
        if request.method == "POST":
            from xinglin.records.rest.negotiate import check_sent
            from xinglin.records.rest.transactions import bundle

            check_sent(request.headers.get("content-type"))
            return bundle(self.edge, request, self.answer)
        _only(request, *_READING, also=("POST",))
        return self._search(request, None, None, inline)

    def _system_named(self, request: Request, name: str, inline: bool) -> Answer | Pending:
        if len(request.path) > 1:
            raise NoSuchPlace("records.rest-address", path=_shown(request.path))
        if name == "metadata":
            _only(request, *_READING)
            from xinglin.records.rest.capability import statement

            return json_answer(
                request,
                statement(
                    request.base,
                    tuple(self._operations.values()),
                    self.edge.records.known(request.actor.tenant).ready(),
                ),
                headers=[PRIVATE],
            )
        if name == "_history":
            _only(request, *_READING)
            return reads.history(self.edge, request, None, None)
        if name == "_search":
            _only(request, "POST")
            return self._search(request, None, None, inline)
        return self._operation(request, name, None, None)

    def _type(self, request: Request, type_: str, inline: bool) -> Answer | Pending:
        edge = self.edge
        if request.method in _READING:
            return self._search(request, type_, None, inline)
        if request.method == "POST":
            return writes.pending(edge, request, writes.create(edge, request, type_))
        if request.method == "PUT":
            return writes.pending(edge, request, writes.update_where(edge, request, type_))
        if request.method == "PATCH":
            return writes.pending(edge, request, writes.patch(edge, request, type_, None))
        _only(request, "DELETE", also=(*_READING, "POST", "PUT", "PATCH"))
        return writes.pending(edge, request, writes.delete(edge, request, type_, None))

    def _instance(self, request: Request, type_: str, id_: str) -> Answer | Pending:
        edge = self.edge
        if request.method in _READING:
            return reads.read(edge, request, type_, id_)
        if request.method == "PUT":
            return writes.pending(edge, request, writes.update(edge, request, type_, id_))
        if request.method == "PATCH":
            return writes.pending(edge, request, writes.patch(edge, request, type_, id_))
        _only(request, "DELETE", also=(*_READING, "PUT", "PATCH"))
        return writes.pending(edge, request, writes.delete(edge, request, type_, id_))

    def _below(
        self, request: Request, type_: str, id_: str, rest: Sequence[str], inline: bool
    ) -> Answer | Pending:
        if rest[0] == "_history":
            _only(request, *_READING)
            if len(rest) == 1:
                return reads.history(self.edge, request, type_, id_)
            if len(rest) == 2:
                return reads.vread(self.edge, request, type_, id_, rest[1])
            if len(rest) == 3 and rest[2] == "$meta":
                from xinglin.records.operations.meta import meta_of_version

                return meta_of_version(self.edge, request, type_, id_, rest[1])
        elif rest[0].startswith("$") and len(rest) == 1:
            return self._operation(request, rest[0], type_, id_)
        elif len(rest) == 1 or (len(rest) == 2 and rest[1] == "_search"):
            return self._compartment(request, type_, id_, rest, inline)
        raise NoSuchPlace("records.rest-address", path=_shown(request.path))

    def _compartment(
        self, request: Request, type_: str, id_: str, rest: Sequence[str], inline: bool
    ) -> Answer | Pending:
        from xinglin.standards.fhir.r4.compartments import COMPARTMENTS

        _only(request, *(("POST",) if len(rest) == 2 else _READING))
        if type_ not in COMPARTMENTS:
            raise NoSuchPlace("records.rest-compartment", type=type_, known=", ".join(sorted(COMPARTMENTS)))
        wanted = None if rest[0] == "*" else known_type(rest[0])
        if wanted is not None and wanted not in (type_, *COMPARTMENTS[type_]):
            raise NoSuchPlace("records.rest-no-member", expression="http.path", type=type_, member=wanted)
        return self._search(request, wanted, Compartment(type_, id_), inline)

    def _search(
        self, request: Request, type_: str | None, compartment: Compartment | None, inline: bool
    ) -> Answer:
        return search(self.edge, request, type_, compartment, budget=STEPS_INLINE if inline else None)

    def _operation(self, request: Request, name: str, type_: str | None, id_: str | None) -> Answer | Pending:
        operation = self._operations.get(name)
        if operation is None or not operation.at(type_, id_):
            raise NoSuchPlace("records.rest-operation", name=name[:64])
        _only(request, *operation.methods)
        answer: Answer | Pending = resolve(operation.run)(self.edge, request, type_, id_)
        return answer


_TYPE: Header = (b"content-type", FHIR_JSON)
_NO_SNIFF: Header = (b"x-content-type-options", b"nosniff")


def _only(request: Request, *allowed: str, also: tuple[str, ...] = ()) -> None:
    """Raises WrongMethod unless the method is one of ``allowed``; ``also`` are named too."""
    if request.method not in allowed:
        names = ", ".join(dict.fromkeys((*also, *allowed)))
        raise WrongMethod("records.rest-method", method=request.method[:16], allowed=names)


def _shown(path: Sequence[str]) -> str:
    return "/".join(path)[:100]


__all__ = ["Api", "OverBudget"]

"""`_include` and `_revinclude`: what a page's matches refer to, and what refers to them.

Each round looks at the resources that came with the round before; without ``:iterate`` there is one. A resource comes once,
however many ways lead to it, so cycles end.
"""

# ruff: noqa: S608 - the text is put together from this package's own words only; every value is bound
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from xinglin.kernel.database import Connection
from xinglin.records.bodies import decompress
from xinglin.records.index.rows import IDENTIFIER
from xinglin.records.search.conditions import Compiler
from xinglin.records.search.errors import TooManyIncluded
from xinglin.records.search.owners import reference_parameters
from xinglin.records.search.statements import finished
from xinglin.records.stored import Stored
from xinglin.records.visibility import visible
from xinglin.trust import Predicate

if TYPE_CHECKING:
    from xinglin.standards.fhir.search.query import Include, Query

CHUNK = 250
"""Numbers bound in one statement."""

Found = tuple[int, str]  # rid and type


def included(
    connection: Connection,
    compiled: Compiler,
    predicate: Predicate,
    query: Query,
    matches: Sequence[Found],
    most: int,
) -> list[Stored]:
    """The resources that the includes of ``query`` bring to ``matches``, none of them a match itself.

    Raises
    ------
    TooManyIncluded
        They are more than ``most``.
    """
    run = _Including(connection, compiled, predicate, {rid for rid, _ in matches}, most)
    run.follow(query, matches, iterate=False)
    return run.bodies()


class _Including:
    def __init__(
        self, connection: Connection, compiled: Compiler, predicate: Predicate, seen: set[int], most: int
    ) -> None:
        self.connection = connection
        self.compiled = compiled
        self.fixed = [predicate.tenant, *visible(predicate, "a")[1]]
        self.seen = seen
        self.most = most
        self.order: list[int] = []

    def follow(self, query: Query, found: Sequence[Found], *, iterate: bool) -> None:
        """Take what ``found`` leads to; then, by the includes that iterate, what that leads to."""
        new: list[Found] = []
        for include in query.includes:
            if not iterate or include.iterate:
                new += self.forward(include, found)
        for include in query.revincludes:
            if not iterate or include.iterate:
                new += self.backward(include, found)
        if new and any(include.iterate for include in (*query.includes, *query.revincludes)):
            self.follow(query, new, iterate=True)

    def forward(self, include: Include, found: Sequence[Found]) -> list[Found]:
        """What ``found`` refers to."""
        rids = [rid for rid, kind in found if include.source in ("*", kind)]
        parameter = include.parameter
        if parameter != "*":
            params = f"f.param = {parameter.number}"
        else:
            own = "".join(f" OR f.param = {number}" for number in include.own)
            params = f"(f.param < {IDENTIFIER}{own})"
        return self.take("f.rid", "f.target", params, rids, include.target)

    def backward(self, include: Include, found: Sequence[Found]) -> list[Found]:
        """What refers to ``found``: resources of the include's source type."""
        rids = [rid for rid, kind in found if include.target in (None, kind)]
        if include.parameter != "*":
            params = f"f.param = {include.parameter.number}"
        else:
            numbers = (*reference_parameters(include.source), *include.own)
            params = f"f.param IN ({', '.join(map(str, numbers))})" if numbers else "1 = 0"
        return self.take("f.target", "f.rid", params, rids, None)

    def take(self, near: str, far: str, params: str, rids: Sequence[int], kind: str | None) -> list[Found]:
        """Live resources at the far end of references whose near end is one of ``rids``, not taken before."""
        new: list[Found] = []
        for start in range(0, len(rids), CHUNK):
            part = rids[start : start + CHUNK]
            first = len(self.fixed)
            marks = ", ".join(f":{first + place}:" for place in range(len(part)))
            typed = f" AND r.type = :{first + len(part)}:" if kind else ""
            statement = finished(
                f"SELECT DISTINCT r.rid, r.type FROM ix_reference f CROSS JOIN resource r"
                f" WHERE {near} IN ({marks}) AND {params} AND {self.compiled.seen('f')}"
                f" AND r.rid = {far} AND {self.compiled.seen('r')} AND r.state = 0{typed}"
                f"{self.compiled.reached('r.rid')} ORDER BY r.rid LIMIT {self.most + len(self.seen) + 1}"
            )
            values = [*self.fixed, *part, kind]
            rows = self.connection.execute(
                statement.sql, [values[slot] for slot in statement.slots]
            ).fetchall()
            for rid, found in rows:
                if rid not in self.seen:
                    self.seen.add(rid)
                    self.order.append(rid)
                    new.append((rid, found))
            if len(self.order) > self.most:
                raise TooManyIncluded("records.search-too-many-included", limit=self.most)
        return new

    def bodies(self) -> list[Stored]:
        """What was taken, in the order of taking."""
        found: dict[int, Stored] = {}
        # Left the choice, SQLite goes through all of the tenant's index for each list of numbers.
        by_number = " NOT INDEXED" if self.connection.dialect == "sqlite" else ""
        for start in range(0, len(self.order), CHUNK):
            part = self.order[start : start + CHUNK]
            first = len(self.fixed)
            marks = ", ".join(f":{first + place}:" for place in range(len(part)))
            statement = finished(
                f"SELECT r.rid, r.type, r.id, r.version, r.updated_us, r.method, r.body FROM resource r{by_number}"
                f" WHERE r.rid IN ({marks}) AND {self.compiled.seen('r')}"
            )
            values = [*self.fixed, *part]
            rows = self.connection.execute(
                statement.sql, [values[slot] for slot in statement.slots]
            ).fetchall()
            for rid, kind, id_, version, updated_us, method, body in rows:
                found[rid] = Stored(kind, id_, version, updated_us, False, method, decompress(body))
        return [found[rid] for rid in self.order]

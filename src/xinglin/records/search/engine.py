"""Running a search: plan, page, cursor, total.

SQL text is made once per shape and plan and kept; what is different each time is only bound. Nothing of the data is kept
but bounded counts, for a minute, and these decide no more than the way to the answer.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from xinglin.kernel.database import Connection
from xinglin.records.bodies import decompress
from xinglin.records.errors import BadCursor
from xinglin.records.search.budget import bounded
from xinglin.records.search.includes import included
from xinglin.records.search.lift import Lifter
from xinglin.records.search.nodes import Never, Shape
from xinglin.records.search.plans import Plan, best, choose, driving, steps
from xinglin.records.search.repository import Lookup, streamed
from xinglin.records.search.statements import Statement, Statements, Step
from xinglin.records.stored import Stored
from xinglin.records.visibility import visible
from xinglin.trust import Predicate

if TYPE_CHECKING:
    from xinglin.records.cursors import Cursors
    from xinglin.standards.fhir.search.query import Query

REMEMBERED_S: Final = 60.0
MOST_SHAPES: Final = 2000
MOST_COUNTS: Final = 20_000
ESTIMATED: Final = 10_000
"""`_total=estimate` counts up to here; beyond it no total is given."""


class Entry(NamedTuple):
    """One resource of a page: a match, or included with one."""

    stored: Stored
    mode: Literal["match", "include"]


class Page(NamedTuple):
    """Matches in order, then what they include; the cursor of the next page, None on the last; the total if asked for."""

    entries: list[Entry]
    next: str | None
    total: int | None


@dataclass(frozen=True, slots=True)
class Bounds:
    """``included``: resources that includes may bring to a page; ``time_s``: seconds a search may run."""

    included: int = 5000
    time_s: float = 10.0


class _Row(NamedTuple):
    """A match, and its place in the order: the step that gave it and its keys, the resource's number last."""

    stored: Stored
    step: int
    keys: tuple[Any, ...]


@dataclass(slots=True)
class _Ready:
    """A shape's statements under one plan, written when first needed."""

    compiled: Statements
    shape: Shape
    steps: list[Step]
    statements: dict[tuple[int, tuple[bool, ...] | None, int], Statement]

    def statement(self, step: int, after: Sequence[Any] | None, size: int) -> Statement:
        """``size``: how many values the query has; the limit's slot comes next, then those of ``after``."""
        nulls = None if after is None else tuple(value is None for value in after)
        # Queries of one shape may differ in size: a value that names nothing takes a slot, but no part in the shape.
        found = self.statements.get((step, nulls, size))
        if found is None:
            slots = None
            if nulls is not None:
                slots = [None if null else size + 1 + place for place, null in enumerate(nulls)]
            found = self.compiled.page(self.steps[step], self.shape.types, slots, size)
            self.statements[step, nulls, size] = found
        return found


class Search:
    """Searches one database. Safe from any thread."""

    def __init__(self, cursors: Cursors | None = None, bounds: Bounds | None = None) -> None:
        self.cursors = cursors
        self.bounds = bounds or Bounds()
        self._ready: dict[Any, _Ready] = {}
        self._texts: dict[Any, Statement] = {}
        self._counts: dict[Any, tuple[float, int]] = {}

    def page(
        self, connection: Connection, predicate: Predicate, query: Query, *, budget: int | None = None
    ) -> Page:
        """The page that ``query`` asks for.

        Raises
        ------
        BadCursor, TooManyIncluded, SearchTooLong
        OverBudget
            It needs more than ``budget`` steps of SQLite's engine.
        """
        with bounded(connection, budget, self.bounds.time_s):
            return _Run(self, connection, predicate, query).page()

    def find(
        self, connection: Connection, predicate: Predicate, query: Query, most: int
    ) -> list[tuple[str, str]]:
        """Type and id of at most ``most`` matches."""
        with bounded(connection, None, self.bounds.time_s, restore=True):
            rows, _ = _Run(self, connection, predicate, query).matches(most)
            return [(row.stored.type, row.stored.id) for row in rows]

    def numbers(self, connection: Connection, predicate: Predicate, query: Query) -> Iterator[int]:
        """The numbers of all matches, once each, in no order and without reading a body; whatever the query's page is."""
        with bounded(connection, None, self.bounds.time_s, restore=True):
            yield from _Run(self, connection, predicate, query).numbers()

    def explain(
        self, connection: Connection, predicate: Predicate, query: Query
    ) -> list[tuple[str, list[str]]]:
        """The page's statements, each with the lines of its query plan."""
        return _Run(self, connection, predicate, query).explain()

    def remembered(self, key: Any, count: Callable[[], int]) -> int:
        """A bounded count not older than a minute."""
        found = self._counts.get(key)
        present = time.monotonic()
        if found is not None and found[0] > present:
            return found[1]
        number = count()
        if len(self._counts) > MOST_COUNTS:
            self._counts.clear()
        self._counts[key] = (present + REMEMBERED_S, number)
        return number

    def ready(self, key: Any, make: Callable[[], _Ready]) -> _Ready:
        """The statements of a shape and plan."""
        found = self._ready.get(key)
        if found is None:
            if len(self._ready) > MOST_SHAPES:
                self._ready.clear()
            found = self._ready[key] = make()
        return found


class _Run:
    """One search on one connection."""

    def __init__(self, search: Search, connection: Connection, predicate: Predicate, query: Query) -> None:
        self.search = search
        self.connection = connection
        self.predicate = predicate
        self.query = query
        self.condition, fixed = visible(predicate, "{a}")
        # Slot 0 is the tenant, by which codes and ids are looked up; those of the visibility condition follow.
        self.lifter = Lifter(Lookup(connection, predicate.tenant), fixed)
        self.shape = self.lifter.shape(query)
        self.values = self.lifter.values
        self.never = any(isinstance(node, Never) for node in self.shape.nodes)
        self.chosen: Plan | None = None

    def compiler(self) -> Statements:
        """Writes SQL under this actor's visibility condition."""
        text = self.condition
        place = 0
        while "?" in text:
            place += 1
            text = text.replace("?", f":{place}:", 1)
        return Statements(self.connection.dialect, lambda alias: text.format(a=alias))

    def page(self) -> Page:
        """See `Search.page`."""
        query = self.query
        if query.count == 0 or query.summary == "count":
            return Page([], None, self.total())
        rows, more = self.matches(query.count)
        entries = [Entry(row.stored, "match") for row in rows]
        if rows and (query.includes or query.revincludes):
            found = [(row.keys[-1], row.stored.type) for row in rows]
            compiled = self.compiler()
            further = included(
                self.connection, compiled, self.predicate, query, found, self.search.bounds.included
            )
            entries += [Entry(stored, "include") for stored in further]
        following = self.sealed(rows[-1]) if more else None
        return Page(entries, following, self.total() if query.total != "none" else None)

    def matches(self, count: int) -> tuple[list[_Row], bool]:
        """At most ``count`` matches behind the cursor, and whether more follow."""
        plan, start, after = self.opened()
        if self.never:
            return [], False
        plan = self.chosen = plan or self.plan()
        ready = self.search.ready(
            (self.condition, self.connection.dialect, self.shape, plan), lambda: self.made(plan)
        )
        rows: list[_Row] = []
        size, wanted = len(self.values), count + 1
        for place in range(start, len(ready.steps)):
            behind = after if place == start else None
            statement = ready.statement(place, behind, size)
            values = [*self.values, wanted - len(rows), *(behind or ())]
            found = self.connection.execute(statement.sql, [values[slot] for slot in statement.slots])
            keys = statement.keys
            for row in found.fetchall():
                if len(rows) == count:
                    return rows, True
                kind, id_, version, updated_us, method, body = row[keys:]
                stored = Stored(kind, id_, version, updated_us, False, method, decompress(body))
                rows.append(_Row(stored, place, row[:keys]))
        return rows, False

    def plan(self) -> Plan:
        """The plan, from what the criteria are and how many rows they have."""
        compiled = self.compiler()
        return choose(self.shape, compiled, self.counted)

    def made(self, plan: Plan) -> _Ready:
        compiled = self.compiler()
        return _Ready(compiled, self.shape, steps(plan, self.shape, compiled), {})

    def counted(self, statement: Statement) -> int:
        """The number a statement gives, remembered for a minute."""
        values = tuple(self.values[slot] for slot in statement.slots)
        return self.search.remembered((statement.sql, values), lambda: self.number(statement.sql, values))

    def number(self, sql: str, values: Sequence[Any]) -> int:
        row = self.connection.execute(sql, values).fetchone()
        return 0 if row is None else int(row[0])

    def total(self) -> int | None:
        """How many resources match, whatever the page; None for an estimate beyond what is counted."""
        if self.never:
            return 0
        compiled = self.compiler()
        most = ESTIMATED + 1 if self.query.total == "estimate" and self.query.summary != "count" else None
        if not self.shape.nodes and most is None:
            statement = compiled.count_all(self.shape.types)
        else:
            plan = best(self.shape, compiled, self.counted)
            others = tuple(node for place, node in enumerate(self.shape.nodes) if place != plan.driver)
            statement = compiled.count(driving(plan, self.shape, compiled), others, self.shape.types, most)
        found = self.number(statement.sql, [self.values[slot] for slot in statement.slots])
        return None if found == most else found

    def numbers(self) -> Iterator[int]:
        """See `Search.numbers`."""
        if self.never:
            return
        compiled = self.compiler()
        plan = best(self.shape, compiled, self.counted)
        others = tuple(node for place, node in enumerate(self.shape.nodes) if place != plan.driver)
        statement = compiled.numbers(driving(plan, self.shape, compiled), others, self.shape.types)
        for (number,) in streamed(self.connection, statement.sql, [self.values[s] for s in statement.slots]):
            yield number

    # Cursors

    def scope(self) -> str:
        """What a cursor of this search is good for: this question of this tenant."""
        query = self.query
        pairs = [pair for pair in query.pairs if pair[0] not in ("_count", "_total")]
        asked = pairs if query.pairs else (query.criteria, query.sort)
        return f"search {self.predicate.tenant} {query.type} {query.types} {query.compartment} {asked}"

    def sealed(self, last: _Row) -> str | None:
        """The cursor behind ``last``."""
        cursors, plan = self.search.cursors, self.chosen
        if cursors is None or plan is None:
            return None
        return cursors.seal(
            [plan.mode, plan.driver, plan.scope, last.step, *map(_portable, last.keys)], self.scope()
        )

    def opened(self) -> tuple[Plan | None, int, list[Any] | None]:
        """Plan, step and keys that the query's cursor holds."""
        if self.query.cursor is None:
            return None, 0, None
        if self.search.cursors is None:
            raise BadCursor("records.bad-cursor")
        mode, driver, scope, step, *keys = self.search.cursors.open(self.query.cursor, self.scope())
        return Plan(mode, driver, scope), step, [_restored(key) for key in keys]

    def explain(self) -> list[tuple[str, list[str]]]:
        """See `Search.explain`."""
        if self.never:
            return []
        plan = self.plan()
        ready = self.made(plan)
        lines = []
        prefix = "EXPLAIN QUERY PLAN " if self.connection.dialect == "sqlite" else "EXPLAIN (COSTS OFF) "
        for place in range(len(ready.steps)):
            statement = ready.statement(place, None, len(self.values))
            values = [*self.values, self.query.count + 1]
            rows = self.connection.execute(
                prefix + statement.sql, [values[s] for s in statement.slots]
            ).fetchall()
            lines.append((statement.sql, [str(row[-1]) for row in rows]))
        return lines


def _portable(key: Any) -> Any:
    """A key as JSON can hold it: which has no infinity."""
    return [key > 0] if key in (math.inf, -math.inf) else key


def _restored(key: Any) -> Any:
    return (math.inf if key[0] else -math.inf) if isinstance(key, list) else key

"""Whole statements: a page, a count, a bounded count; text with marks becomes SQL with ``?``."""

# ruff: noqa: S608 - the text is put together from this package's own words only; every value is bound
from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from xinglin.records.search.conditions import implies_type
from xinglin.records.search.nodes import Among, Key, Node
from xinglin.records.search.ordering import Ordering, Term, behind, order_by
from xinglin.records.search.sources import Arm

BODY = "r.type, r.id, r.version, r.updated_us, r.method, r.body"
"""Columns of a page's rows behind the keys and the rid."""

_MARK = re.compile(r":(\d+):")


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with ``?`` and the slots that fill them, in order. ``keys``: columns before the body's, the rid last."""

    sql: str
    slots: tuple[int, ...]
    keys: int = 0


def finished(text: str, keys: int = 0) -> Statement:
    """Marks as ``?``."""
    return Statement(_MARK.sub("?", text), tuple(int(slot) for slot in _MARK.findall(text)), keys)


def limited(slot: int) -> str:
    """A bound LIMIT. Bare, SQLite would look at its value and prepare the statement anew (15 µs) whenever it is bound."""
    return f":{slot}: + 0"


@dataclass(frozen=True, slots=True)
class Step:
    """One statement of a page's plan: arms walked in the order of their ``terms`` (one row for each) and merged, or,
    without terms, all candidates of the arms gathered and sorted by ``keys``. ``probes``: what else must hold."""

    arms: tuple[Arm, ...]
    terms: tuple[tuple[Term, ...], ...]
    keys: tuple[Key, ...]
    probes: tuple[Node, ...]


class Statements(Ordering):
    """Writes the statements of one shape."""

    def conditions(self, arm: Arm, nodes: Sequence[Node], types: tuple[int, ...]) -> list[str]:
        """What else must hold of an arm's candidate: the other criteria, its type, and that it may be seen."""
        conditions = [self.holds(node, arm.rid) for node in nodes]
        if not self.typed(arm, nodes):
            conditions.insert(0, self.live(arm.rid, types))
        reached = self.reached(arm.rid).removeprefix(" AND ")
        return [*conditions, reached] if reached else conditions

    def typed(self, arm: Arm, nodes: Sequence[Node]) -> bool:
        """Whether the candidate is known to be live and of the right type."""
        return arm.typed or any(implies_type(node) for node in nodes)

    def walked(
        self,
        arm: Arm,
        terms: Sequence[Term],
        nodes: Sequence[Node],
        types: tuple[int, ...],
        after: str,
        limit: int,
    ) -> str:
        """SELECT of the keys of an ordered arm's next ``limit`` (slot) candidates, named k0, k1, …, rid."""
        names = [f"k{position}" for position in range(len(terms) - 1)] + ["rid"]
        others = [
            *self.conditions(arm, nodes, types),
            *([arm.first] if arm.first else []),
            *([after] if after else []),
        ]
        columns = ", ".join(f"{term.expression} AS {name}" for term, name in zip(terms, names, strict=True))
        if self.postgres and arm.lead is not None and arm.keys[0] == arm.lead[0]:
            column, members, _ = arm.lead
            where = " AND ".join([*arm.where, f"{column} = l.v", *others])
            inner = (
                f"SELECT {columns} FROM {arm.tables} WHERE {where}"
                f" ORDER BY {order_by(terms[1:])} LIMIT {limited(limit)}"
            )
            rest = ", ".join(f"d.{name}" for name in names[1:])
            order = ", ".join(["l.v", *(f"d.{name}" for name in names[1:])])
            return (
                f"SELECT l.v AS k0, {rest} FROM ({members}) l CROSS JOIN LATERAL ({inner}) d"
                f" ORDER BY {order} LIMIT {limited(limit)}"
            )
        where = " AND ".join([*arm.conditions, *others])
        return f"SELECT {columns} FROM {arm.tables} WHERE {where} ORDER BY {order_by(terms)} LIMIT {limited(limit)}"

    def candidates(self, arms: Sequence[Arm], nodes: Sequence[Node], types: tuple[int, ...]) -> str:
        """SELECT of every candidate once, as ``rid``. Where rows repeat, the rest is asked of each resource once."""
        first = arms[0]
        if len(arms) == 1 and first.once:
            where = " AND ".join([*first.conditions, *self.conditions(first, nodes, types)])
            return f"SELECT {first.rid} AS rid FROM {first.tables} WHERE {where}"
        distinct = "DISTINCT " if len(arms) == 1 else ""
        parts = [
            f"SELECT {distinct}{arm.rid} AS rid FROM {arm.tables} WHERE {' AND '.join(arm.conditions)}"
            for arm in arms
        ]
        u = self.alias("u")
        known = all(arm.typed for arm in arms)
        conditions = self.conditions(replace(first, tables="", rid=f"{u}.rid", typed=known), nodes, types)
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return f"SELECT {u}.rid AS rid FROM ({' UNION '.join(parts)}) {u}{where}"

    def gathered(
        self,
        arms: Sequence[Arm],
        keys: Sequence[Key],
        nodes: Sequence[Node],
        types: tuple[int, ...],
        after: Sequence[int | None] | None,
        limit: int,
    ) -> tuple[str, list[Term]]:
        """SELECT of all candidates' keys, sorted, and the terms they are sorted by."""
        descending = bool(keys) and keys[-1].descending
        found = [self.joined(key, "g.rid") for key in keys]
        joins, inner = "".join(join for join, _ in found), [term for _, term in found]
        names = [f"k{position}" for position in range(len(keys))]
        columns = "".join(f", {term.expression} AS {name}" for term, name in zip(inner, names, strict=True))
        terms = [Term(name, term.descending, term.nullable) for term, name in zip(inner, names, strict=True)]
        terms.append(Term("rid", descending, nullable=False))
        text = f"SELECT g.rid AS rid{columns} FROM ({self.candidates(arms, nodes, types)}) g{joins}"
        where = "" if after is None else f" WHERE {behind(terms, after)}"
        selected = ", ".join([*names, "rid"])
        return (
            f"SELECT {selected} FROM ({text}) q{where} ORDER BY {order_by(terms)} LIMIT {limited(limit)}",
            terms,
        )

    def page(
        self, step: Step, types: tuple[int, ...], after: Sequence[int | None] | None, limit: int
    ) -> Statement:
        """One step of a page: its keys, rid and bodies, in order."""
        if step.terms:
            first = step.terms[0]
            names = [f"k{position}" for position in range(len(first) - 1)] + ["rid"]
            terms = [replace(term, expression=f"p.{name}") for term, name in zip(first, names, strict=True)]
            walks = [
                self.walked(arm, own, step.probes, types, "" if after is None else behind(own, after), limit)
                for arm, own in zip(step.arms, step.terms, strict=True)
            ]
            inner = walks[0]
            if len(walks) > 1:
                merged = " UNION ALL ".join(f"SELECT * FROM ({walk}) w{n}" for n, walk in enumerate(walks))
                inner = f"SELECT * FROM ({merged}) p ORDER BY {order_by(terms)} LIMIT {limited(limit)}"
        else:
            inner, gathered = self.gathered(step.arms, step.keys, step.probes, types, after, limit)
            names = [term.expression for term in gathered]
            terms = [replace(term, expression=f"p.{term.expression}") for term in gathered]
        columns = ", ".join(f"p.{name}" for name in names)
        return finished(
            f"SELECT {columns}, {BODY} FROM ({inner}) p CROSS JOIN resource r"
            f" WHERE r.rid = p.rid AND {self.seen('r')} ORDER BY {order_by(terms)}",
            len(names),
        )

    def count(
        self, arms: Sequence[Arm], nodes: Sequence[Node], types: tuple[int, ...], most: int | None = None
    ) -> Statement:
        """How many candidates there are, counted up to ``most``."""
        limit = "" if most is None else f" LIMIT {most}"
        found = self.candidates(arms, nodes, types)
        return finished(f"SELECT count(*) FROM (SELECT 1 FROM ({found}) u{limit}) c")

    def numbers(self, arms: Sequence[Arm], nodes: Sequence[Node], types: tuple[int, ...]) -> Statement:
        """The number of every candidate, once each, in no order."""
        return finished(self.candidates(arms, nodes, types), 1)

    def count_all(self, types: tuple[int, ...]) -> Statement:
        """How many live resources there are: by the index of all less that of the deleted, without reading a row."""
        d, e = self.alias("d"), self.alias("e")
        kinds = [self.among(f"{a}.type", Among("list", types)) if types else "1 = 1" for a in (d, e)]
        everything = self.indexed("resource", d, "resource_updated")
        deleted = self.indexed("resource", e, "resource_deleted")
        return finished(
            f"SELECT (SELECT count(*) FROM {everything} WHERE {self.seen(d)} AND {kinds[0]}{self.reached(f'{d}.rid')})"
            f" - (SELECT count(*) FROM {deleted} WHERE {self.seen(e)} AND {kinds[1]} AND {e}.state <> 0"
            f"{self.reached(f'{e}.rid')})"
        )

    def bounded_count_all(self, types: tuple[int, ...], most: int) -> Statement:
        """How many resources there are or were, at most ``most``: from the index alone, which knows no deletions."""
        d = self.alias("d")
        kinds = f" AND {self.among(f'{d}.type', Among('list', types))}" if types else ""
        found = f"SELECT 1 FROM {self.indexed('resource', d, 'resource_updated')} WHERE {self.seen(d)}{kinds}"
        return finished(f"SELECT count(*) FROM ({found} LIMIT {most}) c")

    def bounded_count(self, arms: Sequence[Arm], most: int) -> Statement:
        """How many rows the arms have, at most ``most`` each; rows, not resources: an estimate of work."""
        parts = [
            f"(SELECT count(*) FROM (SELECT 1 FROM {arm.tables} WHERE {' AND '.join(arm.conditions)} LIMIT {most}) c{n})"
            for n, arm in enumerate(arms)
        ]
        return finished("SELECT " + " + ".join(parts))

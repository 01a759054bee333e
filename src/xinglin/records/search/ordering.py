"""Sort keys as SQL, and what lies behind a cursor.

A date sorts by its beginning in both directions, the earliest of several ascending, the latest descending; strings by the
folded text as written; tokens by code; quantities by the canonical value; references by the order in which their targets
were first named. Resources without a value come last in both directions, in an order of their own; others that are equal in all
keys are ordered by the number of the resource, in the direction of the last key.
"""

# ruff: noqa: S608 - the text is put together from this package's own words only; every value is bound
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xinglin.records.search.nodes import TENANT, Key
from xinglin.records.search.sources import Arm, Sources


@dataclass(frozen=True, slots=True)
class Term:
    """One column of ORDER BY: an expression, its direction, and whether it may be NULL (then last)."""

    expression: str
    descending: bool
    nullable: bool

    @property
    def order(self) -> str:
        """As written behind ORDER BY."""
        nulls = " NULLS LAST" if self.nullable else ""
        return f"{self.expression} {'DESC' if self.descending else 'ASC'}{nulls}"


def order_by(terms: Sequence[Term]) -> str:
    """ORDER BY of all terms."""
    return ", ".join(term.order for term in terms)


def behind(terms: Sequence[Term], slots: Sequence[int | None]) -> str:
    """What comes after the row whose terms had the values in ``slots`` (None: it was NULL)."""
    if not any(term.nullable for term in terms) and len({term.descending for term in terms}) == 1:
        columns = ", ".join(term.expression for term in terms)
        marks = ", ".join(f":{slot}:" for slot in slots)
        sign = "<" if terms[0].descending else ">"
        if len(terms) == 1:
            return f"{columns} {sign} {marks}"
        return f"({columns}) {sign} ({marks})"
    options = []
    equal: list[str] = []
    for term, slot in zip(terms, slots, strict=True):
        if slot is None:
            equal.append(f"{term.expression} IS NULL")
            continue
        after = f"{term.expression} {'<' if term.descending else '>'} :{slot}:"
        if term.nullable:
            after = f"({after} OR {term.expression} IS NULL)"
        options.append(" AND ".join([*equal, after]))
        equal.append(f"{term.expression} = :{slot}:")
    return "(" + " OR ".join(f"({option})" for option in options) + ")"


class Ordering(Sources):
    """Writes sort keys."""

    def joined(self, key: Key, rid: str) -> tuple[str, Term]:
        """The key's value for one resource, and a join that brings it, empty where it is a sub-select.

        A correlated sub-select costs SQLite 2 µs a row, a join a tenth of that.
        """
        if key.kind not in ("date", "reference") or not key.single:
            return "", self.key(key, rid)
        k = self.alias("k")
        table = self.indexed(f"ix_{key.kind}", k, f"sqlite_autoindex_ix_{key.kind}_1")
        column = "low" if key.kind == "date" else "target"
        condition = f"{k}.rid = {rid} AND {self.under(k, key.params)} AND {self.seen(k)}"
        return f" LEFT JOIN {table} ON {condition}", Term(f"{k}.{column}", key.descending, nullable=True)

    def key(self, key: Key, rid: str) -> Term:
        """The key's value for one resource, as a sub-select."""
        i = self.alias("i")
        pick = "max" if key.descending else "min"
        if key.kind in ("_id", "_lastUpdated"):
            column = "id" if key.kind == "_id" else "updated_us"
            value = f"(SELECT {i}.{column} FROM resource {i} WHERE {i}.rid = {rid} AND {self.seen(i)})"
            return Term(value, key.descending, nullable=False)
        rows = self.rows(key.kind, i, rid, key.params)
        if key.kind == "date":
            value = f"(SELECT {pick}({i}.low) {rows})"
        elif key.kind == "string":
            value = f"(SELECT {pick}({i}.norm) {rows} AND {i}.kind = 0)"
        elif key.kind == "reference":
            value = f"(SELECT {pick}({i}.target) {rows})"
        elif key.kind == "token":
            t = self.alias("t")
            table, _, where = rows.partition(" WHERE ")
            value = (
                f"(SELECT {pick}({t}.code) {table} CROSS JOIN term {t} WHERE {where}"
                f" AND {t}.value = {i}.value AND {t}.tenant = :{TENANT}: AND {t}.code <> '')"
            )
        else:
            t, j = self.alias("t"), self.alias("j")
            table, _, where = rows.partition(" WHERE ")
            canonical = (
                f"(SELECT {pick}({i}.low) {table} CROSS JOIN term {t} WHERE {where}"
                f" AND {t}.value = {i}.unit AND {t}.tenant = :{TENANT}: AND {t}.system = 'ucum')"
            )
            written = f"(SELECT {pick}({j}.low) {self.rows('quantity', j, rid, key.params)})"
            value = f"coalesce({canonical}, {written})"
        return Term(value, key.descending, nullable=True)

    def by_beginning(self, arm: Arm, key: Key) -> tuple[list[Arm], list[list[Term]]]:
        """An arm over dates in the order of their beginnings, whichever index it reads."""
        d = arm.rid.removesuffix(".rid")
        return [arm], [[Term(f"{d}.low", key.descending, False), Term(arm.rid, key.descending, False)]]

    def walk(self, key: Key, types: tuple[int, ...]) -> tuple[list[Arm], list[list[Term]]] | None:
        """The resources that have the key, in its order, straight from an index; None where no index has it.

        Several arms are to be merged: one for each type.
        """
        if key.kind == "_lastUpdated" and types:
            return self.walks([self.resources((one,)) for one in types], key)
        if len(types) != 1:
            return None
        if key.kind == "_id":
            return self.walks([self.ids(types)], key)
        if key.kind not in ("date", "string", "reference") or len(key.params) != 1:
            return None
        d, m = self.alias("d"), self.alias("m")
        column = {"date": "low", "string": "norm", "reference": "target"}[key.kind]
        where = [self.seen(d), self.under(d, key.params)]
        others = []
        tie = {"date": ("low", "high"), "string": ("norm", "exact"), "reference": ("target",)}[key.kind]
        if key.kind == "string":
            where.append(f"{d}.kind = 0")
            others.append(f"{m}.kind = 0")
        sign = ">" if key.descending else "<"
        mine, theirs = (", ".join(f"{a}.{c}" for c in tie) for a in (d, m))
        others.append(f"({theirs}) {sign} ({mine})")
        once = key.single and key.kind != "string"
        first = (
            None
            if once
            else self.exists(
                f"{self.rows(key.kind, m, f'{d}.rid', key.params)} AND {self.probed(' AND '.join(others), m)}",
                negated=True,
            )
        )
        index = {"date": "ix_date_low", "string": "ix_string_norm", "reference": "ix_reference_target"}[
            key.kind
        ]
        arm = Arm(
            self.indexed(f"ix_{key.kind}", d, index),
            tuple(where),
            f"{d}.rid",
            (f"{d}.{column}", f"{d}.rid"),
            once=once,
            first=first,
        )
        return self.walks([arm], key)

    def walks(self, arms: list[Arm], key: Key) -> tuple[list[Arm], list[list[Term]]]:
        """Arms in the order of their keys, in the direction of ``key``."""
        return arms, [[Term(column, key.descending, False) for column in arm.keys] for arm in arms]

"""Where candidates come from: a node as rows of one index, walked in the index's own order.

A node gives one or several arms. Each arm is a range of one index (or of a join that begins with one); its keys are the
index columns behind those held constant, so that ORDER BY keys LIMIT n reads n rows. Arms of one node never hold the same
row twice; `once` says that a resource cannot come twice either, else `first` keeps only a resource's first row.

Dates and numbers compared at their upper end (``gt``, ``ge``, ``ap``) are two ranges: what begins late enough, and, from
a partial index, the few long intervals that began before. One range over the lower end alone would begin with the first
row ever written.
"""

# ruff: noqa: S608 - the text is put together from this package's own words only; every value is bound
from __future__ import annotations

from dataclasses import dataclass, replace

from xinglin.records.search import words
from xinglin.records.search.conditions import KEYS, LONG_US, Compiler, implies_type
from xinglin.records.search.nodes import (
    Among,
    Chained,
    Either,
    Having,
    Match,
    Node,
    Rids,
    Test,
    Updated,
    Words,
)

INDEX: dict[str, tuple[str, tuple[str, ...]]] = {
    "token": ("ix_token_value", ("value", "patient")),
    "reference": ("ix_reference_target", ("target",)),
    "string": ("ix_string_norm", ("norm",)),
    "date": ("ix_date_low", ("low", "high")),
    "quantity": ("ix_quantity_low", ("unit", "low", "high")),
    "pair": ("ix_pair_a", ("a", "b", "low")),
}
"""Each table's index by value, and its columns behind tenant and param and before rid."""

APART = 2
"""Up to so many parameters of one criterion are walked one after the other, each in its index's order."""


@dataclass(frozen=True, slots=True)
class Arm:
    """Rows that give candidates.

    ``tables``: FROM; ``where``: conditions; ``rid``: the candidate. ``keys``: the order in which the index gives them, rid
    last, empty if in none. ``first``: a condition that holds on one row of each resource only, needed where the same
    resource may come twice; ``once``: it cannot, so ``first`` is not needed.
    ``lead``: the first key is one of a list: (column, the list as an ordered sub-select of ``v``, the condition that the
    column is in it). SQLite reads such a list in order, PostgreSQL needs it joined laterally.
    """

    tables: str
    where: tuple[str, ...]
    rid: str
    keys: tuple[str, ...] = ()
    once: bool = False
    first: str | None = None
    lead: tuple[str, str, str] | None = None
    typed: bool = True

    @property
    def conditions(self) -> tuple[str, ...]:
        """All conditions, that of ``lead`` included."""
        return self.where if self.lead is None else (*self.where, self.lead[2])


class Sources(Compiler):
    """Writes nodes as arms."""

    def arms(self, node: Node, types: tuple[int, ...] = ()) -> list[Arm]:
        """The node's arms; empty where it cannot drive. ``types``: slots of the types searched, for `_lastUpdated`."""
        if isinstance(node, Match):
            return self.matching(node)
        if isinstance(node, Rids):
            d = self.alias("d")
            among = self.among(f"{d}.rid", Among("list", node.slots))
            where = (self.seen(d), among, self.kept(d, types))
            return [Arm(f"resource {d}", where, f"{d}.rid", (f"{d}.rid",), once=True)]
        if isinstance(node, Updated):
            return [self.resources(types, node)] if len(node.tests) == 1 else []
        if isinstance(node, Chained):
            return self.chain_arms(node)
        if isinstance(node, Having):
            return self.having_arms(node)
        if isinstance(node, Either):
            parts = [self.arms(one, types) for one in node.nodes]
            if not all(parts):
                return []
            return [
                replace(arm, keys=(), once=False, first=None, lead=None, where=arm.conditions)
                for part in parts
                for arm in part
            ]
        if isinstance(node, Words):
            w, d = self.alias("w"), self.alias("d")
            joined = [
                words.found(self, node, w),
                f"{d}.rid = {words.rid(self, w)}",
                self.seen(d),
                self.kept(d, types),
            ]
            if self.postgres:
                joined.append(self.seen(w))
            return [Arm(f"fulltext {w} CROSS JOIN resource {d}", tuple(joined), f"{d}.rid", once=True)]
        return []

    def resources(self, types: tuple[int, ...], updated: Updated | None = None) -> Arm:
        """All live resources, in the order of their last update within a type."""
        d = self.alias("d")
        where = [self.seen(d), f"{d}.state = 0"]
        if updated is not None:
            where.append(self.updated(updated, d))
        keys: tuple[str, ...] = (f"{d}.updated_us", f"{d}.rid")
        lead = None
        if len(types) == 1:
            where.append(f"{d}.type = :{types[0]}:")
        else:
            keys = (f"{d}.type", *keys)
        if len(types) > 1:
            values = ", ".join(f"(:{slot}:::text)" for slot in types)
            members = f'SELECT DISTINCT v COLLATE "C" AS v FROM (VALUES {values}) l(v) ORDER BY v'
            lead = (f"{d}.type", members, self.among(f"{d}.type", Among("list", types)))
        tables = self.indexed("resource", d, "resource_updated")
        return Arm(tables, tuple(where), f"{d}.rid", keys, once=True, lead=lead)

    def ids(self, types: tuple[int, ...]) -> Arm:
        """All live resources of one type in the order of their ids."""
        d = self.alias("d")
        where = (self.seen(d), self.among(f"{d}.type", Among("list", types)), self.live(f"{d}.rid", types))
        return Arm(f"entity {d}", where, f"{d}.rid", (f"{d}.id", f"{d}.rid"), once=True)

    # One index table

    def matching(self, node: Match) -> list[Arm]:
        if node.negated or not node.tests:
            return []
        arms: list[Arm] = []
        for test in node.tests:
            for params in apart(node.params):
                found = self.ranges(node, test, params)
                if not found:
                    return []
                arms += found
        if len(node.tests) > 1:  # several tests may hold on one resource
            arms = [
                replace(arm, keys=(), once=False, first=None, lead=None, where=arm.conditions) for arm in arms
            ]
        return arms

    def ranges(self, node: Match, test: Test, params: tuple[int, ...]) -> list[Arm]:
        """The index ranges of one test on rows under ``params``, some of the node's; empty where it holds on nearly
        everything or is looked up row by row."""
        table, sets = node.table, dict(zip(led(node.table, test), test.sets, strict=False))
        if table == "pair" and "b" in sets and sets["b"].how in ("written", "system"):
            del sets["b"]  # any unit: read with the row
        if any(among.how not in ("list", "code", "coded", "below") for among in sets.values()):
            return []
        if any(part.kind.endswith("-ne") for part in (test, *test.parts)):
            return []
        arms = []
        for index, columns, condition in self.splits(table, test):
            d = self.alias("d")
            where = [self.seen(d), self.under(d, params), *(part.format(a=d) for part in condition)]
            keys = [column for column in columns if not (column in sets and fixed(sets[column]))]
            if test.kind == "exact":
                keys.remove("norm")
            lead = None
            if keys and keys[0] in sets:
                members, column = sets[keys[0]], f"{d}.{keys[0]}"
                lead = (column, self.members(members), self.among(column, members))
            where.append(self.test(table, test, d, but=keys[0] if lead else None))
            once = self.single_rows(node, test, sets)
            arms.append(
                Arm(
                    self.indexed(f"ix_{table}", d, index) if index else f"ix_{table} {d}",
                    tuple(part for part in where if part),
                    f"{d}.rid",
                    (*(f"{d}.{column}" for column in keys), f"{d}.rid"),
                    once=once,
                    first=None if once else self.first(node, test, d),
                    lead=lead,
                    typed=node.typed,
                )
            )
        if len(params) > 1:  # the index is ordered within each parameter only
            return [
                replace(arm, keys=(), once=False, first=None, lead=None, where=arm.conditions) for arm in arms
            ]
        return arms

    def single_rows(self, node: Match, test: Test, sets: dict[str, Among]) -> bool:
        """Whether no two rows of one resource can pass."""
        if node.table in ("token", "reference"):
            return len(node.params) == 1 and all(fixed(among) for among in sets.values())
        if node.table == "date":
            return node.single
        return node.table == "string" and test.kind == "exact" and len(node.params) == 1

    def first(self, node: Match, test: Test, d: str) -> str:
        """``d`` is the first of its resource's rows that pass."""
        m = self.alias("m")
        keys = KEYS[node.table] if len(node.params) == 1 else ("param", *KEYS[node.table])
        mine, theirs = (", ".join(f"{a}.{column}" for column in keys) for a in (d, m))
        passes = self.probed(f"{self.test(node.table, test, m)} AND ({theirs}) < ({mine})", m)
        return self.exists(f"{self.rows(node.table, m, f'{d}.rid', node.params)} AND {passes}", negated=True)

    def splits(self, table: str, test: Test) -> list[tuple[str, tuple[str, ...], list[str]]]:
        """The ranges of a test: (index, its columns behind tenant and param, conditions on ``{a}``)."""
        index, columns = INDEX[table]
        if table == "date":
            parts = test.parts if test.kind == "all" else (test,)
            for part in parts:
                if part.kind in ("date-gt", "date-ge", "date-ap"):
                    bound = f":{part.slots[0]}: - {LONG_US}"
                    long = f"{{a}}.high - {{a}}.low > {LONG_US} AND {{a}}.high > :{part.slots[0]}:"
                    return [
                        (index, columns, [f"{{a}}.low >= {bound}"]),
                        ("ix_date_long", ("high", "low"), [f"{long} AND {{a}}.low < {bound}"]),
                    ]
        if test.kind in ("measure", "pair-measure"):
            (part,) = test.parts
            slot = {"number-gt": 1, "number-ge": 1, "number-ap": 0}.get(part.kind)
            if slot is not None:
                bound = f":{part.slots[slot]}:"
                wide = f"{{a}}.high > {{a}}.low AND {{a}}.high >= {bound} AND {{a}}.low < {bound}"
                second = "ix_quantity_wide" if table == "quantity" else ""  # ix_pair_wide, where it is there
                return [
                    (index, columns, [f"{{a}}.low >= {bound}"]),
                    (
                        second,
                        (*columns[:-2], "high", "low") if table == "quantity" else ("a", "b", "high", "low"),
                        [wide],
                    ),
                ]
        return [(index, columns, [])]

    def members(self, among: Among) -> str:
        """The set as a sub-select of one ordered column ``v`` without duplicates (PostgreSQL)."""
        if among.how == "list":
            values = ", ".join(f"(:{slot}:::bigint)" for slot in among.slots)
            return f"SELECT DISTINCT v FROM (VALUES {values}) l(v) ORDER BY v"
        t = self.alias("t")
        return f"SELECT {t}.value AS v FROM term {t} WHERE {self.among(f'{t}.value', among)} ORDER BY 1"

    # References

    def chain_arms(self, node: Chained) -> list[Arm]:
        """References to what meets one of the ends, in the order of the targets."""
        inner: list[str] = []
        for type_slot, end in node.ends:
            arms = self.arms(end, (type_slot,))
            if not arms:
                return []
            for arm in arms:
                where = list(arm.conditions)
                if not implies_type(end) and not isinstance(end, Rids | Updated):
                    where.append(self.live(arm.rid, (type_slot,)))
                inner.append(
                    f"SELECT {arm.rid} AS v FROM {arm.tables} WHERE {' AND '.join(where)}{self.reached(arm.rid)}"
                )
        f = self.alias("f")
        targets = inner[0] if len(inner) == 1 else " UNION ALL ".join(inner)
        where = [self.seen(f), self.under(f, node.params)]
        first = None
        if not node.single:
            m = self.alias("m")
            first = self.exists(
                f"{self.rows('reference', m, f'{f}.rid', node.params)} AND {m}.target < {f}.target"
                f" AND {self.ends(node, f'{m}.target')}",
                negated=True,
            )
        among = f"{f}.target IN ({targets})"
        lead = (f"{f}.target", f"SELECT DISTINCT v FROM ({targets}) l ORDER BY v", among)
        keys = (f"{f}.target", f"{f}.rid") if len(node.params) == 1 else ()
        return [
            Arm(
                self.indexed("ix_reference", f, "ix_reference_target"),
                tuple(where),
                f"{f}.rid",
                keys,
                once=node.single,
                first=first,
                lead=lead,
                typed=node.typed,
            )
        ]

    def having_arms(self, node: Having) -> list[Arm]:
        """What the matching resources refer to."""
        arms = []
        for arm in self.arms(node.node, (node.type,)):
            f = self.alias("f")
            where = (
                *arm.conditions,
                f"{f}.rid = {arm.rid}",
                f"{f}.param = {node.param}",
                self.seen(f),
            )
            reached = self.reached(arm.rid).removeprefix(" AND ")
            if reached:
                where = (*where, reached)
            referring = self.indexed("ix_reference", f, "sqlite_autoindex_ix_reference_1")
            arms.append(Arm(f"{arm.tables} CROSS JOIN {referring}", where, f"{f}.target", typed=False))
        return arms


def led(table: str, test: Test) -> tuple[str, ...]:
    """The columns that the test's sets constrain, in order."""
    if table == "pair":
        return ("a", "b")
    return {"token": ("value",), "reference": ("target",), "quantity": ("unit",)}.get(table, ())


def fixed(among: Among) -> bool:
    """Whether the set is one number."""
    return among.how == "list" and len(among.slots) == 1


def apart(params: tuple[int, ...]) -> list[tuple[int, ...]]:
    """``params`` one by one where they are few, else all of them at once."""
    return [(one,) for one in params] if len(params) <= APART else [params]

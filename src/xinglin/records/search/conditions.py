"""SQL of nodes as conditions on one resource: probes of the index tables by ``rid``.

Text is written with marks ``:7:`` for slots, turned into ``?`` at the end. Every access to a table takes its visibility
condition from `Compiler.seen`; every resource reached in a sub-query, from `Compiler.reached`.

On PostgreSQL a sub-select ends in ``OFFSET 0``: it keeps the planner from turning the probe into a join whose order it
would choose from estimates. On SQLite index columns that must not be used carry a unary plus.
"""

# ruff: noqa: S608 - the text is put together from this package's own words only; every value is bound
from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import count

from xinglin.records.search import words
from xinglin.records.search.nodes import (
    TENANT,
    Among,
    Chained,
    Either,
    Having,
    Match,
    Missing,
    Never,
    Node,
    NotRids,
    Rids,
    Test,
    Updated,
    Words,
)

KEYS: dict[str, tuple[str, ...]] = {
    "token": ("value",),
    "reference": ("target",),
    "string": ("norm", "exact", "kind"),
    "date": ("low", "high"),
    "quantity": ("unit", "low", "high"),
    "pair": ("a", "b", "low", "high", "text"),
}
"""What tells the rows of one resource and parameter apart."""

LONG_US = 32 * 86_400_000_000
"""Longer intervals than 32 days stand in an index of their own, so that ``ge`` and ``gt`` need not look through all
that began earlier: see `sources`."""

_DATE = {
    "eq": "{a}.low >= :{0}: AND {a}.low < :{1}: AND {a}.high <= :{1}:",
    "ne": "({a}.low < :{0}: OR {a}.high > :{1}:)",
    "gt": "{a}.high > :{1}:",
    "lt": "{a}.low < :{0}:",
    "ge": "({a}.low >= :{0}: OR {a}.high > :{1}:)",
    "le": "{a}.low < :{1}: AND ({a}.low < :{0}: OR {a}.high <= :{1}:)",
    "sa": "{a}.low >= :{1}:",
    "eb": "{a}.low < :{0}: AND {a}.high <= :{0}:",
    "ap": "{a}.low < :{1}: AND {a}.high > :{0}:",
}
_INSTANT = {
    "eq": "{a}.updated_us >= :{0}: AND {a}.updated_us < :{1}:",
    "ne": "({a}.updated_us < :{0}: OR {a}.updated_us >= :{1}:)",
    "gt": "{a}.updated_us >= :{1}:",
    "lt": "{a}.updated_us < :{0}:",
    "ge": "{a}.updated_us >= :{0}:",
    "le": "{a}.updated_us < :{1}:",
    "sa": "{a}.updated_us >= :{1}:",
    "eb": "{a}.updated_us < :{0}:",
    "ap": "{a}.updated_us >= :{0}: AND {a}.updated_us < :{1}:",
}
_NUMBER = {
    "eq": "{low} >= :{0}: AND {low} < :{2}: AND {high} < :{2}:",
    "ne": "({low} < :{0}: OR {high} >= :{2}:)",
    "gt": "{high} > :{1}:",
    "lt": "{low} < :{1}:",
    "ge": "{high} >= :{1}:",
    "le": "{low} <= :{1}:",
    "sa": "{low} > :{1}:",
    "eb": "{low} < :{1}: AND {high} < :{1}:",
    "ap": "{low} <= :{2}: AND {high} >= :{0}:",
}


class Compiler:
    """Writes SQL for one dialect and one visibility condition."""

    def __init__(self, dialect: str, seen: Callable[[str], str]) -> None:
        self.dialect = dialect
        self._seen = seen
        self._numbers = count(1)
        self.postgres = dialect == "postgresql"
        self.instr = "strpos" if self.postgres else "instr"
        self.fence = " OFFSET 0" if self.postgres else ""

    def alias(self, letter: str) -> str:
        """A new name for a table."""
        return f"{letter}{next(self._numbers)}"

    def seen(self, alias: str) -> str:
        """The condition under which the rows of ``alias``, any table, may be seen."""
        return self._seen(alias)

    def reached(self, rid: str) -> str:
        """A further condition on a resource that a sub-query reaches, beginning with AND; rules on rows come in here."""
        return ""

    def exists(self, body: str, *, negated: bool = False) -> str:
        """EXISTS over ``body``, which begins behind SELECT 1."""
        return f"{'NOT ' if negated else ''}EXISTS (SELECT 1 {body}{self.fence})"

    def indexed(self, table: str, alias: str, index: str) -> str:
        """The table, on SQLite read through this index and no other."""
        return f"{table} {alias}" if self.postgres else f"{table} {alias} INDEXED BY {index}"

    # Conditions on one row

    def under(self, alias: str, params: Sequence[int]) -> str:
        """Rows of these parameters; numbers of our own tables, hence written out."""
        if len(params) == 1:
            return f"{alias}.param = {params[0]}"
        return f"{alias}.param IN ({', '.join(map(str, params))})"

    def among(self, column: str, among: Among) -> str:
        """``column`` is in the set."""
        marks = [f":{slot}:" for slot in among.slots]
        if among.how == "list":
            return f"{column} = {marks[0]}" if len(marks) == 1 else f"{column} IN ({', '.join(marks)})"
        t = self.alias("t")
        tenant = f"{t}.tenant = :{TENANT}:"
        if among.how == "code":
            return f"{column} IN (SELECT {t}.value FROM term {t} WHERE {tenant} AND {t}.folded_code = {marks[0]})"
        if among.how == "coded":
            where = f"{tenant} AND {t}.folded_code = {marks[1]} AND {t}.system = {marks[0]}"
            return f"{column} IN (SELECT {t}.value FROM term {t} WHERE {where})"
        if among.how == "below":
            where = f"{t}.system = '' AND ({t}.code = {marks[0]} OR ({t}.code >= {marks[1]} AND {t}.code < {marks[2]}))"
        elif among.how == "system":
            where = f"{t}.system = {marks[0]}"
        elif among.how == "text":
            where = f"{self.instr}(' ' || {t}.folded_text, {marks[0]}) > 0"
        else:  # units as written
            canonical = self.exists(
                f"FROM term {t} WHERE {t}.value = {column} AND {tenant} AND {t}.system = 'ucum'"
            )
            return f"NOT {canonical}"
        return self.exists(f"FROM term {t} WHERE {t}.value = {column} AND {tenant} AND {where}")

    def test(self, table: str, test: Test, a: str, *, but: str | None = None) -> str:
        """The row ``a`` passes ``test``; ``but``: apart from the set of this column, which is written elsewhere."""
        kind, slots = test.kind, test.slots
        if kind == "all":
            return " AND ".join(f"({self.test(table, part, a)})" for part in test.parts)
        columns = {"token": ("value",), "reference": ("target",), "quantity": ("unit",), "pair": ("a", "b")}
        sets = [
            self.among(f"{a}.{column}", members)
            for column, members in zip(columns.get(table, ()), test.sets, strict=False)
            if column != but
        ]
        if kind == "among":
            return " AND ".join(sets)
        if kind == "prefix":
            column = "text" if table == "pair" else "norm"
            return f"{a}.{column} >= :{slots[0]}: AND {a}.{column} < :{slots[1]}:"
        if kind == "exact":
            return f"{a}.norm = :{slots[0]}: AND {a}.exact = :{slots[1]}: AND {a}.kind = 0"
        if kind == "contains":
            return f"{self.instr}({a}.norm, :{slots[0]}:) > 0"
        if kind.startswith("date-"):
            return _DATE[kind[5:]].format(*slots, a=a)
        if kind in ("measure", "pair-measure"):
            return " AND ".join([*sets, self.number(test.parts[0], a)])
        if kind == "pair-numbers":
            numbers = [
                self.number(part, a, column, column)
                for part, column in zip(test.parts, ("low", "high"), strict=True)
            ]
            return " AND ".join([*sets, *numbers])
        return " AND ".join(
            [*sets, *(self.test(table, part, a) for part in test.parts)]
        )  # pair-token, pair-other

    def number(self, test: Test, a: str, low: str = "low", high: str = "high") -> str:
        """A comparison of numbers."""
        return _NUMBER[test.kind[7:]].format(*test.slots, low=f"{a}.{low}", high=f"{a}.{high}")

    def probed(self, text: str, a: str) -> str:
        """``text`` on the row ``a`` such that PostgreSQL finds the row by its resource, and not by its values.

        It would take the index by value where that covers the columns, and read all rows of a value for each resource.
        """
        if not self.postgres:
            return text
        text = re.sub(rf"\b{a}\.(value|target|unit|low|high|a|b)\b", rf"({a}.\1 + 0)", text)
        return re.sub(rf"\b{a}\.(norm|exact|text)\b", rf"({a}.\1 || '')", text)

    def tests(self, table: str, tests: Sequence[Test], a: str) -> str:
        """The row ``a`` passes one of ``tests``."""
        if len(tests) == 1:
            return self.test(table, tests[0], a)
        return "(" + " OR ".join(f"({self.test(table, test, a)})" for test in tests) + ")"

    # Conditions on one resource

    def holds(self, node: Node, rid: str) -> str:
        """The live resource numbered ``rid`` meets ``node``; ``rid`` is an SQL expression."""
        if isinstance(node, Match):
            if not node.tests:  # :not of what is nowhere
                return "1 = 1"
            i = self.alias("i")
            rows = self.rows(node.table, i, rid, node.params)
            tests = self.probed(self.tests(node.table, node.tests, i), i)
            return self.exists(f"{rows} AND {tests}", negated=node.negated)
        if isinstance(node, Missing):
            return self.exists(self.rows(node.table, self.alias("i"), rid, node.params), negated=node.wanted)
        if isinstance(node, NotRids):
            return f"NOT ({self.among(rid, Among('list', node.slots))})"
        if isinstance(node, Rids):
            return self.among(rid, Among("list", node.slots))
        if isinstance(node, Updated):
            r = self.alias("r")
            return self.exists(
                f"FROM resource {r} WHERE {r}.rid = {rid} AND {self.seen(r)} AND {self.updated(node, r)}"
            )
        if isinstance(node, Chained):
            return self.chained(node, rid)
        if isinstance(node, Having):
            return self.having(node, rid)
        if isinstance(node, Either):
            return "(" + " OR ".join(self.holds(one, rid) for one in node.nodes) + ")"
        if isinstance(node, Words):
            return self.words(node, rid)
        return "1 = 0"

    def rows(self, table: str, alias: str, rid: str, params: Sequence[int]) -> str:
        """FROM and WHERE of one resource's rows under ``params``, found by its number."""
        rows = self.indexed(f"ix_{table}", alias, f"sqlite_autoindex_ix_{table}_1")
        return f"FROM {rows} WHERE {alias}.rid = {rid} AND {self.under(alias, params)} AND {self.seen(alias)}"

    def updated(self, node: Updated, r: str) -> str:
        """The time of update of resource ``r``, an instant, passes."""
        options = [
            " AND ".join(_INSTANT[part.kind[5:]].format(*part.slots, a=r) for part in test.parts or (test,))
            for test in node.tests
        ]
        return options[0] if len(options) == 1 else "(" + " OR ".join(f"({one})" for one in options) + ")"

    def chained(self, node: Chained, rid: str) -> str:
        f = self.alias("f")
        return self.exists(
            f"{self.rows('reference', f, rid, node.params)} AND {self.ends(node, f'{f}.target')}"
        )

    def ends(self, node: Chained, target: str) -> str:
        """The resource at ``target`` is one of the chain's ends."""
        parts = []
        for type_slot, end in node.ends:
            condition = f"{self.holds(end, target)}{self.reached(target)}"
            if not implies_type(end):
                condition = f"{self.live(target, (type_slot,))} AND {condition}"
            parts.append(condition)
        return parts[0] if len(parts) == 1 else "(" + " OR ".join(f"({part})" for part in parts) + ")"

    def having(self, node: Having, rid: str) -> str:
        f = self.alias("f")
        if node.owned and isinstance(node.node, Match) and scoped(node.node):
            # Everything that refers to this Patient carries its number, or -1 where it belongs to several.
            i = self.alias("i")
            inner = node.node
            back = self.exists(
                f"{self.rows('reference', f, f'{i}.rid', (node.param,))} AND {f}.target = {rid}"
            )
            return self.exists(
                f"FROM {self.indexed('ix_token', i, 'ix_token_value')} WHERE {self.seen(i)} AND {self.under(i, inner.params)}"
                f" AND {self.tests('token', inner.tests, i)} AND {i}.patient IN ({rid}, -1) AND {back}"
                f"{self.reached(f'{i}.rid')}"
            )
        return self.exists(
            f"FROM {self.indexed('ix_reference', f, 'ix_reference_target')} WHERE {self.seen(f)}"
            f" AND {f}.param = {node.param} AND {f}.target = {rid}"
            f" AND {self.holds(node.node, f'{f}.rid')}{self.reached(f'{f}.rid')}"
        )

    def live(self, rid: str, types: Sequence[int]) -> str:
        """The number is that of a live resource of one of ``types`` (slots; empty: of any)."""
        r = self.alias("r")
        return self.exists(
            f"FROM resource {r} WHERE {r}.rid = {rid} AND {self.seen(r)} AND {self.kept(r, types)}"
        )

    def kept(self, r: str, types: Sequence[int]) -> str:
        """The row ``r`` of resource is live and of one of ``types``."""
        condition = f"{r}.state = 0"
        if types:
            condition = f"{self.among(f'{r}.type', Among('list', tuple(types)))} AND {condition}"
        return condition

    def words(self, node: Words, rid: str) -> str:
        """The full text of the resource has the words. On SQLite its table knows no tenant; the resource does."""
        w = self.alias("w")
        condition = f"{words.rid(self, w)} = {rid} AND {words.found(self, node, w)}"
        if self.postgres:
            condition += f" AND {self.seen(w)}"
        return self.exists(f"FROM fulltext {w} WHERE {condition}")


def implies_type(node: Node) -> bool:
    """Whether meeting ``node`` shows of which type the resource is, and that it is live."""
    if isinstance(node, Match):
        return node.typed and not node.negated and bool(node.tests)
    if isinstance(node, Missing):
        return node.typed and not node.wanted
    if isinstance(node, Chained):
        return node.typed
    if isinstance(node, Either):
        return all(implies_type(one) for one in node.nodes)
    return isinstance(node, Never)


def scoped(node: Match) -> bool:
    """Whether the node's rows can be found by their values within one patient."""
    return (
        node.table == "token"
        and not node.negated
        and bool(node.tests)
        and all(test.sets[0].how in ("list", "code", "coded") for test in node.tests)
    )

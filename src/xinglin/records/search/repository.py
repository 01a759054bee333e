"""What a search looks up before it runs: the numbers that stand for codes, units and ids in the index tables.

Nothing is kept between searches: a code gets a further number whenever it comes with another display, so that a
remembered answer would miss what was written a moment ago, and one look costs a few microseconds.
"""

# ruff: noqa: S608 - the text is put together from this package's own words only; every value is bound
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from xinglin.kernel.database import Connection, Row
from xinglin.records.index.rows import CANONICAL

MOST_VALUES = 512
"""Numbers of one code that are bound one by one; a code with more displays is compared by a sub-select."""
MOST_DISTINCT = 4096
"""Distinct values of one parameter looked through for `:text` and `system|`."""

STREAMED = 20_000
"""Rows that are fetched at once from PostgreSQL."""

_DISTINCT = """WITH RECURSIVE v(value) AS (
SELECT (SELECT min({column}) FROM {table} WHERE tenant = ? AND {under})
UNION ALL
SELECT (SELECT min(i.{column}) FROM {table} i WHERE i.tenant = ? AND {under} AND i.{column} > v.value)
FROM v WHERE v.value IS NOT NULL)
SELECT value FROM v WHERE value IS NOT NULL LIMIT ?"""


@dataclass(frozen=True, slots=True)
class Lookup:
    """Looks up numbers in one tenant on one connection."""

    connection: Connection
    tenant: int

    def _column(self, sql: str, params: Sequence[object]) -> list[int]:
        return [row[0] for row in self.connection.execute(sql, params).fetchall()]

    def entity(self, resource_type: str, resource_id: str) -> int | None:
        """The number of ``type/id``; None where neither the resource nor a reference to it was ever stored."""
        row = self.connection.execute(
            "SELECT rid FROM entity WHERE tenant = ? AND type = ? AND id = ?",
            (self.tenant, resource_type, resource_id),
        ).fetchone()
        return None if row is None else int(row[0])

    def entities(self, types: Sequence[str], resource_id: str) -> list[int]:
        """The numbers of ``id`` in any of ``types``."""
        if len(types) == 1:
            one = self.entity(types[0], resource_id)
            return [] if one is None else [one]
        marks = ",".join("?" * len(types))
        return self._column(
            f"SELECT rid FROM entity WHERE tenant = ? AND type IN ({marks}) AND id = ?",
            (self.tenant, *types, resource_id),
        )

    def terms(self, system: str | None, folded: str) -> list[int] | None:
        """The numbers of a folded code, of any system or the one; None where they are too many to list."""
        sql = "SELECT value FROM term WHERE tenant = ? AND folded_code = ?"
        params: list[object] = [self.tenant, folded]
        if system is not None:
            sql += " AND system = ?"
            params.append(system)
        found = self._column(sql + " LIMIT ?", [*params, MOST_VALUES + 1])
        return None if len(found) > MOST_VALUES else found

    def uri(self, uri: str, *, below: bool = False) -> list[int] | None:
        """The numbers of a URI, or of it and all that lie below; None where they are too many to list."""
        if not below:
            return self._column(
                "SELECT value FROM term WHERE tenant = ? AND code = ? AND system = ''", (self.tenant, uri)
            )
        stem = uri.rstrip("/") + "/"
        found = self._column(
            "SELECT value FROM term WHERE tenant = ? AND system = ''"
            " AND (code = ? OR (code >= ? AND code < ?)) LIMIT ?",
            (self.tenant, uri, stem, after(stem), MOST_VALUES + 1),
        )
        return None if len(found) > MOST_VALUES else found

    def units(self, system: str | None, code: str) -> list[int]:
        """The numbers of a unit as written (case matters), never those of canonical units."""
        sql = "SELECT value FROM term WHERE tenant = ? AND code = ?"
        if system is None:
            return self._column(f"{sql} AND system <> ? LIMIT ?", (self.tenant, code, CANONICAL, MOST_VALUES))
        return self._column(f"{sql} AND system = ? LIMIT ?", (self.tenant, code, system, MOST_VALUES))

    def distinct(self, table: str, column: str, param: int) -> list[int] | None:
        """The distinct values under ``param``, found by skipping through the index; None where there are very many."""
        sql = _DISTINCT.format(table=table, column=column, under="param = ?")
        found = self._column(sql, (self.tenant, param, self.tenant, param, MOST_DISTINCT + 1))
        return None if len(found) > MOST_DISTINCT else found

    def paired_units(self, param: int, first: Sequence[int]) -> list[int]:
        """The units that stand beside any of the codes ``first`` in a composite."""
        sql = _DISTINCT.format(table="ix_pair", column="b", under="param = ? AND a = ?")
        units: set[int] = set()
        for a in first:
            units.update(self._column(sql, (self.tenant, param, a, self.tenant, param, a, MOST_DISTINCT)))
        return sorted(units)

    def types(self) -> list[str]:
        """The resource types that there are."""
        sql = """WITH RECURSIVE v(type) AS (
SELECT (SELECT min(type) FROM resource WHERE tenant = ?)
UNION ALL
SELECT (SELECT min(r.type) FROM resource r WHERE r.tenant = ? AND r.type > v.type) FROM v WHERE v.type IS NOT NULL)
SELECT type FROM v WHERE type IS NOT NULL"""
        return [row[0] for row in self.connection.execute(sql, (self.tenant, self.tenant)).fetchall()]

    def of_system(self, values: Sequence[int], system: str) -> list[int]:
        """Those of ``values`` that are terms of ``system``."""
        return self._among(values, "system = ?", [system])

    def with_text(self, values: Sequence[int], folded: str) -> list[int]:
        """Those of ``values`` whose folded text, or a word of it, begins with ``folded``."""
        found = "strpos" if self.connection.dialect == "postgresql" else "instr"
        return self._among(values, f"{found}(' ' || folded_text, ?) > 0", [" " + folded])

    def as_written(self, units: Sequence[int]) -> list[int]:
        """Those of ``units`` that are not canonical; 0, no unit, is kept."""
        kept = [0] if 0 in units else []
        return kept + self._among([unit for unit in units if unit], "system <> ?", [CANONICAL])

    def _among(self, values: Sequence[int], condition: str, params: list[object]) -> list[int]:
        kept: list[int] = []
        for start in range(0, len(values), MOST_VALUES):
            part = values[start : start + MOST_VALUES]
            marks = ",".join("?" * len(part))
            kept += self._column(
                f"SELECT value FROM term WHERE value IN ({marks}) AND tenant = ? AND {condition}",
                [*part, self.tenant, *params],
            )
        return kept


def streamed(connection: Connection, sql: str, params: Sequence[object]) -> Iterator[Row]:
    """The rows of a statement, however many there are, without all of them in memory at once."""
    if connection.dialect == "sqlite":  # gives them as they are found
        yield from connection.execute(sql, params)
        return
    # All will be read: let the plan be the one that is quickest for all of them.
    connection.execute("SELECT set_config('cursor_tuple_fraction', '1', true)")
    connection.execute(f"DECLARE streamed NO SCROLL CURSOR FOR {sql}", params)
    while rows := connection.execute(f"FETCH {STREAMED} FROM streamed").fetchall():
        yield from rows
    connection.execute("CLOSE streamed")


def after(stem: str) -> str:
    """The least text that begins with nothing ``stem`` begins: the open end of a range of prefixes."""
    return stem + "\U0010ffff"

"""SQL of own search parameters: their definitions and generations. Rows are `records.rows`' and `reindexing`'s."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from xinglin.kernel.database import Connection, Row
from xinglin.records.custom.model import STATES, OwnParameter
from xinglin.standards.fhir.r4.parameters import SearchParameter

_LOCK: Final = 0x4F574E00
_COLUMNS: Final = (
    "tenant, number, base, code, type, expression, targets, components, url, single, resource, state, added, removed,"
    " changed_us, done, total, report"
)


def lock(connection: Connection, tenant: int) -> None:
    """PostgreSQL: whoever else would change this tenant's parameters waits until this transaction ends."""
    if connection.dialect == "postgresql":
        connection.execute("SELECT pg_advisory_xact_lock(?)", (_LOCK + tenant,))


def generations(connection: Connection) -> dict[int, tuple[int, int, int]]:
    """Generation, when it began (µs), and how many were opened, of each tenant that ever had a parameter of its own."""
    rows = connection.execute("SELECT tenant, generation, changed_us, opened FROM own_generation").fetchall()
    return {row[0]: (row[1], row[2], row[3]) for row in rows}


def next_generation(connection: Connection, tenant: int, at_us: int) -> int:
    """Begin another generation of the tenant's rules."""
    connection.execute(
        "INSERT INTO own_generation (tenant, generation, changed_us, opened) VALUES (?, 1, ?, 0) ON CONFLICT (tenant)"
        " DO UPDATE SET generation = own_generation.generation + 1, changed_us = excluded.changed_us",
        (tenant, at_us),
    )
    row = connection.execute("SELECT generation FROM own_generation WHERE tenant = ?", (tenant,)).fetchone()
    assert row is not None
    return int(row[0])


def parameters(connection: Connection, tenant: int | None = None) -> list[OwnParameter]:
    """All definitions that a tenant, or any, ever had, in the order of their numbers."""
    where, params = ("", ()) if tenant is None else (" WHERE tenant = ?", (tenant,))
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM own_parameter{where} ORDER BY tenant, number",  # noqa: S608
        params,
    ).fetchall()
    return [_read(row) for row in rows]


def add(connection: Connection, tenant: int, one: OwnParameter) -> None:
    """Write a new definition."""
    p = one.parameter
    connection.execute(
        f"INSERT INTO own_parameter ({_COLUMNS}) VALUES ({', '.join('?' * 18)})",  # noqa: S608
        (
            tenant, p.number, p.base, p.name, p.type, p.expression, _text(p.targets), _text(p.components), p.url,
            int(p.single), one.resource, STATES.index(one.state), one.added, one.removed, one.changed_us,
            one.done, one.total, None,
        ),
    )  # fmt: skip


def retire(connection: Connection, tenant: int, number: int, generation: int, at_us: int) -> None:
    """From this generation on no rows are written for it; those there are go."""
    connection.execute(
        "UPDATE own_parameter SET state = 2, removed = ?, changed_us = ? WHERE tenant = ? AND number = ?",
        (generation, at_us, tenant, number),
    )


def set_state(
    connection: Connection, tenant: int, number: int, before: int, after: int, report: dict[str, Any] | None
) -> bool:
    """From one state to the next, with what was found; whether it still was in the first."""
    done = connection.execute(
        "UPDATE own_parameter SET state = ?, report = ? WHERE tenant = ? AND number = ? AND state = ?"
        " RETURNING number",
        (after, None if report is None else _text(report), tenant, number, before),
    ).fetchall()
    return bool(done)


def set_report(connection: Connection, tenant: int, number: int, report: dict[str, Any]) -> None:
    """Keep what a verification found."""
    connection.execute(
        "UPDATE own_parameter SET report = ? WHERE tenant = ? AND number = ?", (_text(report), tenant, number)
    )


def set_progress(connection: Connection, tenant: int, base: str, done: int, total: int) -> None:
    """How many resources of a type have been looked at for the parameters being built."""
    connection.execute(
        "UPDATE own_parameter SET done = ?, total = ? WHERE tenant = ? AND base = ? AND state = 0",
        (done, total, tenant, base),
    )


def touch(connection: Connection, tenant: int) -> None:
    """Let every process look again, though no rule has changed: a parameter has become searchable."""
    connection.execute("UPDATE own_generation SET opened = opened + 1 WHERE tenant = ?", (tenant,))


def newest_us(connection: Connection, tenant: int, base: str) -> int:
    """When a resource of the type was written last; 0 where there is none."""
    row = connection.execute(
        "SELECT max(updated_us) FROM resource WHERE tenant = ? AND type = ?", (tenant, base)
    ).fetchone()
    return int(row[0] or 0) if row else 0


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _read(row: Row) -> OwnParameter:
    tenant, number, base, code, kind, expression, targets, components, url, single, *rest = row
    resource, state, added, removed, changed_us, done, total, report = rest
    parameter = SearchParameter(
        number,
        base,
        code,
        kind,
        expression,
        tuple(msgspec.json.decode(targets)),
        tuple((name, text) for name, text in msgspec.json.decode(components)),
        url,
        bool(single),
    )
    found = None if report is None else msgspec.json.decode(report)
    return OwnParameter(
        tenant, parameter, resource, STATES[state], added, removed, changed_us, done, total, found
    )

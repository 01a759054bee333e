"""SQL of the record as it was known at an instant.

A version was current at K where ``updated_us`` ≤ K < ``until_us``; a current one has no end. A patient's current resources
are found by the reference index of the compartment's parameters, superseded versions by the patient they belonged to.
"""

# ruff: noqa: S608 - the text is put together from this module's own words and numbers; every value is bound
from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from xinglin.kernel.database import Connection, Row
from xinglin.records.bodies import decompress
from xinglin.records.repository import LIVE
from xinglin.records.stored import Stored
from xinglin.records.visibility import visible
from xinglin.trust import Predicate

FOREVER: Final = 2**62
_COLUMNS: Final = "{0}.rid, {0}.version, {0}.type, {0}.id, {0}.updated_us, {0}.state, {0}.method, {0}.patient"
_CHUNK: Final = 512


class Then(NamedTuple):
    """A version as it lies in the database, its body still compressed; None where it is a deletion or was not asked for."""

    rid: int
    version: int
    type: str
    id: str
    updated_us: int
    state: int
    method: Any
    patient: int
    body: bytes | None

    @property
    def live(self) -> bool:
        """Whether it is a resource, rather than its deletion or erasure."""
        return self.state == LIVE

    def stored(self) -> Stored:
        """As the record gives it."""
        body = b"" if self.body is None else decompress(self.body)
        return Stored(self.type, self.id, self.version, self.updated_us, not self.live, self.method, body)


def of_patient(
    connection: Connection,
    predicate: Predicate,
    patient: int,
    types: Sequence[str],
    known_us: int | None,
    *,
    bodies: bool = True,
) -> list[Then]:
    """What lay in the compartment of a Patient (its rid) at ``known_us`` (None: now): live versions of ``types``, by rid."""
    from xinglin.records.search.owners import compartment_parameters

    at_us = FOREVER if known_us is None else known_us
    kinds = f"({', '.join('?' * len(types))})"
    numbers = sorted({number for kind in types for number in compartment_parameters("Patient", kind)})
    body = ", {0}.body" if bodies else ", NULL"
    columns = (_COLUMNS + body).format("v")
    arms: list[str] = []
    params: list[object] = []

    def arm(tables: str, where: str, *values: object) -> None:
        condition, bound = visible(predicate, "v")
        arms.append(
            f"SELECT {columns} FROM {tables} WHERE {where} AND v.type IN {kinds}"
            f" AND v.state = {LIVE} AND v.updated_us <= ? AND {condition}"
        )
        params.extend((*values, *types, at_us, *bound))

    tenant = predicate.tenant
    if numbers:
        listed = ", ".join(map(str, numbers))
        # CROSS JOIN: SQLite keeps the order of the tables, whatever its statistics say.
        arm(
            f"(SELECT DISTINCT f.rid FROM ix_reference f WHERE f.tenant = ? AND f.param IN ({listed}) AND f.target = ?)"
            " f CROSS JOIN resource v",
            "v.tenant = ? AND v.rid = f.rid AND v.rid <> ?",
            *(tenant, patient, tenant, patient),
        )
    if "Patient" in types:
        arm("resource v", "v.tenant = ? AND v.rid = ?", tenant, patient)
    if known_us is not None:
        arm(
            "history v",
            "v.tenant = ? AND v.patient = ? AND v.patient > 0 AND v.until_us > ?",
            *(tenant, patient, at_us),
        )
        arm(
            "history_patient h CROSS JOIN history v",
            "h.tenant = ? AND h.patient = ? AND v.tenant = h.tenant AND v.rid = h.rid AND v.version = h.version"
            " AND v.until_us > ?",
            *(tenant, patient, at_us),
        )
    rows = connection.execute(" UNION ALL ".join(arms) + " ORDER BY 1", params).fetchall()
    return [Then(*row) for row in rows]


def of_numbers(
    connection: Connection, predicate: Predicate, rids: Sequence[int], known_us: int | None
) -> Iterator[Then]:
    """The version of each of ``rids`` that was current at ``known_us``, deletions too, in no particular order."""
    at_us = FOREVER if known_us is None else known_us
    columns = (_COLUMNS + ", {0}.body").format("v")
    for within, bound_rids in _chunks(connection, rids):
        condition, bound = visible(predicate, "v")
        tenant = predicate.tenant
        text = (
            f"SELECT {columns} FROM resource v WHERE v.tenant = ? AND v.rid {within} AND v.updated_us <= ?"
            f" AND {condition}"
        )
        params: list[object] = [tenant, *bound_rids, at_us, *bound]
        if known_us is not None:
            text += (
                f" UNION ALL SELECT {columns} FROM history v WHERE v.tenant = ? AND v.rid {within}"
                f" AND v.updated_us <= ? AND v.until_us > ? AND {condition}"
            )
            params += [tenant, *bound_rids, at_us, at_us, *bound]
        for row in connection.execute(text, params).fetchall():
            yield Then(*row)


def _chunks(connection: Connection, numbers: Sequence[int]) -> Iterator[tuple[str, list[Any]]]:
    """Comparisons of a column with ``numbers``, and what they bind; few texts, so that each is prepared once."""
    if connection.dialect == "postgresql":
        if numbers:
            yield "IN (SELECT n FROM unnest(?::bigint[]) n)", [list(numbers)]
        return
    for start in range(0, len(numbers), _CHUNK):
        part = numbers[start : start + _CHUNK]
        marks = 1 << (len(part) - 1).bit_length()
        yield f"IN ({', '.join('?' * marks)})", [*part, *[part[-1]] * (marks - len(part))]


def referring(
    connection: Connection,
    predicate: Predicate,
    targets: Sequence[int],
    types: Sequence[str],
    param: int | None,
    known_us: int,
    most: int,
) -> list[int]:
    """Numbers of resources of ``types`` of which some version referred to one of ``targets``, at least those that did at
    ``known_us``; at most ``most``. ``param``: only by this parameter, as far as that is known without the body."""
    found: set[int] = set()
    kinds = f"({', '.join('?' * len(types))})"
    tenant = predicate.tenant
    by = "" if param is None else f" AND f.param = {int(param)}"
    for within, part in _chunks(connection, targets):
        condition, bound = visible(predicate, "v")
        if param is None:  # the index by target has the parameter before it
            by = f" AND f.param IN ({', '.join(map(str, _reference_parameters(types)))})"
        text = (
            f"SELECT DISTINCT v.rid FROM ix_reference f CROSS JOIN resource v WHERE f.tenant = ? AND f.target {within}"
            f"{by} AND v.tenant = ? AND v.rid = f.rid AND v.type IN {kinds} AND v.updated_us <= ? AND {condition}"
            " UNION SELECT v.rid FROM history_reference f CROSS JOIN history v WHERE f.tenant = ?"
            f" AND f.target {within} AND v.tenant = ? AND v.rid = f.rid AND v.version = f.version"
            f" AND v.type IN {kinds} AND v.updated_us <= ? AND v.until_us > ? AND {condition} LIMIT {int(most)}"
        )
        params = (tenant, *part, tenant, *types, known_us, *bound)
        rows = connection.execute(text, (*params, *params[: -len(bound)], known_us, *bound)).fetchall()
        found.update(row[0] for row in rows)
        if len(found) >= most:
            break
    return sorted(found)


def _reference_parameters(types: Sequence[str]) -> list[int]:
    from xinglin.records.search.owners import reference_parameters

    return [number for kind in types for number in reference_parameters(kind)]


_KEPT: Final = (
    "INSERT INTO history_patient (tenant, patient, rid, version) SELECT o.tenant, o.patient, o.rid, v.version"
    " FROM resource_patient o JOIN resource v ON v.tenant = o.tenant AND v.rid = o.rid WHERE ",
    "INSERT INTO history_reference (tenant, target, rid, version) SELECT DISTINCT o.tenant, o.target, o.rid, v.version"
    " FROM ix_reference o JOIN resource v ON v.tenant = o.tenant AND v.rid = o.rid WHERE ",
)


def keep_links(connection: Connection, tenant: int, rids: Sequence[int]) -> None:
    """Before the index rows of ``rids`` go: their several patients and what they refer to, for the versions that become
    history."""
    for sql in _KEPT:
        if connection.dialect == "postgresql":
            connection.execute(f"{sql} o.tenant = ? AND o.rid = ANY(?::bigint[])", (tenant, list(rids)))
        else:
            connection.executemany(f"{sql} o.rid = ?", [(rid,) for rid in rids])


def add_entities(connection: Connection, tenant: int, named: Sequence[Row]) -> None:
    """Names and their numbers, ``(type, id, rid)``, into the index of a world of the past."""
    connection.executemany(
        "INSERT OR IGNORE INTO entity (tenant, type, id, rid) VALUES (?, ?, ?, ?)",
        [(tenant, *name) for name in named],
    )


def begin_numbers_at(connection: Connection, first: int) -> None:
    """In a world of the past, whatever has no number in the record itself is given one from ``first`` on."""
    connection.execute("UPDATE counter SET value = ? WHERE name = 'rid'", (first,))

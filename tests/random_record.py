"""Records with a history of random writes, and what they held at any position, by a plain reading of the tables."""

from __future__ import annotations

import random
from typing import Any

import msgspec

from xinglin.records.bodies import decompress
from xinglin.records.service import Records
from xinglin.records.stored import Operation
from xinglin.standards.fhir.search.grammar import parse_query
from xinglin.trust import local_system

State = dict[tuple[int, str, str, int], tuple[Any, ...]]
ACTOR = local_system()
TYPES = ("Patient", "Observation", "Basic")


def body(kind: str, id_: str, chance: random.Random) -> bytes:
    """A small resource; some name a patient who may or may not be in the record."""
    if kind == "Patient":
        value: dict[str, Any] = {
            "name": [{"family": "王" + str(chance.randrange(10))}],
            "active": chance.random() < 0.5,
        }
    elif kind == "Observation":
        value = {
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": str(chance.randrange(5))}]},
            "subject": {"reference": f"Patient/p{chance.randrange(12)}"},
            "valueQuantity": {"value": chance.randrange(100), "unit": "mg", "code": "mg"},
        }
    else:
        value = {"code": {"text": "x" * chance.randrange(1, 40)}}
    return msgspec.json.encode({"resourceType": kind, "id": id_, **value})


def write(records: Records, chance: random.Random, commits: int, actors: tuple[Any, ...] = (ACTOR,)) -> None:
    """So many transactions of one to four creations, updates and deletions."""
    for _ in range(commits):
        operations = {}
        for _ in range(chance.randrange(1, 5)):
            kind = chance.choice(TYPES)
            id_ = f"{kind[0].lower()}{chance.randrange(10)}"
            if chance.random() < 0.2:
                operations[kind, id_] = Operation("delete", kind, id_)
            else:
                operations[kind, id_] = Operation("update", kind, id_, body(kind, id_, chance))
        records.write(chance.choice(actors), list(operations.values()))


def state(records: Records, upto: int) -> State:
    """Every version of the commits up to a position, straight from the tables: until when it held, and whether it was
    the current one then."""
    with records.database.read() as connection:
        place = {row[0]: row[1] for row in connection.execute("SELECT tx, position FROM commits").fetchall()}
        columns = "tenant, type, id, version, rid, tx, updated_us, state, method, body"
        rows = connection.execute(
            f"SELECT {columns} FROM resource UNION ALL SELECT {columns} FROM history"
        ).fetchall()
    kept = sorted(
        ((row, place[row[5]]) for row in rows if place[row[5]] <= upto), key=lambda pair: pair[0][:4]
    )
    found: State = {}
    for at, (row, position) in enumerate(kept):
        later = kept[at + 1][0] if at + 1 < len(kept) and kept[at + 1][0][:3] == row[:3] else None
        found[row[:4]] = (
            *row[4:9], position, None if later is None else later[6],
            None if row[9] is None else decompress(row[9]),
        )  # fmt: skip
    return found


def held(records: Records) -> State:
    """As `state`, but ``until`` and current as the tables themselves have them."""
    with records.database.read() as connection:
        place = {row[0]: row[1] for row in connection.execute("SELECT tx, position FROM commits").fetchall()}
        columns = "tenant, type, id, version, rid, tx, updated_us, state, method, body"
        rows = connection.execute(
            f"SELECT {columns}, NULL FROM resource UNION ALL SELECT {columns}, until_us FROM history"
        ).fetchall()
    return {
        row[:4]: (*row[4:9], place[row[5]], row[10], None if row[9] is None else decompress(row[9]))
        for row in rows
    }


def last_position(records: Records) -> int:
    """Of the newest commit."""
    with records.database.read() as connection:
        return int(connection.execute("SELECT coalesce(max(position), 0) FROM commits").fetchone()[0])


def found(records: Records, kind: str, *pairs: tuple[str, str]) -> list[str]:
    """Ids that a search finds, in its order."""
    query = parse_query(kind, list(pairs), strict=True)
    return [entry.stored.id for entry in records.search(ACTOR, query).entries]

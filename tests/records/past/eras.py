"""A small world that changes over some eras: written, corrected, moved between patients, deleted and made again.

After each era the record as it then was is kept: as a copy of the database where that can be had, else as a new one of
the same resources.
"""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import worlds

from xinglin.kernel.clock import now_us
from xinglin.kernel.database import open_database
from xinglin.kernel.settings import Settings
from xinglin.records.service import Records
from xinglin.records.stored import Operation
from xinglin.trust import local_system

ACTOR = local_system()
HERE = "http://here.org/fhir"
SIZE = 6


@dataclass(frozen=True)
class Era:
    """An instant, and a record that is as the other one was at it. ``same_numbers``: it is a copy of the very database."""

    at_us: int
    then: Records
    same_numbers: bool


def built(
    database_url: str, folder: Path, seed: int, zone: str, eras: int = 4, base_url: str = HERE
) -> tuple[Records, list[Era]]:
    """The record after all eras, and each era."""
    settings = Settings(time_zone=zone, base_url=base_url)
    records = Records(open_database(database_url, durable=False), settings)
    chance = random.Random(seed)
    found = []
    for number in range(eras):
        drawn: list[dict[str, Any]] = worlds.World(seed + 100 * number, SIZE).resources
        if number:
            drawn = chance.sample(drawn, len(drawn) // 3)
        operations = [
            Operation("update", one["resourceType"], one["id"], json.dumps(one).encode()) for one in drawn
        ]
        if number:
            names = [(one["resourceType"], one["id"]) for one in worlds.World(seed, SIZE).resources]
            gone = {names[place] for place in chance.sample(range(len(names)), len(names) // 8)}
            operations += [Operation("delete", *name) for name in sorted(gone)]
        for start in range(0, len(operations), 40):  # several commits an era, so that times differ within it
            batch = {(one.type, one.id): one for one in operations[start : start + 40]}
            records.write(ACTOR, list(batch.values()))
            time.sleep(0.002)
        at_us = now_us()
        found.append(_kept(records, folder / f"era{number}.db", settings, at_us))
        time.sleep(0.003)
    return records, found


def _kept(records: Records, path: Path, settings: Settings, at_us: int) -> Era:
    if records.database.dialect == "sqlite":
        records.database.exclusively(lambda connection: connection.execute(f"VACUUM INTO '{path}'"))
        return Era(at_us, Records(open_database(f"sqlite:///{path}", durable=False), settings), True)
    copy = Records(open_database(f"sqlite:///{path}", durable=False), settings)
    with records.reading() as connection:
        rows = connection.execute("SELECT body FROM resource WHERE state = 0 ORDER BY rid").fetchall()
    from xinglin.records.bodies import decompress

    done = copy.load(ACTOR, [decompress(row[0]) for row in rows]).run()
    assert done.taken == len(rows)
    return Era(at_us, copy, False)

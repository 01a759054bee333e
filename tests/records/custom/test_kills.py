"""A reindex that is killed goes on where it was, while others write, and proves the whole at its end; on both databases."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from xinglin.kernel.database import open_database
from xinglin.records.reindexing import count_stale
from xinglin.records.service import Records
from xinglin.standards.fhir.search.grammar import parse_query
from xinglin.trust import local_system

ACTOR = local_system()
ROOT = Path(__file__).parents[3]
PROGRAM = Path(__file__).with_name("reindexing_process.py")


@pytest.fixture
def records(database_url: str) -> Iterator[Records]:
    opened = Records(open_database(database_url, durable=False))
    yield opened
    opened.close()


def started(url: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def patient(number: int, language: str) -> bytes:
    return json.dumps({"resourceType": "Patient", "id": f"p{number}", "language": language}).encode()


def killed_and_resumed(records: Records, url: str, size: int, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    records.load(ACTOR, [patient(number, "zh") for number in range(size)]).run()
    body = {
        "resourceType": "SearchParameter", "id": "speaks", "url": "http://example.org/speaks", "name": "speaks",
        "status": "active", "description": "Language", "code": "speaks", "base": ["Patient"], "type": "token",
        "expression": "Patient.language",
    }  # fmt: skip
    records.update(ACTOR, "SearchParameter", "speaks", json.dumps(body).encode())
    assert count_stale(records, ACTOR)["Patient"] == size
    process, left = started(url), size
    try:
        for turn in range(kills):
            aim = left - max(1, left // (kills + 1))
            deadline = time.monotonic() + 60
            while (left := count_stale(records, ACTOR).get("Patient", 0)) > aim:
                assert time.monotonic() < deadline, f"{left} stale resources are left"
                records.update(
                    ACTOR, "Patient", f"new{turn}", patient(0, "en").replace(b'"p0"', b'"new%d"' % turn)
                )
                number = chance.randrange(size)
                records.update(ACTOR, "Patient", f"p{number}", patient(number, "zh"))
                time.sleep(0.02)
            process.kill()
            process.wait()
            process.stdin.close()  # type: ignore[union-attr]
            process.stdout.close()  # type: ignore[union-attr]
            process = started(url)
        deadline = time.monotonic() + 120
        while True:
            records.own.look()
            (own,) = records.own.of(1).parameters
            if own.state == "ready":
                break
            assert time.monotonic() < deadline, [
                (job.state, job.error, job.attempts) for job in records.own.queue.list()
            ]
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()
        process.stdin.close()  # type: ignore[union-attr]
        process.stdout.close()  # type: ignore[union-attr]
    assert own.report is not None
    assert own.report["different"] == own.report["stale"] == 0
    assert (
        own.report["checked"]
        == own.report["with_rows"]
        == own.report["rows"]
        == own.report["resources"]
        >= size
    )
    query = parse_query(
        "Patient", [("speaks", "zh"), ("_count", "1000")], strict=True, known=records.known(1)
    )
    assert {entry.stored.id for entry in records.search(ACTOR, query).entries} == {
        f"p{n}" for n in range(size)
    }
    assert count_stale(records, ACTOR) == {}


@pytest.mark.slow
def test_a_killed_reindex_goes_on_and_nothing_is_missed_or_doubled(
    records: Records, database_url: str
) -> None:
    killed_and_resumed(records, database_url, 300, 1, 1)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(5))
def test_a_reindex_outlives_many_kills(records: Records, database_url: str, seed: int) -> None:
    killed_and_resumed(records, database_url, 900, 6, seed)

"""A worker killed in the middle of a retraction: whoever comes next finishes it, and does nothing twice."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from drafts.patients import DOCTOR, SERVICE, Ward
from xinglin.drafts.parts import RETRACTION, STATE
from xinglin.drafts.reading import query
from xinglin.drafts.retraction import AT_ONCE, handle
from xinglin.kernel.database import open_database
from xinglin.records.service import Records

DEPENDANTS = 5 * AT_ONCE
WORKER = """
import sys
from xinglin.drafts.retraction import handle
from xinglin.kernel.database import open_database
from xinglin.records.service import Records
from xinglin.trust import Actor
records = Records(open_database(sys.argv[1], durable=False))
handle(records, records.changes(Actor("worker", kind="service"), int(sys.argv[2])))
"""


@pytest.mark.long
def test_a_retraction_killed_in_the_middle_is_finished_by_the_next_worker(
    database_url: str, tmp_path: Path
) -> None:
    ward = Ward(Records(open_database(database_url, durable=False)))
    ward.result("bp")
    made = [ward.propose("Observation/bp", kind=f"k{number}") for number in range(DEPENDANTS)]
    for draft in made[::2]:
        ward.drafts.accept(DOCTOR, draft.reference)
    after = ward.records.changes(SERVICE, 0, 10**6)[-1].position
    ward.result("bp", "105")
    question = query(ward.records, DOCTOR, None, ("_tag", f"{STATE}|superseded"), ("_count", "1000"))

    def closed() -> int:
        return len(ward.records.search(DOCTOR, question).entries)

    halfway = 0
    for _ in range(3):
        if closed() == DEPENDANTS // 2:
            break
        begun = closed()
        worker = subprocess.Popen([sys.executable, "-c", WORKER, database_url, str(after)])
        until = time.monotonic() + 60
        while closed() == begun and worker.poll() is None:
            assert time.monotonic() < until
            time.sleep(0.002)
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        halfway += 0 < closed() < DEPENDANTS // 2
    assert halfway >= 1
    handle(ward.records, ward.records.changes(SERVICE, after))
    again = handle(ward.records, ward.records.changes(SERVICE, after))
    assert (again.superseded, again.flagged) == (0, 0)
    shown = [ward.drafts.show(DOCTOR, draft.reference) for draft in made]
    half = DEPENDANTS // 2
    assert Counter((one.state, one.changed, one.ref.version) for one in shown) == {
        ("superseded", False, 2): half,
        ("accepted", True, 3): half,
    }
    tasks = ward.found("Task", code=f"{RETRACTION}|review", status="requested")
    assert len({task["focus"]["reference"] for task in tasks}) == len(tasks) == half
    ward.records.close()

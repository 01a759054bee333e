"""kill -9 of the worker in the middle of deliveries: every match arrives, and what comes again has the same id."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from subscriber import SETTINGS, Subscriber, observe, shown, subscribe, until

from xinglin.records.service import open_records

PROGRAM = str(Path(__file__).parent / "worker_process.py")


@pytest.mark.slow
def test_nothing_is_lost_and_repeats_have_the_same_id(database_url: str) -> None:
    records = open_records(database_url, SETTINGS)
    with Subscriber(delay_s=0.004) as subscriber:
        made = subscribe(records, "Observation?code=4548-4", subscriber.url)
        hits: list[str] = []
        worker = None
        for _ in range(3):
            worker = subprocess.Popen([sys.executable, PROGRAM, database_url], stdout=subprocess.PIPE)
            before = len(subscriber.sent)
            hits += [observe(records, "4548-4" if n % 2 else "other").id for n in range(60)]
            until(lambda before=before: len(subscriber.sent) > before + 5, 30)  # type: ignore[misc]
            worker.kill()
            worker.wait()
        worker = subprocess.Popen([sys.executable, PROGRAM, database_url], stdout=subprocess.PIPE)
        try:
            wanted = {id_ for number, id_ in enumerate(hits) if number % 2}
            until(lambda: wanted <= set(subscriber.ids()), 30)
            assert shown(records, made.id)["status"] == "active"
        finally:
            worker.kill()
            worker.wait()
    assert set(subscriber.ids()) == wanted
    tries: dict[str, set[str]] = defaultdict(set)
    for sent in subscriber.sent:
        tries[json.loads(sent.body)["id"]].add(sent.headers["x-request-id"])
    assert all(len(ids) == 1 for ids in tries.values())
    firsts = list(dict.fromkeys(subscriber.ids()))
    assert firsts == [id_ for id_ in hits if id_ in wanted]
    records.close()

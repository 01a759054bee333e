"""No room for the index: the parameter stays closed with a clear reason, and the reindex goes on once there is room."""

from __future__ import annotations

import json

import pytest

from xinglin.kernel.database import Full, open_database
from xinglin.records.reindexing import Pace, Reindex, count_stale
from xinglin.records.service import Records
from xinglin.standards.fhir.search.errors import NotIndexedYet
from xinglin.standards.fhir.search.grammar import parse_query
from xinglin.trust import local_system

ACTOR = local_system()
SIZE = 3000


def test_a_full_disk_leaves_it_closed_and_room_lets_it_go_on(sqlite_url: str) -> None:
    records = Records(open_database(sqlite_url, durable=False))
    records.load(
        ACTOR,
        [
            json.dumps(
                {"resourceType": "Basic", "id": f"b{n}", "code": {"text": f"{n} {'x' * 150}"}}
            ).encode()
            for n in range(SIZE)
        ],
    ).run()
    body = {
        "resourceType": "SearchParameter", "id": "said", "url": "http://example.org/said", "name": "said",
        "status": "active", "description": "Text", "code": "said", "base": ["Basic"], "type": "string",
        "expression": "Basic.code.text",
    }  # fmt: skip
    records.update(ACTOR, "SearchParameter", "said", json.dumps(body).encode())
    pages = records.database.exclusively(lambda c: c.execute("PRAGMA page_count").fetchone())[0]
    records.database.exclusively(lambda c: c.execute(f"PRAGMA max_page_count = {pages + 60}").fetchone())
    with pytest.raises(Full) as refused:
        Reindex(records, 1, pace=Pace(settle_s=0)).run()
    assert refused.value.status == 507
    with pytest.raises(NotIndexedYet):
        parse_query("Basic", [("said", "1")], strict=False, known=records.known(1))
    left = count_stale(records, ACTOR)["Basic"]
    assert 0 < left < SIZE
    records.database.exclusively(lambda c: c.execute("PRAGMA max_page_count = 1000000").fetchone())
    report = Reindex(records, 1, pace=Pace(settle_s=0)).run()
    assert report["types"]["Basic"]["redrawn"] == left
    proof = report["proofs"]["Basic.said"]
    assert (proof["checked"], proof["different"], proof["with_rows"], proof["rows"]) == (SIZE, 0, SIZE, SIZE)
    query = parse_query("Basic", [("said", "17 x")], strict=True, known=records.known(1))
    assert [entry.stored.id for entry in records.search(ACTOR, query).entries] == ["b17"]
    records.close()

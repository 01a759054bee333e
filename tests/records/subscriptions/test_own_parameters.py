"""Criteria may name the tenant's own search parameters, in whatever process they were defined."""

from __future__ import annotations

import json

from subscriber import HERE, SETTINGS, Subscriber, running, shown, subscribe, until

from xinglin.kernel.database import open_database
from xinglin.records.service import Records


def _define(records: Records, expression: str = "Basic.code.text") -> None:
    body = {
        "resourceType": "SearchParameter", "id": "said", "url": "http://example.org/said", "name": "said",
        "status": "active", "description": "Text", "code": "said", "base": ["Basic"], "type": "string",
        "expression": expression,
    }  # fmt: skip
    records.update(HERE, "SearchParameter", "said", json.dumps(body).encode())


def _basic(records: Records, text: str, also: str = "") -> str:
    body = {"resourceType": "Basic", "code": {"text": text, "coding": [{"display": also or "-"}]}}
    return records.create(HERE, "Basic", json.dumps(body).encode()).id


def test_a_parameter_defined_a_moment_ago_by_another_process_is_known(
    records: Records, database_url: str
) -> None:
    with Subscriber() as subscriber, open_database(database_url, durable=False) as database:
        worker = Records(database, SETTINGS)
        worker.own.of(1)  # what it knows is at most a second old
        with running(worker):
            worker.own.look()
            _define(records)
            made = subscribe(records, "Basic?said=chest", subscriber.url)
            _basic(records, "knee pain")
            hit = _basic(records, "chest pain")
            until(lambda: subscriber.sent)
            assert shown(records, made.id)["status"] == "active"
    assert subscriber.ids() == [hit]


def test_what_a_changed_parameter_finds_is_what_is_told(small: Records) -> None:
    with Subscriber() as subscriber, running(small):
        _define(small)
        made = subscribe(small, "Basic?said=chest", subscriber.url)
        first = _basic(small, "chest")
        until(lambda: len(subscriber.sent) == 1)
        _define(small, "Basic.code.coding.display")
        small.own.look()
        _basic(small, "chest", "other")
        second = _basic(small, "other", "chest")
        until(lambda: len(subscriber.sent) == 2)
        small.delete(HERE, "SearchParameter", "said")
        small.own.look()
        until(lambda: shown(small, made.id)["status"] == "off")
    assert subscriber.ids() == [first, second]

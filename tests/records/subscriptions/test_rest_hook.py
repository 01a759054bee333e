"""REST hooks against a real subscriber: what is sent, in which order, again under the same id, and what failures do."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace

import pytest
from subscriber import HERE, SETTINGS, Subscriber, observe, running, shown, subscribe, until

from xinglin.kernel.database import open_database
from xinglin.records.service import Records
from xinglin.records.subscriptions import deliverer, repository


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock of retries, not their order."""
    monkeypatch.setattr(deliverer, "FIRST_WAIT_S", 0.05)


def test_a_match_is_sent_as_it_was_written_and_nothing_else_is(records: Records) -> None:
    with Subscriber() as subscriber, running(records):
        made = subscribe(
            records, "Observation?code=4548-4&patient=p", subscriber.url,
            channel={"header": ["Authorization: Bearer s3cret"]},
        )  # fmt: skip
        hit = observe(records)
        observe(records, code="other")
        observe(records, patient="another")
        records.update(HERE, "Observation", hit.id, hit.body)
        records.delete(HERE, "Observation", hit.id)
        observe(records)
        until(lambda: len(subscriber.sent) == 3)
        until(lambda: shown(records, made.id)["status"] == "active")
        time.sleep(0.2)
    first, second, third = subscriber.sent
    assert (first.method, first.path) == ("PUT", f"/in/Observation/{hit.id}")
    assert first.body == hit.body
    assert json.loads(second.body)["meta"]["versionId"] == "2"
    assert first.headers["content-type"].startswith("application/fhir+json")
    assert first.headers["authorization"] == "Bearer s3cret"
    assert first.headers["x-request-id"] == first.headers["idempotency-key"]
    assert len({one.headers["x-request-id"] for one in (first, second, third)}) == 3


def test_without_payload_an_empty_post_says_that_something_matched(small: Records) -> None:
    with Subscriber() as subscriber, running(small):
        subscribe(small, "Observation", subscriber.url, channel={"payload": None})
        observe(small)
        until(lambda: subscriber.sent)
    (sent,) = subscriber.sent
    assert (sent.method, sent.path, sent.body) == ("POST", "/in", b"")


def test_what_was_written_before_is_not_sent_and_everything_after_is(small: Records) -> None:
    observe(small)
    with Subscriber() as subscriber:
        subscribe(small, "Observation", subscriber.url)
        hits = [observe(small).id for _ in range(30)]
        with running(small):  # the first worker starts only now
            until(lambda: len(subscriber.sent) >= 30)
            time.sleep(0.2)
    assert subscriber.ids() == hits


def test_a_failing_subscriber_is_tried_again_in_order_under_the_same_ids(records: Records) -> None:
    with Subscriber(status=503) as subscriber, running(records):
        made = subscribe(records, "Observation", subscriber.url)
        hits = [observe(records).id for _ in range(3)]
        until(lambda: shown(records, made.id)["status"] == "error")
        assert "503" in shown(records, made.id)["error"]
        subscriber.status = 200
        until(lambda: shown(records, made.id)["status"] == "active")
        assert "error" not in shown(records, made.id)
        until(lambda: len(set(subscriber.ids())) == 3)
        time.sleep(0.2)
    assert list(dict.fromkeys(subscriber.ids())) == hits
    assert subscriber.ids()[-3:] == hits
    tries = {one.headers["x-request-id"] for one in subscriber.sent if json.loads(one.body)["id"] == hits[0]}
    assert len(tries) == 1
    assert subscriber.ids().count(hits[0]) >= 4


def test_failures_and_what_waits_survive_a_restart(small: Records, sqlite_url: str) -> None:
    with Subscriber(status=500) as subscriber:
        first = running(small).start()
        made = subscribe(small, "Observation", subscriber.url)
        hit = observe(small)
        until(lambda: shown(small, made.id)["status"] == "error")
        first.close()
        failures = len(subscriber.sent)
        subscriber.status = 200
        with Records(open_database(sqlite_url, durable=False), SETTINGS).database as database:
            other = Records(database, SETTINGS)
            with running(other):
                until(lambda: len(subscriber.sent) > failures)
                until(lambda: shown(other, made.id)["status"] == "active")
    assert subscriber.ids()[-1] == hit.id


def test_a_dead_subscriber_slows_neither_writers_nor_other_subscribers(small: Records) -> None:
    with Subscriber(delay_s=0.9) as dead, Subscriber() as alive, running(small):
        subscribe(small, "Observation", dead.url)
        subscribe(small, "Observation", alive.url)
        until(lambda: small.count(HERE)["Subscription"] == 2)
        began = time.monotonic()
        hits = [observe(small).id for _ in range(20)]
        assert time.monotonic() - began < 2
        until(lambda: len(alive.sent) == 20, 5)
        assert len(dead.sent) < 10
    assert alive.ids() == hits


def test_a_subscriber_that_never_takes_anything_is_switched_off_with_the_reason(sqlite_url: str) -> None:
    settings = replace(SETTINGS, subscription_give_up_s=1.0)
    records = Records(open_database(sqlite_url, durable=False), settings)
    with Subscriber(status=500) as subscriber, running(records):
        made = subscribe(records, "Observation", subscriber.url)
        observe(records)
        until(lambda: shown(records, made.id)["status"] == "off")
        assert "500" in shown(records, made.id)["error"]
        # Asking for it again begins anew.
        subscriber.status = 200
        body = shown(records, made.id) | {"status": "requested"}
        records.update(HERE, "Subscription", made.id, json.dumps(body).encode())
        hit = observe(records)
        until(lambda: hit.id in subscriber.ids())
        until(lambda: "error" not in shown(records, made.id))
    records.close()


def test_too_much_that_waits_switches_it_off(sqlite_url: str) -> None:
    settings = replace(SETTINGS, subscription_queue_limit=5)
    records = Records(open_database(sqlite_url, durable=False), settings)
    with Subscriber(status=500) as subscriber, running(records):
        made = subscribe(records, "Observation", subscriber.url)
        for _ in range(10):
            observe(records)
        until(lambda: shown(records, made.id)["status"] == "off")

        def cleared() -> bool:  # by the feed, once it has come to the change of status
            with records.database.read() as connection:
                return not repository.states(connection) and not repository.count_due(
                    connection, (1, made.id)
                )

        until(cleared)
    records.close()


def test_its_end_is_honoured(small: Records) -> None:
    from xinglin.kernel.clock import now_us
    from xinglin.records.writing import instant_text

    with Subscriber() as subscriber, running(small):
        made = subscribe(small, "Observation", subscriber.url, end=instant_text(now_us() + 1_500_000))
        first = observe(small)
        until(lambda: subscriber.sent)
        until(lambda: shown(small, made.id)["status"] == "off")
        observe(small)
        time.sleep(0.3)
    assert subscriber.ids() == [first.id]


def test_switched_off_or_deleted_it_is_told_nothing_more(small: Records) -> None:
    with Subscriber() as one, Subscriber() as two, running(small):
        off = subscribe(small, "Observation", one.url)
        deleted = subscribe(small, "Observation", two.url, channel={"header": ["X-A: 1"]})
        observe(small)
        until(lambda: one.sent and two.sent)
        until(lambda: shown(small, off.id)["status"] == "active")
        body = shown(small, off.id) | {"status": "off"}
        small.update(HERE, "Subscription", off.id, json.dumps(body).encode())
        small.delete(HERE, "Subscription", deleted.id)
        observe(small)

        def gone() -> bool:
            with small.database.read() as connection:
                return not repository.states(connection) and not repository.secrets(
                    connection, (1, deleted.id)
                )

        until(gone)
        time.sleep(0.2)
    assert len(one.sent) == len(two.sent) == 1


def test_redirects_are_not_followed(small: Records) -> None:
    with Subscriber(status=302) as subscriber, running(small):
        made = subscribe(small, "Observation", subscriber.url)
        observe(small)
        until(lambda: shown(small, made.id)["status"] == "error")
    assert "302" in shown(small, made.id)["error"]
    assert {one.path.partition("/Observation")[0] for one in subscriber.sent} == {"/in"}


def test_an_address_that_is_not_allowed_is_never_called(sqlite_url: str) -> None:
    settings = replace(SETTINGS, subscription_loopback=False)
    records = Records(open_database(sqlite_url, durable=False), settings)
    with Subscriber() as subscriber, running(records):
        made = subscribe(records, "Observation", subscriber.url.replace("127.0.0.1", "localhost"))
        observe(records)
        until(lambda: shown(records, made.id)["status"] == "error")
    assert subscriber.sent == []
    assert "not sent to that address" in shown(records, made.id)["error"]
    records.close()


def test_subscriptions_of_another_tenant_are_told_nothing(records: Records) -> None:
    from xinglin.trust import local_system

    records.set_tenant(2, "second", "UTC")
    with Subscriber() as subscriber, running(records):
        subscribe(records, "Observation", subscriber.url)
        first = observe(records)
        records.create(local_system(2), "Observation", first.body)
        records.update(local_system(2), "Observation", first.id, first.body)  # the same id and version
        last = observe(records)
        until(lambda: last.id in subscriber.ids())
    assert len(subscriber.sent) == 2


def test_many_writers_at_once_and_each_match_is_sent_once_in_order(small: Records) -> None:
    with Subscriber() as subscriber, running(small):
        subscribe(small, "Observation?code=4548-4", subscriber.url)

        def write() -> None:
            for number in range(50):
                observe(small, "4548-4" if number % 2 else "other")

        threads = [threading.Thread(target=write) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        until(lambda: len(subscriber.sent) >= 75)
        time.sleep(0.2)
    order = [c.id for c in small.changes(HERE, 0, 10_000) if c.type == "Observation"]
    assert subscriber.ids() == [id_ for id_ in order if id_ in set(subscriber.ids())]
    assert len(subscriber.ids()) == 75


def test_what_can_no_longer_be_understood_is_switched_off_with_the_reason(
    small: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    from xinglin.records.subscriptions import engine
    from xinglin.records.subscriptions.errors import BadSubscription

    made = subscribe(small, "Observation", "http://127.0.0.1:9/in")
    running(small).catch_up()
    assert shown(small, made.id)["status"] == "active"

    def gone(*_: object) -> None:
        raise BadSubscription("records.subscription-type")

    monkeypatch.setattr(engine.definition, "read", gone)
    observe(small)
    running(small).catch_up()
    assert shown(small, made.id)["status"] == "off"
    assert "no longer be understood" in shown(small, made.id)["error"]
    with small.database.read() as connection:
        assert repository.states(connection) == []

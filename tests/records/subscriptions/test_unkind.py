"""Subscribers that answer slowly, endlessly or not at all, and what else must neither lose a notification nor hold others up."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from subscriber import HERE, SETTINGS, Subscriber, observe, running, shown, subscribe, until

from xinglin.kernel.clock import now_us
from xinglin.kernel.database import DatabaseError, Unavailable, open_database
from xinglin.records.search.errors import SearchTooLong
from xinglin.records.service import Records
from xinglin.records.subscriptions import deliverer, engine, repository
from xinglin.records.subscriptions.delivery import Hook
from xinglin.records.subscriptions.errors import Undelivered
from xinglin.records.writing import instant_text

PROGRAM = str(Path(__file__).parent / "worker_process.py")


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock of retries, not their order."""
    monkeypatch.setattr(deliverer, "FIRST_WAIT_S", 0.05)


@contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Iterator[tuple[str, list[float]]]:
    """A subscriber that does with a connection what ``answer`` does, and when each came."""
    came: list[float] = []
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)

        def serve(sock: socket.socket) -> None:
            with sock, suppress(OSError):
                sock.recv(65536)
                answer(sock)

        def accept() -> None:
            while not over.is_set():
                with suppress(TimeoutError):
                    sock, _ = server.accept()
                    came.append(time.monotonic())
                    threading.Thread(target=serve, args=(sock,), daemon=True).start()

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/in", came
        finally:
            over.set()
            thread.join()


def dripping(sock: socket.socket) -> None:
    for byte in b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 1000:
        sock.sendall(bytes([byte]))
        time.sleep(0.1)


def dripping_body(sock: socket.socket) -> None:
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(1000):
        sock.sendall(b"x")
        time.sleep(0.1)


def going_on(sock: socket.socket) -> None:
    while True:
        sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(0.01)


def silent(sock: socket.socket) -> None:
    time.sleep(30)


def nonsense(sock: socket.socket) -> None:
    sock.sendall(b"\x15\x03\x01\x00\x02\x02\x16 no HTTP at all\r\n\r\n" * 100)


def headers_without_end(sock: socket.socket) -> None:
    sock.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        sock.sendall(b"X-A: " + b"a" * 1000 + b"\r\n")


def closing(sock: socket.socket) -> None:
    sock.close()


@pytest.mark.parametrize(
    "answer", [dripping, dripping_body, going_on, silent, nonsense, headers_without_end, closing]
)
def test_an_answer_that_does_not_come_to_its_end_in_time_is_none(
    answer: Callable[[socket.socket], None],
) -> None:
    with answering(answer) as (url, _):
        hook = Hook(url, {}, replace(SETTINGS, subscription_timeout_s=0.5))
        began = time.monotonic()
        with pytest.raises(Undelivered):
            hook.send("id", None)
        assert time.monotonic() - began < 1.5
        hook.close()


def test_an_answer_of_any_length_is_success_and_not_read_to_its_end() -> None:
    def large(sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            sock.sendall(b"x" * 65536)

    with answering(large) as (url, came):
        hook = Hook(url, {}, SETTINGS)
        hook.send("one", None)
        hook.send("two", None)
        assert len(came) == 2
        hook.close()


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_subscriber_that_closes_with_its_answer_has_taken_the_notification(version: str) -> None:
    def once(sock: socket.socket) -> None:
        sock.sendall(f"HTTP/{version} 200 OK\r\nConnection: close\r\n\r\n".encode())
        time.sleep(0.1)  # its text is a packet of its own
        sock.sendall(b"thank you")
        sock.close()

    with answering(once) as (url, came):
        hook = Hook(url, {}, SETTINGS)
        hook.send("one", None)
        hook.send("two", None)
        assert len(came) == 2
        hook.close()


def test_tls_spoken_to_who_speaks_none_and_certificates_nobody_vouches_for_are_failures() -> None:
    with Subscriber() as plain:
        hook = Hook(plain.url.replace("http:", "https:"), {}, SETTINGS)
        with pytest.raises(Undelivered) as caught:
            hook.send("id", None)
        assert "SSL" in str(caught.value)


def test_what_was_not_answered_in_time_is_not_repeated_at_once() -> None:
    with Subscriber() as slow:
        hook = Hook(slow.url, {}, replace(SETTINGS, subscription_timeout_s=0.3))
        hook.send("one", None)
        slow.delay_s = 0.6
        with pytest.raises(Undelivered):
            hook.send("two", None)
        assert [sent.headers["x-request-id"] for sent in slow.sent] == ["one", "two"]
        hook.close()


def test_a_subscriber_that_takes_but_too_slowly_is_held_to_the_limit(sqlite_url: str) -> None:
    settings = replace(SETTINGS, subscription_queue_limit=10)
    records = Records(open_database(sqlite_url, durable=False), settings)
    with Subscriber(delay_s=0.9) as slow, Subscriber() as quick, running(records):
        made, other = (subscribe(records, "Observation", each.url) for each in (slow, quick))
        until(lambda: shown(records, other.id)["status"] == "active")
        hits = []
        for _ in range(15):
            hits.append(observe(records).id)
            until(lambda: quick.ids() == hits)
        until(lambda: shown(records, made.id)["status"] == "off")
        assert "10" in shown(records, made.id)["error"]
        assert shown(records, other.id)["status"] == "active"
        with records.database.read() as connection:
            assert repository.count_due(connection, (1, made.id)) == 0
    records.close()


def test_a_limit_of_what_waits_is_none_of_what_was_delivered(sqlite_url: str) -> None:
    settings = replace(SETTINGS, subscription_queue_limit=8)
    records = Records(open_database(sqlite_url, durable=False), settings)
    with Subscriber() as subscriber, running(records):
        made = subscribe(records, "Observation", subscriber.url)
        for number in range(30):
            observe(records)
            if number % 5 == 4:
                until(lambda number=number: len(subscriber.sent) == number + 1)  # type: ignore[misc]
        assert shown(records, made.id)["status"] == "active"
    records.close()


def test_what_waits_is_dropped_in_parts_and_what_a_killed_worker_left_of_it_never_comes(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    from xinglin.records.subscriptions import status

    monkeypatch.setattr(status, "CLEARED_AT_ONCE", 7)
    with Subscriber() as subscriber:
        made = subscribe(records, "Observation", "http://127.0.0.1:9/in")
        key = (1, made.id)
        running(records).catch_up()
        for _ in range(30):
            observe(records)
        running(records).catch_up()
        body = shown(records, made.id) | {"status": "off"}
        records.update(HERE, "Subscription", made.id, json.dumps(body).encode())
        # Killed after the first part.
        records.database.write(
            lambda c: repository.clear(c, key, repository.forget(c, key, secrets=False), 7)
        )
        with records.database.read() as connection:
            assert 0 < repository.count_due(connection, key) < 30
        body |= {"status": "requested"}
        body["channel"]["endpoint"] = subscriber.url
        records.update(HERE, "Subscription", made.id, json.dumps(body).encode())
        hit = observe(records)
        with running(records):
            until(lambda: subscriber.sent)
            time.sleep(0.3)
    assert subscriber.ids() == [hit.id]


def test_a_database_that_is_away_while_a_version_is_held_against_criteria_loses_no_match(
    small: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = {"times": 0}
    context = Records.context

    def reading(self: Records, tenant: int) -> object:
        if away["times"] and threading.current_thread().name.startswith("feed"):
            away["times"] -= 1
            raise Unavailable("kernel.database-away")
        return context(self, tenant)

    with Subscriber() as subscriber, running(small):
        made = subscribe(small, "Observation?code=4548-4", subscriber.url)
        until(lambda: shown(small, made.id)["status"] == "active")
        observe(small)
        until(lambda: len(subscriber.sent) == 1)
        monkeypatch.setattr(Records, "context", reading)
        away["times"] = 2
        hit = observe(small)
        until(lambda: hit.id in subscriber.ids())
        assert away["times"] == 0


def test_a_database_that_fails_switches_no_subscription_off_and_lets_nothing_go_by(
    small: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = engine.definition.read
    failing = iter([True, True])

    def reading(*given: object) -> object:
        if next(failing, False):
            raise DatabaseError("kernel.database-failed", reason="Error")
        return read(*given)  # type: ignore[arg-type]

    with Subscriber() as subscriber:
        made = subscribe(small, "Observation", subscriber.url)
        monkeypatch.setattr(engine.definition, "read", reading)
        with running(small):
            hit = observe(small)
            until(lambda: subscriber.ids() == [hit.id])
            assert shown(small, made.id)["status"] == "active"


def test_what_is_not_allowed_any_more_is_told_all_the_same(small: Records, sqlite_url: str) -> None:
    """A resource is in the record as it was taken then, and is found by searches."""
    with Subscriber() as subscriber:
        made = subscribe(small, "Observation?code=4548-4", subscriber.url)
        body = {
            "resourceType": "Observation", "status": "final", "note": [{"text": "x" * 3000}],
            "code": {"coding": [{"system": "http://loinc.org", "code": "4548-4"}]},
        }  # fmt: skip
        large = small.create(HERE, "Observation", json.dumps(body).encode())
        settings = replace(SETTINGS, body_limit_bytes=1024)
        with open_database(sqlite_url, durable=False) as database, running(Records(database, settings)):
            until(lambda: shown(small, made.id)["status"] == "active")
            until(lambda: subscriber.ids() == [large.id])


def test_an_id_that_is_used_again_keeps_the_header_values_it_was_written_with(records: Records) -> None:
    with Subscriber() as subscriber:
        body = {
            "resourceType": "Subscription", "id": "s", "status": "requested", "reason": "test",
            "criteria": "Observation",
            "channel": {"type": "rest-hook", "endpoint": subscriber.url, "header": ["X-A: first"]},
        }  # fmt: skip
        records.update(HERE, "Subscription", "s", json.dumps(body).encode())
        records.delete(HERE, "Subscription", "s")
        body["channel"]["header"] = ["X-A: second"]  # type: ignore[index]
        records.update(HERE, "Subscription", "s", json.dumps(body).encode())
        with running(records):
            observe(records)
            until(lambda: subscriber.sent)
        assert subscriber.sent[0].headers["x-a"] == "second"
        records.delete(HERE, "Subscription", "s")
        running(records).catch_up()
        with records.database.read() as connection:
            assert repository.secrets(connection, (1, "s")) == {}


def test_criteria_that_cannot_be_asked_switch_their_own_subscription_off_and_no_other(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = Records.search

    def too_long(self: Records, actor: object, query: object, *more: object) -> object:
        if threading.current_thread().name.startswith("feed"):
            raise SearchTooLong("records.search-too-long", seconds="30")
        return search(self, actor, query, *more)  # type: ignore[arg-type]

    with Subscriber() as subscriber, running(records):
        costly = subscribe(records, "Observation?patient.name=x", subscriber.url)
        fine = subscribe(records, "Observation?code=4548-4", subscriber.url)
        until(lambda: shown(records, fine.id)["status"] == "active")
        monkeypatch.setattr(Records, "search", too_long)
        hit = observe(records)
        until(lambda: subscriber.ids() == [hit.id])
        until(lambda: shown(records, costly.id)["status"] == "off")
        assert "30 s" in shown(records, costly.id)["error"]
        second = observe(records)
        until(lambda: subscriber.ids() == [hit.id, second.id])
        assert shown(records, fine.id)["status"] == "active"


def test_what_is_written_after_its_end_is_not_told_though_it_was_not_switched_off_yet(small: Records) -> None:
    with Subscriber() as subscriber:
        end_us = now_us() + 300_000
        subscribe(small, "Observation", "http://127.0.0.1:9/in", end=instant_text(end_us))
        first = observe(small)
        until(lambda: now_us() > end_us + 1000)
        observe(small)
        running(small).catch_up()
        with small.database.read() as connection:
            (state,) = repository.states(connection)
            due = repository.due(connection, state.key, 10)
    assert [one[3] for one in due] == [first.id]
    assert subscriber.sent == []


def test_a_leap_second_is_an_end(small: Records) -> None:
    made = subscribe(small, "Observation", "http://127.0.0.1:9/in", end="2036-12-31T23:59:60Z")
    running(small).catch_up()
    assert shown(small, made.id)["status"] == "active"


def test_a_worker_ends_soon_though_a_subscriber_does_not_answer(small: Records, sqlite_url: str) -> None:
    settings = replace(SETTINGS, subscription_timeout_s=20.0)
    with answering(silent) as (url, came), open_database(sqlite_url, durable=False) as database:
        consumers = running(Records(database, settings)).start()
        made = subscribe(small, "Observation", url)
        hit = observe(small)
        until(lambda: came)
        began = time.monotonic()
        consumers.close()
        assert time.monotonic() - began < 4
        with small.database.read() as connection:
            assert [one[3] for one in repository.due(connection, (1, made.id), 10)] == [hit.id]
            (state,) = repository.states(connection)
        assert state.failures == 0  # it was we who hung up


def test_an_outage_is_logged_once_by_the_deliveries(small: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    import structlog.testing

    monkeypatch.setattr(deliverer, "LOOK_S", 0.02)
    reading = deliverer.repository.states
    away = threading.Event()

    def states(connection: object) -> object:
        if away.is_set() and threading.current_thread().name.startswith("beside"):
            raise Unavailable("kernel.database-away")
        return reading(connection)  # type: ignore[arg-type]

    monkeypatch.setattr(deliverer.repository, "states", states)
    with structlog.testing.capture_logs() as logged, running(small):
        time.sleep(0.3)
        away.set()
        time.sleep(0.5)
        away.clear()
        until(lambda: "back" in [one["event"] for one in logged])
    told = [one["event"] for one in logged if one.get("source") == "subscriptions"]
    assert told == ["waiting", "back"]


def test_what_comes_after_one_that_is_refused_waits_behind_it(small: Records) -> None:
    with Subscriber() as subscriber:
        subscribe(small, "Observation", subscriber.url)
        hits = [observe(small).id for _ in range(5)]
        subscriber.refuses = {hits[2]}
        with running(small):
            until(lambda: subscriber.ids().count(hits[2]) >= 3)
            assert set(subscriber.ids()) == set(hits[:3])
            subscriber.refuses = set()
            until(lambda: subscriber.ids()[-1] == hits[4])
    taken = [id_ for place, id_ in enumerate(subscriber.ids()) if id_ not in subscriber.ids()[place + 1 :]]
    assert taken == hits


def test_what_comes_by_again_after_a_crash_from_before_the_subscription_is_not_told(records: Records) -> None:
    observe(records)
    made = subscribe(records, "Observation", "http://127.0.0.1:9/in")
    hit = observe(records)

    def due() -> list[str]:
        with records.database.read() as connection:
            return [one[3] for one in repository.due(connection, (1, made.id), 10)]

    running(records).catch_up()
    assert due() == [hit.id]
    records.database.write(lambda c: c.execute("UPDATE consumer SET position = 0"))
    running(records).catch_up()
    assert due() == [hit.id]


@pytest.mark.slow
def test_two_hundred_dead_subscribers_slow_neither_writers_nor_who_answers(sqlite_url: str) -> None:
    records = Records(open_database(sqlite_url), SETTINGS)

    def rate() -> float:
        began = time.monotonic()
        for _ in range(50):
            observe(records)
        return 50 / (time.monotonic() - began)

    with answering(silent) as (url, came), Subscriber() as alive:
        subscribe(records, "Observation", alive.url)
        for number in range(200):
            subscribe(records, "Observation?code=4548-4", url if number % 2 else "http://127.0.0.1:9/in")
        late = subscribe(records, "Observation", alive.url + "/late")
        alone = max(rate() for _ in range(3))
        worker = subprocess.Popen([sys.executable, PROGRAM, sqlite_url], stderr=subprocess.DEVNULL)
        try:
            until(lambda: shown(records, late.id)["status"] == "active", 60)
            beside = max(rate() for _ in range(3))
            hit = observe(records)
            until(lambda: alive.ids().count(hit.id) == 2, 60)
        finally:
            worker.kill()
            worker.wait()
        assert len(came) > 50
    records.close()
    assert beside > alone / 3, (alone, beside)

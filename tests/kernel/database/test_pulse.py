"""Whoever waits is woken by the commit of any process."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from xinglin.kernel.database import open_database

_WRITER = """
import sys, time
from xinglin.kernel.database import open_database
def unit(connection):
    connection.announce()
    connection.execute("UPDATE beats SET n = n + 1")
with open_database(sys.argv[1]) as database:
    for line in sys.stdin:
        database.write(unit)
        print(time.time(), flush=True)
"""


def _table(database):
    database.exclusively(lambda c: c.execute("CREATE TABLE beats (n INTEGER)"))
    database.write(lambda c: c.execute("INSERT INTO beats VALUES (0)"))


def _add(connection) -> None:
    connection.announce()
    connection.execute("UPDATE beats SET n = n + 1")


def test_a_commit_of_this_process_wakes_at_once(database_url: str) -> None:
    with open_database(database_url) as database:
        _table(database)
        pulse = database.pulse()
        threading.Timer(0.1, lambda: database.write(_add)).start()
        began = time.monotonic()
        assert pulse.wait(5)
        assert time.monotonic() - began < 1


def test_what_was_committed_between_two_waits_is_not_lost(database_url: str) -> None:
    with open_database(database_url) as database:
        _table(database)
        pulse = database.pulse()
        database.write(_add)
        assert pulse.wait(0)


def test_nothing_wakes_where_nothing_is_committed(database_url: str) -> None:
    with open_database(database_url) as database:
        _table(database)
        database.pulse().wait(0.2)  # the watch sees what was committed before it began, once
        pulse = database.pulse()
        began = time.monotonic()
        assert not pulse.wait(0.3)
        assert time.monotonic() - began >= 0.3


def test_a_commit_of_another_process_wakes_soon(database_url: str) -> None:
    with open_database(database_url) as database:
        _table(database)
        other = subprocess.Popen(
            [sys.executable, "-c", _WRITER, database_url],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert other.stdin is not None
        assert other.stdout is not None
        waits = []
        try:
            pulse = database.pulse()
            for _ in range(10):
                while pulse.wait(0.1):
                    pass
                other.stdin.write("\n")
                other.stdin.flush()
                assert pulse.wait(10)
                woken = time.time()
                waits.append(woken - float(other.stdout.readline()))
        finally:
            other.stdin.close()
            other.wait(10)
        assert sorted(waits)[5] < 0.05, waits


def test_stop_ends_a_wait_at_once(database_url: str) -> None:
    with open_database(database_url) as database:
        _table(database)
        pulse, stop = database.pulse(), threading.Event()
        threading.Timer(0.1, lambda: (stop.set(), pulse.wake())).start()
        began = time.monotonic()
        assert not pulse.wait(30, stop) or time.monotonic() - began < 5
        assert time.monotonic() - began < 5


def test_a_closed_database_ends_every_wait(database_url: str) -> None:
    database = open_database(database_url)
    pulse = database.pulse()
    thread = threading.Thread(target=pulse.wait, args=(60,))
    thread.start()
    time.sleep(0.05)
    database.close()
    thread.join(5)
    assert not thread.is_alive()


@pytest.mark.postgres
def test_a_lost_connection_is_replaced_and_others_are_heard_again(postgres_url: str) -> None:
    import psycopg

    with open_database(postgres_url) as database, open_database(postgres_url) as other:
        _table(database)
        pulse = database.pulse()
        pulse.wait(0.1)
        with psycopg.connect(postgres_url, autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND pid <> pg_backend_pid()"
            )
        assert pulse.wait(5)  # a hint, because what was announced meanwhile was not heard
        time.sleep(1.5)
        while pulse.wait(0.2):
            pass
        began = time.monotonic()
        other.write(_add)
        assert pulse.wait(5)
        assert time.monotonic() - began < 0.5

"""The database port: reads, units of work, group commit, errors; on both databases."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from xinglin.kernel.database import (
    BadAddress,
    Connection,
    Database,
    DatabaseError,
    Unavailable,
    WrongKey,
    open_database,
    postgresql,
    writer,
)
from xinglin.kernel.database.dialect import translate


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with open_database(database_url, durable=False) as opened:
        opened.exclusively(lambda c: c.execute("CREATE TABLE t (n BIGINT PRIMARY KEY, word TEXT)"))
        yield opened


def _add(number: int, word: str = "x"):
    def unit(connection: Connection) -> int:
        connection.execute("INSERT INTO t VALUES (?, ?)", (number, word))
        return number

    return unit


def _numbers(database: Database) -> list[int]:
    with database.read() as connection:
        return [row[0] for row in connection.execute("SELECT n FROM t ORDER BY n")]


def test_a_written_row_is_read_back(database: Database) -> None:
    assert database.write(_add(1, "50 % of '?'")) == 1
    with database.read() as connection:
        found = connection.execute("SELECT word FROM t WHERE n = ? AND word <> '?%'", (1,)).fetchone()
    assert found == ("50 % of '?'",)


def test_a_failing_unit_leaves_nothing_and_its_neighbours_stay(database: Database) -> None:
    barrier = threading.Barrier(9)

    def run(number: int) -> int:
        def unit(connection: Connection) -> int:
            _add(number)(connection)
            if number % 3 == 0:
                raise ValueError(number)
            return number

        barrier.wait()
        return database.write(unit)

    with ThreadPoolExecutor(9) as pool:
        answers = [pool.submit(run, number) for number in range(9)]
    failed = [n for n, answer in enumerate(answers) if isinstance(answer.exception(), ValueError)]
    assert failed == [0, 3, 6]
    assert _numbers(database) == [1, 2, 4, 5, 7, 8]


def test_a_database_error_in_one_unit_does_not_touch_the_others(database: Database) -> None:
    database.write(_add(5))
    with ThreadPoolExecutor(12) as pool:
        answers = [pool.submit(database.write, _add(number)) for number in range(12)]
    assert [n for n, answer in enumerate(answers) if answer.exception()] == [5]
    assert _numbers(database) == list(range(12))


def test_a_snapshot_does_not_see_later_writes(database: Database) -> None:
    database.write(_add(1))
    with database.read() as connection:
        before = connection.execute("SELECT count(*) FROM t").fetchone()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(database.write, _add(2)).result()
        assert connection.execute("SELECT count(*) FROM t").fetchone() == before
    assert _numbers(database) == [1, 2]


def test_bulk_insert(database: Database) -> None:
    rows = [(n, f"tab\t back\\slash {n} 张\n") for n in range(1000)]
    database.write(lambda connection: connection.insert("t", ("n", "word"), rows))
    with database.read() as connection:
        assert connection.execute("SELECT n, word FROM t ORDER BY n").fetchall() == rows


def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(DatabaseError), database.read() as connection:
        _add(1)(connection)
    assert _numbers(database) == []


def test_a_unit_that_writes_through_the_writer_fails_rather_than_hangs(database: Database) -> None:
    with pytest.raises(RuntimeError, match="wait for itself"):
        database.write(lambda _: database.write(_add(1)))


def test_after_close_a_write_is_refused_as_unavailable(database_url: str) -> None:
    database = open_database(database_url)
    database.close()
    with pytest.raises(Unavailable):
        database.write(_add(1))


@pytest.mark.parametrize("url", ["nonsense", "mysql://host/db", "sqlite:////no/such/folder/x.db"])
def test_an_unusable_address_is_named(url: str) -> None:
    with pytest.raises(BadAddress):
        open_database(url)


def test_translation_leaves_quoted_text_and_comments_alone() -> None:
    sql = """SELECT "a?b", 'it''s ?', x % 2 -- what?
    FROM t WHERE y = ? AND z LIKE '%'"""
    assert (
        translate(sql)
        == """SELECT "a?b", 'it''s ?', x %% 2 -- what?
    FROM t WHERE y = %s AND z LIKE '%%'"""
    )


class _Counting:
    """A journal that counts commits."""

    def __init__(self) -> None:
        self.commits = 0

    def begin(self, connection: Connection, changed: bool) -> None: ...

    def unit_begin(self) -> None: ...

    def unit_end(self, connection: Connection) -> None: ...

    def unit_undone(self) -> None: ...

    def before_commit(self, connection: Connection) -> None: ...

    def committed(self) -> None:
        self.commits += 1

    def undone(self) -> None: ...


def _hold(database: Database) -> tuple[threading.Event, Future[bool]]:
    """Keep the writer busy until the event is set."""
    begun, held = threading.Event(), threading.Event()

    def unit(_: Connection) -> bool:
        begun.set()
        return held.wait(30)

    future = database.submit(unit)
    begun.wait(30)
    return held, future


def test_waiting_callers_share_one_commit(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "BATCH_S", 10.0)
    journal = _Counting()
    database.attach(journal)
    held, first = _hold(database)
    others = [database.submit(_add(number)) for number in range(40)]
    held.set()
    assert first.result() is True
    assert [other.result() for other in others] == list(range(40))
    assert journal.commits == 2
    assert _numbers(database) == list(range(40))


def test_a_long_unit_does_not_make_all_that_wait_behind_it_wait_for_each_other(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = _Counting()
    database.attach(journal)
    held, first = _hold(database)
    slow = [database.submit(lambda _: time.sleep(0.06)) for _ in range(4)]
    held.set()
    first.result()
    for one in slow:
        one.result()
    assert journal.commits == 5  # each took longer than a batch may last


def _sleeping(seconds: float, then: Callable[[], object] = lambda: None) -> Callable[[Connection], None]:
    def unit(_: Connection) -> None:
        then()
        time.sleep(seconds)

    return unit


def test_bulk_work_shares_a_commit_on_sqlite_while_nobody_else_waits(
    database: Database, sqlite_url: str
) -> None:
    journal = _Counting()
    database.attach(journal)
    held, first = _hold(database)
    slow = [database.submit(_sleeping(0.06), bulk=True) for _ in range(4)]
    last = database.submit(_add(1), bulk=True)
    held.set()
    first.result()
    assert [*(one.result() for one in slow), last.result()] == [None, None, None, None, 1]
    assert journal.commits == (2 if database.dialect == "sqlite" else 6)  # the first unit is not of bulk work


def test_whoever_comes_during_bulk_work_waits_for_one_unit_of_it(database: Database) -> None:
    held, first = _hold(database)
    other: list[Future[int]] = []
    done: list[str] = []

    def come() -> None:
        with ThreadPoolExecutor(1) as thread:
            other.append(thread.submit(database.submit, _add(1)).result())

    units = [
        lambda _: None,
        _sleeping(0.06, come),
        _sleeping(0.06),
        _sleeping(0.06),
        _sleeping(0.06),
    ]
    futures = [database.submit(unit, bulk=True) for unit in units]
    for place, future in enumerate(futures):
        future.add_done_callback(lambda _, place=place: done.append(f"bulk {place}"))  # type: ignore[misc]
    held.set()
    first.result()
    futures[1].result()  # committed at once when the other came
    other[0].result()
    assert done[:2] == ["bulk 0", "bulk 1"]
    assert "bulk 3" not in done
    futures[4].result()
    assert done == [f"bulk {place}" for place in range(5)]


def test_bulk_work_and_others_queued_together_do_not_share_more_than_a_moment(database: Database) -> None:
    journal = _Counting()
    database.attach(journal)
    held, first = _hold(database)
    mixed = [database.submit(_sleeping(0.06), bulk=place > 0) for place in range(3)]
    held.set()
    first.result()
    mixed[0].result()
    assert journal.commits == 2  # the holder, then the one that is not of bulk work, alone
    mixed[2].result()


def test_bulk_work_goes_on_while_others_always_wait(database: Database) -> None:
    held, first = _hold(database)
    others: list[Future[None]] = []

    def again() -> None:
        if len(others) < 12:
            with ThreadPoolExecutor(1) as thread:
                others.append(thread.submit(database.submit, _sleeping(0.06, again)).result())

    before: list[int] = []
    again()
    bulk = database.submit(lambda _: before.append(len(others)), bulk=True)
    held.set()
    first.result()
    bulk.result()
    assert before[0] < 4


def test_what_is_queued_is_written_before_closing(database_url: str) -> None:
    database = open_database(database_url)
    database.exclusively(lambda c: c.execute("CREATE TABLE t (n BIGINT PRIMARY KEY, word TEXT)"))
    waiting = [database.submit(_add(number)) for number in range(20)]
    database.close()
    assert [one.result() for one in waiting] == list(range(20))
    with open_database(database_url) as again:
        assert _numbers(again) == list(range(20))


def test_an_encrypted_file_opens_under_its_key_only(sqlite_url: str) -> None:
    with open_database(sqlite_url, key="it's a secret") as database:
        database.exclusively(lambda c: c.execute("CREATE TABLE t (n BIGINT PRIMARY KEY, word TEXT)"))
        database.write(_add(1, "plainly readable words"))
        assert _numbers(database) == [1]
    path = sqlite_url.removeprefix("sqlite:///")
    with open(path, "rb") as file:
        assert b"plainly readable" not in file.read()
    for key in (None, "another"):
        with pytest.raises(WrongKey):
            open_database(sqlite_url, key=key)
    with open_database(sqlite_url, key="it's a secret") as database:
        assert _numbers(database) == [1]


def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_bytes(b"Dear hospital, " * 1000)
    with pytest.raises(WrongKey):
        open_database(f"sqlite:///{path}")
    assert path.read_bytes() == b"Dear hospital, " * 1000


def test_a_missing_file_is_not_made_where_it_should_be_there(sqlite_url: str) -> None:
    with pytest.raises(BadAddress):
        open_database(sqlite_url, create=False)


def test_a_password_is_never_shown(postgres_url: str) -> None:
    with open_database(postgres_url.replace("xinglin@", "xinglin:secret@")) as database:
        assert "secret" not in database.url
    with pytest.raises(Unavailable) as refused:
        open_database("postgresql://xinglin:secret@127.0.0.1:1/none")
    assert "secret" not in str(refused.value)


def test_another_process_holding_the_write_lock_is_a_clear_refusal(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from xinglin.kernel.database import sqlite

    monkeypatch.setattr(sqlite, "BUSY_S", 0.1)
    with open_database(sqlite_url) as one, open_database(sqlite_url) as other:
        one.exclusively(lambda c: c.execute("CREATE TABLE t (n BIGINT PRIMARY KEY, word TEXT)"))
        held, release = threading.Event(), threading.Event()

        def hold(connection: Connection) -> None:
            held.set()
            release.wait(30)

        waiting = one.submit(hold)
        held.wait(30)
        with pytest.raises(Unavailable) as refused:
            other.write(_add(1))
        assert refused.value.status == 503
        release.set()
        waiting.result()
        assert other.write(_add(1)) == 1


@pytest.mark.postgres
def test_postgresql_syncs_before_it_answers_even_where_its_default_is_not_to(postgres_url: str) -> None:
    for durable, setting in ((True, "on"), (False, "off")):
        with open_database(postgres_url, durable=durable) as database:
            found = database.exclusively(lambda c: c.execute("SHOW synchronous_commit").fetchone())
            assert found == (setting,)


def test_a_writer_that_stands_still_in_a_transaction_holds_nobody_up_for_long(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "IDLE_MOST_S", 1)
    with open_database(postgres_url) as halted:
        halted.exclusively(lambda c: c.execute("CREATE TABLE t (n BIGINT PRIMARY KEY, word TEXT)"))
        halted.write(_add(1))
        pauses, begun = [4.0, 0.0], threading.Event()

        def unit(connection: Connection) -> None:
            connection.execute("UPDATE t SET word = word || '+' WHERE n = 1")
            begun.set()
            time.sleep(pauses.pop(0))
            connection.execute("UPDATE t SET word = word || '!' WHERE n = 1")

        slow = halted.submit(unit)
        begun.wait(30)
        with open_database(postgres_url) as other:
            started = time.monotonic()
            other.write(lambda c: c.execute("UPDATE t SET word = 'y' WHERE n = 1").close())
            assert time.monotonic() - started < 3.5  # it did not wait for the other to wake
        slow.result()  # done anew, once, over what was written meanwhile
        with halted.read() as connection:
            assert connection.execute("SELECT word FROM t").fetchone() == ("y+!",)


def test_text_that_postgresql_cannot_hold_is_not_taken_for_a_lost_connection(postgres_url: str) -> None:
    with open_database(postgres_url) as database:
        with pytest.raises(DatabaseError) as refused:
            database.write(lambda c: c.execute("SELECT ?", ("a\0b",)).fetchone())
        assert not isinstance(refused.value, Unavailable)
        assert database.write(lambda c: c.execute("SELECT 1").fetchone()) == (1,)

"""The database port: reads, units of work, group commit, errors; on both databases."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from xinglin.kernel.database import (
    BadAddress,
    Connection,
    Database,
    DatabaseError,
    Unavailable,
    open_database,
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

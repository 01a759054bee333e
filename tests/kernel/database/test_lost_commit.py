"""The connection is lost while PostgreSQL commits: whether it has is not known, and doing the work twice is not the answer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import pytest

from xinglin.kernel.database import Connection, Unavailable, open_database

pytestmark = pytest.mark.postgres


@contextmanager
def losing_an_answer_to_commit(url: str, lose: threading.Event) -> Iterator[str]:
    """The address of a way to the server on which, once ``lose`` is set, the connection breaks as a COMMIT is answered."""
    parts = urlsplit(url)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def carry(
            source: socket.socket, target: socket.socket, committing: threading.Event, ours: bool
        ) -> None:
            with suppress(OSError):
                while data := source.recv(65536):
                    if ours and b"COMMIT" in data:
                        committing.set()
                    if not ours and committing.is_set() and lose.is_set():
                        lose.clear()
                        break
                    if not ours:  # before the answer goes on: the next COMMIT may come at once
                        committing.clear()
                    target.sendall(data)
            for end in (source, target):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listening.accept()
                    server = socket.create_connection((parts.hostname or "", parts.port or 0))
                    committing = threading.Event()
                    for ends in ((client, server, committing, True), (server, client, committing, False)):
                        threading.Thread(target=carry, args=ends, daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        here = f"{parts.username}@127.0.0.1:{listening.getsockname()[1]}"
        try:
            yield parts._replace(netloc=here).geturl()
        finally:
            listening.shutdown(socket.SHUT_RDWR)


def _note(word: str):
    def unit(connection: Connection) -> None:
        connection.execute("INSERT INTO noted VALUES (?)", (word,))

    return unit


def test_what_may_have_been_committed_is_not_done_again(postgres_url: str) -> None:
    lose = threading.Event()
    with (
        losing_an_answer_to_commit(postgres_url, lose) as way,
        open_database(way) as database,
        open_database(postgres_url) as plain,
    ):
        plain.exclusively(lambda c: c.execute("CREATE TABLE noted (word TEXT)"))
        lose.set()
        with pytest.raises(Unavailable):
            database.write(_note("alone"))
        begun, held = threading.Event(), threading.Event()
        first = database.submit(lambda _: bool(begun.set()) or held.wait(30))
        begun.wait(30)
        together: list[Future[None]] = [database.submit(_note(word)) for word in ("one", "two")]
        first.add_done_callback(lambda _: lose.set())
        held.set()
        assert first.result()
        for one in together:
            with pytest.raises(Unavailable):
                one.result()
        database.write(_note("after"))
        with plain.read() as connection:
            words = [row[0] for row in connection.execute("SELECT word FROM noted ORDER BY word")]
        assert words == ["after", "alone", "one", "two"]

"""Full text follows the commits: found after a load, gone after a deletion, never another tenant's."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from xinglin.kernel.database import open_database
from xinglin.records.fulltext import Follower
from xinglin.records.fulltext.words import vector, words
from xinglin.records.service import Records
from xinglin.standards.fhir.search.grammar import parse_query
from xinglin.trust import Actor, local_system

HERE, THERE = local_system(1), local_system(2)


@pytest.fixture
def records(database_url: str) -> Iterator[Records]:
    opened = Records(open_database(database_url, durable=False))
    yield opened
    opened.close()


def note(id_: str, text: str, narrative: str | None = None) -> bytes:
    body: dict[str, object] = {"resourceType": "Basic", "id": id_, "code": {"text": text}}
    if narrative:
        div = f'<div xmlns="http://www.w3.org/1999/xhtml"><p>{narrative}</p></div>'
        body["text"] = {"status": "generated", "div": div}
    return json.dumps(body).encode()


def found(records: Records, parameter: str, text: str, actor: Actor = HERE) -> set[str]:
    query = parse_query("Basic", [(parameter, text)], strict=True)
    return {entry.stored.id for entry in records.search(actor, query).entries}


def test_words_of_text_and_narrative_are_found_in_both_languages(records: Records) -> None:
    records.update(
        HERE, "Basic", "a", note("a", "Chronic kidney disease", "慢性肾病 &amp; high blood pressure")
    )
    records.update(HERE, "Basic", "b", note("b", "2型糖尿病伴并发症"))
    records.update(THERE, "Basic", "a", note("a", "糖尿病"))
    assert found(records, "_content", "kidney") == set()
    follower = Follower(records.database)
    assert follower.catch_up() == 3
    assert follower.behind() == 0
    assert found(records, "_content", "KIDNEY") == {"a"}
    assert found(records, "_content", "糖尿病") == {"b"}
    assert found(records, "_content", "病糖") == set()
    assert found(records, "_content", "pressure") == {"a"}
    assert found(records, "_text", "pressure") == {"a"}
    assert found(records, "_text", "肾病") == {"a"}
    assert found(records, "_text", "kidney") == set()
    assert found(records, "_content", "糖尿病", THERE) == {"a"}


def test_a_change_replaces_the_words_and_a_deletion_takes_them(records: Records) -> None:
    follower = Follower(records.database)
    records.update(HERE, "Basic", "a", note("a", "asthma"))
    records.update(HERE, "Basic", "a", note("a", "eczema"))
    follower.catch_up()
    assert found(records, "_content", "asthma") == set()
    assert found(records, "_content", "eczema") == {"a"}
    records.update(HERE, "Basic", "a", note("a", "psoriasis"))
    follower.catch_up()
    assert (found(records, "_content", "eczema"), found(records, "_content", "psoriasis")) == (set(), {"a"})
    records.delete(HERE, "Basic", "a")
    follower.catch_up()
    assert found(records, "_content", "psoriasis") == set()
    assert follower.catch_up() == 0


def test_two_followers_share_the_work(records: Records) -> None:
    records.load(HERE, [note(f"n{number}", f"word{number}") for number in range(1500)], batch=100).run()
    with Follower(records.database), Follower(records.database):
        Follower(records.database).catch_up()
    Follower(records.database).catch_up()
    for number in (0, 99, 100, 777, 1499):
        assert found(records, "_content", f"word{number}") == {f"n{number}"}


def test_a_follower_in_the_background_can_be_stopped_and_started_again(records: Records) -> None:
    import time

    for word in ("first", "second"):
        records.fulltext.start()
        records.update(HERE, "Basic", "a", note("a", word))
        deadline = time.monotonic() + 20
        while not found(records, "_content", word):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        records.fulltext.close()
    records.update(HERE, "Basic", "a", note("a", "third"))
    assert records.fulltext.behind() == 1


def test_addresses_and_data_are_no_words() -> None:
    body = b'{"resourceType":"Binary","id":"x1","contentType":"text/plain","data":"aGVsbG8="}'
    assert words(body) == ("", "")


def test_a_very_long_text_stays_within_what_postgresql_takes() -> None:
    assert vector("a " * 100_000).count(",") == 254
    assert (
        max(
            map(
                int,
                vector(" ".join(map(str, range(20_000)))).replace("'", " ").replace(":", " ").split()[1::2],
            )
        )
        == 16_000
    )

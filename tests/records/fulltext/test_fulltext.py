"""Full text follows the commits: found after a load, gone after a deletion, never another tenant's."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator

import pytest

from xinglin.kernel.database import Connection, open_database
from xinglin.records.fulltext import Follower
from xinglin.records.fulltext.notes import MOST_BYTES
from xinglin.records.fulltext.words import MOST_CHARACTERS, vector, words
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


def document(id_: str, data: bytes, content_type: str = "text/plain") -> bytes:
    attachment = {"contentType": content_type, "data": b64encode(data).decode()}
    body = {
        "resourceType": "DocumentReference",
        "id": id_,
        "status": "current",
        "content": [{"attachment": attachment}],
    }
    return json.dumps(body).encode()


def documents(records: Records, text: str) -> set[str]:
    query = parse_query("DocumentReference", [("_content", text)], strict=True)
    return {entry.stored.id for entry in records.search(HERE, query).entries}


def test_notes_inside_documents_are_found_in_both_languages(records: Records) -> None:
    html = "<html><style>p {color: teal}</style><p>肾病&amp;高<b>血压</b></p><!-- asthma --></html>"
    lines = [
        document("zh", "入院记录：2型糖尿病。".encode()),
        document("en", b"Discharged with chronic kidney disease."),
        document("gbk", "糖尿病肾病".encode("gbk"), 'text/plain; charset="GB2312"'),
        document("unsaid", "患者诉头痛".encode("gbk")),
        document("html", html.encode("utf-16"), "text/html;charset=utf-16"),
        document("pdf", b"diabetes", "application/pdf"),
    ]
    records.load(HERE, lines).run()
    Follower(records.database).catch_up()
    assert documents(records, "糖尿病") == {"zh", "gbk"}
    assert documents(records, "KIDNEY") == {"en"}
    assert documents(records, "头痛") == {"unsaid"}
    assert documents(records, "肾病") == {"gbk", "html"}
    for absent in ("teal", "asthma", "diabetes", "html"):
        assert documents(records, absent) == set()


def test_a_record_followed_by_older_rules_gets_its_notes(records: Records) -> None:
    from xinglin.records.fulltext import repository

    records.update(HERE, "DocumentReference", "zh", document("zh", "糖尿病".encode()))
    follower = Follower(records.database)
    follower.catch_up()

    def older(connection: Connection) -> None:
        rids = {row[0]: 1 for row in connection.execute("SELECT rid FROM resource").fetchall()}
        repository.replace(connection, rids, [])
        connection.execute("DELETE FROM meta WHERE key = 'fulltext_version'")

    records.database.write(older)
    assert documents(records, "糖尿病") == set()
    assert follower.behind() == 1
    follower.catch_up()
    assert documents(records, "糖尿病") == {"zh"}
    assert follower.behind() == 0


def test_a_note_of_odd_encoding_or_length_is_read_as_far_as_it_can_be() -> None:
    assert "asthma" in words(document("a", b"asthma", "text/plain; charset=punycode"))[1]
    assert "asthma" in words(document("a", b"asthma", "text/plain; charset=base64"))[1]
    assert "asthma" in words(document("a", b"asthma \xff\xff", "text/plain"))[1]
    text = ("病" * (MOST_BYTES // 3 + 10)).encode()
    found = words(document("a", text))[1].split()
    assert MOST_CHARACTERS - 100 < found.count("病") < MOST_CHARACTERS


@pytest.mark.parametrize("open_", ["<script ", "<!-- ", "<", "<p "])
def test_markup_that_is_never_closed_takes_no_longer_than_other_text(open_: str) -> None:
    import time

    body = document("a", open_.encode() * (MOST_BYTES // len(open_)), "text/html")
    began = time.monotonic()
    words(body)
    assert time.monotonic() - began < 10

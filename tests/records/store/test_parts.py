"""The small parts of the store: cursors, bodies, clipped text."""

from __future__ import annotations

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from xinglin.records import bodies
from xinglin.records.clip import LONGEST_CODE, clip_code, clip_text
from xinglin.records.cursors import Cursors
from xinglin.records.errors import BadCursor
from xinglin.records.writing import stamp
from xinglin.standards.fhir.edit import with_meta

CURSORS = Cursors(b"k" * 32)


@given(st.lists(st.one_of(st.none(), st.integers(-(2**60), 2**60), st.text())), st.text())
def test_a_cursor_gives_back_what_was_sealed(content: list[object], scope: str) -> None:
    sealed = CURSORS.seal(content, scope)
    assert CURSORS.open(sealed, scope) == content
    assert sealed.isascii()
    assert not set("+/=&?# ") & set(sealed)


@given(st.integers(0, 200), st.integers(0, 63))
def test_a_changed_cursor_is_refused(place: int, letter: int) -> None:
    sealed = CURSORS.seal(["x" * 100, 12345], "scope")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    place %= len(sealed) - 1  # the last letter has unused bits
    changed = sealed[:place] + alphabet[letter] + sealed[place + 1 :]
    if changed == sealed:
        return
    with pytest.raises(BadCursor):
        CURSORS.open(changed, "scope")


def test_a_cursor_of_another_scope_or_record_is_refused() -> None:
    sealed = CURSORS.seal([1], "one")
    with pytest.raises(BadCursor):
        CURSORS.open(sealed, "two")
    with pytest.raises(BadCursor):
        Cursors(b"j" * 32).open(sealed, "one")


def test_a_cursor_does_not_show_what_it_holds() -> None:
    import base64

    raw = base64.urlsafe_b64decode(CURSORS.seal(["secret", 4711], "s") + "==")
    assert b"secret" not in raw
    assert b"4711" not in raw


@given(st.binary(max_size=5000))
def test_bodies_survive_compression(body: bytes) -> None:
    assert bodies.decompress(bodies.compress(body)) == body


def test_a_frame_names_its_dictionary_and_one_without_is_still_read() -> None:
    body = b'{"resourceType":"Observation","status":"final"}'
    assert zstandard.get_frame_parameters(bodies.compress(body)).dict_id == bodies.CURRENT
    assert bodies.decompress(zstandard.compress(body)) == body


def test_bodies_are_read_from_several_threads() -> None:
    from concurrent.futures import ThreadPoolExecutor

    frames = [bodies.compress(b"%d" % number * 50) for number in range(500)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(bodies.decompress, frames)) == [b"%d" % number * 50 for number in range(500)]


@given(st.text(max_size=600), st.text(max_size=600))
def test_clipped_codes_are_equal_only_if_the_codes_are(one: str, other: str) -> None:
    def comparable(text: str) -> str:
        return text.replace("\0", "\ufffd")

    assert (clip_code(one) == clip_code(other)) == (comparable(one) == comparable(other))
    assert len(clip_code(one)) <= LONGEST_CODE
    assert "\0" not in clip_code(one) + clip_text(one)


@pytest.mark.parametrize(
    "body",
    [
        b'{"resourceType":"Basic","id":"1"}',
        b'{"resourceType":"Basic","id":"1","code":{"text":"\\"meta\\":{"}}',
        b'{"resourceType":"Basic","id":"1","meta":{"profile":["http://p"]},"code":{"text":"x"}}',
        b'{"resourceType":"Basic","id":"1","meta":{"versionId":"7","profile":["http://p"]}}',
        b'{"resourceType":"Basic","id":"1","meta":{"lastUpdated":"2001-01-01T00:00:00Z"}}',
        b'{"id":"1","resourceType":"Basic"}',
        b'{"resourceType":"Basic","id":"2"}',
        b'{"resourceType":"Basic"}',
        b'{"resourceType":"Basic","id":"1","contained":[{"resourceType":"Basic","meta":{"profile":["http://p"]}}]}',
        b'{"resourceType":"Basic","id":"1","contained":[{"resourceType":"Basic"}],"meta":{"profile":["http://p"]}}',
    ],
)
def test_the_quick_way_to_set_meta_gives_what_the_careful_one_gives(body: bytes) -> None:
    when = "2024-02-29T00:00:00.000Z"
    careful = with_meta(body, "1", "3", when)
    if body.startswith(b'{"resourceType":"Basic","id":"1"') and b'"contained"' in body:
        import json

        assert json.loads(stamp(body, "Basic", "1", 3, when)) == json.loads(careful)
    else:
        assert stamp(body, "Basic", "1", 3, when) == careful

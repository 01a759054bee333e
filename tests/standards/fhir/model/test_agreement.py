"""The decoder's pass and the descriptive pass say the same of any input: accepted if and only if nothing is found."""

from __future__ import annotations

import gzip
import random
from functools import cache

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paths import shared
from standards.fhir.model.mutations import mutate
from standards.fhir.model.samples import ALL, text
from xinglin.standards.fhir.errors import Invalid
from xinglin.standards.fhir.findings import Finding
from xinglin.standards.fhir.parse import minify, parse, parse_minified
from xinglin.standards.fhir.validate import tier1

SAMPLES = [text(resource) for resource in ALL.values()]


@cache
def synthea() -> list[bytes]:
    return gzip.decompress(shared("fhir", "synthea_100.ndjson.gz").read_bytes()).splitlines()


def agree(body: bytes) -> bool:
    """Whether the body is accepted; fails where the two passes differ."""
    errors = [f for f in tier1(body) if f.is_error]
    refused: list[Finding] = []
    try:
        parse(body)
    except Invalid as error:
        refused = error.findings
    assert all(f.message_key != "standards.fhir-unreadable" for f in refused), body[:300]
    assert bool(refused) is bool(errors), (errors[:3], body[:300])
    return not refused


def test_the_passes_agree_on_samples_changed_at_random() -> None:
    accepted = sum(agree(mutate(SAMPLES[seed % len(SAMPLES)], seed)) for seed in range(3000))
    assert 200 < accepted < 2800  # both outcomes are met often


def test_the_passes_agree_on_real_resources_changed_at_random() -> None:
    lines = random.Random(7).sample(synthea(), 1500)
    accepted = sum(agree(mutate(line, seed)) for seed, line in enumerate(lines))
    assert 100 < accepted < 1400


@given(st.integers(0, 2**48), st.sampled_from(SAMPLES))
@settings(max_examples=300, deadline=None)
def test_the_passes_agree(seed: int, body: bytes) -> None:
    agree(mutate(body, seed))


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_no_bytes_raise_anything_but_invalid(junk: bytes) -> None:
    agree(junk)  # by chance it may even be a resource


@given(st.integers(0, 2**48), st.data())
@settings(max_examples=200, deadline=None)
def test_a_body_with_bytes_changed_is_judged_alike(seed: int, data: st.DataObject) -> None:
    body = bytearray(SAMPLES[seed % len(SAMPLES)])
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    agree(bytes(body))


@pytest.mark.slow
def test_synthea_is_accepted_and_read_back_equal() -> None:
    encode = msgspec.json.Encoder(decimal_format="number").encode
    for line in synthea():
        resource, small = parse_minified(line)
        assert (
            msgspec.json.decode(encode(resource)) == msgspec.json.decode(small) == msgspec.json.decode(line)
        )


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)
))  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_minified_json_is_the_same_json(value: object) -> None:
    import json

    pretty = json.dumps(value, indent=2, ensure_ascii=False).encode()
    assert json.loads(minify(pretty)) == value
    assert minify(pretty) == json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def test_minify_keeps_lexemes_escapes_and_order() -> None:
    body = b'{ "b" : 1.10 ,\n "a":"\\u4e2d\\/" , "c": [ 1e5 , -0.0 ] }'
    assert minify(body) == b'{"b":1.10,"a":"\\u4e2d\\/","c":[1e5,-0.0]}'


@pytest.mark.parametrize("unit", ["x", '"', "\\", "中", "😀", "\n"])
@pytest.mark.parametrize(("length", "accepted"), [(2**20, True), (2**20 + 1, False)])
def test_a_string_may_have_a_mebi_of_characters_however_written(
    unit: str, length: int, accepted: bool
) -> None:
    import json

    basic = {"resourceType": "Basic", "code": {"text": unit * length}}
    assert agree(json.dumps(basic).encode()) is accepted
    assert agree(json.dumps(basic, ensure_ascii=False).encode()) is accepted


def test_large_data_is_no_string() -> None:
    assert agree(b'{"resourceType":"Binary","contentType":"text/plain","data":"' + b"QUJD" * 400_000 + b'"}')

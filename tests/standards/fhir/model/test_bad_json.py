"""JSON that is no JSON, and strings that break programs: refused politely or kept exactly, never an accident."""

from __future__ import annotations

import json

import msgspec
import pytest

from paths import SHARED_DATA, shared
from standards.fhir.model.samples import ALL, text
from xinglin.standards.fhir.errors import Invalid
from xinglin.standards.fhir.findings import Finding
from xinglin.standards.fhir.parse import parse, parse_minified
from xinglin.standards.fhir.validate import tier1

FOLDER = SHARED_DATA / "security" / "badinput" / "json_parsing"
FILES = sorted(p.name for p in FOLDER.glob("*.json")) or ["absent"]


@pytest.mark.parametrize("name", FILES)
def test_json_parsing_file_is_refused_with_reasons(name: str) -> None:
    body = shared("security", "badinput", "json_parsing", name).read_bytes()
    with pytest.raises(Invalid) as refused:
        parse(body)
    assert refused.value.findings
    assert refused.value.status == 400
    assert refused.value.say("zh")


@pytest.mark.parametrize("name", FILES)
def test_json_parsing_file_inside_a_resource_is_judged_without_accident(name: str) -> None:
    value = shared("security", "badinput", "json_parsing", name).read_bytes()
    for body in (
        b'{"resourceType":"Patient","multipleBirthInteger":' + value + b"}",
        b'{"resourceType":"Basic","code":{"text":"x"},"extension":[{"url":"u","valueDecimal":'
        + value
        + b"}]}",
        b'{"resourceType":"Patient","name":[{"text":' + value + b"}]}",
        b'{"resourceType":"Patient","contact":[' + value + b"]}",
    ):
        refused: list[Finding] = []
        try:
            assert msgspec.json.encode(parse(body))
        except Invalid as error:
            refused = error.findings
        assert all(f.message_key != "standards.fhir-unreadable" for f in refused)
        assert refused or not name.startswith("n_")


def places(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The path of every string in a resource."""
    if isinstance(value, str):
        return [path]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, inner in items for found in places(inner, (*path, key))]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ALL)
def test_naughty_strings_in_every_string_field_are_kept_or_refused(kind: str) -> None:
    naughty: list[str] = json.loads(shared("security", "badinput", "blns.json").read_bytes())
    accepted = 0
    refused: list[Invalid] = []
    for path in places(ALL[kind]):
        resource = json.loads(text(ALL[kind]))
        holder = resource
        for step in path[:-1]:
            holder = holder[step]
        for string in naughty:
            holder[path[-1]] = string
            body = json.dumps(resource, ensure_ascii=len(string) % 2 == 0).encode("utf-8", "surrogatepass")
            try:
                parsed, small = parse_minified(body)
            except Invalid as error:
                refused.append(error)
                continue
            accepted += 1
            assert json.loads(small) == resource
            assert json.loads(msgspec.json.Encoder(decimal_format="number").encode(parsed)) == resource
    assert accepted > 1000
    assert all(error.say(language) for error in refused for language in ("en", "zh"))


def test_a_finding_of_a_naughty_name_does_not_repeat_it() -> None:
    body = json.dumps({"resourceType": "Patient", "<script>alert(1)</script>": 1}).encode()
    assert "script" not in "".join(f.say("en") + f.expression for f in tier1(body))

"""Drafts over REST and on the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from apps.api.conftest import running
from drafts.patients import DOCTOR, Ward
from xinglin.apps.cli.main import main
from xinglin.drafts import Draft
from xinglin.kernel.database import open_database
from xinglin.quality.rule import look
from xinglin.records.service import Records

SERVICE_TYPES = {"content-type": "application/fhir+json"}


def make(url: str) -> tuple[Draft, Draft]:
    """A correction of a glucose, and a risk computed from a blood pressure."""
    records = Records(open_database(url, durable=False))
    try:
        ward = Ward(records)
        ward.result("glucose", "99", "mmol/L", "14771-0")
        ward.result("bp")
        [correction] = look(records, DOCTOR, "glucose")
        return correction, ward.propose("Observation/bp")
    finally:
        records.close()


@pytest.fixture
def served(sqlite_url: str) -> Iterator[tuple[httpx.Client, Draft, Draft]]:
    correction, risk = make(sqlite_url)
    with running(sqlite_url) as address, httpx.Client(base_url=address, timeout=30) as client:
        yield client, correction, risk


@pytest.fixture(scope="module")
def one_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, Draft, Draft]]:
    """For what must change nothing."""
    url = f"sqlite:///{tmp_path_factory.mktemp('drafts') / 'x.db'}"
    correction, risk = make(url)
    with running(url) as address, httpx.Client(base_url=address, timeout=30) as client:
        yield client, correction, risk


def parameters(**values: object) -> bytes:
    parts = [
        {"name": name, **({"resource": value} if isinstance(value, dict) else {"valueString": value})}
        for name, value in values.items()
    ]
    return json.dumps({"resourceType": "Parameters", "parameter": parts}).encode()


def test_open_drafts_are_listed_with_what_they_would_change(
    served: tuple[httpx.Client, Draft, Draft],
) -> None:
    client, correction, risk = served
    page = client.get("/api/drafts", headers={"accept-language": "zh"}).json()
    assert {one["reference"] for one in page["drafts"]} == {correction.reference, risk.reference}
    told = next(one for one in page["drafts"] if one["reference"] == correction.reference)
    changes = {one["path"]: (one["before"], one["after"]) for one in told["changes"]}
    assert changes["valueQuantity.value"] == (99, 5.5)
    assert told["patient"] == {"id": "p", "name": "张伟"}
    assert "葡萄糖 99 mmol/L：超出该单位下的可能范围（0.3～60）。仅按 99 mg/dL 计" in told["reason"]
    assert told["inputs"] == [
        {
            "reference": "Observation/glucose/_history/1",
            "title": "14771-0",
            "code": {"coding": [{"system": "http://loinc.org", "code": "14771-0"}]},
            "value": "99 mmol/L",
            "now": "99 mmol/L",
        }
    ]
    assert len(client.get("/api/drafts", params={"patient": "p"}).json()["drafts"]) == 2
    assert client.get("/api/drafts", params={"patient": "q"}).json()["drafts"] == []
    assert client.get("/api/drafts", params={"state": "nonsense"}).status_code == 400
    assert client.get("/api/drafts", params={"count": "0"}).status_code == 400
    assert client.get("/api/drafts/Patient/p").status_code == 404
    assert len(client.get("/api/drafts/reasons").json()["reasons"]) == 6


def test_decisions_are_operations(served: tuple[httpx.Client, Draft, Draft]) -> None:
    client, correction, risk = served
    at = f"/fhir/{correction.reference}"
    seen = client.get(at).headers["etag"]
    assert client.post(f"{at}/$accept", headers={"if-match": 'W/"7"'}).status_code == 412
    done = client.post(
        f"{at}/$accept", headers={"if-match": seen, **SERVICE_TYPES}, content=parameters(note="ok")
    )
    assert (done.status_code, done.json()["status"], done.headers["etag"]) == (200, "completed", 'W/"2"')
    assert client.get("/fhir/Observation/glucose").json()["valueQuantity"]["value"] == 5.5
    again = client.post(f"{at}/$accept", headers={"accept-language": "zh"})
    assert again.status_code == 409
    assert "已被采纳" in again.text
    other = f"/fhir/{risk.reference}"
    assert (
        client.post(f"{other}/$reject", headers=SERVICE_TYPES, content=parameters(code="no")).status_code
        == 422
    )
    assert client.post(f"{other}/$amend", headers=SERVICE_TYPES, content=b"{}").status_code == 400
    assert client.post(f"{other}/$amend").status_code == 422
    content = {**client.get(other).json(), "note": [{"text": "seen"}]}
    amended = client.post(
        f"{other}/$amend", headers=SERVICE_TYPES, content=parameters(resource=content, version="1")
    )
    assert (amended.status_code, amended.json()["status"]) == (200, "final")
    told = client.get("/api/drafts/feedback").json()["decisions"]
    assert [one["decision"] for one in told] == ["amend", "accept"]
    assert told[0]["changed"] == ["note"]
    assert client.post("/fhir/Patient/p/$accept").status_code == 404


def raw(*parts: object) -> bytes:
    return json.dumps({"resourceType": "Parameters", "parameter": list(parts)}).encode()


def setting(path: object, value: object, *more: dict) -> dict:
    return {
        "name": "set",
        "part": [{"name": "path", "valueString": path}, {"name": "value", "valueString": value}, *more],
    }


@pytest.mark.parametrize(
    ("operation", "sent", "status"),
    [
        (
            "accept",
            raw({"name": "resource", "resource": {"resourceType": "Task"}}),
            422,
        ),  # an edit, in the wrong place
        ("accept", raw({"name": "comment", "valueString": "x"}), 422),
        ("accept", raw({"name": "note", "valueString": "x"}, {"name": "note", "valueString": "y"}), 422),
        ("accept", raw({"name": "note", "valueInteger": 3}), 400),
        ("accept", raw({"name": "note", "valueString": "x" * 4001}), 422),
        ("accept", raw({"name": "version", "valueString": "²"}), 400),
        ("accept", raw({"name": "version", "valueString": "9" * 5000}), 400),
        ("accept", raw({"name": "version", "valueInteger": 0}), 400),
        ("accept", raw({"name": "version", "valueInteger": 999}), 412),
        ("accept", raw("note"), 400),
        ("accept", raw({"valueString": "x"}), 400),
        ("accept", b'{"resourceType":"Parameters","parameter":{"name":"note"}}', 400),
        ("accept", b'{"resourceType":"Parameters","parameter":7}', 400),
        ("accept", b"[]", 400),
        ("accept", b'{"resourceType":"Patient"}', 400),
        ("accept", b"\xff\xfe", 400),
        ("accept", b"[" * 100_000, 400),
        ("amend", raw(), 422),
        ("amend", raw(setting("valueQuantity.value", "5.6"), setting("valueQuantity.value", "5.7")), 400),
        ("amend", raw(setting("valueQuantity.value", "5.6", {"name": "unit", "valueString": "g"})), 400),
        ("amend", raw(setting(3, "5.6")), 400),
        ("amend", raw(setting("valueQuantity.value", "1e5")), 422),
        ("amend", raw(setting("valueQuantity.value", "NaN")), 422),
        ("amend", raw(setting("valueQuantity", "5.6")), 422),
        ("amend", raw(setting("nothing.there", "x")), 422),
        ("amend", raw(setting("status[0]", "x")), 422),
        ("amend", raw(setting("status", "")), 400),
        ("amend", raw(setting("", "x")), 422),
        ("amend", raw(setting("code.coding[²].code", "x")), 422),
        ("amend", raw(setting("code.coding[99999999999999999999].code", "x")), 422),
        ("amend", raw(setting("subject.reference", "Patient/q")), 422),
        ("amend", raw(setting("resourceType", "Patient")), 422),
        ("amend", raw(setting("." * 100_000, "x")), 422),
        ("amend", raw({"name": "resource", "resource": {"resourceType": "Patient"}}), 422),
        (
            "amend",
            raw({"name": "resource", "resource": {"resourceType": "Observation", "status": "nonsense"}}),
            422,
        ),
        (
            "amend",
            raw(
                {"name": "resource", "resource": {"resourceType": "Observation"}}, setting("status", "final")
            ),
            422,
        ),
        ("reject", raw(), 422),
        ("reject", raw({"name": "code", "valueCode": "other"}), 422),
        ("reject", raw({"name": "code", "valueCode": "other"}, {"name": "text", "valueString": " "}), 422),
        ("reject", raw({"name": "reason", "valueCode": "incorrect"}), 422),
    ],
)
def test_what_is_sent_wrongly_is_refused_and_decides_nothing(
    one_server: tuple[httpx.Client, Draft, Draft], operation: str, sent: bytes, status: int
) -> None:
    client, correction, _ = one_server
    at = f"/fhir/{correction.reference}"
    done = client.post(f"{at}/${operation}", headers=SERVICE_TYPES, content=sent)
    assert (done.status_code, done.json()["resourceType"]) == (status, "OperationOutcome"), done.text
    assert len(done.json()["issue"][0]["diagnostics"]) > 15
    assert client.get(at).headers["etag"] == 'W/"1"'
    assert client.get("/fhir/Observation/glucose").headers["etag"] == 'W/"1"'


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/drafts?patient=p,q", 422),
        ("/api/drafts?patient=", 422),
        ("/api/drafts?after=nonsense", 400),
        ("/api/drafts?count=x", 400),
        ("/api/drafts?count=%C2%B2", 400),
        ("/api/drafts?state=", 400),
        ("/api/drafts/feedback?since=yesterday", 400),
        ("/api/drafts/feedback?since=2026-13", 400),
        ("/api/drafts/feedback?count=0", 400),
        ("/api/drafts/feedback?model=%00", 200),
        ("/api/drafts/Nonsense/x", 404),
        ("/api/drafts/Task/none", 404),
        ("/api/drafts/Task/a%20b", 422),
        ("/fhir/Observation/bp/$rests-on?version=0", 422),
        ("/fhir/Observation/bp/$rests-on?version=7", 404),
        ("/fhir/Observation/bp/$rests-on?version=99999999999999999999", 422),
        ("/fhir/Observation/bp/$rests-on?version=1&version=2", 400),
        ("/fhir/Observation/bp/$computed-from?of=1", 400),
    ],
)
def test_what_is_asked_wrongly_says_so(
    one_server: tuple[httpx.Client, Draft, Draft], path: str, status: int
) -> None:
    client, _, _ = one_server
    done = client.get(path)
    assert done.status_code == status, done.text
    if status >= 400:
        assert done.json()["resourceType"] == "OperationOutcome"


def test_a_test_named_in_chinese_only_can_be_looked_up_by_every_reader() -> None:
    from xinglin.drafts.view import title

    code = {"coding": [{"system": "http://loinc.org", "code": "14771-0"}], "text": "空腹血糖"}
    assert title({"resourceType": "Observation", "code": code}, "en") == "空腹血糖 (14771-0)"
    assert title({"resourceType": "Observation", "code": code}, "zh") == "空腹血糖"
    code["coding"][0]["display"] = "Fasting glucose"  # type: ignore[index]
    assert title({"resourceType": "Observation", "code": code}, "en") == "Fasting glucose"


def test_any_version_may_be_named_as_any(served: tuple[httpx.Client, Draft, Draft]) -> None:
    client, correction, risk = served
    assert client.post(f"/fhir/{correction.reference}/$accept", headers={"if-match": "*"}).status_code == 200
    two = {"if-match": 'W/"1"', **SERVICE_TYPES}
    sent = raw({"name": "version", "valueInteger": 2})
    assert client.post(f"/fhir/{risk.reference}/$accept", headers=two, content=sent).status_code == 422


def test_a_direct_write_over_a_draft_says_what_to_do(served: tuple[httpx.Client, Draft, Draft]) -> None:
    client, _, risk = served
    at = f"/fhir/{risk.reference}"
    for language, word in (("zh", "待处理的草稿"), ("en", "$accept")):
        done = client.put(
            at,
            headers={**SERVICE_TYPES, "accept-language": language},
            json={**client.get(at).json(), "status": "final"},
        )
        assert (done.status_code, done.json()["issue"][0]["code"]) == (409, "business-rule")
        assert word in done.text
    patch = [{"op": "replace", "path": "/status", "value": "final"}]
    sent = {"content-type": "application/json-patch+json"}
    assert client.patch(at, headers=sent, content=json.dumps(patch)).status_code == 409
    tag = {"system": "urn:xinglin:draft", "code": "open"}
    meta = {
        "resourceType": "Parameters",
        "parameter": [{"name": "meta", "valueMeta": {"tag": [tag]}}],
    }
    assert client.post(f"{at}/$meta-delete", headers=SERVICE_TYPES, json=meta).status_code == 409
    assert client.get(at).headers["etag"] == 'W/"1"'


def test_the_graph_is_a_searchset(served: tuple[httpx.Client, Draft, Draft]) -> None:
    client, _, risk = served
    bundle = client.get(f"/fhir/{risk.reference}/$rests-on").json()
    modes = [(one["search"]["mode"], one["resource"]["resourceType"]) for one in bundle["entry"]]
    assert modes == [("match", "Observation"), ("include", "Provenance")]
    built = client.get("/fhir/Observation/bp/$computed-from", params={"version": "1"}).json()
    assert built["entry"][0]["resource"]["id"] == risk.ref.id
    assert client.get("/fhir/Observation/bp/$computed-from", params={"version": "x"}).status_code == 422
    assert client.get("/fhir/Observation/none/$rests-on").status_code == 404
    statement = client.get("/fhir/metadata").text
    assert "rests-on" in statement
    assert "draft-accept" in statement


def test_the_command_line_lists_shows_and_decides(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "ward.db"
    correction, risk = make(f"sqlite:///{place}")

    def say(*words: str, code: int = 0, language: str = "zh") -> str:
        assert main(["drafts", *words, "--database", str(place), "--language", language]) == code
        said = capsys.readouterr()
        return said.out + said.err

    listed = say()
    assert "99 mmol/L" in listed
    assert "5.5 mmol/L" in listed
    assert "valueQuantity.value" in say("show", correction.reference)
    assert "--reason" in say("reject", risk.reference, code=2)
    assert "已驳回" in say("reject", risk.reference, "--reason", "incorrect")
    assert "Accepted" in say("accept", correction.reference, language="en")
    assert "已被采纳" in say("accept", correction.reference, code=1)
    assert "Observation/glucose/_history/1" in say("rests-on", "Observation/glucose")
    assert "Observation/glucose/_history/2" in say("computed-from", "Observation/glucose")
    assert len(json.loads(say("feedback", "--json"))["decisions"]) == 2
    assert "没有待处理的草稿" in say("list")
    assert say("nonsense", code=2)
    assert say("show", code=2)
    assert say("show", "nonsense", code=1)


def test_listing_capabilities_loads_no_record() -> None:
    import subprocess
    import sys

    code = "import sys; import xinglin.drafts.capability, xinglin.quality.capability; print('xinglin.records' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_python_has_the_same(tmp_path: Path) -> None:
    import xinglin as xl

    place = tmp_path / "ward.db"
    correction, risk = make(f"sqlite:///{place}")
    with xl.open(place) as record:
        drafts = record.drafts()
        assert {one.reference for one in drafts} == {correction.reference, risk.reference}
        assert list(record.drafts("q")) == []
        drafts.amend(correction.reference, {"valueQuantity.value": "5.60"}, note="Asked the laboratory.")
        assert str(record.read("Observation/glucose")["valueQuantity"]["value"]) == "5.60"
        assert drafts.reject(risk.reference, "not-relevant").state == "rejected"
        assert [one.decision for one in drafts.feedback()] == ["reject", "amend"]
        assert drafts.rests_on(risk.reference).edges[-1].entity.name == "Observation/bp"
        assert drafts.computed_from("Observation/bp").edges[0].target.id == risk.ref.id

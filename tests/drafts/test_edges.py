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
    assert "葡萄糖 99 mmol/L：超出该单位下的可能范围（0.5～60）。仅按 99 mg/dL 计" in told["reason"]
    assert told["inputs"] == [
        {
            "reference": "Observation/glucose/_history/1",
            "title": "14771-0",
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

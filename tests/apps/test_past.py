"""The record as it was, from Python and from the command line, on a database and on a server."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

import xinglin as xl
from xinglin.apps.cli.main import main
from xinglin.apps.notebook import Record
from xinglin.kernel.errors import XinglinError


@pytest.fixture(params=["embedded", "server"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("XINGLIN_DATA", str(tmp_path / "data"))
    if request.param == "embedded":
        yield str(tmp_path / "x.db")
        return
    command = [sys.executable, "-m", "xinglin.apps.cli.main", "serve", "--database", str(tmp_path / "x.db")]
    server = subprocess.Popen([*command, "--port", "0", "--json"], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield json.loads(server.stdout.readline())["address"]
    finally:
        server.terminate()
        server.wait(15)


def observation(value: int, day: str = "2020-01-01") -> dict[str, object]:
    return {
        "resourceType": "Observation", "id": "o1", "status": "final", "code": {"text": "x"}, "effectiveDateTime": day,
        "subject": {"reference": "Patient/p1"}, "valueQuantity": {"value": value},
        "performer": [{"reference": "Practitioner/d1"}],
    }  # fmt: skip


def made(record: Record) -> datetime:
    """Two versions of an observation; an instant between them."""
    record.save({"resourceType": "Patient", "id": "p1"})
    record.save({"resourceType": "Practitioner", "id": "d1"})
    record.save(observation(1))
    time.sleep(0.01)
    between = datetime.now(UTC)
    time.sleep(0.01)
    record.save(observation(2))
    return between


def test_the_record_as_it_was(place: str) -> None:
    with xl.open(place) as record:
        between = made(record)
        then = record.as_of(between)
        assert then.read("Observation/o1")["valueQuantity"]["value"] == 1
        assert [one["valueQuantity"]["value"] for one in then.search("Observation", patient="p1")] == [1]
        assert then.search("Observation", patient="p1").total() == 1
        assert {one.reference for one in then.everything("Patient/p1")} == {
            "Patient/p1", "Observation/o1", "Practitioner/d1",
        }  # fmt: skip
        assert {one.reference for one in record.everything("p1", _type="Observation")} == {"Observation/o1"}
        assert list(record.as_of(valid="2019").search("Observation", patient="p1")) == []
        both = record.as_of(between, valid="2020-01-01").search("Observation", patient="p1", _count=1)
        assert [one["id"] for one in both] == ["o1"]
        with pytest.raises(XinglinError):
            record.as_of("2001-01-01").read("Observation/o1")
        with pytest.raises(XinglinError):
            list(then.search("Observation", code="x"))
        with pytest.raises(XinglinError):
            record.as_of()
        with pytest.raises(XinglinError):
            record.save(then.read("Observation/o1"))
        assert record.read("Observation/o1")["valueQuantity"]["value"] == 2


def test_the_command_line_looks_back(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    with xl.open(place) as record:
        between = made(record).isoformat()
    asked = ["search", "Observation?patient=p1", "--format", "ndjson", "--database", place]
    assert main([*asked, "--known", between]) == 0
    assert json.loads(capsys.readouterr().out)["valueQuantity"]["value"] == 1
    assert main([*asked, "--valid", "2019-12-31"]) == 0
    assert capsys.readouterr().out == ""
    assert main(["search", "Observation?code=x", "--known", between, "--database", place]) != 0
    assert "patient" in capsys.readouterr().err

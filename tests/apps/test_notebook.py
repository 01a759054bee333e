"""The record from Python: one interface for an open database and for a running server."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import xinglin as xl
from xinglin.apps.flat import flat
from xinglin.apps.notebook import Record, Resource
from xinglin.kernel.errors import XinglinError


@pytest.fixture(params=["embedded", "server"])
def record(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Record]:
    monkeypatch.setenv("XINGLIN_DATA", str(tmp_path / "data"))
    if request.param == "embedded":
        with xl.open(tmp_path / "x.db") as opened:
            yield opened
        return
    command = [
        sys.executable,
        "-m",
        "xinglin.apps.cli.main",
        "serve",
        "--database",
        str(tmp_path / "x.db"),
        "--port",
        "0",
        "--json",
    ]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        with xl.open(json.loads(server.stdout.readline())["address"]) as opened:
            yield opened
    finally:
        server.terminate()
        server.wait(15)


def observation(value: str, patient: str = "p1") -> str:
    return (
        '{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"4548-4"}],"text":"HbA1c"},'
        f'"subject":{{"reference":"Patient/{patient}"}},"valueQuantity":{{"value":{value},"unit":"%","system":"http://unitsofmeasure.org","code":"%"}}}}'
    )


def test_what_is_saved_is_read_with_its_digits(record: Record) -> None:
    saved = record.save(observation("7.10"))
    assert saved["id"]
    assert saved.version == 1
    read = record.read(saved.reference)
    assert read["valueQuantity"]["value"] == Decimal("7.10")
    assert str(read["valueQuantity"]["value"]) == "7.10"
    assert '"value":7.10' in read.json()
    assert str(record.save(read | {"status": "amended"})["valueQuantity"]["value"]) == "7.10"


def test_a_resource_changed_by_someone_else_is_not_overwritten(record: Record) -> None:
    mine = record.save({"resourceType": "Patient", "active": True})
    record.save(mine | {"gender": "male"})
    with pytest.raises(XinglinError):
        record.save(mine | {"gender": "female"})
    assert record.read(mine.reference)["gender"] == "male"


def test_a_search_is_lazy_paged_and_counted_on_request(record: Record) -> None:
    for number in range(25):
        record.save(
            {
                "resourceType": "Patient",
                "id": f"p{number}",
                "name": [{"text": "张伟" if number % 2 else "李娜"}],
            }
        )
    search = record.search("Patient", name="zhangwei", _count=5)
    assert search.total() == 12
    assert [len(page) for page in search.pages()] == [5, 5, 2]
    assert {patient.text("name") for patient in search} == {"张伟"}
    assert len(list(record.search("Patient"))) == 25
    assert record.search("Patient", **{"name:exact": "李娜"}).first() is not None
    assert record.search("Patient", name="nobody").first() is None
    assert record.search("Patient", birthdate=["ge1900", "lt2000"]).total() == 0
    with pytest.raises(TypeError):
        len(search)  # type: ignore[arg-type]


def test_what_is_included_comes_beside_the_matches(record: Record) -> None:
    record.save({"resourceType": "Patient", "id": "p1"})
    record.save(observation("7"))
    record.save(observation("8"))
    search = record.search("Observation", _include="Observation:subject", _count=1)
    assert [resource.reference for resource in search.included()] == ["Patient/p1"]
    assert len(list(search)) == 2


def test_a_search_becomes_a_frame_with_exact_decimals(record: Record) -> None:
    pandas = pytest.importorskip("pandas")
    record.save(observation("7.10"))
    record.save(observation("8"))
    frame = record.search("Observation", code="4548-4", _sort="value-quantity").to_frame()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame["value"].astype(str)) == ["7.10", "8"]
    assert set(frame["value.unit"]) == {"%"}
    assert list(record.search("Observation").to_frame(columns=["code", "subject"], limit=1).columns) == [
        "code",
        "subject",
    ]
    assert record.search("Patient").to_frame().empty


def test_history_is_newest_first_and_knows_deletions(record: Record) -> None:
    saved = record.save({"resourceType": "Patient", "gender": "male"})
    record.save(saved | {"gender": "female"})
    record.delete(saved.reference)
    versions = record.history(saved.reference)
    assert [version.number for version in versions] == [3, 2, 1]
    assert [version.resource and version.resource["gender"] for version in versions] == [
        None,
        "female",
        "male",
    ]
    assert record.read(saved.reference, version=1)["gender"] == "male"
    with pytest.raises(XinglinError):
        record.read(saved.reference)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda record: record.read("Patient/none"),
        lambda record: record.read("Patient"),
        lambda record: record.read("Patient/1", version="x"),
        lambda record: record.save({"resourceType": "Patient", "gender": "x"}),
        lambda record: record.save("{"),
        lambda record: record.save({"name": "x"}),
        lambda record: list(record.search("Patient", nam="x")),
        lambda record: list(record.search("Nothing")),
        lambda record: record.history("Patient/none"),
        lambda record: record.import_("none.csv"),
    ],
)
def test_whatever_goes_wrong_is_a_xinglin_error_in_both_languages(record: Record, wrong: Any) -> None:
    with pytest.raises(XinglinError) as caught:
        wrong(record)
    assert caught.value.say("en")
    assert any("一" <= character <= "鿿" for character in caught.value.say("zh"))


def test_files_are_imported(record: Record, tmp_path: Path) -> None:
    lines = tmp_path / "a.ndjson"
    lines.write_text(
        "".join(f'{{"resourceType":"Patient","id":"p{n}"}}\n' for n in range(3))
        + '{"resourceType":"Patient","id":"q","gender":"x"}\n'
    )
    report = record.import_(lines)
    assert (report.totals.taken, report.totals.rejected) == (3, 1)
    assert record.import_(lines).totals.unchanged == 3
    bundle = tmp_path / "b.json"
    measured = json.loads(observation("7")) | {"subject": {"reference": "urn:uuid:u"}}
    sent: list[tuple[str, dict[str, Any]]] = [("u", {"resourceType": "Patient"}), ("o", measured)]
    entries = [
        {
            "fullUrl": f"urn:uuid:{id_}",
            "resource": body,
            "request": {"method": "POST", "url": body["resourceType"]},
        }
        for id_, body in sent
    ]
    bundle.write_text(json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries}))
    assert record.import_(bundle).totals.taken == 2
    assert record.import_(bundle).totals.unchanged == 2
    measured["status"] = "wrong"
    bundle.write_text(json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries}))
    assert record.import_(bundle).totals.rejected == 2
    table = tmp_path / "c.csv"
    table.write_text("病案号,姓名\nA1,张伟\n", encoding="utf-8")
    with pytest.raises(XinglinError, match="mapping"):
        record.import_(table)
    assert record.import_(table, yes=True).totals.taken == 1
    mapping = tmp_path / "m.toml"
    mapping.write_text(
        '[columns]\n"病案号" = "patient.record_number"\n"姓名" = "patient.name"\n', encoding="utf-8"
    )
    assert record.import_(table, mapping=mapping).totals.unchanged == 1


def test_notebooks_show_tables_with_their_content_escaped(record: Record) -> None:
    record.save({"resourceType": "Patient", "name": [{"text": "<script>alert(1)</script>"}]})
    search = record.search("Patient")
    html = search._repr_html_() + next(iter(search))._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "Search Patient" in repr(search)


def test_the_demonstration_hospital_is_opened_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XINGLIN_DATA", str(tmp_path))
    monkeypatch.setattr("xinglin.apps.hospital.PATIENTS", 2)
    with xl.open("demo") as record:
        assert record.search("Patient").total() == 2


def test_a_server_that_is_not_there_is_an_error() -> None:
    with pytest.raises(XinglinError, match="No server answers"):
        list(xl.open("http://127.0.0.1:9").search("Patient"))


@pytest.mark.parametrize(
    ("resource", "row"),
    [
        ({"valueQuantity": {"value": 1, "comparator": "<", "unit": "g"}}, {"value": "<1", "value.unit": "g"}),
        ({"valueCodeableConcept": {"coding": [{"code": "c", "display": "d"}]}}, {"value": "d"}),
        (
            {"effectivePeriod": {"start": "2020", "end": "2021"}},
            {"effective.start": "2020", "effective.end": "2021"},
        ),
        ({"name": [{"family": "Smith", "given": ["J", "K"]}, {"text": "JS"}]}, {"name": "J K Smith; JS"}),
        ({"name": [{"family": "张", "given": ["伟"]}]}, {"name": "张伟"}),
        ({"telecom": [{"system": "phone", "value": "1"}]}, {"telecom": "1"}),
        ({"class": {"code": "IMP"}}, {"class": "IMP"}),
        ({"subject": {"reference": "Patient/1"}}, {"subject": "Patient/1"}),
        ({"active": False, "text": {"div": "x"}, "_birthDate": {}}, {"active": False}),
        ({"extension": [{"url": "u", "valueString": "汉族"}]}, {"extension": "汉族"}),
        ({"maritalStatus": {}}, {"maritalStatus": ""}),
    ],
)
def test_a_row_says_what_a_person_reads(resource: dict[str, Any], row: dict[str, Any]) -> None:
    assert flat(Resource(resource)) == row


def test_a_folder_and_a_closed_record_are_called_so(tmp_path: Path) -> None:
    with pytest.raises(XinglinError, match="is a folder"):
        xl.open(tmp_path)
    record = xl.open(tmp_path / "c.db")
    search = record.search("Patient")
    record.close()
    for ask in (
        lambda: record.read("Patient/p1"),
        search.first,
        lambda: record.save({"resourceType": "Patient"}),
    ):
        with pytest.raises(XinglinError, match="has been closed"):
            ask()


def test_an_import_into_a_server_that_is_not_there_raises(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_text('{"resourceType":"Patient","id":"p1"}\n', encoding="utf-8")
    with pytest.raises(XinglinError) as caught:
        xl.open("http://127.0.0.1:9").import_(path)
    assert caught.value.report.totals.taken == 0  # type: ignore[attr-defined]


def test_versions_are_numbers_everywhere(record: Record) -> None:
    saved = record.save({"resourceType": "Patient"})
    (version,) = record.history(saved.reference)
    assert (
        version.number == saved.version == record.read(saved.reference, version=version.number).version == 1
    )


def test_a_column_that_is_none_is_an_error(record: Record) -> None:
    pytest.importorskip("pandas")
    record.save({"resourceType": "Patient", "gender": "male"})
    frame = record.search("Patient").to_frame(columns=["gender", "birthDate"])
    assert list(frame.columns) == ["gender", "birthDate"]
    with pytest.raises(XinglinError, match="did you mean"):
        record.search("Patient").to_frame(columns=["nope"])


def test_a_server_answers_in_the_readers_language(record: Record) -> None:
    if not record._backend.name.startswith("http"):
        pytest.skip("no server")
    with xl.open(record._backend.name, language="zh") as chinese, pytest.raises(XinglinError) as caught:
        chinese.save({"resourceType": "Patient", "gender": "x"})
    said = str(caught.value.values["said"])
    assert any("一" <= character <= "鿿" for character in said)


def test_invariants_are_checked_on_request(record: Record, tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_text('{"resourceType":"Patient","id":"p1","contact":[{"gender":"male"}]}\n', encoding="utf-8")
    assert record.import_(path, invariants=True).totals.rejected == 1

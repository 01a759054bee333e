"""Tables into a real record: patients found, contradictions and broken rows rejected, nothing lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from importing import FRONT, LABS, House, ndjson, patient, rejects
from xinglin.ingest.report import Counts


def test_a_table_finds_its_patients_and_again_changes_nothing(house: House, inbox: Path) -> None:
    (inbox / "1.csv").write_bytes(FRONT.encode("gb18030"))
    (inbox / "2.csv").write_text(LABS, encoding="utf-8-sig")
    first = house.take(inbox)
    assert first.types["Patient"] == Counts(taken=2, unchanged=1)
    assert first.types["Observation"] == Counts(taken=2)
    again = house.take(inbox).totals
    assert (again.taken, again.updated, again.rejected) == (0, 0, 0)
    (id_,) = house.find("Patient", "identifier=A001")
    assert len(house.find("Observation", f"subject=Patient/{id_}")) == 2
    (glucose,) = house.find("Observation", f"subject=Patient/{id_}&value-quantity=gt12")
    assert house.read("Observation", glucose)["valueQuantity"]["value"] == "12.30"


@pytest.mark.parametrize("order", [(FRONT, LABS), (LABS, FRONT)])
def test_tables_may_come_in_any_order(house: House, inbox: Path, order: tuple[str, str]) -> None:
    for number, text in enumerate(order):
        (inbox / f"{number}.csv").write_text(text, encoding="utf-8")
    house.take(inbox)
    (id_,) = house.find("Patient", "identifier=A001")
    found = house.read("Patient", id_)
    assert (found["birthDate"], found["telecom"][0]["value"]) == ("1949-12-31", "13800138000")


def test_a_table_adds_to_what_is_known_and_loses_nothing(house: House, inbox: Path) -> None:
    known = patient(
        "known",
        identifier=[
            {"system": "urn:xinglin:hospital:record-number", "value": "A001"},
            {"system": "other", "value": "9"},
        ],
        name=[{"text": "张伟"}],
        maritalStatus={"text": "已婚"},
    )
    house.take(ndjson(inbox / "0.ndjson", known))
    (inbox / "1.csv").write_text(FRONT, encoding="utf-8")
    assert house.take(inbox / "1.csv").types["Patient"] == Counts(taken=1, updated=1)
    found = house.read("Patient", "known")
    assert found["maritalStatus"] == {"text": "已婚"}
    assert [i["value"] for i in found["identifier"]] == ["A001", "9"]
    assert found["telecom"][0]["value"] == "13800138000"


def test_a_result_under_anothers_number_is_rejected(house: House, inbox: Path) -> None:
    (inbox / "1.csv").write_text(FRONT, encoding="utf-8")
    (inbox / "2.csv").write_text(LABS.replace("A001,张伟,血钾", "A001,李娜,血钾"), encoding="utf-8")
    report = house.take(inbox)
    assert report.types["Observation"] == Counts(taken=1, rejected=1)
    (kept,) = rejects(report)
    assert kept["row"]["姓名"] == "李娜"
    assert kept["reason"][0]["expression"] == "Patient.name"
    assert house.read("Patient", house.find("Patient", "identifier=A001")[0])["name"][0]["text"] == "张伟"


def test_numbers_of_two_patients_in_one_row_are_rejected(house: House, inbox: Path) -> None:
    (inbox / "1.csv").write_text(
        FRONT.replace("手机", "住院号").replace("13800138000", "Z1").replace("A002,", "A002,Z2"),
        encoding="utf-8",
    )
    house.take(inbox)
    (inbox / "2.csv").write_text("病案号,住院号,检验项目,结果\nA001,Z2,x,1\n", encoding="utf-8")
    assert house.take(inbox / "2.csv").totals == Counts(rejected=1)


def test_two_rows_that_contradict_each_other_are_not_both_believed(lite: House, inbox: Path) -> None:
    (inbox / "1.csv").write_text(
        LABS + "A001,张伟,葡萄糖,99,mmol/L,2024-03-02 08:10\n" + LABS.splitlines()[1] + "\n", encoding="utf-8"
    )
    report = lite.take(inbox)
    assert report.types["Observation"] == Counts(taken=2, unchanged=1, rejected=1)
    (inbox / "1.csv").write_text(FRONT + "张卫,男,1949-12-31,A001,\n", encoding="utf-8")
    assert lite.take(inbox).types["Patient"].rejected == 1


def test_several_measurements_of_one_day_are_all_kept_and_again_unchanged(lite: House, inbox: Path) -> None:
    day = "病案号,检验项目,结果,采集时间\nA1,葡萄糖,5.1,2024-03-02\nA1,葡萄糖,9.8,2024-03-02\nA1,葡萄糖,5.1,2024-03-02\n"
    (inbox / "1.csv").write_text(day, encoding="utf-8")
    assert lite.take(inbox).types["Observation"] == Counts(taken=2, unchanged=1)
    assert lite.take(inbox).types["Observation"] == Counts(unchanged=3)
    assert (
        len(lite.find("Observation", "value-quantity=5.1"))
        == len(lite.find("Observation", "value-quantity=9.8"))
        == 1
    )


def test_rejected_rows_are_mended_and_imported_by_their_own_mapping(house: House, inbox: Path) -> None:
    (inbox / "1.csv").write_text(
        FRONT.replace("1960-01-02", "1960-02-30").replace("李娜,女", "李娜,X"), encoding="utf-8"
    )
    report = house.take(inbox / "1.csv")
    assert report.totals == Counts(taken=1, rejected=1)
    (kept,) = rejects(report)
    assert kept["line"] == 3
    assert {reason["expression"] for reason in kept["reason"] if "expression" in reason} == {"Patient.gender"}
    assert len(kept["reason"]) == 2
    (path,) = map(Path, report.rejects)
    path.write_text(
        path.read_text(encoding="utf-8").replace('"X"', '"女"').replace("1960-02-30", "1960-02-28"),
        encoding="utf-8",
    )
    assert house.take(path).totals == Counts(taken=1)
    assert len(house.find("Patient", "identifier=A002&birthdate=1960-02-28")) == 1


def test_rows_that_are_not_mended_are_rejected_again(lite: House, inbox: Path) -> None:
    rows = (
        FRONT.encode()
        + "王五,男,A003\n赵六,女,1970-01-01,A004,1,2\n".encode()
        + "钱七,男,1970-01-01,A005,\n".encode("gb18030")
    )
    (inbox / "1.csv").write_bytes(rows)
    report = lite.take(inbox)
    assert report.totals == Counts(taken=2, rejected=3)
    assert [reject["line"] for reject in rejects(report)] == [4, 5, 6]
    (path,) = map(Path, report.rejects)
    assert lite.take(path).totals == Counts(rejected=3)
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[1] = json.dumps(
        {"row": {"姓名": "王五", "性别": "男", "出生日期": "", "病案号": "A003", "手机": ""}}
    )
    path.write_text("\n".join(lines), encoding="utf-8")
    assert lite.take(path).totals == Counts(taken=1, rejected=2)


def test_a_sheet_that_is_no_table_of_patients_is_named_and_the_others_are_taken(
    lite: House, inbox: Path
) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["填表说明", ""])
    sheet = book.create_sheet("病人")
    for row in (["病案号", "姓名"], ["A1", "张伟"]):
        sheet.append(row)
    book.save(inbox / "b.xlsx")
    report = lite.take(inbox)
    assert report.totals == Counts(taken=1)
    assert [(file.name.rpartition("/")[2], file.skipped) for file in report.files] == [
        ("b.xlsx", False),
        ("b.xlsx [Sheet]", True),
    ]


def test_a_table_without_a_patient_is_named_and_the_rest_goes_on(lite: House, inbox: Path) -> None:
    (inbox / "1.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    ndjson(inbox / "2.ndjson", patient("p1"))
    report = lite.take(inbox)
    assert report.totals == Counts(taken=1, rejected=1)
    assert "whose" in report.files[0].problem.say("en")  # type: ignore[union-attr]


def test_sentences_name_the_column_and_quote_the_shortened_number(lite: House, inbox: Path) -> None:
    (inbox / "1.csv").write_text(FRONT, encoding="utf-8")
    (inbox / "2.csv").write_text(LABS.replace("A001,张伟,血钾", "A001,王芳,血钾"), encoding="utf-8")
    (inbox / "3.csv").write_text("病案号,姓名,性别\n1.10105E+17,赵六,男\n", encoding="utf-8")
    report = lite.take(inbox)
    kept = "".join(Path(path).read_text(encoding="utf-8") for path in report.rejects).splitlines()
    told = [json.loads(line)["reason"][0]["text"] for line in kept if '"reason"' in line]
    assert any(text.startswith("Column 姓名: the patient with this number") for text in told)
    assert any("(1.10105E+17)" in text for text in told)

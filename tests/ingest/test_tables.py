"""Tables: encodings, delimiters, workbooks, mappings proposed and mended, rows to resources."""

from __future__ import annotations

import io
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin.ingest.errors import MappingError, RowError, SourceError
from xinglin.ingest.mapping import Column, Mapping, read_mapping, write_mapping
from xinglin.ingest.plan import look
from xinglin.ingest.propose import header_row_of, propose
from xinglin.ingest.rows import RESIDENT_ID, convert
from xinglin.ingest.tables import Line, by_header, header_of, read_csv, read_workbook
from xinglin.kernel.settings import Settings
from xinglin.standards.fhir.parse import parse

ZONE = ZoneInfo("Asia/Shanghai")
FRONT_PAGE = """姓名,性别,出生日期,身份证号,病案号,手机,民族,入院日期,出院日期,科室,诊断,诊断编码,备注
张伟,男,1949年12月31日,,A001,13800138000,汉族,2024/3/1,2024年3月9日,内分泌科,2型糖尿病；高血压,E11.900x001；I10.x00,x
"""
LABS = """病案号,检验项目,结果,单位,参考范围,采集时间,提示
A001,葡萄糖,12.30↑,mmol/L,3.9-6.1,2024-03-02 08:10,
A001,HBsAg,阳性(+),,阴性,20240302,
A001,CEA,<0.01,ng/ml,<5,20240302,
A001,白细胞,,×10^9/L,3.5～9.5,20240302,
A001,尿蛋白,未做,,,20240302,
"""
MEDICINES = """Patient ID,Name,Drug,Dose,Route,Frequency,Start Date,Allergen,Unit
7,"Smith, John",Metformin,500,oral,bid,3/25/2024,penicillin,mg
8,"Doe, Jane",Aspirin,1-2 tablets,oral,qd,03/13/2024,NKDA,
"""


def lines(text: str, encoding: str = "utf-8") -> list[Line]:
    return list(read_csv(io.BytesIO(text.encode(encoding)), "x.csv", Settings()))


def rows(text: str) -> tuple[Mapping, list[Any]]:
    table = look(None, iter(lines(text)), ())
    assert table is not None
    assert table.mapping is not None
    mapping = table.mapping
    return mapping, [
        convert(by_header(table.headers, line), mapping, lambda ids: "p1", ZONE) for line in table.sample
    ]


def of_type(row: Any, kind: str) -> list[dict[str, Any]]:
    assert row.problems == []
    return [resource for resource in row.resources if resource["resourceType"] == kind]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
def test_a_table_is_read_in_its_encoding_and_by_its_delimiter(encoding: str, delimiter: str) -> None:
    found = lines(f"姓名{delimiter}性别\n张伟{delimiter}男\n李娜{delimiter}女\n", encoding)
    assert [line.cells for line in found] == [["姓名", "性别"], ["张伟", "男"], ["李娜", "女"]]


def test_quoted_cells_keep_commas_and_line_breaks_and_lines_are_counted() -> None:
    found = lines('a,b\n"x,\ny","say ""hi"""\nz,1\n')
    assert [(line.number, line.cells) for line in found[1:]] == [(2, ["x,\ny", 'say "hi"']), (4, ["z", "1"])]


def test_a_line_in_another_encoding_is_a_problem_of_that_line_only() -> None:
    content = (
        "姓名,性别\n".encode()
        + ("甲" * 30000).encode()
        + ",男\n".encode()
        + "张伟,男\n".encode("gb18030")
        + "李娜,女\n".encode()
    )
    found = list(read_csv(io.BytesIO(content), "x.csv", Settings()))
    assert [line.problem is not None for line in found] == [False, False, True, False]


def test_a_row_with_a_cell_too_many_is_not_believed() -> None:
    with pytest.raises(RowError, match="3 cells where the header has 2"):
        by_header(["a", "b"], Line(2, ["1", "2", "3"]))
    with pytest.raises(RowError):
        by_header(["a", "b"], Line(2, ["1"]))
    assert by_header(["a", "b"], Line(2, ["1", "2", "", " "])) == {"a": "1", "b": "2"}


def test_headers_that_are_alike_are_told_apart() -> None:
    assert header_of(["单位", "单位 ", "ｍｒｎ"]) == ["单位", "单位 (2)", "mrn"]


def test_a_title_above_the_header_is_passed_over() -> None:
    assert (
        header_row_of(
            [
                ["市第一医院检验结果", "", ""],
                ["导出日期", "2024-03-05", ""],
                ["病案号", "项目", "结果"],
                ["1", "x", "2"],
            ]
        )
        == 3
    )


def test_a_workbook_is_read_sheet_by_sheet(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "化验"
    sheet.append(["病案号", "项目名称", "结果", "采集时间"])
    sheet.append(["A1", "血糖", 5.10, datetime(2024, 3, 5, 8, 5)])  # noqa: DTZ001
    sheet.append([1001, "血钾", 4, datetime(2024, 3, 5)])  # noqa: DTZ001
    book.create_sheet("空")
    book.save(tmp_path / "b.xlsx")
    with open(tmp_path / "b.xlsx", "rb") as stream:
        found = {name: list(rows) for name, rows in read_workbook(stream, "b.xlsx", Settings())}
    assert [line.cells for line in found["化验"]][1:] == [
        ["A1", "血糖", "5.1", "2024-03-05 08:05:00"],
        ["1001", "血钾", "4", "2024-03-05"],
    ]
    assert found["空"] == []


def test_a_broken_workbook_is_an_error_with_its_name() -> None:
    with pytest.raises(SourceError, match=r"b\.xlsx"):
        list(read_workbook(io.BytesIO(b"PK\x03\x04" + b"x" * 100), "b.xlsx", Settings()))


def test_chinese_headers_are_mapped_and_others_left_out() -> None:
    mapping, _ = rows(FRONT_PAGE)
    assert {header: column.to for header, column in mapping.columns.items() if column} == {
        "姓名": "patient.name", "性别": "patient.gender", "出生日期": "patient.birth_date", "身份证号": "patient.resident_id",
        "病案号": "patient.record_number", "手机": "patient.phone", "民族": "patient.nation", "入院日期": "encounter.start",
        "出院日期": "encounter.end", "科室": "encounter.department", "诊断": "condition.text", "诊断编码": "condition.code",
    }  # fmt: skip
    assert mapping.columns["备注"] is None


@pytest.mark.parametrize(
    ("header", "values", "place"),
    [
        ("证件", ["11010519491231002X", "11010519491231002X"], "patient.resident_id"),
        ("联系", ["13800138000", "13900139000"], "patient.phone"),
        ("XB", ["男", "女", "男"], "patient.gender"),
        ("ZD", ["E11.9", "I10", "J18.900"], "condition.code"),
        ("其它", ["foo", "bar"], None),
        ("代码1", ["1", "2"], None),
    ],
)
def test_values_give_a_column_away(header: str, values: list[str], place: str | None) -> None:
    mapping = propose([header], [[value] for value in values])
    column = mapping.columns[header]
    assert (column.to if column else None) == place


def test_a_column_of_its_own_is_an_observation() -> None:
    mapping = propose(["病案号", "体重(kg)", "血红蛋白（g/L）", "床号"], [["1", "70.5", "130", "12"]])
    assert mapping.columns["体重(kg)"] == Column("observation.value", "体重", "kg", "29463-7")
    assert mapping.columns["血红蛋白(g/L)"] == Column("observation.value", "血红蛋白", "g/L")
    assert mapping.columns["床号"] is None
    row = convert({"病案号": "1", "体重(kg)": "70.50", "血红蛋白(g/L)": ""}, mapping, lambda ids: "p1", ZONE)
    (weight,) = of_type(row, "Observation")  # a blank in a wide table was not measured
    assert str(weight["valueQuantity"]["value"]) == "70.50"


def test_the_order_of_day_and_month_is_told_by_the_values() -> None:
    assert propose(["MRN", "Date of Birth"], [["1", "03/25/1950"], ["2", "01/02/1960"]]).date_order == "mdy"
    assert propose(["MRN", "Date of Birth"], [["1", "25/03/1950"]]).date_order == "dmy"
    assert propose(["MRN", "Date of Birth"], [["1", "03/04/1950"]]).date_order == "ymd"


def test_a_front_page_becomes_patient_encounter_and_conditions() -> None:
    _, (row,) = rows(FRONT_PAGE)
    (patient,) = of_type(row, "Patient")
    assert patient["name"] == [{"text": "张伟", "family": "张", "given": ["伟"]}]
    assert (patient["gender"], patient["birthDate"]) == ("male", "1949-12-31")
    (encounter,) = of_type(row, "Encounter")
    assert encounter["class"]["code"] == "IMP"
    assert encounter["period"] == {"start": "2024-03-01", "end": "2024-03-09"}
    conditions = of_type(row, "Condition")
    assert [c["code"]["coding"][0]["code"] for c in conditions] == ["E11.900x001", "I10.x00"]
    assert {c["encounter"]["reference"] for c in conditions} == {f"Encounter/{encounter['id']}"}


def test_results_become_observations_and_nothing_becomes_zero() -> None:
    _, found = rows(LABS)
    glucose, surface, antigen, white, protein = (of_type(row, "Observation")[0] for row in found)
    assert str(glucose["valueQuantity"]["value"]) == "12.30"
    assert glucose["effectiveDateTime"] == "2024-03-02T08:10:00+08:00"
    assert glucose["interpretation"][0]["coding"][0]["code"] == "H"
    assert glucose["referenceRange"][0]["high"]["code"] == "mmol/L"
    assert surface["valueString"] == "阳性(+)"
    assert antigen["valueQuantity"]["comparator"] == "<"
    assert antigen["valueQuantity"]["unit"] == "ng/ml"
    assert antigen["valueQuantity"]["code"] == "ng/mL"
    assert white["dataAbsentReason"]["coding"][0]["code"] == "unknown"
    assert protein["dataAbsentReason"]["coding"][0]["code"] == "not-performed"
    assert protein["status"] == "cancelled"
    assert all("valueQuantity" not in o for o in (surface, white, protein))


def test_medicines_and_allergies_are_read() -> None:
    mapping, (first, second) = rows(MEDICINES)
    assert mapping.columns["Unit"] == Column("medication.dose_unit")
    (metformin,) = of_type(first, "MedicationRequest")
    assert metformin["dosageInstruction"][0]["doseAndRate"][0]["doseQuantity"]["code"] == "mg"
    assert metformin["dosageInstruction"][0]["text"] == "500mg oral bid"
    (aspirin,) = of_type(second, "MedicationRequest")
    assert aspirin["dosageInstruction"][0]["text"] == "1-2 tablets oral qd"
    assert "doseAndRate" not in aspirin["dosageInstruction"][0]
    assert of_type(first, "AllergyIntolerance")[0]["code"] == {"text": "penicillin"}
    assert of_type(second, "AllergyIntolerance")[0]["code"]["coding"][0]["code"] == "716186003"


@pytest.mark.parametrize("text", [FRONT_PAGE, LABS, MEDICINES])
def test_every_resource_made_is_valid_fhir(text: str) -> None:
    from xinglin.apps.backend import dumps

    _, found = rows(text)
    made = [resource for row in found for resource in row.resources]
    assert len(made) >= 4
    for resource in made:
        parse(dumps(resource))


@pytest.mark.parametrize("text", [FRONT_PAGE, LABS, MEDICINES])
def test_the_same_rows_make_the_same_resources(text: str) -> None:
    assert [row.resources for row in rows(text)[1]] == [row.resources for row in rows(text)[1]]


@pytest.mark.parametrize(
    ("header", "cell", "words"),
    [
        ("身份证号", "110105194912310021", "check digit"),
        ("身份证号", "1.10105E+17", "18 characters"),
        ("病案号", "1.1E+17", "shortened"),
        ("性别", "X", "sex"),
        ("出生日期", "1949-02-30", "no date"),
        ("入院日期", "soon", "no date"),
    ],
)
def test_a_cell_that_is_not_understood_rejects_its_row(header: str, cell: str, words: str) -> None:
    mapping, _ = rows(FRONT_PAGE)
    cells = {"病案号": "A1", header: cell}
    row = convert(cells, mapping, lambda ids: "p1", ZONE)
    assert row.resources == []
    assert any(words in problem.say("en") for problem in row.problems)
    assert all(header in problem.say("zh") for problem in row.problems)


def test_a_birth_date_that_contradicts_the_resident_number_is_a_problem() -> None:
    mapping, _ = rows(FRONT_PAGE)
    cells = {"身份证号": "11010519491231002X", "出生日期": "1950-01-01", "性别": "男"}
    row = convert(cells, mapping, lambda ids: "p1", ZONE)
    assert {problem.expression for problem in row.problems} == {"Patient.birthDate", "Patient.gender"}


def test_birth_date_and_sex_follow_from_the_resident_number() -> None:
    mapping, _ = rows(FRONT_PAGE)
    row = convert({"身份证号": "11010519491231002X", "性别": "未知"}, mapping, lambda ids: "p1", ZONE)
    (patient,) = row.resources
    assert (patient["birthDate"], patient["gender"]) == ("1949-12-31", "female")
    assert patient["identifier"][0]["system"] == RESIDENT_ID


def test_a_row_without_a_number_names_no_patient() -> None:
    mapping, _ = rows(FRONT_PAGE)
    row = convert({"姓名": "张伟", "病案号": ""}, mapping, lambda ids: "p1", ZONE)
    assert [problem.key for problem in row.problems] == ["ingest.row-no-patient"]


_WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)


@given(
    st.dictionaries(
        _WORDS, st.sampled_from(["patient.name", "patient.phone", "encounter.start", ""]), max_size=3
    ),
    st.frozensets(_WORDS, max_size=3),
    st.sampled_from(["ymd", "mdy", "dmy"]),
)
def test_a_mapping_written_is_the_mapping_read(
    columns: dict[str, str], empty: frozenset[str], order: Any
) -> None:
    from xinglin.ingest.cells import plain

    unique = {}
    for header, place in columns.items():
        if plain(header) and place not in unique.values():
            unique[plain(header)] = place
    mapping = Mapping(
        columns={
            "病案号": Column("patient.record_number"),
            **{h: Column(p) if p else None for h, p in unique.items() if h != "病案号"},
        },
        empty=frozenset(plain(cell).casefold() for cell in empty),
        date_order=order,
        items={"葡萄糖": "14771-0"},
    )
    assert read_mapping(write_mapping(mapping, "a\nb")) == mapping


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[columns", "not TOML"),
        ("", "columns"),
        ('[columns]\n"a" = "patient.nam"', "did you mean patient.name"),
        ('[columns]\n"a" = "patient.name"', "No column says whose"),
        ('[columns]\n"a" = "patient.record_number"\n"b" = "patient.record_number"', "two columns"),
        ('[columns]\n"a" = "patient.record_number"\n"b" = "observation.unit"', "observation.value"),
        ('[columns]\n"a" = "patient.record_number"\n[values]\ndate_order = "ydm"', "ymd, mdy, dmy"),
        ('[columns]\n"a" = "patient.record_number"\n[table]\nheader_row = 0', "header_row"),
        ('[columns]\n"a" = 3', "patient.name"),
        ('[colums]\n"a" = "patient.record_number"', "colums"),
        ('columns = 3', "columns"),
    ],
)  # fmt: skip
def test_a_wrong_mapping_says_what_is_right(text: str, words: str) -> None:
    with pytest.raises(MappingError) as caught:
        read_mapping(text, "m.toml")
    assert words in caught.value.say("en")

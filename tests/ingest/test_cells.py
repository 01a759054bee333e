"""Cells become FHIR values or a problem, never a guess."""

from __future__ import annotations

from datetime import UTC, date
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin.ingest.cells import is_empty, moment, resident_id, sex
from xinglin.ingest.errors import RowError
from xinglin.ingest.rows import number

SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("2024年3月5日", "2024-03-05"),
        ("２０２４年３月５日", "2024-03-05"),
        ("2024年3月", "2024-03"),
        ("2024", "2024"),
        ("2024/3/5", "2024-03-05"),
        ("2024.03.05", "2024-03-05"),
        ("20240305", "2024-03-05"),
        ("2024-03-05 08:30", "2024-03-05T08:30:00+08:00"),
        ("2024/3/5 8:05:07", "2024-03-05T08:05:07+08:00"),
        ("2024-03-05 08:30:15.25", "2024-03-05T08:30:15.250000+08:00"),
        ("20240305083015", "2024-03-05T08:30:15+08:00"),
        ("2024-03-05T08:30:00Z", "2024-03-05T08:30:00+00:00"),
        ("2024-03-05T08:30:00+0900", "2024-03-05T08:30:00+09:00"),
        ("2024年3月5日8时30分", "2024-03-05T08:30:00+08:00"),
        ("二〇二四年十二月三十一日", "2024-12-31"),
        ("5 Mar 2024", "2024-03-05"),
        ("5-March-2024", "2024-03-05"),
        ("45356", "2024-03-05"),
        ("45356.5", "2024-03-05T12:00:00+08:00"),
        ("25/12/2024", "2024-12-25"),
        ("12/25/2024 3:04 PM", "2024-12-25T15:04:00+08:00"),
        ("2024-03-05 00:00:00", "2024-03-05"),  # how spreadsheets write a day
        ("1988-07-01 10:00", "1988-07-01T10:00:00+09:00"),  # China had summer time then
    ],
)
def test_dates_are_read_as_hospitals_write_them(cell: str, value: str) -> None:
    assert moment(cell, SHANGHAI) == value


@pytest.mark.parametrize(
    "cell",
    [
        "2024-02-30",
        "24-3-5",
        "2024-13-01",
        "2024-03-05 25:00",
        "yesterday",
        "0000-01-01",
        "123456789",
        "2024-3-5-6",
    ],
)
def test_what_is_no_date_is_a_problem(cell: str) -> None:
    with pytest.raises(RowError) as caught:
        moment(cell, UTC, "采集时间")
    assert "采集时间" in caught.value.say("zh")
    assert cell not in caught.value.say("zh").replace("2024-03-05", "")  # no content in messages


def test_month_and_day_are_not_guessed() -> None:
    with pytest.raises(RowError, match="date_order"):
        moment("3/5/2024", UTC)
    assert moment("3/5/2024", UTC, order="mdy") == "2024-03-05"
    assert moment("3/5/2024", UTC, order="dmy") == "2024-05-03"
    assert moment("5/5/2024", UTC) == "2024-05-05"


@given(st.dates(min_value=date(1900, 3, 1), max_value=date(2150, 1, 1)))
def test_every_form_of_a_day_is_the_same_day(day: date) -> None:
    serial = (day - date(1899, 12, 30)).days
    forms = [f"{day.year}年{day.month}月{day.day}日", f"{day:%Y%m%d}", f"{day:%Y/%m/%d}"]
    forms += [str(serial)] if serial >= 10000 else []
    assert {moment(form, SHANGHAI) for form in forms} == {day.isoformat()}


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("男", "male"),
        ("女性", "female"),
        ("F", "female"),
        ("1", "male"),
        ("２", "female"),
        ("未知", "unknown"),
        ("其他", "other"),
    ],
)
def test_sexes_are_read_in_both_languages(cell: str, code: str) -> None:
    assert sex(cell) == code


@pytest.mark.parametrize("cell", ["X", "3", "nan", "男女"])
def test_an_unknown_sex_is_a_problem(cell: str) -> None:
    with pytest.raises(RowError):
        sex(cell, "性别")


def test_a_resident_number_tells_birth_and_sex() -> None:
    assert resident_id("11010519491231002x") == ("11010519491231002X", "1949-12-31", "female")
    assert resident_id("１１０１０５ 19491231 002X")[0] == "11010519491231002X"
    assert resident_id("130503670401001") == ("130503670401001", "1967-04-01", "male")


@given(st.integers(0, 16), st.integers(1, 9))
def test_one_wrong_digit_of_a_resident_number_is_found(place: int, by: int) -> None:
    right = "11010519491231002X"
    wrong = right[:place] + str((int(right[place]) + by) % 10) + right[place + 1 :]
    with pytest.raises(RowError):
        resident_id(wrong, "身份证号")


def test_dashes_and_null_say_nothing() -> None:
    assert all(is_empty(cell) for cell in ["", "  ", "-", "—", "NULL", "N/A", "不详", "\u3000"])
    assert not is_empty("0")
    assert not is_empty("无")  # no allergy is something else than not saying
    assert is_empty("1900-01-01", frozenset(["1900-01-01"]))


def test_identifiers_that_a_spreadsheet_shortened_are_refused() -> None:
    assert number("00123") == "00123"
    assert number("123.0") == "123"
    for cell in ("1.10105E+17", "3E+11"):
        with pytest.raises(RowError, match="shortened"):
            number(cell, "身份证号")

"""Results keep their digits; what is no number stays the text it is, and nothing becomes 0."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin.ingest.measured import Range, flag, reference_range, result, unit_code


@pytest.mark.parametrize(
    ("cell", "value", "comparator", "mark"),
    [
        ("12.30", "12.30", None, None),
        ("12.3↑", "12.3", None, "H"),
        ("3.1 ↓", "3.1", None, "L"),
        ("<0.01", "0.01", "<", None),
        ("≥5", "5", ">=", None),
        ("小于0.5", "0.5", "<", None),
        ("4.5H", "4.5", None, "H"),
        ("４．５", "4.5", None, None),
        ("1,234.5", "1234.5", None, None),
        ("-1.5", "-1.5", None, None),
        ("0", "0", None, None),
        ("6.02e3", "6.02e3", None, None),
    ],
)
def test_numbers_keep_digits_comparator_and_flag(
    cell: str, value: str, comparator: str | None, mark: str | None
) -> None:
    got = result(cell)
    assert got.value is not None
    assert str(got.value) == str(Decimal(value))
    assert (got.comparator, got.flag) == (comparator, mark)


@pytest.mark.parametrize(
    ("cell", "unit"), [("5.6 mmol/L", "mmol/L"), ("8 L/min", "L/min"), ("1.2×10^9/L", "×10^9/L")]
)
def test_a_unit_in_the_cell_is_found(cell: str, unit: str) -> None:
    assert result(cell).unit == unit


@pytest.mark.parametrize(
    "cell", ["1:80", "120/80", "3-5/HP", "未见异常", "0-1", "position", "见报告", "1.2.3", "--5"]
)
def test_what_is_no_number_stays_text(cell: str) -> None:
    got = result(cell)
    assert (got.value, got.text, got.absent) == (None, cell, None)


@pytest.mark.parametrize(
    ("cell", "mark"),
    [
        ("阳性(+)", "POS"),
        ("弱阳性", "POS"),
        ("++", "POS"),
        ("2+", "POS"),
        ("阴性", "NEG"),
        ("(-)", "NEG"),
        ("Negative", "NEG"),
    ],
)
def test_positive_and_negative_are_told(cell: str, mark: str) -> None:
    assert (result(cell).flag, result(cell).text) == (mark, cell)


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("", "unknown"),
        ("-", "unknown"),
        ("NULL", "unknown"),
        ("未做", "not-performed"),
        ("拒查", "not-performed"),
    ],
)
def test_no_result_is_an_absence_with_a_reason(cell: str, reason: str) -> None:
    got = result(cell)
    assert (got.value, got.text, got.absent) == (None, None, reason)


@given(st.text(max_size=30))
def test_nothing_is_lost_and_nothing_becomes_zero(cell: str) -> None:
    got = result(cell)
    assert sum(part is not None for part in (got.value, got.text, got.absent)) == 1
    if got.value == 0:
        assert any(unicode_zero in cell for unicode_zero in "0０𝟎𝟘𝟢𝟬𝟶⁰₀⓪🄌") or "0" in __import__(
            "unicodedata"
        ).normalize("NFKC", cell)


@pytest.mark.parametrize(
    ("cell", "low", "high"),
    [
        ("3.9-6.1", "3.9", "6.1"),
        ("3.9～6.1", "3.9", "6.1"),
        ("3.9—6.1", "3.9", "6.1"),
        ("-2--1", "-2", "-1"),
        ("0-40 U/L", "0", "40"),
        ("<5.2", None, "5.2"),
        ("≥60", "60", None),
        ("阴性", None, None),
        ("男 4.0-5.5", None, None),
        ("6.1-3.9", None, None),
    ],
)
def test_reference_ranges_keep_their_text(cell: str, low: str | None, high: str | None) -> None:
    assert reference_range(cell) == Range(
        cell, Decimal(low) if low else None, Decimal(high) if high else None
    )


def test_an_empty_range_is_none() -> None:
    assert reference_range(" ") is None


@pytest.mark.parametrize(
    ("unit", "code"),
    [("×10^9/L", "10*9/L"), ("10*9/L", "10*9/L"), ("x10e9/l", "10*9/L"), ("μmol/L", "umol/L"), ("µmol/L", "umol/L"),
     ("ng/ml", "ng/mL"), ("IU/mL", "[IU]/mL"), ("mmHg", "mm[Hg]"), ("次/分", "/min"), ("℃", "Cel"), ("％", "%"), ("g/L ", "g/L")],
)  # fmt: skip
def test_units_are_ucum_however_they_are_written(unit: str, code: str) -> None:
    assert unit_code(unit) == code


def test_an_unknown_unit_is_not_guessed() -> None:
    assert unit_code("分") is None
    assert unit_code("") is None


def test_every_unit_given_is_valid_ucum() -> None:
    from xinglin.ingest.measured import _UNITS
    from xinglin.standards.ucum import is_valid

    assert {code for code in _UNITS.values() if not is_valid(code)} == set()


def test_flags_are_read_in_both_languages() -> None:
    assert [flag(cell) for cell in ("↑", "H", "偏低", "正常", "?")] == ["H", "H", "L", "N", None]

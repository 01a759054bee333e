"""Cells of a hospital's tables as FHIR values: dates, sex, the resident identity number.

Pure functions of text. Each raises RowError where a cell is filled but not understood: what is unknown is left out by
the caller before, and nothing is guessed. ``column`` is only for the message.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Literal

from xinglin.ingest.errors import RowError

DateOrder = Literal["ymd", "mdy", "dmy"]

EMPTY = frozenset(
    [
        "",
        "-",
        "--",
        "—",
        "——",
        "/",
        "\\",
        "null",
        "none",
        "nan",
        "n/a",
        "na",
        "#n/a",
        "无数据",
        "不详",
        "未填",
        "空",
    ]
)

_SEX = {
    "male": ("m", "male", "男", "男性", "1"),
    "female": ("f", "female", "女", "女性", "2"),
    "unknown": ("unknown", "u", "未知", "未知的性别", "0"),
    "other": ("other", "o", "其他", "其它", "未说明", "未说明的性别", "9"),
}
_SEX_OF = {word: code for code, words in _SEX.items() for word in words}

_MONTHS = {
    month: number
    for number, month in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1
    )
}
_HAN_DIGITS = str.maketrans("〇零○一二三四五六七八九", "000123456789")

_TIME = (
    r"(?:[T\s]*(?P<h>\d{1,2})[:时点](?:(?P<mi>\d{1,2})分?)?"
    r"(?::?(?P<s>\d{1,2})(?:[.,](?P<f>\d{1,6})\d*)?秒?)?\s*(?P<ap>[AaPp][Mm])?)?"
)
_ZONE = r"\s*(?P<z>Z|[+-]\d{2}:?\d{2})?"
_YEAR_FIRST = re.compile(
    r"(?P<y>\d{4})(?:[-/.年](?P<mo>\d{1,2})(?:[-/.月](?P<d>\d{1,2})日?|月)?|年)?" + _TIME + _ZONE
)
_YEAR_LAST = re.compile(r"(?P<a>\d{1,2})[-/.](?P<b>\d{1,2})[-/.](?P<y>\d{4})" + _TIME + _ZONE)
_NAMED = re.compile(r"(?P<d>\d{1,2})[-/ ]?(?P<mo>[A-Za-z]{3})[a-z]*[-/ ,]*(?P<y>\d{4})" + _TIME + _ZONE)
_DIGITS = re.compile(r"(?P<y>\d{4})(?P<mo>\d{2})(?P<d>\d{2})(?:(?P<h>\d{2})(?P<mi>\d{2})(?P<s>\d{2})?)?")
_SERIAL = re.compile(r"\d{5}(?:\.\d+)?")
_SERIAL_EPOCH = datetime(1899, 12, 30, tzinfo=UTC)  # Excel counts a 29 February 1900 that never was


def plain(text: str) -> str:
    """``text`` in half-width letters, digits and punctuation, trimmed.

    >>> plain(" １２．３ ")
    '12.3'
    """
    return unicodedata.normalize("NFKC", text).replace("\ufeff", "").replace("\u200b", "").strip()


def is_empty(text: str, also: frozenset[str] = frozenset()) -> bool:
    """Whether the cell says nothing: blank, a dash, NULL … or one of ``also``."""
    folded = plain(text).casefold()
    return folded in EMPTY or folded in also


def sex(text: str, column: str = "") -> str:
    """A FHIR administrative gender.

    >>> sex("男"), sex("F"), sex("未知")
    ('male', 'female', 'unknown')
    """
    try:
        return _SEX_OF[plain(text).casefold()]
    except KeyError:
        raise RowError("ingest.cell-sex", expression="Patient.gender", column=column) from None


def moment(
    text: str, zone: tzinfo, column: str = "", *, order: DateOrder = "ymd", day_only: bool = False
) -> str:
    """A FHIR date (as precise as written) or, where a time of day is given, a dateTime with offset.

    Takes 2024年3月5日, 2024年3月, 2024/3/5, 20240305, 2024-03-05 08:30, 二〇二四年三月五日, 5 Mar 2024, Excel serials; and
    3/5/2024 only where ``order`` says which is the month or the numbers themselves do. Midnight without a zone is the
    day, as spreadsheets write it. ``zone`` is the site's, for
    times written without one. Raises RowError for 30 February, two-digit years and what is not a date.

    >>> moment("2024年3月5日", UTC), moment("2024/3/5 8:05", UTC), moment("45356", UTC)
    ('2024-03-05', '2024-03-05T08:05:00+00:00', '2024-03-05')
    """
    error = RowError("ingest.cell-date", column=column)
    written = plain(text)
    if _SERIAL.fullmatch(written):
        return _serial(float(written), zone, day_only)
    match = _DIGITS.fullmatch(written) or _YEAR_FIRST.fullmatch(written) or _NAMED.fullmatch(written)
    if match is None and (match := _YEAR_LAST.fullmatch(written)):
        return _build(_ordered(match.groupdict(), order, column), zone, error, day_only)
    if match is None:
        match = _YEAR_FIRST.fullmatch(_han_date(written))
    if match is None:
        raise error
    return _build(match.groupdict(), zone, error, day_only)


def _serial(number: float, zone: tzinfo, day_only: bool) -> str:
    at = _SERIAL_EPOCH + timedelta(seconds=round(number * 86400))
    if day_only or number == int(number):
        return at.date().isoformat()
    return at.replace(tzinfo=zone).isoformat()


def _ordered(parts: dict[str, str | None], order: DateOrder, column: str) -> dict[str, str | None]:
    first, second = int(parts["a"] or 0), int(parts["b"] or 0)
    if first > 12 or (order == "dmy" and second <= 12):
        day, month = first, second
    elif second > 12 or order == "mdy" or first == second:
        day, month = second, first
    else:
        raise RowError("ingest.cell-date-ambiguous", column=column)
    return {**parts, "mo": str(month), "d": str(day)}


def _build(parts: dict[str, str | None], zone: tzinfo, error: RowError, day_only: bool) -> str:
    year, month, day = parts["y"] or "", parts.get("mo"), parts.get("d")
    try:
        if month is None:
            date(int(year), 1, 1)
            return year
        number = int(month) if month.isdigit() else _MONTHS[month.lower()]
        if day is None:
            date(int(year), number, 1)
            return f"{year}-{number:02}"
        when = date(int(year), number, int(day))
        if day_only or parts.get("h") is None:
            return when.isoformat()
        hour = int(parts["h"] or 0)
        if half := (parts.get("ap") or "").lower():
            hour = hour % 12 + (12 if half == "pm" else 0)
        clock = time(
            hour,
            int(parts.get("mi") or 0),
            int(parts.get("s") or 0),
            int((parts.get("f") or "").ljust(6, "0")),
        )
        if not any((clock.hour, clock.minute, clock.second, clock.microsecond, parts.get("z"))):
            return when.isoformat()  # spreadsheets write a day as its midnight
        at = datetime.combine(when, clock)
        if offset := parts.get("z"):
            return datetime.fromisoformat(at.isoformat() + offset).isoformat()
        return at.replace(tzinfo=zone).isoformat()
    except (ValueError, KeyError):
        raise error from None


def _han_date(written: str) -> str:
    """二〇二四年十二月三十一日 → 2024年12月31日."""

    def number(match: re.Match[str]) -> str:
        han, unit = match.group(1), match.group(2)
        if unit == "年":
            return han.translate(_HAN_DIGITS) + unit
        tens, ten, ones = han.rpartition("十")
        if not ten:
            return han.translate(_HAN_DIGITS) + unit
        return (tens.translate(_HAN_DIGITS) or "1") + (ones.translate(_HAN_DIGITS) or "0") + unit

    return re.sub(r"([〇零○一二三四五六七八九十]+)(年|月|日|时|点|分)", number, written)


_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK = "10X98765432"


def resident_id(text: str, column: str = "") -> tuple[str, str | None, str | None]:
    """The number of a Chinese resident identity card, with the birth date and sex it says.

    Eighteen characters with a right check character (GB 11643-1999, ISO 7064 MOD 11-2), or fifteen digits, which
    have none. Raises RowError where the check character, the birth date or the length is wrong.

    >>> resident_id("11010519491231002x")
    ('11010519491231002X', '1949-12-31', 'female')
    """
    number = re.sub(r"[\s-]", "", plain(text)).upper()
    if re.fullmatch(r"\d{15}", number):
        birth, sequence = "19" + number[6:12], number[12:15]
    elif re.fullmatch(r"\d{17}[\dX]", number):
        total = sum(int(digit) * weight for digit, weight in zip(number, _WEIGHTS, strict=False))
        if _CHECK[total % 11] != number[17]:
            raise RowError("ingest.cell-resident-check", expression="Patient.identifier", column=column)
        birth, sequence = number[6:14], number[14:17]
    else:
        raise RowError("ingest.cell-resident-form", expression="Patient.identifier", column=column)
    try:
        born = date(int(birth[:4]), int(birth[4:6]), int(birth[6:])).isoformat()
    except ValueError:
        raise RowError("ingest.cell-resident-birth", expression="Patient.identifier", column=column) from None
    return number, born, "male" if int(sequence) % 2 else "female"

"""A mapping proposed from a table's header and first values, for a person to look at before anything is written."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from xinglin.ingest.cells import DateOrder, is_empty, plain, resident_id, sex
from xinglin.ingest.errors import RowError
from xinglin.ingest.mapping import SYSTEMS, Column, Mapping
from xinglin.ingest.measured import result, unit_code
from xinglin.ingest.places import VITALS, fold_header, place_of, split_unit

_HEADER_WITHIN = 10  # rows above the header: a title, the date of the export
_ICD = re.compile(r"[A-TV-Z]\d{2}(?:\.[\dxX]{1,3}(?:\d{1,3})?)?[+*]?")
_ICD_CN = re.compile(r"[A-Z]\d{2}\.(?:\d{2,3}|[xX]\d{2}|\d[xX]\d)(?:[xX]?\d{3})?")
_PHONE = re.compile(r"(?:\+?86)?1[3-9]\d{9}")
_SLASHED = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.]\d{4}")


def header_row_of(rows: Sequence[Sequence[str]]) -> int:
    """Which of the first rows is the header, counted from 1: the one with most columns that are known."""
    known = [
        len({place for cell in row if (place := place_of(cell) or _vital(cell))})
        for row in rows[:_HEADER_WITHIN]
    ]
    if not known or max(known) == 0:
        return 1
    return known.index(max(known)) + 1


def propose(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, header_row: int = 1, sheet: str | None = None
) -> Mapping:
    """The mapping that header and values suggest; columns that say nothing known are left out (None)."""
    columns: dict[str, Column | None] = {}
    taken: set[str] = set()
    cells = {
        plain(name): [row[at] for row in rows if at < len(row) and not is_empty(row[at])]
        for at, name in enumerate(header)
        if plain(name)
    }
    for name in cells:
        place = place_of(name)
        columns[name] = Column(place) if place and place not in taken else None
        taken.update([place] if place else [])
    for name, values in cells.items():
        if columns[name] is None and place_of(name) is None:
            columns[name] = _by_value(values, taken) or _observation(
                name, values, long="observation.item" in taken
            )
            if (column := columns[name]) and not column.item:
                taken.add(column.to)
    _drop_orphans(columns)
    _plain_date(columns)
    codes = [
        value
        for name, column in columns.items()
        if column and column.to == "condition.code"
        for value in re.split(r"[;；,，]\s*", ";".join(cells[name]))
    ]
    return Mapping(
        columns=columns,
        header_row=header_row,
        sheet=sheet,
        date_order=_date_order([value for values in cells.values() for value in values]),
        systems=SYSTEMS
        | ({"diagnosis": "urn:xinglin:codes:icd-10-cn"} if _mostly(codes, _ICD_CN.fullmatch) else {}),
    )


def _mostly(values: Sequence[str], test: Callable[[str], object]) -> bool:
    """Whether at least four of five values pass (and there are any)."""
    return bool(values) and sum(bool(test(plain(value))) for value in values) >= 0.8 * len(values)


def _by_value(values: Sequence[str], taken: set[str]) -> Column | None:
    """A column that its values give away: resident ids, mobile numbers, the sexes, ICD-10 codes."""
    tests: list[tuple[str, Callable[[str], object]]] = [
        ("patient.resident_id", _is_resident_id),
        ("patient.phone", _PHONE.fullmatch),
        ("patient.gender", lambda cell: not cell.isdigit() and _is_sex(cell)),
        ("condition.code", _ICD.fullmatch),
    ]
    for place, test in tests:
        if place not in taken and _mostly(values, test):
            return Column(place)
    return None


def _is_resident_id(cell: str) -> bool:
    try:
        resident_id(cell)
    except RowError:
        return False
    return len(cell) == 18


def _is_sex(cell: str) -> bool:
    try:
        return bool(sex(cell))
    except RowError:
        return False


def _vital(header: str) -> str | None:
    return "observation.value" if fold_header(split_unit(header)[0]) in VITALS else None


def _observation(header: str, values: Sequence[str], *, long: bool) -> Column | None:
    """A column that is one kind of observation: a vital sign, or numbers under a header with a unit in brackets."""
    item, unit = split_unit(header)
    if vital := VITALS.get(fold_header(item)):
        code, usual = vital
        return Column("observation.value", item=item, unit=unit or usual, code=code)
    if not long and unit and unit_code(unit) and _mostly(values, lambda cell: result(cell).value is not None):
        return Column("observation.value", item=item, unit=unit)
    return None


def _drop_orphans(columns: dict[str, Column | None]) -> None:
    """Leave out columns such as 单位 or 用法 where the table has not the result or medicine that they belong to."""
    places = {column.to for column in columns.values() if column and not column.item}
    wide = any(column and column.item for column in columns.values())
    main = {
        "condition": {"condition.text", "condition.code"} & places,
        "observation": {"observation.value"} & places,
        "medication": {"medication.name", "medication.code"} & places,
        "allergy": {"allergy.substance"} & places,
    }
    for name, column in columns.items():
        if column is None or column.item:
            continue
        group = column.to.partition(".")[0]
        if column.to == "observation.unit" and not main["observation"] and main["medication"]:
            columns[name] = Column("medication.dose_unit")
        elif group in main and not main[group] and not (wide and column.to == "observation.time"):
            columns[name] = None


_TIME_OF = {
    "observation": "observation.time",
    "medication": "medication.start",
    "condition": "condition.date",
    "allergy": "allergy.date",
    "encounter": "encounter.start",
}


def _plain_date(columns: dict[str, Column | None]) -> None:
    """日期 and Date mean the time of what the table is about, where no other column says it."""
    places = {column.to for column in columns.values() if column}
    groups = {place.partition(".")[0] for place in places}
    for name, column in columns.items():
        if column is None and fold_header(name) in ("日期", "时间", "date", "time", "datetime"):
            group = next((group for group in _TIME_OF if group in groups), None)
            if group and _TIME_OF[group] not in places:
                columns[name] = Column(_TIME_OF[group])
                return


def _date_order(values: Sequence[str]) -> DateOrder:
    """Whether the month or the day comes first where the year comes last; "ymd" where the values do not tell."""
    first = second = 0
    for value in values:
        if match := _SLASHED.match(plain(value)):
            first, second = max(first, int(match[1])), max(second, int(match[2]))
    if first > 12 >= second:
        return "dmy"
    return "mdy" if second > 12 >= first and first else "ymd"

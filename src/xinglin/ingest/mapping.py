"""The mapping file: which column of a table goes to which place of the record.

A TOML file that a person can read and mend::

    [table]
    header_row = 1                  # counted from 1
    [columns]
    "姓名" = "patient.name"
    "病案号" = "patient.record_number"
    "血红蛋白(g/L)" = { to = "observation.value", item = "血红蛋白", unit = "g/L", code = "718-7" }
    "备注" = ""                     # left out
    [values]
    date_order = "ymd"              # or mdy, dmy: how 3/5/2024 is meant
    empty = ["1900-01-01"]          # further cells that say nothing
    [systems]
    hospital = "urn:xinglin:hospital"   # whose numbers these are
    [items]
    "葡萄糖" = "14771-0"            # LOINC codes of the table's own test names
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping as Table
from dataclasses import dataclass, field
from typing import Any, get_args

from xinglin.ingest.cells import DateOrder, plain
from xinglin.ingest.errors import MappingError
from xinglin.ingest.places import PLACES

SYSTEMS = {
    "hospital": "urn:xinglin:hospital",
    "diagnosis": "http://hl7.org/fhir/sid/icd-10",
    "observation": "http://loinc.org",
    "medication": "urn:xinglin:hospital:medication",
}
_IDENTITIES = (
    "patient.record_number",
    "patient.resident_id",
    "patient.inpatient_number",
    "patient.outpatient_number",
    "patient.health_card",
)
_NEEDED = {
    "condition": ("condition.text", "condition.code"),
    "observation": ("observation.value",),
    "medication": ("medication.name", "medication.code"),
    "allergy": ("allergy.substance",),
}


@dataclass(frozen=True, slots=True)
class Column:
    """Where one column goes. With ``item`` the column is itself one kind of observation, ``item`` its name."""

    to: str
    item: str | None = None
    unit: str | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Mapping:
    """A table's columns and what each is; ``columns`` maps a header to where it goes, or to None: left out."""

    columns: dict[str, Column | None]
    header_row: int = 1
    sheet: str | None = None
    date_order: DateOrder = "ymd"
    empty: frozenset[str] = frozenset()
    systems: dict[str, str] = field(default_factory=lambda: dict(SYSTEMS))
    items: dict[str, str] = field(default_factory=dict)

    @property
    def groups(self) -> tuple[str, ...]:
        """What a row speaks of, such as ``("patient", "observation")``."""
        present = {column.to.partition(".")[0] for column in self.columns.values() if column}
        return tuple(g for g in ("patient", "encounter", *_NEEDED) if g in present)

    def header(self, place: str) -> str:
        """The header of the column that goes to ``place``; empty where there is none."""
        return next((h for h, c in self.columns.items() if c and c.to == place and not c.item), "")

    def fits(self, headers: list[str]) -> bool:
        """Whether a table with these headers has every column that the mapping uses."""
        return {h for h, c in self.columns.items() if c} <= {plain(h) for h in headers}

    def check(self) -> None:
        """Raises MappingError where rows could not become resources: no patient, or a group without its main part."""
        places = [column.to for column in self.columns.values() if column and not column.item]
        for place in set(places):
            if places.count(place) > 1:
                raise MappingError("ingest.mapping-twice", place=place)
        if not any(place in places for place in _IDENTITIES):
            raise MappingError("ingest.mapping-no-patient", places=", ".join(_IDENTITIES))
        for group in self.groups:
            needed = _NEEDED.get(group)
            filled = {column.to for column in self.columns.values() if column}
            if needed and not filled.intersection(needed):
                raise MappingError("ingest.mapping-incomplete", group=group, places=" / ".join(needed))


def read_mapping(text: str, name: str = "mapping") -> Mapping:
    """A mapping from the text of its file; ``name`` is the file's, for messages. Raises MappingError."""
    try:
        content = tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as error:
        raise MappingError("ingest.mapping-not-toml", file=name, reason=error) from error
    return mapping_of(content, name)


def mapping_of(content: Table[str, Any], name: str = "mapping") -> Mapping:
    """A mapping from what its file holds, as dicts; checked. Raises MappingError."""
    _only(content, ("version", "table", "columns", "values", "systems", "items"), name)
    table, values = _section(content, "table", name), _section(content, "values", name)
    _only(table, ("header_row", "sheet"), name)
    _only(values, ("date_order", "empty"), name)
    systems = _section(content, "systems", name)
    _only(systems, tuple(SYSTEMS), name)
    order = values.get("date_order", "ymd")
    header_row = table.get("header_row", 1)
    if order not in get_args(DateOrder):
        raise MappingError("ingest.mapping-value", file=name, key="values.date_order", right="ymd, mdy, dmy")
    if not isinstance(header_row, int) or header_row < 1:
        raise MappingError("ingest.mapping-value", file=name, key="table.header_row", right="1, 2, 3 …")
    columns = {
        plain(header): _column(header, value, name)
        for header, value in _section(content, "columns", name).items()
    }
    if not columns:
        raise MappingError("ingest.mapping-value", file=name, key="columns", right='"姓名" = "patient.name"')
    mapping = Mapping(
        columns=columns,
        header_row=header_row,
        sheet=table.get("sheet"),
        date_order=order,
        empty=frozenset(plain(str(cell)).casefold() for cell in values.get("empty", ())),
        systems=SYSTEMS | {key: str(value) for key, value in systems.items()},
        items={str(key): str(value) for key, value in _section(content, "items", name).items()},
    )
    mapping.check()
    return mapping


def _section(content: Table[str, Any], key: str, name: str) -> dict[str, Any]:
    section = content.get(key, {})
    if not isinstance(section, dict):
        raise MappingError("ingest.mapping-value", file=name, key=key, right=f"[{key}]")
    return section


def _only(section: Table[str, Any], known: tuple[str, ...], name: str) -> None:
    for key in section:
        if key not in known:
            raise MappingError("ingest.mapping-key", file=name, key=key, known=", ".join(known))


def _column(header: str, value: Any, name: str) -> Column | None:
    parts = {"to": value} if isinstance(value, str) else value
    if not isinstance(parts, dict) or not all(isinstance(part, str) for part in parts.values()):
        raise MappingError("ingest.mapping-value", file=name, key=header, right='"patient.name"')
    _only(parts, ("to", "item", "unit", "code"), name)
    to = parts.get("to", "")
    if not to:
        return None
    if to not in PLACES or (parts.get("item") and to != "observation.value"):
        from difflib import get_close_matches

        near = get_close_matches(to, PLACES, n=1, cutoff=0.3) or ["patient.name"]
        raise MappingError("ingest.mapping-place", file=name, header=header, place=to, like=near[0])
    return Column(to, parts.get("item"), parts.get("unit"), parts.get("code"))


def as_dict(mapping: Mapping) -> dict[str, Any]:
    """A mapping as plain dicts, which ``mapping_of`` reads back."""
    table: dict[str, Any] = {"header_row": mapping.header_row}
    if mapping.sheet is not None:
        table["sheet"] = mapping.sheet
    return {
        "version": 1,
        "table": table,
        "columns": {header: _plain_column(column) for header, column in mapping.columns.items()},
        "values": {"date_order": mapping.date_order, "empty": sorted(mapping.empty)},
        "systems": dict(mapping.systems),
        "items": dict(mapping.items),
    }


def _plain_column(column: Column | None) -> str | dict[str, str]:
    if column is None:
        return ""
    parts = {"item": column.item, "unit": column.unit, "code": column.code}
    filled = {key: value for key, value in parts.items() if value is not None}
    return {"to": column.to, **filled} if filled else column.to


def write_mapping(mapping: Mapping, comment: str = "") -> str:
    """The text of the mapping's file, headed by ``comment``; ``read_mapping`` gives the same mapping back."""
    content = as_dict(mapping)
    lines = [f"# {line}".rstrip() for line in comment.splitlines()] + ["version = 1"]
    for name, section in content.items():
        if isinstance(section, dict) and section:
            lines += ["", f"[{name}]"]
            lines += [f"{_key(key)} = {_value(value)}" for key, value in section.items()]
    return "\n".join(lines) + "\n"


def _key(key: str) -> str:
    return key if key.isascii() and key.isidentifier() else _value(key)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(key)} = {_value(part)}" for key, part in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_value(part) for part in value) + "]"
    if isinstance(value, str):  # TOML's basic strings are JSON's, but for DEL
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value)

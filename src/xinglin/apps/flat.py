"""A resource as one flat row, for tables and data frames: FHIR's structures as the short text a person reads.

``{"code": {"text": "Glucose"}, "valueQuantity": {"value": 5.1, "unit": "mmol/L"}}`` becomes
``{"code": "Glucose", "value": Decimal("5.1"), "value.unit": "mmol/L"}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_CHOICES = (
    "value",
    "effective",
    "onset",
    "abatement",
    "medication",
    "deceased",
    "occurrence",
    "performed",
    "multipleBirth",
)
_LEFT_OUT = frozenset(("text", "contained", "resourceType"))

# What a person wants to see first, by type; of others: id and what they have in common
_COLUMNS: dict[str, tuple[str, ...]] = {
    "Patient": ("id", "name", "gender", "birthDate", "identifier", "telecom"),
    "Observation": ("id", "code", "value", "value.unit", "interpretation", "effective", "subject"),
    "Condition": ("id", "code", "clinicalStatus", "onset", "recordedDate", "subject"),
    "Encounter": ("id", "class", "status", "period.start", "period.end", "type", "subject"),
    "MedicationRequest": ("id", "medication", "status", "authoredOn", "dosageInstruction", "subject"),
    "AllergyIntolerance": ("id", "code", "clinicalStatus", "recordedDate", "patient"),
    "Procedure": ("id", "code", "status", "performed", "performed.start", "subject"),
    "Practitioner": ("id", "name", "gender", "identifier"),
    "Organization": ("id", "name", "type"),
}
_COMMON = ("id", "status", "code", "name", "type", "date", "subject", "patient")


def columns_of(resource_type: str, rows: list[dict[str, Any]]) -> list[str]:
    """The columns to show of these rows: those usual for the type that any row fills."""
    wanted = _COLUMNS.get(resource_type, _COMMON)
    filled = {key for row in rows for key, value in row.items() if value not in (None, "")}
    return [column for column in wanted if column in filled or column == "id"]


def flat(resource: Mapping[str, Any]) -> dict[str, Any]:
    """One row of a resource: a column for each element, ``element.part`` for units and the ends of periods."""
    row: dict[str, Any] = {}
    for name, value in resource.items():
        if name in _LEFT_OUT or name.startswith("_"):
            continue
        if name == "meta":
            row["meta.lastUpdated"] = value.get("lastUpdated")
            row["meta.versionId"] = value.get("versionId")
            continue
        base = next((choice for choice in _CHOICES if name.startswith(choice) and name != choice), name)
        if isinstance(value, dict) and "value" in value and not {"system", "use"} & value.keys() - {"system"}:
            row[base] = (
                value["value"] if not value.get("comparator") else f"{value['comparator']}{value['value']}"
            )
            if unit := value.get("unit") or value.get("code"):
                row[f"{base}.unit"] = unit
        elif isinstance(value, dict) and {"start", "end"} & value.keys():
            row |= {f"{base}.{end}": value[end] for end in ("start", "end") if end in value}
        else:
            row[base] = brief(value)
    return row


def brief(value: Any) -> Any:
    """The short form of any element; lists are joined by semicolons.

    >>> brief([{"family": "Smith", "given": ["John"]}]), brief({"coding": [{"code": "E11"}]}), brief({"reference": "Patient/1"})
    ('John Smith', 'E11', 'Patient/1')
    """
    if isinstance(value, list):
        parts = [str(part) for item in value if (part := brief(item)) not in (None, "")]
        return "; ".join(parts)
    if not isinstance(value, dict):
        return value
    if text := value.get("text"):
        return text
    if "family" in value or "given" in value:
        return _name(value)
    for key in ("display", "reference", "url" if "valueString" in value else "code"):
        if isinstance(value.get(key), str):
            return value[key] if key != "url" else value["valueString"]
    if "coding" in value:
        return brief(value["coding"][:1])
    if "value" in value:
        return value["value"]
    if "start" in value or "end" in value:
        return f"{value.get('start', '')}/{value.get('end', '')}"
    if "city" in value or "line" in value:
        return ", ".join(
            [*value.get("line", []), *(value[k] for k in ("city", "state", "postalCode") if k in value)]
        )
    return "; ".join(str(part) for item in value.values() if (part := brief(item)) not in (None, ""))


def _name(name: Mapping[str, Any]) -> str:
    family, given = name.get("family", ""), name.get("given", [])
    if not f"{family}{''.join(given)}".isascii():
        return str(family) + "".join(given)
    return " ".join([*given, family]).strip()

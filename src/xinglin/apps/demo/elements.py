"""The pieces of FHIR that the demonstration's resources are made of."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import Any

Json = dict[str, Any]
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
_ZONE = timezone(timedelta(hours=8))


def instant(day: date, minute: int) -> str:
    return datetime(day.year, day.month, day.day, minute // 60, minute % 60, tzinfo=_ZONE).isoformat()


def concept(system: str | None, code: str | None, en: str, zh: str) -> Json:
    """A CodeableConcept: the code with its English display, the Chinese name as text."""
    concept: Json = {"text": zh}
    if code is not None:
        concept["coding"] = [{"system": system, "code": code, "display": en}]
    return concept


def category(system: str, code: str, display: str) -> list[Json]:
    return [{"coding": [{"system": f"{TERMINOLOGY}/{system}", "code": code, "display": display}]}]

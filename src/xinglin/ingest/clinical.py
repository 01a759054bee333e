"""The clinical part of a mapped row: conditions, observations, medicines, allergies. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from xinglin.ingest.cells import plain
from xinglin.ingest.errors import RowError
from xinglin.ingest.measured import Result, flag, reference_range, result, unit_code
from xinglin.kernel.ids import stable_id

if TYPE_CHECKING:
    from xinglin.ingest.rows import Cells

Resource = dict[str, Any]

UCUM = "http://unitsofmeasure.org"
LOINC = "http://loinc.org"
_INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
_ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
_NO_ALLERGY = re.compile(
    r"(?:无|否认|未发现|没有)(?:已知|任何)?(?:药物|食物|及|和|、)*(?:过敏史?|过敏原)?"
    r"|nkda|no known (?:drug )?allerg(?:y|ies)|none",
    re.IGNORECASE,
)
_SEVERITY = {"轻": "mild", "轻度": "mild", "mild": "mild", "中": "moderate", "中度": "moderate", "moderate": "moderate",
             "重": "severe", "重度": "severe", "严重": "severe", "severe": "severe"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class About:
    """Whom and which visit a row speaks of."""

    patient_id: str
    subject: Resource
    encounter: Resource | None

    def new(self, resource_type: str, *key: str | None) -> Resource:
        """A resource about this patient and visit, its id made of ``key``."""
        lasting = resource_type == "AllergyIntolerance"  # the same at every visit
        visit = self.encounter["id"] if self.encounter and not lasting else ""
        made: Resource = {
            "resourceType": resource_type,
            "id": stable_id(self.patient_id, resource_type, visit, *(part or "" for part in key)),
            "patient" if lasting else "subject": self.subject,
        }
        if visit:
            made["encounter"] = {"reference": f"Encounter/{visit}"}
        return made

    @property
    def start(self) -> str | None:
        """When the visit began, None where not known."""
        return self.encounter.get("period", {}).get("start") if self.encounter else None


def _concept(text: str | None, system: str, code: str | None) -> Resource:
    concept: Resource = {}
    if code:
        concept["coding"] = [
            {"system": system, "code": code}
        ]  # no display: the text is the hospital's, not the system's
    if text:
        concept["text"] = text
    return concept


def conditions(cells: Cells, about: About) -> list[Resource]:
    """The diagnoses of a row; several in one cell, parted by semicolons, when their codes are as many."""
    text, code = cells.text("condition.text"), cells.text("condition.code")
    if (not text or text == "无") and not code:
        return []
    texts = re.split(r"[;；]\s*", text.rstrip(";； ")) if text else []
    codes = re.split(r"[;；,，]\s*", code.rstrip(";；,， ")) if code else []
    if texts and codes and len(texts) != len(codes):
        texts, codes = [text or ""], []
        cells.problems.append(
            RowError(
                "ingest.row-code-count", expression="Condition.code", column=cells.header("condition.code")
            )
        )
    recorded = cells.when("condition.date")
    made = []
    for at in range(max(len(texts), len(codes))):
        name = texts[at].strip() if texts else None
        number = plain(codes[at]).upper().replace("X", "x") if codes else None
        condition = about.new("Condition", number or name, recorded)
        condition["category"] = [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/condition-category",
                        "code": "encounter-diagnosis",
                    }
                ]
            }
        ]
        condition["code"] = _concept(name, cells.mapping.systems["diagnosis"], number)
        if recorded or about.start:
            condition["recordedDate"] = recorded or about.start
        made.append(condition)
    return made


def observations(cells: Cells, about: About) -> list[Resource]:
    """The result of a row, and of each of its columns that is itself a kind of observation."""
    when = cells.when("observation.time") or about.start
    number = cells.text("observation.number")
    made = []
    for column, cell in cells.wide:
        got = result(cell, cells.mapping.empty)
        if got.absent == "unknown":  # a blank in a wide table: nobody asked for it
            continue
        code = column.code or cells.mapping.items.get(column.item or "")
        observation = about.new("Observation", column.item, when, number)
        _fill(
            observation, got, column.unit, _concept(column.item, LOINC, code), when, vital=bool(column.code)
        )
        made.append(observation)
    item, code = cells.text("observation.item"), cells.text("observation.code")
    if not cells.header("observation.value") or (
        item is None and code is None and not cells.raw("observation.value").strip()
    ):
        return made
    if item is None and code is None:
        cells.problems.append(RowError("ingest.row-no-item", expression="Observation.code"))
        return made
    code = code or cells.mapping.items.get(item or "")
    specimen = cells.text("observation.specimen")
    observation = about.new("Observation", code, item, when, number, specimen)
    got = result(cells.raw("observation.value"), cells.mapping.empty)
    _fill(
        observation,
        got,
        cells.text("observation.unit"),
        _concept(item, cells.mapping.systems["observation"], code),
        when,
    )
    _annotate(observation, cells, got)
    if specimen:
        observation["specimen"] = {"display": specimen}
    return [*made, observation]


def _fill(
    observation: Resource,
    got: Result,
    unit: str | None,
    concept: Resource,
    when: str | None,
    *,
    vital: bool = False,
) -> None:
    observation["status"] = "final"
    category = "vital-signs" if vital else "laboratory"
    observation["category"] = [{"coding": [{"system": _CATEGORY, "code": category}]}]
    observation["code"] = concept
    if when:
        observation["effectiveDateTime"] = when
    if got.value is not None:
        observation["valueQuantity"] = _quantity(got.value, got.unit or unit, got.comparator)
    elif got.text is not None:
        observation["valueString"] = got.text
    else:
        observation["status"] = "cancelled" if got.absent == "not-performed" else "final"
        observation["dataAbsentReason"] = {"coding": [{"system": _ABSENT, "code": got.absent}]}


def _annotate(observation: Resource, cells: Cells, got: Result) -> None:
    """The flag, the reference range, the time of the report and the specimen's number."""
    said = cells.text("observation.flag")
    if code := ((flag(said) if said else None) or got.flag):
        observation["interpretation"] = [{"coding": [{"system": _INTERPRETATION, "code": code}]}]
    elif said:
        observation["interpretation"] = [{"text": said}]
    unit = got.unit or cells.text("observation.unit")
    if found := reference_range(cells.raw("observation.range")):
        span: Resource = {"text": found.text}
        for key, bound in (("low", found.low), ("high", found.high)):
            if bound is not None:
                span[key] = _quantity(bound, unit, None)
        observation["referenceRange"] = [span]
    if (issued := cells.when("observation.issued")) and "T" in issued:
        observation["issued"] = issued
    if number := cells.text("observation.number"):
        hospital = cells.mapping.systems["hospital"]
        observation["identifier"] = [{"system": f"{hospital}:specimen", "value": plain(number)}]


def _quantity(value: Decimal, unit: str | None, comparator: str | None) -> Resource:
    quantity: Resource = {"value": value}
    if comparator:
        quantity["comparator"] = comparator
    if unit:
        quantity["unit"] = unit.strip()
        if code := unit_code(unit):
            quantity |= {"system": UCUM, "code": code}
    return quantity


def medicines(cells: Cells, about: About) -> list[Resource]:
    """The medicine of a row as a MedicationRequest; a dose that is no number with a unit stays text."""
    name, code = cells.text("medication.name"), cells.text("medication.code")
    if not name and not code:
        return []
    start, end = cells.when("medication.start"), cells.when("medication.end")
    number = cells.text("medication.number")
    dose, frequency, route = (cells.text(f"medication.{part}") for part in ("dose", "frequency", "route"))
    request = about.new("MedicationRequest", number, code, name, start or about.start, dose, frequency)
    if number:
        hospital = cells.mapping.systems["hospital"]
        request["identifier"] = [{"system": f"{hospital}:prescription", "value": plain(number)}]
    request["status"] = "completed" if end else "unknown"
    request["intent"] = "order"
    request["medicationCodeableConcept"] = _concept(name, cells.mapping.systems["medication"], code)
    if start or about.start:
        request["authoredOn"] = start or about.start
    unit = cells.text("medication.dose_unit")
    words = [f"{dose}{unit}" if dose and unit and not _has_unit(dose) else dose, route, frequency]
    instruction: Resource = {"text": " ".join(word for word in words if word)}
    if not instruction["text"]:
        return [request]
    if start and end:
        instruction["timing"] = {"repeat": {"boundsPeriod": {"start": start, "end": end}}}
    if route:
        instruction["route"] = {"text": route}
    amount = result(dose or "", cells.mapping.empty)
    if amount.value is not None and amount.comparator is None and (amount.unit or unit):
        instruction["doseAndRate"] = [{"doseQuantity": _quantity(amount.value, amount.unit or unit, None)}]
    request["dosageInstruction"] = [instruction]
    return [request]


def _has_unit(dose: str) -> bool:
    return not plain(dose).replace(".", "").isdigit()


def allergies(cells: Cells, about: About) -> list[Resource]:
    """The allergy of a row; 无 and 否认 say that there is none known, which is something else than not saying."""
    written = cells.raw("allergy.substance").strip()
    substance = cells.text("allergy.substance")
    none_known = bool(_NO_ALLERGY.fullmatch(plain(written)))
    if substance is None and not none_known:
        return []
    allergy = about.new("AllergyIntolerance", "none" if none_known else substance)
    allergy["clinicalStatus"] = _coded("allergyintolerance-clinical", "active")
    allergy["verificationStatus"] = _coded("allergyintolerance-verification", "unconfirmed")
    if none_known:
        allergy["code"] = _concept(written, "http://snomed.info/sct", "716186003")
        return [allergy]
    allergy["code"] = {"text": substance}
    if recorded := cells.when("allergy.date"):
        allergy["recordedDate"] = recorded
    if reaction := cells.text("allergy.reaction"):
        found: Resource = {"manifestation": [{"text": reaction}]}
        said = cells.text("allergy.severity")
        if said:
            known = _SEVERITY.get(plain(said).casefold())
            found |= {"severity": known} if known else {"description": said}
        allergy["reaction"] = [found]
    return [allergy]


def _coded(system: str, code: str) -> Resource:
    return {"coding": [{"system": f"http://terminology.hl7.org/CodeSystem/{system}", "code": code}]}


MAKERS: dict[str, Callable[[Cells, About], list[Resource]]] = {
    "condition": conditions,
    "observation": observations,
    "medication": medicines,
    "allergy": allergies,
}

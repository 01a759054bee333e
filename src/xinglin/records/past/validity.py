"""When what a resource tells of began, and when it ended: its valid time.

Read by R4's own search parameters of type date. `CLINICAL` names, for each type of the Patient compartment, the parameters
that say when it happened, was true or was asked for; the first one that has a value in the resource counts. A date stands
for all of its precision. A resource without such a date (and types that have no such parameter: people, coverage) cannot
be placed in time and is never left out: an undated allergy is still an allergy.

Source: HL7 FHIR R4, search parameters (searchparameter-registry.html); fivews.html ("when.done", "when.init").
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final, NamedTuple

import msgspec

from xinglin.standards.fhir.temporal import MAX_US, MIN_US, interval, site_zone

CLINICAL: Final[dict[str, tuple[str, ...]]] = {
    "Account": ("period",),
    "AdverseEvent": ("date",),
    "AllergyIntolerance": ("onset", "date"),
    "Appointment": ("date",),
    "AuditEvent": ("date",),
    "Basic": ("created",),
    "CarePlan": ("date",),
    "CareTeam": ("date",),
    "ChargeItem": ("occurrence", "entered-date"),
    "Claim": ("created",),
    "ClaimResponse": ("created",),
    "ClinicalImpression": ("date",),
    "Communication": ("sent", "received"),
    "CommunicationRequest": ("authored", "occurrence"),
    "Composition": ("date",),
    "Condition": ("onset-date", "recorded-date"),
    "Consent": ("date",),
    "CoverageEligibilityRequest": ("created",),
    "CoverageEligibilityResponse": ("created",),
    "DetectedIssue": ("identified",),
    "DeviceRequest": ("authored-on", "event-date"),
    "DiagnosticReport": ("date", "issued"),
    "DocumentManifest": ("created",),
    "DocumentReference": ("date", "period"),
    "Encounter": ("date",),
    "EpisodeOfCare": ("date",),
    "ExplanationOfBenefit": ("created",),
    "FamilyMemberHistory": ("date",),
    "Flag": ("date",),
    "Goal": ("start-date",),
    "ImagingStudy": ("started",),
    "Immunization": ("date",),
    "ImmunizationEvaluation": ("date",),
    "ImmunizationRecommendation": ("date",),
    "Invoice": ("date",),
    "List": ("date",),
    "MeasureReport": ("date", "period"),
    "Media": ("created",),
    "MedicationAdministration": ("effective-time",),
    "MedicationDispense": ("whenprepared", "whenhandedover"),
    "MedicationRequest": ("authoredon",),
    "MedicationStatement": ("effective",),
    "NutritionOrder": ("datetime",),
    "Observation": ("date",),
    "Procedure": ("date",),
    "Provenance": ("when", "recorded"),
    "QuestionnaireResponse": ("authored",),
    "RequestGroup": ("authored",),
    "ResearchSubject": ("date",),
    "RiskAssessment": ("date",),
    "Schedule": ("date",),
    "ServiceRequest": ("authored", "occurrence"),
    "Specimen": ("collected",),
    "SupplyRequest": ("date",),
    "VisionPrescription": ("datewritten",),
}
ENDS: Final[dict[str, tuple[str, ...]]] = {"Condition": ("abatement-date",)}
"""Parameters that say when it ended, where the beginning is not a Period that says so itself."""

_decode = msgspec.json.Decoder().decode


class Validity(NamedTuple):
    """``[low_us, high_us)``; an open end is MIN_US or MAX_US. ``lasting``: it has a beginning and an end of its own, rather
    than being a moment as exactly as it was written down."""

    low_us: int
    high_us: int
    lasting: bool


def validity(type_: str, body: bytes, zone: str) -> Validity | None:
    """When what ``body`` tells of was so; None where it does not say.

    >>> validity("Encounter", b'{"period":{"start":"1970-01-01","end":"1970-01-01"}}', "UTC")
    Validity(low_us=0, high_us=86400000000, lasting=True)
    """
    if type_ not in CLINICAL:
        return None
    resource = _decode(body)
    found = _first(resource, type_, CLINICAL[type_], zone)
    if found is None or type_ not in ENDS:
        return found
    end = _first(resource, type_, ENDS[type_], zone)
    if end is None:  # it goes on, or is over since nobody says when: nobody says that it was over then
        return Validity(found.low_us, MAX_US, True)
    return Validity(found.low_us, max(end.high_us, found.high_us), True)


def _first(resource: dict[str, Any], type_: str, names: tuple[str, ...], zone: str) -> Validity | None:
    for name in names:
        spans = [
            span
            for steps, kind in _walks(type_, name)
            for value in _values(resource, steps)
            if (span := _span(value, kind, zone)) is not None
        ]
        if spans:
            return Validity(
                min(span.low_us for span in spans),
                max(span.high_us for span in spans),
                any(span.lasting for span in spans),
            )
    return None


@cache
def _walks(type_: str, name: str) -> tuple[tuple[tuple[str, ...], str], ...]:
    """The elements that a parameter reads, each with its type."""
    from xinglin.records.index.paths import Step, walks
    from xinglin.standards.fhir.r4.parameters import PARAMETERS

    found = walks(PARAMETERS[type_, name].expression, type_)
    return tuple(
        (tuple(step.name for step in walk.steps if isinstance(step, Step)), walk.type)
        for walk in found
        if walk.type in ("date", "dateTime", "instant", "Period", "Timing")
    )


def _values(node: Any, steps: tuple[str, ...]) -> list[Any]:
    values = [node]
    for step in steps:
        values = [value[step] for value in values if isinstance(value, dict) and step in value]
        values = [one for value in values for one in (value if isinstance(value, list) else [value])]
    return values


def _span(value: Any, kind: str, zone: str) -> Validity | None:
    at = site_zone(zone)
    if isinstance(value, str):
        return Validity(*interval(value, at), False)
    if not isinstance(value, dict):
        return None
    if kind == "Timing":
        bounds = value.get("repeat", {}).get("boundsPeriod", {})
        spans = [interval(event, at) for event in value.get("event", ()) if isinstance(event, str)]
        if bounds:
            spans += [span[:2] for span in [_span(bounds, "Period", zone)] if span is not None]
        return Validity(min(s[0] for s in spans), max(s[1] for s in spans), True) if spans else None
    start, end = value.get("start"), value.get("end")
    if start is None and end is None:
        return None
    low = interval(start, at)[0] if start is not None else MIN_US
    high = interval(end, at)[1] if end is not None else MAX_US
    return Validity(min(low, high), max(low, high), True)

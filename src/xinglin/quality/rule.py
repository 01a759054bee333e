"""The rule at work: a changed Observation comes from the feed, a draft goes out, a clinician decides.

A wrong unit gives a correction of the Observation; what no reading explains gives a preliminary DetectedIssue about it. What
machines asserted (label AIAST: open drafts, corrections that a clinician accepted) is never looked at, so the rule cannot
follow itself, nor come back to what was decided. A rejected draft stays rejected while the result stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from xinglin.drafts import Draft, Drafts, Input, Model, Proposal, Reason
from xinglin.drafts.errors import InputChanged
from xinglin.drafts.exact import loads
from xinglin.drafts.parts import AIAST, ASSERTED_BY
from xinglin.drafts.writing import instant_now
from xinglin.kernel.language import say
from xinglin.quality.analytes import by_code, digest
from xinglin.quality.spelling import SHOWN, UCUM, understood
from xinglin.quality.units import Finding, as_meant, examine, unexplained
from xinglin.records.errors import Gone, NotFound
from xinglin.records.service import Records
from xinglin.records.stored import Change
from xinglin.standards.ucum import is_commensurable
from xinglin.trust import Actor

KIND: Final = "quality.units"
MODEL: Final = Model("xinglin-units", "2", digest())
LOINC: Final = "http://loinc.org"
_PRESSURE: Final = "Pa"
_TITLE: Final = "quality.implausible"
_REPORTED: Final = frozenset(("preliminary", "final", "amended", "corrected", "appended"))
_CORRECTED: Final = frozenset(("final", "amended", "corrected", "appended"))


@dataclass(frozen=True, slots=True)
class Place:
    """A quantity in an Observation: of the whole (``component`` None), or of one component."""

    component: int | None
    finding: Finding


def handle(records: Records, changes: Iterable[Change]) -> list[Draft]:
    """Drafts for the Observations among ``changes``, entries of the change feed."""
    drafts: list[Draft] = []
    met: set[tuple[int, str]] = set()
    for change in changes:
        if change.type != "Observation" or change.method == "DELETE" or (change.tenant, change.id) in met:
            continue
        met.add((change.tenant, change.id))
        drafts += look(records, Actor("quality", change.tenant, "HOPERAT", "service"), change.id)
    return drafts


def look(records: Records, actor: Actor, id_: str) -> list[Draft]:
    """Drafts for one Observation as it is now; none where nothing is wrong with its units."""
    try:
        stored = records.read(actor, "Observation", id_)
    except (NotFound, Gone):
        return []
    if b"Quantity" not in stored.body or AIAST.encode() in stored.body:
        return []
    observation = loads(stored.body)
    found = list(findings(observation))
    if not found:
        return []
    reference = f"Observation/{id_}/_history/{stored.version}"
    reason = _reason(found)
    wrong = [place for place in found if place.finding.kind == "wrong-unit"]
    if len(wrong) == len(found):
        resource, corrects = corrected(observation, wrong), reference
    else:
        resource, corrects = _issue(observation, reference, reason), ""
    proposal = Proposal(KIND, MODEL, (Input(reference),), reason, (resource,), corrects)
    try:
        return Drafts(records).propose(actor, proposal)
    except InputChanged:  # changed since: the feed brings it again
        return []


def findings(observation: dict[str, Any]) -> Iterator[Place]:
    """What cannot be right in an Observation, machine assertions and withdrawn results apart."""
    labels = (observation.get("meta") or {}).get("security", ())
    if any(one.get("system") == ASSERTED_BY and one.get("code") == AIAST for one in labels):
        return
    if observation.get("status") not in _REPORTED:
        return
    parts = [(None, observation), *enumerate(observation.get("component", ()))]
    measured = [(at, one) for at, part in parts if (one := _measured(part)) is not None]
    found = {at: finding for at, one in measured if (finding := examine(*one)) is not None}
    for at, one in measured:
        finding = found.get(at)
        if finding is None:
            finding = _like_its_neighbours(one, list(found.values()))
        elif _contradicted(finding, [other for place, other in measured if place != at]):
            finding = unexplained(finding)
        if finding is not None:
            yield Place(at, finding)


def _measured(part: dict[str, Any]) -> tuple[str, Decimal, str] | None:
    """The LOINC code, number and unit (UCUM) of what can be judged."""
    quantity = part.get("valueQuantity") or {}
    value = quantity.get("value")
    if value is None or quantity.get("comparator"):
        return None
    for coding in (part.get("code") or {}).get("coding", ()):
        code = str(coding.get("code", ""))
        if coding.get("system") == LOINC and code in by_code():
            unit = understood(quantity, by_code()[code][0])
            return (code, Decimal(str(value)), unit) if unit else None
    return None


def _like_its_neighbours(one: tuple[str, Decimal, str], found: list[Finding]) -> Finding | None:
    """A number beside one whose unit is wrong, in the same unit: wrong too where it is unusual in it and usual as meant.

    16/10.5 in mm[Hg] were kPa, both: a blood pressure of 120/10.5 mm[Hg] would be a new mistake.
    """
    code, value, unit = one
    analyte, _ = by_code()[code]
    usual = {reading.unit for reading in analyte.readings if reading.is_usual(value)}
    for other in found:
        if (
            other.kind == "wrong-unit"
            and other.was_unit == unit
            and unit not in usual
            and other.meant_unit in usual
        ):
            return as_meant(code, value, unit, other.meant_unit)
    return None


def _contradicted(finding: Finding, others: list[tuple[str, Decimal, str]]) -> bool:
    """Whether a pressure stands beside another one that is right in the unit that is thought to be wrong.

    One cuff, and one blood gas analyser, measures in one unit: of 16/80 mm[Hg] the first is more likely a slip of the hand for
    160 than 16 kPa.
    """
    if finding.kind != "wrong-unit" or not is_commensurable(finding.was_unit, _PRESSURE):
        return False
    for code, value, unit in others:
        usual = {reading.unit for reading in by_code()[code][0].readings if reading.is_usual(value)}
        if unit == finding.was_unit and unit in usual and finding.meant_unit not in usual:
            return True
    return False


def corrected(observation: dict[str, Any], places: list[Place]) -> dict[str, Any]:
    """The Observation as it must have been meant, without what was said of the wrong number: narrative and flags."""
    changed = {name: value for name, value in observation.items() if name != "text"}
    if changed.get("status") in _CORRECTED:
        changed["status"] = "corrected"
    for place in places:
        found = place.finding
        quantity = {
            "value": found.value,
            "unit": shown(found.unit) or "1",
            "system": UCUM,
            "code": found.unit,
        }
        if place.component is None:
            changed["valueQuantity"] = {**observation["valueQuantity"], **quantity}
            changed.pop("interpretation", None)
        else:
            components = list(changed["component"])
            part = components[place.component]
            components[place.component] = {**part, "valueQuantity": {**part["valueQuantity"], **quantity}}
            components[place.component].pop("interpretation", None)
            changed["component"] = components
    return changed


def shown(unit: str) -> str:
    """A UCUM code as people write it."""
    return SHOWN.get(unit, unit)


def _issue(observation: dict[str, Any], reference: str, reason: Reason) -> dict[str, Any]:
    subject = observation.get("subject")
    issue: dict[str, Any] = {
        "resourceType": "DetectedIssue",
        "status": "preliminary",
        "code": {
            "coding": [
                {"system": "urn:xinglin:quality", "code": "implausible", "display": say(_TITLE, "en")}
            ],
            "text": say(_TITLE, "zh"),
        },
        "severity": "moderate",
        "implicated": [{"reference": reference}],
        "detail": reason.en,
        "identifiedDateTime": instant_now(),
    }
    if subject and str(subject.get("reference", "")).startswith("Patient/"):
        issue["patient"] = subject
    return issue


def _reason(places: list[Place]) -> Reason:
    en, zh = (" ".join(_sentence(place.finding, language) for place in places) for language in ("en", "zh"))
    return Reason(en, zh.replace("。 ", "。"), places[0].finding.kind)


def _sentence(finding: Finding, language: Any) -> str:
    name = finding.analyte.zh if language == "zh" else finding.analyte.en
    was = f"{finding.was} {shown(finding.was_unit)}".strip()
    values: dict[str, object] = {"test": name, "was": was, "low": finding.low, "high": finding.high}
    key = "outside" if finding.low is not None else "dimension"
    text = say(f"quality.{key}", language, **values)
    if finding.kind == "implausible":
        return text + ("" if language == "zh" else " ") + say("quality.no-reading", language)
    meant = f"{finding.was} {shown(finding.meant_unit)}".strip()
    now = f"{finding.value} {shown(finding.unit)}".strip()
    key = "meant" if meant == now else "meant-converted"
    return text + ("" if language == "zh" else " ") + say(f"quality.{key}", language, meant=meant, now=now)

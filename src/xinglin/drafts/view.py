"""A draft as pages, scripts and the command line show it: plain values, one language, what it would change.

It is clinical content, for who asks; nothing of it goes into a log.
"""

from __future__ import annotations

from typing import Any, Final

from xinglin.drafts.changes import differences
from xinglin.drafts.parts import Draft, Ref, ref
from xinglin.drafts.reading import current, version
from xinglin.drafts.service import Drafts
from xinglin.drafts.states import subject_of
from xinglin.kernel.language import Language
from xinglin.trust import Actor

Resource = dict[str, Any]
_SHOWN: Final = {
    "mm[Hg]": "mmHg", "Cel": "℃", "[degF]": "℉", "10*9/L": "×10⁹/L", "10*12/L": "×10¹²/L", "umol/L": "μmol/L",
    "m[IU]/L": "mIU/L", "kg/m2": "kg/m²",
}  # fmt: skip
"""Units that were recorded as their UCUM codes, as people write them."""


def shown(drafts: Drafts, actor: Actor, draft: Draft, language: Language) -> dict[str, Any]:
    """One draft.

    ``before``: of a correction, what it would replace; ``content``: what is proposed. ``changes``: path, before and after of
    each element that would change. ``inputs``: what it was computed from, each with a title, its code, its
    value then and its value ``now`` (None: it is deleted).
    """
    origin = draft.origin
    before = drafts.before(actor, draft)
    content = draft.proposed
    subject = subject_of({**content, "id": (origin.corrects or draft.ref).id}) or subject_of(draft.resource)
    patient = ref(subject)
    return {
        "reference": draft.reference,
        "type": draft.ref.type,
        "id": draft.ref.id,
        "version": draft.ref.version,
        "state": draft.state,
        "changed": draft.changed,
        "kind": origin.kind,
        "title": title(content, language),
        "patient": None if patient is None else {"id": patient.id, "name": _name(drafts, actor, patient)},
        "proposed": origin.at,
        "reason": origin.reason.in_(language),
        "model": {"name": origin.model.name, "version": origin.model.version, "hash": origin.model.hash},
        "confidence": origin.confidence,
        "inputs": [_input(drafts, actor, one.ref, language) for one in origin.inputs],
        "corrects": None if origin.corrects is None else str(origin.corrects),
        "changes": [
            {"path": one.path, "before": one.before, "after": one.after}
            for one in differences(before or {}, content)
        ]
        if before is not None
        else [],
        "before": before,
        "content": content,
    }


def title(resource: Resource, language: Language) -> str:
    """What a resource is about, in a few words: its code, medicine or outcome; else its type."""
    for name in ("code", "medicationCodeableConcept", "type", "description"):
        value = resource.get(name)
        if isinstance(value, dict) and (text := _words(value, language)):
            code = next((str(one["code"]) for one in value.get("coding", ()) if one.get("code")), "")
            foreign = language != "zh" and _is_chinese(text) and code
            return f"{text} ({code})" if foreign else text  # something that every reader can look up
        if isinstance(value, str):
            return value
    for prediction in resource.get("prediction", ()):
        if text := _words(prediction.get("outcome") or {}, language):
            return text
    return str(resource.get("resourceType", ""))


def brief(resource: Resource | None) -> str:
    """The value of a resource in a few words, where it has one: quantities as they are written, or text.

    >>> brief({"valueQuantity": {"value": 5.5, "unit": "mmol/L"}})
    '5.5 mmol/L'
    >>> brief({"valueQuantity": {"value": 120, "unit": "mm[Hg]"}})
    '120 mmHg'
    """
    if resource is None:
        return ""
    parts = [_value(resource), *(_value(one) for one in resource.get("component", ()))]
    for prediction in resource.get("prediction", ()):
        if "probabilityDecimal" in prediction:
            parts.append(str(prediction["probabilityDecimal"]))
    return " · ".join(part for part in parts if part)


def _value(resource: Resource) -> str:
    quantity = resource.get("valueQuantity")
    if isinstance(quantity, dict):
        sign = str(quantity.get("comparator", ""))
        unit = str(quantity.get("unit") or quantity.get("code") or "")
        return f"{sign}{quantity.get('value', '')} {_SHOWN.get(unit, unit)}".strip()
    concept = resource.get("valueCodeableConcept")
    if isinstance(concept, dict):
        return _words(concept, "en")
    value = resource.get("valueString") or resource.get("conclusion") or ""
    return value if isinstance(value, str) else ""


def _words(concept: Resource, language: Language) -> str:
    """A concept's text or display; the one with Chinese characters for a Chinese reader, where there is one."""
    texts = [concept.get("text"), *(coding.get("display") for coding in concept.get("coding", ()))]
    given = [str(text) for text in texts if text]
    chinese = [text for text in given if _is_chinese(text)]
    latin = [text for text in given if text not in chinese]
    ordered = chinese + latin if language == "zh" else latin + chinese
    return (
        ordered[0]
        if ordered
        else next((str(c["code"]) for c in concept.get("coding", ()) if c.get("code")), "")
    )


def _is_chinese(text: str) -> bool:
    return any("㐀" <= character <= "鿿" for character in text)


def _name(drafts: Drafts, actor: Actor, one: Ref) -> str:
    found = current(drafts.records, actor, one)
    for name in (found[1] if found else {}).get("name", ()):
        text = name.get("text") or " ".join((*name.get("given", ()), name.get("family", ""))).strip()
        if text:
            return str(text)
    return ""


def _input(drafts: Drafts, actor: Actor, one: Ref, language: Language) -> dict[str, Any]:
    body = version(drafts.records, actor, one)
    there = current(drafts.records, actor, one.bare)
    return {
        "reference": str(one),
        "title": one.type if body is None else title(body, language),
        "code": None if body is None or not isinstance(body.get("code"), dict) else body["code"],
        "value": brief(body),
        "now": None if there is None else brief(there[1]),
    }

"""How each type says that it is open, final or withdrawn, and what counts as a change of an input.

Only types whose standard states can say "preliminary" may be drafts. A request stays a proposal when it is accepted
(``intent`` never changes, R4 request pattern): it becomes active, and an order is a resource of its own, based on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from xinglin.drafts.errors import NotDraftable
from xinglin.drafts.parts import AIAST, ASSERTED_BY, CHANGED, CLINAST, RETRACTION, STATE, State

Change = Literal["", "corrected", "withdrawn", "moved"]
_CODES: Final = "http://terminology.hl7.org/CodeSystem/"


@dataclass(frozen=True, slots=True)
class Form:
    """Elements as they are set in each state; None takes the element away."""

    open: Mapping[str, Any]
    final: Mapping[str, Any]
    rejected: Mapping[str, Any]
    superseded: Mapping[str, Any]


def _status(open_: str, final: str, rejected: str, superseded: str = "", **more: str) -> Form:
    return Form(
        {"status": open_, **more}, {"status": final}, {"status": rejected}, {"status": superseded or rejected}
    )


def _verification(system: str, open_: str, clinical: str) -> Form:
    def is_(code: str) -> dict[str, Any]:
        return {"verificationStatus": {"coding": [{"system": _CODES + system, "code": code}]}}

    # con-5, ait-2: what was entered in error has no clinical status.
    wrong = {**is_("entered-in-error"), clinical: None}
    return Form(is_(open_), is_("confirmed"), wrong, wrong)


_RESULT: Final = _status("preliminary", "final", "entered-in-error")
_REQUEST: Final = _status("draft", "active", "revoked", intent="proposal")

FORMS: Final[Mapping[str, Form]] = {
    "Observation": _RESULT,
    "DiagnosticReport": _RESULT,
    "RiskAssessment": _RESULT,
    "DetectedIssue": _RESULT,
    "Composition": _RESULT,
    "Condition": _verification("condition-ver-status", "provisional", "clinicalStatus"),
    "AllergyIntolerance": _verification("allergyintolerance-verification", "unconfirmed", "clinicalStatus"),
    "ClinicalImpression": _status("in-progress", "completed", "entered-in-error"),
    "FamilyMemberHistory": _status("partial", "completed", "entered-in-error"),
    "DocumentReference": Form(
        {"status": "current", "docStatus": "preliminary"},
        {"docStatus": "final"},
        {"status": "entered-in-error", "docStatus": "entered-in-error"},
        {"status": "superseded", "docStatus": "entered-in-error"},
    ),
    "MedicationRequest": _status("draft", "active", "cancelled", intent="proposal"),
    "ServiceRequest": _REQUEST,
    "DeviceRequest": _REQUEST,
    "NutritionOrder": _REQUEST,
    "CarePlan": _REQUEST,
    "RequestGroup": _REQUEST,
    "CommunicationRequest": _status("draft", "active", "revoked"),
    "Goal": Form(
        {"lifecycleStatus": "proposed"},
        {"lifecycleStatus": "accepted"},
        {"lifecycleStatus": "rejected"},
        {"lifecycleStatus": "cancelled"},
    ),
    "Task": _status("draft", "completed", "rejected", "cancelled", intent="proposal"),
}

_WITHDRAWN: Final = frozenset(("entered-in-error", "cancelled", "revoked", "rejected", "refuted", "not-done"))
_SAME: Final = frozenset(("registered", "preliminary", "final", "amended", "corrected", "appended"))
"""States of a result between which its content, and nothing else, decides whether it changed."""
CLOSED: Final = ("rejected", "superseded", "withdrawn")
"""States in which nothing of a draft is in use any more."""
_STATES: Final = ("status", "docStatus", "lifecycleStatus", "verificationStatus")
_ASIDE: Final = frozenset(("id", "meta", "text", *_STATES))


def form(type_: str) -> Form:
    """How ``type_`` says its states. Raises NotDraftable."""
    found = FORMS.get(type_)
    if found is None:
        raise NotDraftable("drafts.not-draftable", type=type_, known=", ".join(sorted(FORMS)))
    return found


def in_state(resource: Mapping[str, Any], state: State) -> dict[str, Any]:
    """A copy in ``state``: its elements, its tag, its security labels. The mark of a retraction goes."""
    own = form(str(resource["resourceType"]))
    if state == "open":
        elements = own.open
    elif state in ("accepted", "amended"):
        elements = own.final
    else:
        elements = own.superseded if state == "superseded" else own.rejected
    changed = {**resource, **elements}
    labels = [AIAST] if state not in ("accepted", "amended") else [AIAST, CLINAST]
    tags = [tag for tag in tags_of(resource) if tag.get("system") not in (STATE, RETRACTION)]
    meta = {**labelled(resource, *labels)["meta"], "tag": [{"system": STATE, "code": state}, *tags]}
    return {name: value for name, value in {**changed, "meta": meta}.items() if value is not None}


def labelled(resource: Mapping[str, Any], *codes: str) -> dict[str, Any]:
    """A copy with security labels that say who asserted it."""
    meta = dict(resource.get("meta") or {})
    own = [
        s for s in meta.get("security", ()) if s.get("system") != ASSERTED_BY or s.get("code") not in codes
    ]
    meta["security"] = [*own, *({"system": ASSERTED_BY, "code": code} for code in codes)]
    return {**resource, "meta": meta}


def marked(resource: Mapping[str, Any]) -> dict[str, Any]:
    """A copy with the mark that what it rests on has changed."""
    meta = dict(resource.get("meta") or {})
    tags = [tag for tag in meta.get("tag", ()) if tag.get("system") != RETRACTION]
    meta["tag"] = [*tags, {"system": RETRACTION, "code": CHANGED}]
    return {**resource, "meta": meta}


def stated(resource: Mapping[str, Any], state: State) -> dict[str, Any]:
    """A copy whose tag says ``state``; its own state stays."""
    meta = dict(resource.get("meta") or {})
    meta["tag"] = [
        {"system": STATE, "code": state},
        *(tag for tag in meta.get("tag", ()) if tag.get("system") != STATE),
    ]
    return {**resource, "meta": meta}


def unmarked(resource: Mapping[str, Any]) -> dict[str, Any]:
    """A copy without that mark."""
    meta = dict(resource.get("meta") or {})
    meta["tag"] = [tag for tag in meta.get("tag", ()) if tag.get("system") != RETRACTION]
    return {**resource, "meta": {name: value for name, value in meta.items() if value != []}}


def tags_of(resource: Mapping[str, Any]) -> list[dict[str, Any]]:
    """``meta.tag``."""
    found: list[dict[str, Any]] = (resource.get("meta") or {}).get("tag") or []
    return found


def tag_of(resource: Mapping[str, Any], system: str) -> str:
    """The code of the tag of ``system``, or ""."""
    return next((str(tag.get("code", "")) for tag in tags_of(resource) if tag.get("system") == system), "")


def is_open(resource: Mapping[str, Any]) -> bool:
    """Whether it is an open draft: by its tag, and by its own state, which any writer may have changed."""
    own = FORMS.get(str(resource.get("resourceType")))
    if own is None or tag_of(resource, STATE) != "open":
        return False
    return all(_code(resource.get(name)) == _code(value) for name, value in own.open.items())


def subject_of(resource: Mapping[str, Any]) -> str:
    """``Patient/id`` whose resource it is, or ""."""
    if resource.get("resourceType") == "Patient":
        return f"Patient/{resource.get('id', '')}"
    for name in ("subject", "patient", "for", "beneficiary"):
        value = resource.get(name)
        if isinstance(value, dict) and value.get("reference"):
            return str(value["reference"])
    return ""


def difference(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, elements: tuple[str, ...] = ()
) -> Change:
    """What became of an input between two of its versions (None: deleted); "" where nothing that counts.

    Labels, tags, narrative, and a draft's or result's way to being final do not count; any other element does, or only
    ``elements`` where these are named. A correction that was taken back again is no change. A patient who was merged into
    another one (``link`` replaced-by) has moved, whatever elements were used.
    """
    if after is None:
        return "withdrawn"
    if before is None:  # a version that is not there: what it held nobody knows
        return ""
    if _gone(after) and not _gone(before):
        return "withdrawn"
    if subject_of(before) != subject_of(after) or _merged(after) - _merged(before):
        return "moved"
    names = (set(before) | set(after)) - _ASIDE
    if elements:
        names &= set(elements)
    if any(before.get(name) != after.get(name) for name in names):
        return "corrected"
    return "corrected" if not elements and not _same_state(before, after) else ""


def is_withdrawn(resource: Mapping[str, Any]) -> bool:
    """Whether its own state says that it is not to be used."""
    return _gone(resource)


def _gone(resource: Mapping[str, Any]) -> bool:
    return bool(_WITHDRAWN & {_code(resource.get(name)) for name in _STATES})


def _merged(patient: Mapping[str, Any]) -> set[str]:
    """The Patients in whose record a Patient goes on."""
    if patient.get("resourceType") != "Patient":
        return set()
    links = [link for link in patient.get("link", ()) if link.get("type") == "replaced-by"]
    return {str((link.get("other") or {}).get("reference", "")) for link in links}


def _same_state(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    own = FORMS.get(str(before.get("resourceType")))
    for name in _STATES:
        one, other = _code(before.get(name)), _code(after.get(name))
        accepted = own is not None and (one, other) == (_code(own.open.get(name)), _code(own.final.get(name)))
        if one != other and not accepted and not {one, other} <= _SAME:
            return False
    return True


def _code(value: Any) -> str:
    """The code of a code or of a CodeableConcept."""
    if isinstance(value, Mapping):
        return str(((value.get("coding") or [{}])[0] or {}).get("code", ""))
    return "" if value is None else str(value)

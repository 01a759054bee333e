"""The code system that a plain code implies: ``gender=http://hl7.org/fhir/administrative-gender|male`` finds ``male``.

Source: HL7 FHIR R4 (4.0.1), search.html#token: the system of a code is that of its bound value set.
"""

from __future__ import annotations

from typing import Final

SPECIAL_VALUES: Final = "http://terminology.hl7.org/CodeSystem/special-values"
"""The system of true and false."""

_VALUE_SETS: Final = "http://hl7.org/fhir/ValueSet/"
_FHIR: Final = "http://hl7.org/fhir/"
_TERMINOLOGY: Final = "http://terminology.hl7.org/CodeSystem/"

# Value sets that are not one code system of the same name; "" where the codes come from several.
_OTHERS: Final = {
    "all-types": "",
    "care-plan-activity-kind": f"{_FHIR}resource-types",
    "care-plan-intent": f"{_FHIR}request-intent",
    "clinicalimpression-status": f"{_FHIR}event-status",
    "currencies": "urn:iso:std:iso:4217",
    "defined-types": "",
    "event-timing": "",
    "immunization-evaluation-status": f"{_TERMINOLOGY}medication-admin-status",
    "immunization-status": f"{_FHIR}event-status",
    "medication-admin-status": f"{_TERMINOLOGY}medication-admin-status",
    "medication-statement-status": f"{_FHIR}CodeSystem/medication-statement-status",
    "medication-status": f"{_FHIR}CodeSystem/medication-status",
    "medicationdispense-status": f"{_TERMINOLOGY}medicationdispense-status",
    "medicationknowledge-status": f"{_TERMINOLOGY}medicationknowledge-status",
    "medicationrequest-intent": f"{_FHIR}CodeSystem/medicationrequest-intent",
    "medicationrequest-status": f"{_FHIR}CodeSystem/medicationrequest-status",
    "mimetypes": "urn:ietf:bcp:13",
    "system-restful-interaction": f"{_FHIR}restful-interaction",
    "task-intent": "",
    "type-restful-interaction": f"{_FHIR}restful-interaction",
    "units-of-time": "http://unitsofmeasure.org",
    "verificationresult-status": f"{_FHIR}CodeSystem/status",
}


def code_system(binding: str, strength: str) -> str:
    """The one system of a code element's binding; "" where it is not required, or of several systems.

    >>> code_system("http://hl7.org/fhir/ValueSet/administrative-gender", "required")
    'http://hl7.org/fhir/administrative-gender'
    """
    if strength != "required" or not binding.startswith(_VALUE_SETS):
        return ""
    name = binding.removeprefix(_VALUE_SETS).partition("|")[0]
    return _OTHERS.get(name, _FHIR + name)

"""Valid resources that the tests break in one place each."""

from __future__ import annotations

import copy
import json
from typing import Any

DIV = '<div xmlns="http://www.w3.org/1999/xhtml">'
EXT = "http://example.org/ext"

PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "p-1",
    "meta": {"versionId": "3", "lastUpdated": "2024-02-29T08:30:00.000+08:00", "profile": ["http://example.org/p|1.0"],
             "security": [{"system": "http://example.org/s", "code": "R"}]},
    "language": "zh-CN",
    "text": {"status": "generated", "div": f"{DIV}<p>张伟 &amp; <b>co</b></p></div>"},
    "extension": [{"url": EXT, "valueString": "x"}, {"url": EXT, "extension": [{"url": "part", "valueDecimal": 1}]}],
    "identifier": [{"use": "official", "system": "urn:oid:2.16.156.10011", "value": "1",
                    "period": {"start": "2001", "end": "2002-03"}, "assigner": {"reference": "Organization/1"}}],
    "active": True,
    "name": [{"use": "official", "family": "张", "given": ["伟", "W"], "_given": [None, {"id": "g"}]}],
    "telecom": [{"system": "phone", "value": "1", "use": "home", "rank": 1}],
    "gender": "male",
    "birthDate": "1970-03-30",
    "_birthDate": {"extension": [{"url": EXT, "valueDateTime": "1970-03-30T01:02:03Z"}]},
    "deceasedBoolean": False,
    "address": [{"line": ["1 Main"], "city": "Wuhan"}],
    "maritalStatus": {"coding": [{"system": "http://example.org", "code": "M", "display": "Married"}], "text": "已婚"},
    "multipleBirthInteger": 2,
    "photo": [{"contentType": "image/png", "data": "AAEC", "size": 3}],
    "contact": [{"name": {"family": "L"}, "relationship": [{"text": "mother"}]}],
    "communication": [{"language": {"text": "zh"}, "preferred": True}],
    "generalPractitioner": [{"reference": "Practitioner/9"}],
    "managingOrganization": {"reference": "Organization/2", "display": "Ward"},
    "link": [{"other": {"reference": "Patient/2"}, "type": "seealso"}],
}  # fmt: skip

OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "contained": [{"resourceType": "Device", "id": "d", "status": "active"}],
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "version": "2.7", "code": "4548-4", "userSelected": True}]},
    "subject": {"reference": "Patient/p-1", "type": "Patient"},
    "encounter": {"reference": "Encounter/e"},
    "effectiveDateTime": "2024-02-29T08:30:00+08:00",
    "issued": "2024-02-29T08:30:00+08:00",
    "performer": [{"reference": "Practitioner/1"}],
    "valueQuantity": {"value": 6.50, "comparator": "<", "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"},
    "device": {"reference": "#d"},
    "referenceRange": [{"low": {"value": 4}, "text": "normal"}],
    "component": [{"code": {"text": "c"}, "valueSampledData":
                   {"origin": {"value": 0}, "period": 10, "dimensions": 1, "data": "1 2 E"}}],
}  # fmt: skip

QUESTIONNAIRE: dict[str, Any] = {
    "resourceType": "Questionnaire",
    "url": "http://example.org/q",
    "status": "draft",
    "subjectType": ["Patient"],
    "date": "2020",
    "item": [
        {"linkId": "1", "type": "group", "item": [{"linkId": "1.1", "type": "choice", "required": True,
         "enableWhen": [{"question": "2", "operator": "=", "answerBoolean": True}],
         "answerOption": [{"valueTime": "08:30:00"}]}]},
    ],
}  # fmt: skip

BUNDLE: dict[str, Any] = {
    "resourceType": "Bundle",
    "type": "transaction",
    "timestamp": "2020-01-01T00:00:00Z",
    "entry": [
        {"fullUrl": "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a", "resource": {"resourceType": "Basic", "code": {"text": "b"}},
         "request": {"method": "POST", "url": "Basic"}},
    ],
}  # fmt: skip

ALLERGY: dict[str, Any] = {
    "resourceType": "AllergyIntolerance",
    "clinicalStatus": {
        "coding": [
            {"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"},
            {"system": "http://example.org", "code": "mine"},
        ]
    },
    "category": ["food", "medication"],
    "patient": {"reference": "Patient/1"},
    "reaction": [{"manifestation": [{"text": "rash"}], "severity": "mild"}],
}

ENCOUNTER: dict[str, Any] = {
    "resourceType": "Encounter",
    "status": "finished",
    "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
    "statusHistory": [{"status": "arrived", "period": {"start": "2020-01-01"}}],
    "subject": {"reference": "Patient/1"},
    "participant": [{"individual": {"reference": "Practitioner/1"}}],
    "length": {"value": 20, "unit": "min"},
}

PARAMETERS: dict[str, Any] = {
    "resourceType": "Parameters",
    "parameter": [
        {"name": "a", "valueOid": "urn:oid:1.2.3"},
        {"name": "b", "valueUuid": "urn:uuid:c757873d-ec9a-4326-a141-556f43239520"},
        {"name": "c", "valueInstant": "2020-01-01T00:00:00Z"},
        {"name": "d", "valueBase64Binary": "QUJD"},
        {"name": "e", "valueMarkdown": "*m*"},
        {"name": "f", "valueUnsignedInt": 0},
        {"name": "g", "valuePositiveInt": 1},
        {"name": "h", "valueTime": "23:59:60"},
        {"name": "i", "valueId": "x.y-z"},
        {"name": "j", "valueCanonical": "http://example.org/q|1"},
        {"name": "k", "valueUrl": "http://example.org"},
        {"name": "l", "valueCode": "a b"},
        {"name": "m", "resource": {"resourceType": "Binary", "contentType": "text/plain", "data": "QQ=="}},
        {"name": "n", "part": [{"name": "n1", "valueMoney": {"value": 1.10, "currency": "CNY"}}]},
        {"name": "o", "valueDate": "2020-12-31"},
        {"name": "p", "valueDecimal": 1e3},
        {"name": "q", "valueInteger": -2147483648},
    ],
}

ALL: dict[str, dict[str, Any]] = {
    r["resourceType"]: r
    for r in (PATIENT, OBSERVATION, QUESTIONNAIRE, BUNDLE, ALLERGY, ENCOUNTER, PARAMETERS)
}


def text(resource: Any) -> bytes:
    """The JSON of a resource."""
    return json.dumps(resource, ensure_ascii=False).encode()


def put(resource: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with one member set; ``path`` is ``name.0.family``."""
    changed = copy.deepcopy(resource)
    place: Any = changed
    *steps, last = [int(s) if s.isdigit() else s for s in path.split(".")]
    for step in steps:
        place = place[step]
    if isinstance(place, list) and last == len(place):
        place.append(value)
    else:
        place[last] = value
    return changed


def drop(resource: dict[str, Any], path: str) -> dict[str, Any]:
    """A copy without one member."""
    changed = copy.deepcopy(resource)
    place: Any = changed
    *steps, last = [int(s) if s.isdigit() else s for s in path.split(".")]
    for step in steps:
        place = place[step]
    del place[last]
    return changed

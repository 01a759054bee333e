"""Kinds of broken resource: each a name, a body, and the FHIRPath where the fault is."""

from __future__ import annotations

from typing import Any, NamedTuple

from standards.fhir.model.samples import (
    ALLERGY,
    BUNDLE,
    DIV,
    ENCOUNTER,
    EXT,
    OBSERVATION,
    PARAMETERS,
    PATIENT,
    QUESTIONNAIRE,
    drop,
    put,
    text,
)  # fmt: skip


class Broken(NamedTuple):
    name: str
    body: bytes
    expression: str
    key: str


def _p(path: str, value: Any, expression: str, key: str, base: dict[str, Any] = PATIENT) -> Broken:
    shown = repr(value) if len(repr(value)) < 90 else "…" + repr(value)[-90:]
    return Broken(f"{base['resourceType']} {path} = {shown}", text(put(base, path, value)), expression, key)


def _d(path: str, expression: str, base: dict[str, Any], key: str = "required") -> Broken:
    return Broken(f"{base['resourceType']} without {path}", text(drop(base, path)), expression, key)


def _r(name: str, old: str, new: str, expression: str, key: str, base: dict[str, Any] = PATIENT) -> Broken:
    body = text(base).decode()
    if body.count(old) < 1:
        raise ValueError(f"{name}: {old} is not there")
    return Broken(name, body.replace(old, new, 1).encode("utf-8", "surrogatepass"), expression, key)


def _unknown() -> list[Broken]:
    return [
        _p("foo", 1, "Patient.foo", "unknown-element"),
        _p("Name", [], "Patient.Name", "unknown-element"),
        _p("birthdate", "1970", "Patient.birthdate", "unknown-element"),
        _p("name.0.Family", "X", "Patient.name[0].Family", "unknown-element"),
        _p("contact.0.gender2", "male", "Patient.contact[0].gender2", "unknown-element"),
        _p("contact.0.name.foo", "male", "Patient.contact[0].name.foo", "unknown-element"),
        _p("_id", {"id": "x"}, "Patient.id", "unknown-element"),
        _p("_name", [{"id": "x"}], "Patient.name", "unknown-element"),
        _p("text._div", {"id": "x"}, "Patient.text.div", "unknown-element"),
        _p("extension.0._url", {"id": "x"}, "Patient.extension[0].url", "unknown-element"),
        _p("_resourceType", {"id": "x"}, "Patient.resourceType", "unknown-element"),
        _p("name.0.resourceType", "HumanName", "Patient.name[0].resourceType", "unknown-element"),
        _p("deceased", True, "Patient.deceased", "unknown-element"),
        _p("deceasedDecimal", 1, "Patient.deceasedDecimal", "unknown-element"),
        _p("value[x]", 1, "Observation", "unknown-element", OBSERVATION),
        _p("valueReference", {"reference": "Patient/1"}, "Observation.valueReference", "unknown-element", OBSERVATION),
        _p("fhir_comments", ["x"], "Patient", "unknown-element"),
        _p("", 1, "Patient", "unknown-element"),
        _p("名", 1, "Patient", "unknown-element"),
        _p("meta.foo", 1, "Patient.meta.foo", "unknown-element"),
        _p("meta.author", {"reference": "Patient/1"}, "Patient.meta.author", "unknown-element"),
        _p("extension.0.valueFoo", 1, "Patient.extension[0].valueFoo", "unknown-element"),
        _p("extension.0.modifierExtension", [{"url": EXT, "valueCode": "x"}],
           "Patient.extension[0].modifierExtension", "unknown-element"),
        _p("entry.0.resource.foo", 1, "Bundle.entry[0].resource.foo", "unknown-element", BUNDLE),
        _p("contained.0.foo", 1, "Observation.contained[0].foo", "unknown-element", OBSERVATION),
        _p("parameter.12.resource.foo", 1, "Parameters.parameter[12].resource.foo", "unknown-element", PARAMETERS),
        _p("item.0.item.0.foo", 1, "Questionnaire.item[0].item[0].foo", "unknown-element", QUESTIONNAIRE),
        _p("_birthDate.value", "x", "Patient.birthDate.value", "unknown-element"),
    ]  # fmt: skip


def _json_types() -> list[Broken]:
    return [
        _p("active", "true", "Patient.active", "wrong-boolean"),
        _p("active", 1, "Patient.active", "wrong-boolean"),
        _p("active", {}, "Patient.active", "wrong-boolean"),
        _p("gender", 1, "Patient.gender", "wrong-string"),
        _p("gender", True, "Patient.gender", "wrong-string"),
        _p("gender", {"value": "male"}, "Patient.gender", "wrong-string"),
        _p("birthDate", 1970, "Patient.birthDate", "wrong-string"),
        _p("multipleBirthInteger", "2", "Patient.multipleBirth.ofType(integer)", "wrong-number"),
        _p("multipleBirthInteger", False, "Patient.multipleBirth.ofType(integer)", "wrong-number"),
        _p("valueQuantity.value", "6.5", "Observation.value.ofType(Quantity).value", "wrong-number", OBSERVATION),
        _p("valueQuantity.value", "NaN", "Observation.value.ofType(Quantity).value", "wrong-number", OBSERVATION),
        _p("valueQuantity.value", "", "Observation.value.ofType(Quantity).value", "wrong-number", OBSERVATION),
        _p("valueQuantity.value", True, "Observation.value.ofType(Quantity).value", "wrong-number", OBSERVATION),
        _p("valueQuantity.value", [1], "Observation.value.ofType(Quantity).value", "not-repeating", OBSERVATION),
        _p("valueQuantity", 6.5, "Observation.value.ofType(Quantity)", "wrong-object", OBSERVATION),
        _p("valueQuantity", "6.5 %", "Observation.value.ofType(Quantity)", "wrong-object", OBSERVATION),
        _p("code", "4548-4", "Observation.code", "wrong-object", OBSERVATION),
        _p("code.coding.0", "4548-4", "Observation.code.coding[0]", "wrong-object", OBSERVATION),
        _p("code.coding.0.userSelected", "yes", "Observation.code.coding[0].userSelected", "wrong-boolean", OBSERVATION),
        _p("subject", "Patient/1", "Observation.subject", "wrong-object", OBSERVATION),
        _p("subject.reference", {"reference": "Patient/1"}, "Observation.subject.reference", "wrong-string", OBSERVATION),
        _p("name", {"family": "X"}, "Patient.name", "repeating"),
        _p("name", "X", "Patient.name", "repeating"),
        _p("name.0", "X", "Patient.name[0]", "wrong-object"),
        _p("name.0", ["X"], "Patient.name[0]", "array-in-array"),
        _p("name.0.given", "伟", "Patient.name[0].given", "repeating"),
        _p("name.0.given.0", 5, "Patient.name[0].given[0]", "wrong-string"),
        _p("name.0.given.0", ["伟"], "Patient.name[0].given[0]", "array-in-array"),
        _p("name.0.family", ["张"], "Patient.name[0].family", "not-repeating"),
        _p("maritalStatus", [{"text": "x"}], "Patient.maritalStatus", "not-repeating"),
        _p("text", "plain", "Patient.text", "wrong-object"),
        _p("text.div", {"p": "x"}, "Patient.text.div", "wrong-string"),
        _p("extension", {"url": EXT, "valueCode": "x"}, "Patient.extension", "repeating"),
        _p("_birthDate", "x", "Patient.birthDate", "extension-not-object"),
        _p("_birthDate", [{"id": "x"}], "Patient.birthDate", "extension-not-object"),
        _p("_active", 1, "Patient.active", "extension-not-object"),
        _p("contained", {"resourceType": "Device"}, "Observation.contained", "repeating", OBSERVATION),
        _p("contained.0", "x", "Observation.contained[0]", "resource-not-object", OBSERVATION),
        _p("entry.0.resource", "x", "Bundle.entry[0].resource", "resource-not-object", BUNDLE),
        _p("entry.0.resource", [], "Bundle.entry[0].resource", "not-repeating", BUNDLE),
        _p("entry", {}, "Bundle.entry", "repeating", BUNDLE),
        _p("id", 7, "Patient.id", "wrong-string"),
        _p("meta", [], "Patient.meta", "not-repeating"),
        _p("meta.profile", "http://x", "Patient.meta.profile", "repeating"),
        _p("item.0.item", {"linkId": "2"}, "Questionnaire.item[0].item", "repeating", QUESTIONNAIRE),
        _p("category", "food", "AllergyIntolerance.category", "repeating", ALLERGY),
    ]  # fmt: skip


def _empties() -> list[Broken]:
    return [
        _p("gender", None, "Patient.gender", "null"),
        _p("name", None, "Patient.name", "null"),
        _p("name.0", None, "Patient.name[0]", "null"),
        _p("maritalStatus", None, "Patient.maritalStatus", "null"),
        _p("maritalStatus.text", None, "Patient.maritalStatus.text", "null"),
        _p("_birthDate", None, "Patient.birthDate", "null"),
        _p("name.0.given.0", None, "Patient.name[0].given[0]", "null"),
        _p("name.0.given", None, "Patient.name[0].given", "null"),
        _p("name.0._given", None, "Patient.name[0].given", "null"),
        _p("address.0.line.0", None, "Patient.address[0].line[0]", "null"),
        _p("contained", None, "Observation.contained", "null", OBSERVATION),
        _p("contained.0", None, "Observation.contained[0]", "null", OBSERVATION),
        _p("entry.0.resource", None, "Bundle.entry[0].resource", "null", BUNDLE),
        _p("gender", "", "Patient.gender", "empty-string"),
        _p("name.0.family", "", "Patient.name[0].family", "empty-string"),
        _p("name.0.given.1", "", "Patient.name[0].given[1]", "empty-string"),
        _p("birthDate", "", "Patient.birthDate", "empty-string"),
        _p("id", "", "Patient.id", "empty-string"),
        _p("extension.0.url", "", "Patient.extension[0].url", "empty-string"),
        _p("photo.0.data", "", "Patient.photo[0].data", "empty-string"),
        _p("identifier.0.system", "", "Patient.identifier[0].system", "empty-string"),
        _p("text.div", "", "Patient.text.div", "empty-string"),
        _p("name", [], "Patient.name", "empty-array"),
        _p("name.0.given", [], "Patient.name[0].given", "empty-array"),
        _p("name.0._given", [], "Patient.name[0].given", "empty-array"),
        _p("contained", [], "Observation.contained", "empty-array", OBSERVATION),
        _p("extension.1.extension", [], "Patient.extension[1].extension", "empty-array"),
        _p("entry", [], "Bundle.entry", "empty-array", BUNDLE),
        _p("name.0", {}, "Patient.name[0]", "empty-object"),
        _p("maritalStatus", {}, "Patient.maritalStatus", "empty-object"),
        _p("maritalStatus.coding.0", {}, "Patient.maritalStatus.coding[0]", "empty-object"),
        _p("_birthDate", {}, "Patient.birthDate", "empty-object"),
        _p("name.0._given.1", {}, "Patient.name[0].given[1]", "empty-object"),
        _p("meta", {}, "Patient.meta", "empty-object"),
        _p("contact.0", {}, "Patient.contact[0]", "empty-object"),
        _p("valueQuantity", {}, "Observation.value.ofType(Quantity)", "empty-object", OBSERVATION),
        _r("white space in an empty object", '"meta": {', '"meta": { }, "x": {', "Patient.meta", "empty-object"),
        _r("white space in an empty array", '"given": ["伟", "W"]', '"given": [ ]', "Patient.name[0].given", "empty-array"),
        _p("name.0._given", [None, None], "Patient.name[0].given[0]", "null",
           put(PATIENT, "name.0.given", [None, "W"])),
        _p("name.0._given", [None], "Patient.name[0].given", "arrays-differ"),
        _p("name.0._given", [None, None, {"id": "x"}], "Patient.name[0].given", "arrays-differ"),
        _p("name.0._given", ["x", None], "Patient.name[0].given[0]", "extension-not-object"),
    ]  # fmt: skip


def _required_and_choices() -> list[Broken]:
    return [
        _d("status", "Observation.status", OBSERVATION),
        _d("code", "Observation.code", OBSERVATION),
        _d("component.0.code", "Observation.component[0].code", OBSERVATION),
        _d("component.0.valueSampledData.origin", "Observation.component[0].value.ofType(SampledData).origin", OBSERVATION),
        _d("component.0.valueSampledData.period", "Observation.component[0].value.ofType(SampledData).period", OBSERVATION),
        _d("link.0.other", "Patient.link[0].other", PATIENT),
        _d("link.0.type", "Patient.link[0].type", PATIENT),
        _d("communication.0.language", "Patient.communication[0].language", PATIENT),
        _d("text.status", "Patient.text.status", PATIENT),
        _d("text.div", "Patient.text.div", PATIENT),
        _d("extension.0.url", "Patient.extension[0].url", PATIENT),
        _d("extension.1.extension.0.url", "Patient.extension[1].extension[0].url", PATIENT),
        _d("type", "Bundle.type", BUNDLE),
        _d("entry.0.request.method", "Bundle.entry[0].request.method", BUNDLE),
        _d("entry.0.request.url", "Bundle.entry[0].request.url", BUNDLE),
        _d("entry.0.resource.code", "Bundle.entry[0].resource.code", BUNDLE),
        _d("patient", "AllergyIntolerance.patient", ALLERGY),
        _d("reaction.0.manifestation", "AllergyIntolerance.reaction[0].manifestation", ALLERGY),
        _d("class", "Encounter.class", ENCOUNTER),
        _d("status", "Encounter.status", ENCOUNTER),
        _d("statusHistory.0.period", "Encounter.statusHistory[0].period", ENCOUNTER),
        _d("item.0.linkId", "Questionnaire.item[0].linkId", QUESTIONNAIRE),
        _d("item.0.item.0.type", "Questionnaire.item[0].item[0].type", QUESTIONNAIRE),
        _d("item.0.item.0.enableWhen.0.answerBoolean", "Questionnaire.item[0].item[0].enableWhen[0].answer", QUESTIONNAIRE),
        _d("item.0.item.0.answerOption.0.valueTime", "Questionnaire.item[0].item[0].answerOption[0].value",
           put(QUESTIONNAIRE, "item.0.item.0.answerOption.0.id", "x")),
        _d("parameter.12.resource.contentType", "Parameters.parameter[12].resource.contentType", PARAMETERS),
        _d("parameter.0.name", "Parameters.parameter[0].name", PARAMETERS),
        _p("valueString", "high", "Observation.value", "choice", OBSERVATION),
        _p("valueBoolean", True, "Observation.value", "choice", OBSERVATION),
        _p("_valueString", {"id": "x"}, "Observation.value", "choice", OBSERVATION),
        _p("effectivePeriod", {"start": "2020"}, "Observation.effective", "choice", OBSERVATION),
        _p("component.0.valueInteger", 1, "Observation.component[0].value", "choice", OBSERVATION),
        _p("deceasedDateTime", "2020", "Patient.deceased", "choice"),
        _p("multipleBirthBoolean", True, "Patient.multipleBirth", "choice"),
        _p("extension.0.valueCode", "x", "Patient.extension[0].value", "choice"),
        _p("item.0.item.0.enableWhen.0.answerDecimal", 1, "Questionnaire.item[0].item[0].enableWhen[0].answer", "choice",
           QUESTIONNAIRE),
        _p("parameter.0.valueCode", "x", "Parameters.parameter[0].value", "choice", PARAMETERS),
        _p("extension.1.valueCode", "x", "Patient.extension[1]", "extension-both"),
        _d("extension.0.valueString", "Patient.extension[0]", PATIENT, "extension-neither"),
        _d("extension.1.extension.0.valueDecimal", "Patient.extension[1].extension[0]", PATIENT, "extension-neither"),
        _d("_birthDate.extension.0.valueDateTime", "Patient.birthDate.extension[0]", PATIENT, "extension-neither"),
        _p("modifierExtension", [{"url": EXT}], "Patient.modifierExtension[0]", "extension-neither"),
        _p("name.0._given.1", {"extension": [{"url": EXT}]}, "Patient.name[0].given[1].extension[0]", "extension-neither"),
    ]  # fmt: skip


def _formats() -> list[Broken]:
    def birth(value: str) -> Broken:
        return _p("birthDate", value, "Patient.birthDate", "format-date")

    def when(value: str) -> Broken:
        return _p(
            "effectiveDateTime",
            value,
            "Observation.effective.ofType(dateTime)",
            "format-datetime",
            OBSERVATION,
        )

    def instant(value: str) -> Broken:
        return _p("issued", value, "Observation.issued", "format-instant", OBSERVATION)

    def parameter(n: int, kind: str, value: Any, key: str) -> Broken:
        at = f"Parameters.parameter[{n}].value.ofType({kind})"
        return _p(f"parameter.{n}.value{kind[0].upper()}{kind[1:]}", value, at, key, PARAMETERS)

    return [
        *map(birth, ["2023-02-29", "2024-02-30", "1900-02-29", "2024-04-31", "2024-13-01", "2024-00-01", "2024-01-00",
                     "2024-01-32", "0000", "0000-01-01", "24-01-01", "2024-1-1", "2024/01/01", "20240101", "2024-01-01T00:00:00Z",
                     " 2024", "2024-01-01\n", "２０２４", "yesterday", "-2024", "12024"]),
        *map(when, ["2024-02-30", "2024-02-29T08:30:00", "2024-02-29T08:30Z", "2024-02-29T24:00:00Z", "2024-02-29T08:60:00Z",
                    "2024-02-29T08:30:61Z", "2024-02-29 08:30:00Z", "2024-02-29T08:30:00+14:30", "2024-02-29T08:30:00+8",
                    "2024-02T08:30:00Z", "2024-02-29T08:30:00z", "2024-02-29T08:30:00.Z", "2023-02-29T08:30:00Z"]),
        *map(instant, ["2024", "2024-02-29", "2024-02-29T08:30:00", "2024-02-30T08:30:00Z", "2024-02-29T25:00:00Z"]),
        *[_p("id", v, "Patient.id", "format-id") for v in ("a_b", "a b", "a" * 65, "张", "a/b", "a\n", "  ")],
        *[_p("identifier.0.system", v, "Patient.identifier[0].system", "format-uri") for v in ("a b", "urn:x\n", "\t")],
        _p("extension.0.url", "http://a b", "Patient.extension[0].url", "format-uri"),
        _p("meta.profile.0", "http://a b", "Patient.meta.profile[0]", "format-canonical"),
        *[_p("maritalStatus.coding.0.code", v, "Patient.maritalStatus.coding[0].code", "format-code")
          for v in (" M", "M ", "a  b", "a\tb", " ")],
        *[_p("photo.0.data", v, "Patient.photo[0].data", "format-base64binary")
          for v in ("A", "AAE", "A===", "AA=A", "****", "AAEC=", "AA-_")],
        *[parameter(0, "oid", v, "format-oid") for v in ("1.2.3", "urn:oid:3.1", "urn:oid:1.02", "urn:oid:1", "urn:oid:1.2.")],
        *[parameter(1, "uuid", v, "format-uuid")
          for v in ("c757873d-ec9a-4326-a141-556f43239520", "urn:uuid:1", "urn:uuid:c757873dec9a4326a141556f43239520")],
        parameter(2, "instant", "2020-01-01T00:00Z", "format-instant"),
        parameter(5, "unsignedInt", -1, "range"),
        parameter(6, "positiveInt", 0, "range"),
        *[parameter(7, "time", v, "format-time") for v in ("8:30:00", "08:30", "24:00:00", "08:30:00Z", "08:30:00.")],
        parameter(8, "id", "a_b", "format-id"),
        parameter(9, "canonical", "a b", "format-canonical"),
        parameter(10, "url", "a b", "format-url"),
        parameter(11, "code", "a  b", "format-code"),
        parameter(16, "integer", 2147483648, "range"),
        parameter(16, "integer", -2147483649, "range"),
        parameter(16, "integer", 1.5, "not-whole"),
        parameter(16, "integer", 10**30, "range"),
        _p("telecom.0.rank", 0, "Patient.telecom[0].rank", "range"),
        _p("telecom.0.rank", 1.0, "Patient.telecom[0].rank", "not-whole"),
        _p("photo.0.size", -1, "Patient.photo[0].size", "range"),
        _r("integer with exponent", '"multipleBirthInteger": 2', '"multipleBirthInteger": 2e0',
           "Patient.multipleBirth.ofType(integer)", "not-whole"),
        _r("integer of five thousand digits", '"multipleBirthInteger": 2', '"multipleBirthInteger": ' + "9" * 5000,
           "Patient.multipleBirth.ofType(integer)", "range"),
        *[_r(f"decimal {n}", '"value": 6.5', f'"value": {n}', "Observation.value.ofType(Quantity).value", "decimal-range",
             OBSERVATION)
          for n in ("1e300", "1e-300", "-1E400", "1e99999999999999999999", "1e-99999999999999999999", "9" * 400)],
        _p("maritalStatus.text", "a\u0000b", "Patient.maritalStatus.text", "control-character"),
        _p("maritalStatus.text", "a\u0008b", "Patient.maritalStatus.text", "control-character"),
        _p("maritalStatus.text", "a\u000cb", "Patient.maritalStatus.text", "control-character"),
        _p("maritalStatus.text", "a\u001bb", "Patient.maritalStatus.text", "control-character"),
        _p("maritalStatus.text", "x" * (2**20 + 1), "Patient.maritalStatus.text", "too-long"),
        _r("half a surrogate pair", '"text": "已婚"', '"text": "\\ud83d"', "Patient.maritalStatus.text", "surrogate"),
        _r("surrogates the wrong way round", '"text": "已婚"', '"text": "\\ude00\\ud83d"', "Patient.maritalStatus.text",
           "surrogate"),
    ]  # fmt: skip


def _codes_and_references() -> list[Broken]:
    clinical = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
    return [
        _p("gender", "M", "Patient.gender", "code"),
        _p("gender", "Male", "Patient.gender", "code"),
        _p("gender", "male ", "Patient.gender", "code"),
        _p("status", "done", "Observation.status", "code", OBSERVATION),
        _p("name.0.use", "legal", "Patient.name[0].use", "code"),
        _p("telecom.0.system", "mobile", "Patient.telecom[0].system", "code"),
        _p("identifier.0.use", "x", "Patient.identifier[0].use", "code"),
        _p("text.status", "ok", "Patient.text.status", "code"),
        _p("link.0.type", "same", "Patient.link[0].type", "code"),
        _p("valueQuantity.comparator", "=", "Observation.value.ofType(Quantity).comparator", "code", OBSERVATION),
        _p("type", "foo", "Bundle.type", "code", BUNDLE),
        _p("entry.0.request.method", "post", "Bundle.entry[0].request.method", "code", BUNDLE),
        _p("subjectType.0", "Person2", "Questionnaire.subjectType[0]", "code", QUESTIONNAIRE),
        _p("item.0.type", "text2", "Questionnaire.item[0].type", "code", QUESTIONNAIRE),
        _p("item.0.item.0.enableWhen.0.operator", "==", "Questionnaire.item[0].item[0].enableWhen[0].operator", "code",
           QUESTIONNAIRE),
        _p("category.1", "drug", "AllergyIntolerance.category[1]", "code", ALLERGY),
        _p("reaction.0.severity", "bad", "AllergyIntolerance.reaction[0].severity", "code", ALLERGY),
        _p("photo.0.contentType", "png", "Patient.photo[0].contentType", "code"),
        _p("parameter.13.part.0.valueMoney.currency", "yuan", "Parameters.parameter[13].part[0].value.ofType(Money).currency",
           "code", PARAMETERS),
        _p("clinicalStatus", {"text": "active"}, "AllergyIntolerance.clinicalStatus", "concept", ALLERGY),
        _p("clinicalStatus.coding.0.code", "on", "AllergyIntolerance.clinicalStatus", "concept", ALLERGY),
        _p("clinicalStatus.coding.0.system", "http://x", "AllergyIntolerance.clinicalStatus", "concept", ALLERGY),
        _p("clinicalStatus", {"coding": [{"code": "active"}]}, "AllergyIntolerance.clinicalStatus", "concept", ALLERGY),
        _p("verificationStatus", {"coding": [{"system": clinical, "code": "active"}]},
           "AllergyIntolerance.verificationStatus", "concept", ALLERGY),
        _p("subject.reference", "Medication/1", "Observation.subject.reference", "target", OBSERVATION),
        _p("encounter.reference", "Patient/1", "Observation.encounter.reference", "target", OBSERVATION),
        _p("performer.0.reference", "Device/1", "Observation.performer[0].reference", "target", OBSERVATION),
        _p("performer.1", {"reference": "Observation/1/_history/2"}, "Observation.performer[1].reference", "target", OBSERVATION),
        _p("patient.reference", "Group/1", "AllergyIntolerance.patient.reference", "target", ALLERGY),
        _p("link.0.other.reference", "Organization/1", "Patient.link[0].other.reference", "target"),
        _p("generalPractitioner.0.reference", "Patient/1", "Patient.generalPractitioner[0].reference", "target"),
        _p("managingOrganization.reference", "Patient/1", "Patient.managingOrganization.reference", "target"),
        _p("identifier.0.assigner.reference", "Patient/1", "Patient.identifier[0].assigner.reference", "target"),
        _p("participant.0.individual.reference", "Patient/1", "Encounter.participant[0].individual.reference", "target",
           ENCOUNTER),
    ]  # fmt: skip


def _narratives() -> list[Broken]:
    def div(inner: str) -> Broken:
        return _p("text.div", inner, "Patient.text.div", "narrative")

    return [
        div("text"),
        div("<div>no namespace</div>"),
        div(f"{DIV}<script>alert(1)</script></div>"),
        div(f"{DIV}<p>unclosed</div>"),
        div(f"{DIV}<p onclick='x()'>x</p></div>"),
        div(f"{DIV}<a href='javascript:alert(1)'>x</a></div>"),
        div(f"{DIV}<a href=' JavaScript:alert(1)'>x</a></div>"),
        div(f"{DIV}<a href='java&#115;cript:alert(1)'>x</a></div>"),
        div(f"{DIV}<iframe src='x'/></div>"),
        div(f"{DIV}<form><input/></form></div>"),
        div(f"{DIV}a & b</div>"),
        div(f"{DIV}a < b</div>"),
        div(f"{DIV}&nonsense;</div>"),
        div(f"{DIV}x</div><div>y</div>"),
        div(f"{DIV}x</div>tail"),
        div(f"{DIV}  </div>"),
        div(f"{DIV}<p class='a' class='b'>x</p></div>"),
        div(f"{DIV}<p class=a>x</p></div>"),
        div(f"{DIV}<!-- -- -->x</div>"),
        div(f"{DIV}<style>p {{}}</style>x</div>"),
        div("<p xmlns='http://www.w3.org/1999/xhtml'>x</p>"),
        div('<?xml version="1.0"?>' + f"{DIV}x</div>"),
        div(f"{DIV}<![CDATA[x]]></div>"),
        div(f"{DIV}<object data='x'/>x</div>"),
    ]


def _whole_bodies() -> list[Broken]:
    patient = text(PATIENT)
    nested = '{"url":"u","extension":[' * 60 + '{"url":"u","valueCode":"x"}' + "]}" * 60
    inner = put(OBSERVATION, "contained.0.contained", [{"resourceType": "Device", "id": "e"}])
    return [
        Broken("nothing", b"", "", "not-json"),
        Broken("white space only", b"  \n", "", "not-json"),
        Broken("a list", b"[]", "", "resource-not-object"),
        Broken("a list of resources", b"[" + patient + b"]", "", "resource-not-object"),
        Broken("a string", b'"Patient"', "", "resource-not-object"),
        Broken("a number", b"5", "", "resource-not-object"),
        Broken("null", b"null", "", "resource-not-object"),
        Broken("an empty object", b"{}", "", "no-resource-type"),
        Broken("no resourceType", b'{"id":"x"}', "", "no-resource-type"),
        Broken("resourceType null", b'{"resourceType":null}', "", "no-resource-type"),
        Broken("resourceType number", b'{"resourceType":1}', "", "unknown-resource-type"),
        Broken("resourceType unknown", b'{"resourceType":"Patients"}', "", "unknown-resource-type"),
        Broken("resourceType of a later version", b'{"resourceType":"SubscriptionStatus"}', "", "unknown-resource-type"),
        Broken("resourceType abstract", b'{"resourceType":"DomainResource"}', "", "unknown-resource-type"),
        Broken("resourceType a datatype", b'{"resourceType":"HumanName"}', "", "unknown-resource-type"),
        Broken("resourceType in lower case", b'{"resourceType":"patient"}', "", "unknown-resource-type"),
        Broken("entry's resourceType unknown", text(put(BUNDLE, "entry.0.resource.resourceType", "X")),
               "Bundle.entry[0].resource", "unknown-resource-type"),
        Broken("entry's resourceType missing", text(drop(BUNDLE, "entry.0.resource.resourceType")),
               "Bundle.entry[0].resource", "no-resource-type"),
        Broken("contained resourceType missing", text(drop(OBSERVATION, "contained.0.resourceType")),
               "Observation.contained[0]", "no-resource-type"),
        Broken("contained in contained", text(inner), "Observation.contained[0].contained", "contained-nested"),
        Broken("truncated", patient[:-1], "", "not-json"),
        Broken("trailing text", patient + b"x", "", "not-json"),
        Broken("two resources", patient + b"\n" + patient, "", "not-json"),
        Broken("byte order mark", b"\xef\xbb\xbf" + patient, "", "byte-order-mark"),
        Broken("UTF-16", patient.decode().encode("utf-16"), "", "not-utf8"),
        Broken("GB18030", patient.decode().encode("gb18030"), "", "not-utf8"),
        Broken("XML", b"<Patient xmlns='http://hl7.org/fhir'/>", "", "not-json"),
        Broken("single quotes", b"{'resourceType':'Patient'}", "", "not-json"),
        Broken("comment", b'{"resourceType":"Patient"/* x */}', "", "not-json"),
        Broken("trailing comma", b'{"resourceType":"Patient",}', "", "not-json"),
        Broken("NaN", b'{"resourceType":"Observation","valueInteger":NaN}', "", "not-a-number"),
        Broken("Infinity", b'{"resourceType":"Observation","valueInteger":-Infinity}', "", "not-a-number"),
        Broken("raw newline in a string", b'{"resourceType":"Patient","language":"a\nb"}', "", "not-json"),
        Broken("nested too deep", b'{"resourceType":"Patient","extension":[' + nested.encode() + b"]}", "", "too-deep"),
        Broken("a hundred thousand brackets", b"[" * 100_000, "", "too-deep"),
        Broken("member twice", b'{"resourceType":"Patient","active":true,"active":false}', "Patient.active", "duplicate"),
        Broken("member twice, the same", b'{"resourceType":"Patient","id":"1","id":"1"}', "Patient.id", "duplicate"),
        Broken("resourceType twice", b'{"resourceType":"Patient","resourceType":"Patient"}', "Patient.resourceType", "duplicate"),
        Broken("resourceType twice, differing", b'{"resourceType":"Patient","resourceType":"Group"}',
               "Patient.resourceType", "duplicate"),
        Broken("inner member twice", b'{"resourceType":"Patient","name":[{"text":"a","text":"b"}]}', "Patient.name[0].text",
               "duplicate"),
        Broken("member twice, once escaped", b'{"resourceType":"Patient","id":"1","\\u0069d":"1"}', "Patient.id", "duplicate"),
        Broken("member twice beside an escaped quotation mark",
               b'{"resourceType":"Patient","language":"a","language":"b","id":"1","name":[{"text":"\\u0022\\u0022\\u0022\\u0022"}]}',
               "Patient.language", "duplicate"),
        Broken("member twice in a primitive's extension",
               b'{"resourceType":"Patient","_active":{"id":"1","id":"2"}}', "Patient.active.id", "duplicate"),
        Broken("number as string beside an escaped quotation mark",
               b'{"resourceType":"Basic","code":{"text":"\\u0022\\u0022"},"extension":[{"url":"u","valueDecimal":"1"}]}',
               "Basic.extension[0].value.ofType(decimal)", "wrong-number"),
    ]  # fmt: skip


BROKEN: list[Broken] = [
    *_unknown(), *_json_types(), *_empties(), *_required_and_choices(), *_formats(), *_codes_and_references(),
    *_narratives(), *_whole_bodies(),
]  # fmt: skip

"""The generated tables are what the generator makes of HL7's definitions, and hold what the standard says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from paths import r4_examples
from xinglin.standards.fhir.r4 import codes, compartments, elements, model, parameters

ROOT = Path(__file__).resolve().parents[4]
FOLDER = Path(model.__file__).parent


@pytest.mark.slow
def test_generating_anew_changes_nothing(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "tools" / "generate_r4"), str(r4_examples()), str(tmp_path)]
    subprocess.run(command, check=True)
    made = {path.name: path.read_bytes() for path in tmp_path.glob("*.py")}
    assert made == {path.name: path.read_bytes() for path in FOLDER.glob("*.py")}


def test_the_146_resource_types_have_structs_and_elements() -> None:
    assert len(codes.RESOURCE_TYPES) == 146
    assert codes.RESOURCE_TYPES <= model.STRUCTS.keys() == elements.ELEMENTS.keys()


def test_every_element_has_its_field_with_the_json_name() -> None:
    for path, struct in model.STRUCTS.items():
        names = set(struct.__struct_encode_fields__)
        for element in elements.ELEMENTS[path].values():
            if element.max == 0:
                continue
            forms = (
                [element.name + k[0].upper() + k[1:] for k in element.types]
                if element.choice
                else [element.name]
            )
            assert names >= set(forms), path
            for kind in element.types:
                assert kind in elements.PRIMITIVES or kind in elements.ELEMENTS, (path, kind)


def test_types_hold_the_elements_of_their_bases() -> None:
    for path, base in elements.BASES.items():
        assert elements.ELEMENTS[base].keys() <= elements.ELEMENTS[path].keys()
        assert issubclass(model.STRUCTS[path], model.STRUCTS[base])


def test_what_the_standard_says_of_some_elements() -> None:
    value = elements.ELEMENTS["Observation"]["value"]
    assert value.choice
    assert (value.min, value.max, len(value.types)) == (0, 1, 11)
    subject = elements.ELEMENTS["Observation"]["subject"]
    assert subject.targets == ("Device", "Group", "Location", "Patient")
    assert elements.ELEMENTS["Questionnaire.item"]["item"].types == ("Questionnaire.item",)
    assert elements.ELEMENTS["Patient"]["name"].max is None
    assert elements.ELEMENTS["Patient"]["gender"].strength == "required"
    assert elements.ELEMENTS["Patient"]["active"].modifier
    assert elements.ELEMENTS["Meta"].keys() == {
        "id", "extension", "versionId", "lastUpdated", "source", "profile", "security", "tag",
    }  # fmt: skip


def test_parameter_numbers_are_those_of_the_first_release() -> None:
    """Numbers stand in databases: none may ever move."""
    known = {("Account", "identifier"): 1, ("Patient", "name"): 1212, ("VisionPrescription", "status"): 1707}
    assert {key: parameters.PARAMETERS[key].number for key in known} == known
    assert [p.number for p in parameters.PARAMETERS.values()] == list(range(1, 1708))
    assert list(parameters.PARAMETERS) == sorted(parameters.PARAMETERS)


def test_what_the_standard_says_of_some_parameters() -> None:
    patient = parameters.parameters_of("Patient")
    assert {"_id", "_lastUpdated", "_text", "_content", "name", "birthdate", "phonetic"} <= patient.keys()
    assert patient["birthdate"].expression == "Patient.birthDate"
    assert patient["birthdate"].single
    assert not patient["name"].single
    assert "_text" not in parameters.parameters_of("Binary")
    observation = parameters.parameters_of("Observation")
    assert observation["patient"].expression == "Observation.subject.where(resolve() is Patient)"
    assert observation["code-value-quantity"].components == (
        ("code", "code"),
        ("value-quantity", "value.as(Quantity)"),
    )
    assert observation["subject"].targets == ("Device", "Group", "Location", "Patient")


def test_compartments_name_parameters_that_exist() -> None:
    assert compartments.PATIENT_COMPARTMENT["Observation"] == ("subject", "performer")
    assert set(compartments.COMPARTMENTS) == {
        "Patient",
        "Encounter",
        "RelatedPerson",
        "Practitioner",
        "Device",
    }
    unknown = {
        (kind, name)
        for table in compartments.COMPARTMENTS.values()
        for kind, names in table.items()
        for name in names
        if name not in parameters.parameters_of(kind)
    }
    assert unknown == set()


def test_the_model_loads_quickly_and_only_when_asked_for() -> None:
    script = "import time; t = time.process_time(); from xinglin.standards.fhir.parse import parse; import sys;" \
             "assert 'xinglin.standards.fhir.r4.model' not in sys.modules;" \
             "parse(b'{\"resourceType\":\"Basic\",\"code\":{\"text\":\"x\"}}'); print(time.process_time() - t)"  # fmt: skip
    seconds = min(float(subprocess.check_output([sys.executable, "-c", script])) for _ in range(3))
    assert seconds < 1.0  # 0.3 on the machine it was written on

"""HL7's R4 definitions, read from the npm package ``hl7.fhir.r4.examples`` 4.0.1.

That package holds, beside the examples, every StructureDefinition, SearchParameter, ValueSet, CodeSystem and
CompartmentDefinition of the published standard, unchanged. (Collections made by others add elements of their own or
of later versions to ``Meta``, ``Binary``, ``ResearchStudy`` and a few more, so they are no source for a strict model.)
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

Json = dict[str, Any]
WANTED = ("StructureDefinition", "SearchParameter", "ValueSet", "CodeSystem", "CompartmentDefinition")


@dataclass
class Definitions:
    """The definitions by canonical URL (structures by id)."""

    structures: dict[str, Json] = field(default_factory=dict)
    parameters: dict[str, Json] = field(default_factory=dict)
    value_sets: dict[str, Json] = field(default_factory=dict)
    code_systems: dict[str, Json] = field(default_factory=dict)
    compartments: dict[str, Json] = field(default_factory=dict)


def read(place: Path) -> Definitions:
    """The definitions in a package file (.tgz) or an unpacked folder."""
    found = Definitions()
    for resource in _resources(place):
        kind, url = resource["resourceType"], resource.get("url", "")
        if kind == "StructureDefinition":
            if resource.get("fhirVersion") == "4.0.1" and resource.get("derivation") != "constraint":
                found.structures[resource["id"]] = resource
        elif kind == "SearchParameter":
            found.parameters[url] = resource
        elif kind == "ValueSet":
            found.value_sets[url] = resource
        elif kind == "CodeSystem":
            found.code_systems[url] = resource
        elif kind == "CompartmentDefinition" and resource["id"] != "example":
            found.compartments[resource["code"]] = resource
    return found


def _resources(place: Path) -> Iterator[Json]:
    if place.is_dir():
        for path in sorted(place.rglob("*.json")):
            if path.name.startswith(WANTED):
                yield msgspec.json.decode(path.read_bytes())
        return
    with tarfile.open(place) as package:
        for member in sorted(package.getmembers(), key=lambda m: m.name):
            stream = package.extractfile(member)
            if stream is not None and member.name.rpartition("/")[2].startswith(WANTED):
                yield msgspec.json.decode(stream.read())

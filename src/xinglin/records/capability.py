"""What the record itself gives to the house, in the same form as every capability above it."""

from __future__ import annotations

from typing import Final

from xinglin.kernel.capability import Capability, FhirOperation

_DEFINITION: Final = "http://hl7.org/fhir/OperationDefinition/"

CAPABILITY: Final = Capability(
    name="records",
    jobs="xinglin.records.jobs:kinds",
    consumers="xinglin.records.consumers:consumers",
    operations=(
        FhirOperation(
            "$validate",
            "xinglin.records.rest.validate:validate",
            f"{_DEFINITION}Resource-validate",
            methods=("POST", "GET"),
            types=("*",),
            instances=("*",),
        ),
        FhirOperation(
            "$everything",
            "xinglin.records.rest.everything:everything",
            f"{_DEFINITION}Patient-everything",
            methods=("GET", "HEAD", "POST"),
            types=("Patient",),
            instances=("Patient",),
        ),
        FhirOperation(
            "$export",
            "xinglin.records.rest.bulk:export",
            "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/export",
            methods=("GET", "POST"),
            system=True,
            types=("Patient",),
            instances=("Group",),
        ),
    ),
)

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
            "$meta",
            "xinglin.records.operations.meta:meta",
            f"{_DEFINITION}Resource-meta",
            methods=("GET", "HEAD", "POST"),
            system=True,
            types=("*",),
            instances=("*",),
        ),
        FhirOperation(
            "$meta-add",
            "xinglin.records.operations.meta:meta_add",
            f"{_DEFINITION}Resource-meta-add",
            methods=("POST",),
            instances=("*",),
        ),
        FhirOperation(
            "$meta-delete",
            "xinglin.records.operations.meta:meta_delete",
            f"{_DEFINITION}Resource-meta-delete",
            methods=("POST",),
            instances=("*",),
        ),
        FhirOperation(
            "$lastn",
            "xinglin.records.operations.lastn:lastn",
            f"{_DEFINITION}Observation-lastn",
            methods=("GET", "HEAD", "POST"),
            types=("Observation",),
        ),
        FhirOperation(
            "$stats",
            "xinglin.records.operations.stats:stats",
            f"{_DEFINITION}Observation-stats",
            methods=("GET", "HEAD", "POST"),
            types=("Observation",),
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
        FhirOperation(
            "$reindex",
            "xinglin.records.rest.reindex:reindex",
            "urn:xinglin:operation:reindex",
            system=True,
            types=("*",),
        ),
        FhirOperation(
            "$status",
            "xinglin.records.rest.reindex:show",
            "urn:xinglin:operation:search-parameter-status",
            methods=("GET", "HEAD"),
            types=("SearchParameter",),
            instances=("SearchParameter",),
        ),
    ),
)

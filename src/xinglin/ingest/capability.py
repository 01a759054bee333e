"""What the import gives to the house."""

from __future__ import annotations

from typing import Final

from xinglin.kernel.capability import Capability, FhirOperation

CAPABILITY: Final = Capability(
    name="ingest",
    jobs="xinglin.ingest.bulk:kinds",
    operations=(
        FhirOperation(
            "$import",
            "xinglin.ingest.bulk_rest:import_",
            "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/import",
            methods=("POST",),
            system=True,
        ),
    ),
)

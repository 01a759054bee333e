"""The functions of FHIRPath, a module for each chapter of the standard."""

from __future__ import annotations

from xinglin.standards.fhir.fhirpath.functions import (  # noqa: F401  (each registers its functions)
    boundaries,
    combining,
    conversion,
    existence,
    fhir,
    filtering,
    mathematics,
    strings,
    subsetting,
    tree,
    types,
    utility,
)
from xinglin.standards.fhir.fhirpath.functions.registry import build, names

__all__ = ["build", "names"]

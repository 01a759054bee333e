"""FHIRPath: one engine for search parameters, invariants and later views and rules.

``compile("Patient.name.given", "Patient").evaluate(patient)`` gives a list; ``parse`` gives the typed syntax tree.

Not done here: terminology (``memberOf`` asks a callback; ``subsumes`` and ``subsumedBy`` are empty), profiles (``conformsTo``
knows R4's own types; ``elementDefinition`` and ``slice`` are refused), and what came after R4: Long, defineVariable.
"""

from __future__ import annotations

from xinglin.standards.fhir.fhirpath.errors import (
    FhirPathError,
    FhirPathEvaluationError,
    FhirPathSemanticError,
    FhirPathSyntaxError,
)
from xinglin.standards.fhir.fhirpath.expression import Expression, compile  # noqa: A004
from xinglin.standards.fhir.fhirpath.parser import parse
from xinglin.standards.fhir.fhirpath.quantity import Quantity
from xinglin.standards.fhir.fhirpath.temporal import Date, DateTime, Time

__all__ = [
    "Date",
    "DateTime",
    "Expression",
    "FhirPathError",
    "FhirPathEvaluationError",
    "FhirPathSemanticError",
    "FhirPathSyntaxError",
    "Quantity",
    "Time",
    "compile",
    "parse",
]

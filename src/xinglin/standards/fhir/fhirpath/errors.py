"""Errors of FHIRPath.

XinglinError
 └─ FhirPathError
     ├─ FhirPathSyntaxError     the text is no FHIRPath expression
     ├─ FhirPathSemanticError   the expression cannot mean anything for its context: unknown element, function or type
     └─ FhirPathEvaluationError the expression met data that it is not defined for
"""

from __future__ import annotations

from xinglin.kernel.errors import XinglinError


class FhirPathError(XinglinError):
    """An expression cannot be compiled or evaluated."""

    status = 422
    issue = "invalid"


class FhirPathSyntaxError(FhirPathError):
    """The text is no FHIRPath expression."""


class FhirPathSemanticError(FhirPathError):
    """The expression names an element, function, variable or type that its context does not have."""


class FhirPathEvaluationError(FhirPathError):
    """The data is of a kind or number that the expression is not defined for."""

    issue = "processing"

"""Errors of reading FHIR.

XinglinError
 └─ Invalid (400, "invalid"): what came is no valid R4 resource; ``findings`` say where and why
"""

from __future__ import annotations

from collections.abc import Sequence

from xinglin.kernel.errors import XinglinError
from xinglin.standards.fhir.findings import Finding


class Invalid(XinglinError):
    """A body that is no valid FHIR R4 resource.

    ``findings`` holds every finding, errors first. The error itself speaks with the first one's sentence.
    """

    status = 400
    issue = "invalid"

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = sorted(findings, key=lambda f: not f.is_error)
        first = self.findings[0]
        super().__init__(first.message_key, expression=first.expression or None, **first.values)

"""What validation has to say about one place in a resource."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from xinglin.kernel.language import Language, say

Severity = Literal["fatal", "error", "warning", "information"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding.

    ``code`` is a FHIR issue type (structure, required, value, invalid, code-invalid, extension, invariant …),
    ``expression`` the FHIRPath of the place (``Patient.name[0].given[1]``; empty where there is no resource yet),
    ``message_key`` a sentence in ``standards/messages.toml`` and ``values`` what its placeholders stand for: names and
    limits of the standard, never the content of the record.
    """

    severity: Severity
    code: str
    expression: str
    message_key: str
    values: dict[str, object] = field(default_factory=dict)

    @property
    def is_error(self) -> bool:
        """Whether the resource cannot be accepted."""
        return self.severity in ("fatal", "error")

    def say(self, language: Language = "en") -> str:
        """The sentence in the given language."""
        return say(self.message_key, language, **self.values)

"""The root of every error tree.

XinglinError
 ├─ (records.errors, ingest.errors, … each package draws its own tree under this root)

A message says what, which record, and what to do next, in English and Chinese; it never carries a patient's data.
Its sentences live in the package's ``messages.toml`` and are named by key: ``records.not-found``.
"""

from __future__ import annotations

from typing import ClassVar

from xinglin.kernel.language import Language, say


class XinglinError(Exception):
    """An error that a person can act on.

    Parameters
    ----------
    key : str
        ``package.sentence``, looked up in that package's ``messages.toml``.
    expression : str, optional
        FHIRPath of the place in the input, e.g. ``Patient.name[0].use``.
    **values :
        What the sentence's placeholders stand for. Never clinical content.
    """

    status: ClassVar[int] = 500  # HTTP status
    issue: ClassVar[str] = "exception"  # FHIR issue-type code

    def __init__(self, key: str, /, *, expression: str | None = None, **values: object) -> None:
        self.key = key
        self.expression = expression
        self.values = values
        super().__init__(key)

    def say(self, language: Language = "en") -> str:
        """The sentence in the given language."""
        return say(self.key, language, **self.values)

    def __str__(self) -> str:
        return self.say("en")

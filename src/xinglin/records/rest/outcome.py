"""OperationOutcome: what went wrong, where, and what to do, in the reader's language.

Source: HL7 FHIR R4, operationoutcome.html; issue codes: valueset-issue-type.html.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from xinglin.kernel.errors import XinglinError
from xinglin.kernel.language import Language, say
from xinglin.records.rest.errors import AtEntry

Severity = Literal["fatal", "error", "warning", "information"]
SHOWN_MOST = 200
"""Issues listed in one outcome; a broken bundle may have a hundred thousand."""


@dataclass(frozen=True, slots=True)
class Issue:
    """One finding: how grave, of what kind, in words, and the FHIRPath of the place (None: the whole)."""

    severity: str
    code: str
    diagnostics: str
    expression: str | None = None


def outcome(issues: Sequence[Issue], *, request_id: str | None = None) -> bytes:
    """The OperationOutcome of ``issues`` as JSON bytes; with none, one that says all is well.

    >>> outcome([Issue("error", "value", "No.", "Patient.gender")])
    b'{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"value","diagnostics":"No.","expression":["Patient.gender"]}]}'
    """
    found: list[dict[str, object]] = []
    for issue in issues[:SHOWN_MOST]:
        one: dict[str, object] = {
            "severity": issue.severity,
            "code": issue.code,
            "diagnostics": printable(issue.diagnostics),
        }
        if issue.expression:
            one["expression"] = [printable(issue.expression)]
        found.append(one)
    resource: dict[str, object] = {"resourceType": "OperationOutcome"}
    if request_id:
        resource["id"] = request_id
    resource["issue"] = found
    return msgspec.json.encode(resource)


def printable(text: str) -> str:
    """``text`` as FHIR allows it in a string: lone surrogates and control characters become ``\\ufffd``.

    >>> printable("a\\x00b\\ud800")
    'a\ufffdb\ufffd'
    """
    if text.isprintable():
        return text
    return "".join(
        "\ufffd" if (ord(c) < 32 and c not in "\t\n\r") or "\ud800" <= c <= "\udfff" else c for c in text
    )


def issues_of(error: XinglinError, language: Language, prefix: str = "") -> list[Issue]:
    """The issues of an error: its findings where it has some, else itself.

    ``prefix`` is put before every expression, such as ``Bundle.entry[3]``.
    """
    if isinstance(error, AtEntry):
        return issues_of(error.error, language, error.place)
    findings = getattr(error, "findings", None)
    if findings:
        return findings_as_issues(findings, language, f"{prefix}.resource" if prefix else "")
    place = error.expression
    if (
        prefix
        and place
        and not place.startswith("Bundle.")
        and (place[:1].isupper() or place == "resourceType")
    ):
        prefix = f"{prefix}.resource"  # the path begins at a resource: the one that the entry holds
    return [Issue("error", error.issue, error.say(language), placed(place, prefix))]


def findings_as_issues(findings: Iterable[object], language: Language, prefix: str = "") -> list[Issue]:
    """Validation findings (severity, code, expression, message_key, values) as issues."""
    return [
        Issue(
            f.severity,  # type: ignore[attr-defined]
            f.code,  # type: ignore[attr-defined]
            say(f.message_key, language, **dict(f.values)),  # type: ignore[attr-defined]
            placed(f.expression, prefix),  # type: ignore[attr-defined]
        )
        for f in findings
    ]


def placed(expression: str | None, prefix: str) -> str | None:
    """``expression`` within ``prefix``: Patient.name in Bundle.entry[0].resource is Bundle.entry[0].resource.name.

    >>> placed("Patient.name[0]", "Bundle.entry[2].resource"), placed(None, "Bundle.entry[2]")
    ('Bundle.entry[2].resource.name[0]', 'Bundle.entry[2]')
    """
    if not prefix:
        return expression
    if not expression or expression.startswith("Bundle."):
        return expression or prefix
    root, dot, rest = expression.partition(".")
    if not root[:1].isupper():
        return f"{prefix}.{expression}"
    return f"{prefix}{dot}{rest}"


def of_error(error: XinglinError, language: Language) -> bytes:
    """The OperationOutcome of one error."""
    return outcome(issues_of(error, language))


def all_ok(language: Language, key: str = "records.rest-all-ok") -> bytes:
    """An outcome that says that nothing is wrong."""
    return outcome([Issue("information", "informational", say(key, language))])

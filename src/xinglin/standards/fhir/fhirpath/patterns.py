"""Regular expressions of bounded cost.

FHIRPath's patterns are PCRE with the dot matching line ends (N1 §5.6.9). A backtracking matcher can take for ever on a few dozen
characters where a repeated group can match one text in two ways, as in ``(a+)+``, so such patterns are refused, and lengths
are bounded.

Patterns are Python's, which reads nearly all of PCRE.
"""

from __future__ import annotations

import re
from functools import lru_cache

from xinglin.standards.fhir.fhirpath.errors import FhirPathEvaluationError
from xinglin.standards.fhir.fhirpath.regex_cost import ambiguous, degree

MAX_PATTERN = 2_000  # characters
#: Characters that are searched, by the degree of the pattern: the cost is a power of the length. Higher degrees are refused.
MAX_TEXT = {1: 20_000, 2: 1_500, 3: 400, 4: 150}


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> tuple[re.Pattern[str], int]:
    if len(pattern) > MAX_PATTERN:
        raise FhirPathEvaluationError("standards.fhirpath-pattern-long", limit=MAX_PATTERN)
    try:
        compiled = re.compile(pattern, re.DOTALL)
    except (re.error, OverflowError, RecursionError):
        raise FhirPathEvaluationError("standards.fhirpath-pattern", pattern=pattern[:100]) from None
    power = degree(pattern)
    if ambiguous(pattern) or power not in MAX_TEXT:
        raise FhirPathEvaluationError("standards.fhirpath-pattern-cost", pattern=pattern[:100])
    return compiled, MAX_TEXT[power]


def _for(pattern: str, text: str) -> re.Pattern[str]:
    compiled, limit = _compiled(pattern)
    if len(text) > limit:
        raise FhirPathEvaluationError("standards.fhirpath-pattern-text", limit=limit)
    return compiled


def matches(text: str, pattern: str) -> bool:
    """Whether the pattern matches somewhere in the text."""
    return _for(pattern, text).search(text) is not None


def matches_full(text: str, pattern: str) -> bool:
    """Whether the pattern matches the whole text."""
    return _for(pattern, text).fullmatch(text) is not None


def replace(text: str, pattern: str, substitution: str) -> str:
    """The text with every match replaced; ``$1`` and ``${name}`` stand for groups. An empty pattern changes nothing."""
    if not pattern:
        return text
    compiled = _for(pattern, text)
    template = re.sub(
        r"\$(?:\{(\w+)\}|(\d+))", lambda m: rf"\g<{m[1] or m[2]}>", substitution.replace("\\", r"\\")
    )
    try:
        return compiled.sub(template, text)
    except (re.error, IndexError):
        raise FhirPathEvaluationError("standards.fhirpath-pattern", pattern=substitution[:100]) from None

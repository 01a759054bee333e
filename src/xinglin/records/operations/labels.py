"""Who asserts a result: what a machine proposes and no clinician has accepted is nobody's measurement yet.

Source: HL7 v3 code system ObservationValue, AIAST (artificial intelligence asserted) and CLINAST (clinician asserted).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

ASSERTED_BY: Final = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"


def only_a_machine(labels: Iterable[tuple[str, str]]) -> bool:
    """Whether security labels, each system and code, say that a machine asserts it and no clinician does.

    >>> only_a_machine([(ASSERTED_BY, "AIAST")]), only_a_machine([(ASSERTED_BY, "AIAST"), (ASSERTED_BY, "CLINAST")])
    (True, False)
    """
    codes = {code for system, code in labels if system == ASSERTED_BY}
    return "AIAST" in codes and "CLINAST" not in codes

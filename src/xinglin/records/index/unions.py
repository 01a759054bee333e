"""Search parameters that are found by the rows of others, and have none of their own.

Observation's ``combo-*`` look at the observation and at its components: each finds exactly what two other parameters find
together. Rows of their own would double the index's quantities and composites, the widest and most scattered of its rows:
without them a resource costs half as much to write.
"""

from __future__ import annotations

from typing import Final

from xinglin.standards.fhir.r4.parameters import PARAMETERS, SearchParameter

UNIONS: Final = {
    ("Observation", "combo-code"): ("code", "component-code"),
    ("Observation", "combo-code-value-concept"): ("code-value-concept", "component-code-value-concept"),
    ("Observation", "combo-code-value-quantity"): ("code-value-quantity", "component-code-value-quantity"),
    ("Observation", "combo-data-absent-reason"): ("data-absent-reason", "component-data-absent-reason"),
    ("Observation", "combo-value-concept"): ("value-concept", "component-value-concept"),
    ("Observation", "combo-value-quantity"): ("value-quantity", "component-value-quantity"),
}
"""(type, name): the parameters of the type whose rows together are its own."""


_NUMBERS: Final = {
    PARAMETERS[union].number: tuple(sorted(PARAMETERS[union[0], name].number for name in names))
    for union, names in UNIONS.items()
}


def is_union(parameter: SearchParameter) -> bool:
    """Whether the parameter has no rows of its own."""
    return parameter.number in _NUMBERS


def row_numbers(parameter: SearchParameter) -> tuple[int, ...]:
    """The numbers under which the rows stand that a parameter is found by, ascending.

    >>> row_numbers(PARAMETERS["Observation", "combo-code"])
    (1109, 1120)
    >>> row_numbers(PARAMETERS["Observation", "code"])
    (1109,)
    """
    return _NUMBERS.get(parameter.number, (parameter.number,))

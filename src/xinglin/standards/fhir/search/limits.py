"""How large a search may be. Each bound is a setting, and named in the message when it is passed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one search; a count over ``count_max`` is lowered to it, every other bound is an error
    when passed.

    ``parameters``: name=value pairs in all; ``values``: values joined by commas in one;
    ``value_length``: characters of one value; ``chain_depth``: references followed by ``a.b.c`` and
    ``_has`` together; ``includes``: ``_include`` and
    ``_revinclude`` together; ``sort_keys`` and ``elements``: names in ``_sort`` and ``_elements``.
    """

    count_default: int = 20
    count_max: int = 1000
    parameters: int = 100
    values: int = 500
    value_length: int = 1000
    chain_depth: int = 5
    includes: int = 30
    sort_keys: int = 5
    elements: int = 200

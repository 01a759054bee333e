"""How large a search may be. Each bound is named in the message when it is passed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one search, named as the settings are.

    A ``_count`` over ``page_size_max`` is lowered to it; every other bound is an error when passed.

    ``parameter_limit``: name=value pairs in all; ``value_limit``: values joined by commas in one;
    ``pattern_limit``: characters of one value; ``chain_depth``: references followed by ``a.b.c`` and
    ``_has`` together; ``chain_branches``: types that the chains of one search may lead through where no
    type is named; ``include_parameter_limit``: ``_include`` and ``_revinclude`` together; ``sort_key_limit`` and
    ``element_limit``: names in ``_sort`` and
    ``_elements``.
    """

    page_size: int = 20
    page_size_max: int = 1000
    parameter_limit: int = 100
    value_limit: int = 500
    pattern_limit: int = 256
    chain_depth: int = 8
    chain_branches: int = 500
    include_parameter_limit: int = 30
    sort_key_limit: int = 5
    element_limit: int = 200

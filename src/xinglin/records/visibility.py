"""The one place where what an actor may see becomes SQL.

Every statement over resources, history or index rows, and every sub-query in one (chains, ``_has``, includes, sorts,
counts), takes its condition from here. When `trust.Predicate` learns compartments, consent or labels, this function
learns them too, and until it has it refuses them.
"""

from __future__ import annotations

from xinglin.trust import Predicate


def visible(predicate: Predicate, alias: str = "") -> tuple[str, list[object]]:
    """A condition on the rows of ``alias`` (any table with a ``tenant`` column) and its parameters.

    >>> visible(Predicate(tenant=7), "r")
    ('r.tenant = ?', [7])
    """
    if not predicate.everything:
        raise NotImplementedError(
            "visible() must learn the new fields of Predicate before anyone may use them"
        )
    return (f"{alias}.tenant = ?" if alias else "tenant = ?", [predicate.tenant])

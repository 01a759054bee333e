"""SQL of the operations: which tags, labels and profiles the record's resources carry."""

# ruff: noqa: S608 - the text is put together from this module's own words and numbers; every value is bound
from __future__ import annotations

from typing import Final

from xinglin.kernel.database import Connection
from xinglin.records.visibility import visible
from xinglin.trust import Predicate

MOST: Final = 1000
"""Different values of one kind that are listed."""


def used_terms(
    connection: Connection, predicate: Predicate, param: int, type_: str | None
) -> list[tuple[str, str, str]]:
    """System, code and display of what live resources (of a type) have under a token parameter, by skipping along the
    index from value to value.
    """
    condition, bound = visible(predicate, "i")
    typed = (
        ""
        if type_ is None
        else " AND EXISTS (SELECT 1 FROM ix_token j JOIN resource r ON r.tenant = j.tenant AND r.rid = j.rid"
        " WHERE j.tenant = t.tenant AND j.param = ? AND j.value = v.value AND r.type = ?)"
    )
    rows = connection.execute(
        f"""WITH RECURSIVE v(value) AS (
        SELECT (SELECT min(i.value) FROM ix_token i WHERE {condition} AND i.param = ?)
        UNION ALL
        SELECT (SELECT min(i.value) FROM ix_token i WHERE {condition} AND i.param = ? AND i.value > v.value)
        FROM v WHERE v.value IS NOT NULL)
        SELECT DISTINCT t.system, t.code, t.text FROM v JOIN term t ON t.value = v.value AND t.tenant = ?
        WHERE v.value IS NOT NULL{typed} ORDER BY 1, 2, 3 LIMIT {MOST}""",
        (*bound, param, *bound, param, predicate.tenant, *((param, type_) if type_ is not None else ())),
    ).fetchall()
    return [(row[0], row[1], row[2]) for row in rows]

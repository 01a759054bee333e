"""Full text: `_text` (the narrative) and `_content` (everything), in SQLite's FTS5 and PostgreSQL's tsvector.

The text is cut as it is for the index: Han characters singly and searched as a phrase, other words whole. All words of one
value must occur; values are ORed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from xinglin.standards.han import tokens

if TYPE_CHECKING:
    from xinglin.records.search.conditions import Compiler
    from xinglin.records.search.nodes import Words


def expression(texts: Sequence[str], *, narrative: bool, postgres: bool) -> str | None:
    """The engine's own query for any of ``texts``; None where they hold no word.

    >>> expression(["糖尿病 HbA1c"], narrative=False, postgres=False)
    '("糖 尿 病" AND "hba1c")'
    >>> expression(["糖尿病 HbA1c"], narrative=True, postgres=True)
    "('糖'<->'尿'<->'病' & 'hba1c')"
    """
    options = []
    for text in texts:
        phrases = tokens(text)
        if not phrases:
            continue
        if postgres:
            options.append(
                "(" + " & ".join("<->".join(f"'{one}'" for one in phrase) for phrase in phrases) + ")"
            )
        else:
            options.append("(" + " AND ".join(f'"{" ".join(phrase)}"' for phrase in phrases) + ")")
    if not options:
        return None
    if postgres:
        return " | ".join(options)
    either = " OR ".join(options)
    return f"{{narrative}} : ({either})" if narrative else either


def found(compiler: Compiler, node: Words, alias: str) -> str:
    """The row ``alias`` of fulltext has the words."""
    mark = f":{node.slots[0]}:"
    if not compiler.postgres:
        return f"{alias}.fulltext MATCH {mark}"
    if node.narrative:
        return f"{alias}.narrative @@ {mark}::tsquery"
    return f"{alias}.content @@ {mark}::tsquery"


def rid(compiler: Compiler, alias: str) -> str:
    """The number of the resource that the row ``alias`` of fulltext is about."""
    return f"{alias}.rid" if compiler.postgres else f"{alias}.rowid"

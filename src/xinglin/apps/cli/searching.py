"""``xinglin search 'Patient?name=zw'``: a table, JSON, NDJSON or CSV."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

from xinglin.apps.backend import Backend, loads, open_backend
from xinglin.apps.cli.grammar import Asked
from xinglin.apps.cli.output import print_json, print_table, safe
from xinglin.apps.errors import UsageError
from xinglin.apps.flat import columns_of, flat
from xinglin.kernel.language import Language, say
from xinglin.kernel.settings import Loaded

SHOWN = 20


def run(asked: Asked, loaded: Loaded, language: Language) -> int:
    """Search and print."""
    form = asked.options["format"] or ("json" if asked.options["json"] else "table")
    if form not in ("table", "json", "ndjson", "csv"):
        raise UsageError("apps.cli-format", given=form)
    limit = _limit(asked)
    resource_type, pairs = question(asked.arguments[0])
    if limit is None:
        limit = _counted(pairs)
    pairs += [(f"_{name}", asked.options[name]) for name in ("known", "valid") if asked.options[name]]
    backend = open_backend(loaded.settings, create=False, language=language)
    try:
        if asked.options["count"] or ("_summary", "count") in pairs or ("_count", "0") in pairs:
            return _count(backend, resource_type, pairs, as_json=form == "json")
        totals: list[int] = []
        found = _found(backend, resource_type, pairs, totals)
        if form == "table":
            _table(found, resource_type, limit or SHOWN, language, backend)
        else:
            _stream(found, form, resource_type, limit)
        if totals:  # beside the matches, which may be piped on
            print(say("apps.search-total", language, total=f"{totals[0]:,}"), file=sys.stderr)
    finally:
        backend.close()
    return 0


def question(text: str) -> tuple[str | None, list[tuple[str, str]]]:
    """The resource type and parameters of ``Patient?name=zw``, ``/Patient``, or a whole address.

    >>> question("Patient?name=zw&birthdate=ge1950")
    ('Patient', [('name', 'zw'), ('birthdate', 'ge1950')])
    """
    path, mark, query = text.strip().partition("?")
    if "=" in path and not mark:
        raise UsageError("apps.cli-query", given=text)
    kind = path.strip("/").rpartition("/")[2]
    if not kind:
        kind_or_none = None
    elif kind.isascii() and kind.isalpha():
        kind_or_none = _known_type(kind)
    else:
        raise UsageError("apps.cli-query", given=text)
    return kind_or_none, parse_qsl(query, keep_blank_values=True)


def _known_type(kind: str) -> str:
    from xinglin.kernel.settings import nearest
    from xinglin.standards.fhir.search.names import RESOURCE_TYPES

    if kind in RESOURCE_TYPES:
        return kind
    like = next((name for name in RESOURCE_TYPES if name.lower() == kind.lower()), None)
    like = like or nearest(kind, sorted(RESOURCE_TYPES)) or "Patient"
    raise UsageError("apps.cli-no-type", given=kind, like=like)


def _limit(asked: Asked) -> int | None:
    given = asked.options["limit"]
    if given is None:
        return None
    if not given.isascii() or not given.isdigit() or int(given) < 1:
        raise UsageError("apps.cli-number-least", option="--limit", given=given, least=1)
    return int(given)


def _counted(pairs: list[tuple[str, str]]) -> int | None:
    """``_count`` of the query: here, where no pages are turned, the most to print."""
    given = [value for name, value in pairs if name == "_count"]
    return int(given[0]) if len(given) == 1 and given[0].isascii() and given[0].isdigit() else None


def _found(
    backend: Backend, kind: str | None, pairs: list[tuple[str, str]], totals: list[int]
) -> Iterator[bytes]:
    """Matches and what is included, page by page; ``totals`` is given the total where it was asked for."""
    cursor = None
    included: dict[bytes, None] = {}
    while True:
        page = backend.page(kind, pairs, cursor)
        if page.total is not None and not totals:
            totals.append(page.total)
        yield from page.matches
        for body in page.included:
            if body not in included:
                included[body] = None
                yield body
        cursor = page.next
        if cursor is None:
            return


def _count(backend: Backend, kind: str | None, pairs: list[tuple[str, str]], *, as_json: bool) -> int:
    backend.page(
        kind, [*pairs, ("_count", "0")] if all(n != "_count" for n, _ in pairs) else pairs, None
    )  # refuses
    kept = [pair for pair in pairs if pair[0] not in ("_summary", "_count", "_sort", "_total")]
    total = backend.page(kind, [*kept, ("_summary", "count")], None).total
    if as_json:
        print_json({"total": total})
    else:
        print(total)
    return 0


def _table(
    found: Iterator[bytes], kind: str | None, limit: int, language: Language, backend: Backend
) -> None:
    rows: list[dict[str, Any]] = []
    more = False
    for body in found:
        if len(rows) >= limit:
            more = True
            break
        resource = loads(body)
        rows.append(flat(resource) | ({} if kind else {"type": resource["resourceType"]}))
    if not rows:
        print(say("apps.search-nothing", language, where=backend.name), file=sys.stderr)
        return
    columns = ([] if kind else ["type"]) + [c for c in columns_of(kind or "", rows) if kind or c != "type"]
    print_table([columns, *([row.get(column) for column in columns] for row in rows)])
    if more:
        print(say("apps.search-more", language, shown=limit), file=sys.stderr)


def _stream(found: Iterator[bytes], form: str, kind: str | None, limit: int | None) -> None:
    def bodies() -> Iterator[bytes]:
        for at, body in enumerate(found):
            if limit is not None and at >= limit:
                return
            yield body

    if form == "csv":
        rows = [flat(loads(body)) for body in bodies()]
        columns = list(dict.fromkeys(("id", *(column for row in rows for column in row))))
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_harmless(row.get(column)) for column in columns] for row in rows)
        return
    out = sys.stdout.buffer
    if form == "ndjson":
        for body in bodies():
            out.write(body + b"\n")
    else:
        before = b"[\n"  # written with the first match, so that an error before it is told alone
        for body in bodies():
            out.write(before + body)
            before = b",\n"
        out.write(b"\n]\n" if before == b",\n" else b"[]\n")
    out.flush()


def _harmless(value: Any) -> Any:
    """A cell that a spreadsheet does not take for a formula."""
    text = "" if value is None else safe(value)
    return f"'{text}" if text[:1] in ("=", "+", "@", "-") and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True

"""``xinglin import PATH…``: shows what a table will become, asks, imports, reports."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from xinglin.apps.backend import Embedded, open_backend
from xinglin.apps.cli.grammar import Asked
from xinglin.apps.cli.output import Bar, print_json, print_table
from xinglin.apps.errors import AppError
from xinglin.apps.importing import read_mappings, unconfirmed
from xinglin.ingest.importer import Importer, Tick
from xinglin.ingest.mapping import Mapping, as_dict, write_mapping
from xinglin.ingest.plan import Planned, Table, plan
from xinglin.ingest.report import Report
from xinglin.ingest.sources import Files
from xinglin.kernel.language import Language, say
from xinglin.kernel.settings import Loaded, Settings

REJECTED = 3


def run(asked: Asked, loaded: Loaded, language: Language) -> int:
    """Plan, confirm, import, report."""
    settings = loaded.settings
    mappings = read_mappings(asked.options["mapping"] or ())
    files = Files(settings)
    try:
        bar = Bar()
        bar.show(None, say("apps.import-looking", language))
        plans = list(plan(files, asked.arguments, settings, mappings))
        bar.close()
        _check_mappings(plans, mappings)
        waiting = unconfirmed(plans)
        if asked.options["preview"] or (waiting and not asked.options["yes"]):
            shown = [planned for planned in plans if planned.tables] if asked.options["preview"] else waiting
            answer = _confirm(asked, shown, settings, language)
            if answer is not None:
                return answer
        elif asked.options["save-mapping"]:
            _save(asked, plans, language)
        return _import(asked, files, plans, settings, language)
    finally:
        files.close()


def _check_mappings(plans: list[Planned], mappings: list[Mapping]) -> None:
    """A mapping that fits nothing was given by mistake: say so before writing by another."""
    tables = [table for planned in plans for table in planned.tables]
    for mapping in mappings:
        if tables and not any(table.mapping is mapping for table in tables):
            missing = [
                h for h, c in mapping.columns.items() if c and not any(h in table.headers for table in tables)
            ]
            raise AppError("apps.mapping-fits-nothing", columns=", ".join(missing[:5]) or "–")


def _confirm(asked: Asked, shown: list[Planned], settings: Settings, language: Language) -> int | None:
    """Show the tables; None where a person says yes, else the exit code."""
    as_json = asked.options["json"]
    if as_json:
        print_json(
            {"written": 0, "tables": [_table_json(p, t, settings, language) for p in shown for t in p.tables]}
        )
    else:
        for planned in shown:
            for table in planned.tables:
                _show(planned, table, settings, language)
    if asked.options["save-mapping"]:
        _save(asked, shown, language)
    if asked.options["preview"]:
        return 0
    if not as_json and sys.stdin.isatty() and sys.stdout.isatty():
        if input(say("apps.import-ask", language) + " ").strip().lower() in ("y", "yes", "是", "好", "对"):
            return None
        print(say("apps.import-nothing", language))
        return 1
    print(say("apps.import-confirm", language), file=sys.stderr)
    return 1


def _table_json(planned: Planned, table: Table, settings: Settings, language: Language) -> dict[str, Any]:
    rows = table.preview(settings)
    return {
        "name": planned.source.name,
        "sheet": table.sheet,
        "mapping": as_dict(table.mapping) if table.mapping else None,
        "problem": table.problem.say(language) if table.problem else None,
        "rows": [{**row, "problems": [problem.say(language) for problem in row["problems"]]} for row in rows],
    }


def _show(planned: Planned, table: Table, settings: Settings, language: Language) -> None:
    name = planned.source.name + (f" [{table.sheet}]" if table.sheet is not None else "")
    print(say("apps.import-table", language, name=name))
    if table.mapping is None:
        print("  " + (table.problem.say(language) if table.problem else ""))
        return
    head = [say(f"apps.import-{part}", language) for part in ("column", "goes-to", "first-value")]
    rows = []
    for header, column in table.mapping.columns.items():
        to = say("apps.import-left-out", language)
        if column is not None:
            to = column.to + (
                f" ({column.item}{', ' + column.unit if column.unit else ''})" if column.item else ""
            )
        at = table.headers.index(header) if header in table.headers else -1
        first = next(
            (line.cells[at] for line in table.sample if 0 <= at < len(line.cells) and line.cells[at].strip()),
            "",
        )
        rows.append([header, to, first])
    print_table([head, *rows])
    print()
    for row in table.preview(settings):
        print(say("apps.import-row", language, number=row["row"]))
        for problem in row["problems"]:
            print("  ✗ " + problem.say(language))
        for resource in row["resources"]:
            print("  " + _one_line(resource))
    print()


def _one_line(resource: dict[str, Any]) -> str:
    from xinglin.apps.backend import dumps

    return dumps(resource).decode()


def _save(asked: Asked, plans: list[Planned], language: Language) -> None:
    """Write the first table's mapping to the file asked for, to be looked at and mended."""
    table = next((table for planned in plans for table in planned.tables if table.mapping), None)
    if table is None or table.mapping is None:
        raise AppError("apps.import-no-table")
    path = Path(asked.options["save-mapping"])
    path.write_text(
        write_mapping(table.mapping, say("apps.import-mapping-head", language, path=path)), encoding="utf-8"
    )
    print(say("apps.import-mapping-saved", language, path=path), file=sys.stderr)


def _import(asked: Asked, files: Files, plans: list[Planned], settings: Settings, language: Language) -> int:
    backend = open_backend(settings, language=language)
    if isinstance(backend, Embedded) and (zone := backend.records.zone()) != settings.time_zone:
        told = say("apps.time-zone-differs", language, zone=zone, setting=settings.time_zone)
        print(told, file=sys.stderr)
    bar = Bar()

    def ticks(tick: Tick) -> None:
        share = (tick.at - 1 + (tick.done_bytes / tick.size if tick.size else 0)) / tick.of
        known = tick.of > 1 or tick.size > 0
        counts = tick.counts
        done = counts.taken + counts.updated + counts.unchanged
        text = say(
            "apps.import-progress",
            language,
            done=f"{done:,}",
            rejected=f"{counts.rejected:,}",
            name=tick.name,
        )
        bar.show(share if known else None, text)

    try:
        sink = backend.sink(invariants=asked.options["invariants"])
        report = Importer(sink, settings, language=language, ticks=ticks).run(files, plans)
    finally:
        bar.close()
        backend.close()
    if asked.options["json"]:
        print_json({**report.as_dict(language), "database": backend.name})
    else:
        _print_report(report, backend.name, language)
    if report.interrupted:
        return 130 if report.failure is None else 1
    if report.nothing:
        print(say("apps.import-nothing-found", language), file=sys.stderr)
        return 1
    return REJECTED if report.totals.rejected else 0


def _print_report(report: Report, database: str, language: Language) -> None:
    if report.types:
        print_table(report.as_rows(language))
    for file in report.files:
        if file.problem is not None:
            print(("– " if file.skipped else "✗ ") + file.problem.say(language))
        if file.resumed_line is not None:
            print(say("apps.import-resumed", language, name=file.name, line=file.resumed_line))
    totals = report.totals
    print(
        say(
            "apps.import-done",
            language,
            files=len(report.files),
            done=f"{totals.taken + totals.updated + totals.unchanged:,}",
            seconds=f"{report.elapsed_s:.1f}",
            database=database,
        )
    )
    for path in report.rejects:
        print(say("apps.import-rejects", language, path=path))
    if report.failure is not None:
        print(say("apps.import-failed", language, reason=report.failure.say(language)), file=sys.stderr)
    elif report.interrupted:
        print(say("apps.import-stopped", language), file=sys.stderr)

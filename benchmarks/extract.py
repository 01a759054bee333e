"""Index rows: microseconds to draw those of every search parameter from a parsed Synthea resource, by resource type.

The floor is what must happen anyway, parsing with tier 1, in the same run; beside it the same rows by evaluating each
parameter's FHIRPath expression. Best of three rounds of CPU time, garbage collection off.

    python benchmarks/extract.py
"""

from __future__ import annotations

import gc
import gzip
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from xinglin.records.index.extract import extract
from xinglin.records.index.general import general_rows
from xinglin.records.index.rows import IndexContext, IndexRows
from xinglin.records.index.source import UNINDEXED
from xinglin.standards.fhir.parse import parse
from xinglin.standards.fhir.r4.parameters import parameters_of
from xinglin.standards.fhir.temporal import interval

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "fhir" / "synthea_100.ndjson.gz"
CONTEXT = IndexContext()


def seconds(work: Callable[[Any], object], items: list[Any], rounds: int = 3) -> float:
    """CPU seconds an item, the best of several passes."""
    best = float("inf")
    for _ in range(rounds):
        started = time.process_time()
        for item in items:
            work(item)
        best = min(best, time.process_time() - started)
    return best / len(items)


def drawn(resource: Any) -> IndexRows:
    """The rows of a resource."""
    return extract(resource, CONTEXT)


def evaluated(resource: Any) -> None:
    """The same by the FHIRPath engine, expression by expression."""
    rows = IndexRows()
    for parameter in parameters_of(type(resource).__name__).values():
        if parameter.name not in UNINDEXED and parameter.expression and parameter.type != "special":
            general_rows(parameter, resource, (), None, rows)


def count(rows: IndexRows) -> int:
    """Rows in all tables."""
    return sum(
        map(len, (rows.tokens, rows.references, rows.strings, rows.dates, rows.quantities, rows.pairs))
    )


def main() -> None:
    if not DATA.exists():
        raise SystemExit(f"needs {DATA}")
    lines: dict[str, list[bytes]] = {}
    for line in gzip.decompress(DATA.read_bytes()).splitlines():
        lines.setdefault(type(parse(line)).__name__, []).append(line)
    gc.disable()
    print(
        "| resource | in the set | rows each | parse + tier 1 (floor), µs | index rows, µs | × floor | by FHIRPath, µs |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|")
    total = [0, 0.0, 0.0, 0.0, 0.0]
    for kind, bodies in sorted(lines.items(), key=lambda item: -len(item[1])):
        sample = bodies[:: max(1, len(bodies) // 500)]
        resources = [parse(body) for body in sample]
        rows = sum(count(drawn(one)) for one in resources) / len(resources)
        floor, own = seconds(parse, sample), seconds(drawn, resources)
        engine = seconds(evaluated, resources, 1)
        show(kind, len(bodies), rows, floor, own, engine)
        for place, value in enumerate((1, rows, floor, own, engine)):
            total[place] += value * len(bodies)
    show("all", int(total[0]), *(value / total[0] for value in total[1:]))
    for text in ("2013-01-14", "2013-01-14T10:00:00+08:00", "2013-01-14T10:00:00.123-05:00"):
        print(f"\n`{text}` to an interval: {seconds(interval, [text] * 100_000) * 1e6:.2f} µs")


def show(kind: str, number: int, rows: float, floor: float, own: float, engine: float) -> None:
    """One line of the table."""
    print(
        f"| {kind} | {number:,} | {rows:.1f} | {floor * 1e6:.1f} | {own * 1e6:.1f} | {own / floor:.2f} | {engine * 1e6:.0f} |"
    )


if __name__ == "__main__":
    main()

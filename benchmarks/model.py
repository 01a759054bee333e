"""Reading FHIR: parse and full tier-1 validation of the Synthea resources on one core, and tier 2 beside it.

The floor is untyped decoding of the same lines by msgspec and by orjson, in the same run; best of three rounds of CPU time.

    python benchmarks/model.py
"""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import orjson

from xinglin.standards.fhir.edit import with_meta
from xinglin.standards.fhir.parse import minify, parse
from xinglin.standards.fhir.validate import tier1, tier2

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "fhir" / "synthea_100.ndjson.gz"


def seconds(work: Callable[[Any], object], items: list[Any], rounds: int = 3) -> float:
    """CPU seconds of one pass over the items, the best of several."""
    best = float("inf")
    for _ in range(rounds):
        started = time.process_time()
        for item in items:
            work(item)
        best = min(best, time.process_time() - started)
    return best


def main() -> None:
    if not DATA.exists():
        raise SystemExit(f"needs {DATA}")
    lines = gzip.decompress(DATA.read_bytes()).splitlines()
    resources = [parse(line) for line in lines[::10]]
    small = [minify(line) for line in lines]
    floor = seconds(msgspec.json.decode, lines) / len(lines)
    rows = [
        ("untyped decoding, msgspec (floor)", floor),
        ("untyped decoding, orjson", seconds(orjson.loads, lines) / len(lines)),
        ("minify", seconds(minify, lines) / len(lines)),
        ("parse + tier 1", seconds(parse, lines) / len(lines)),
        ("tier 2, the invariants", seconds(tier2, resources) / len(resources)),
        (
            "set id and meta",
            seconds(lambda b: with_meta(b, "id", "1", "2024-01-01T00:00:00Z"), small) / len(small),
        ),
        ("descriptive pass (refused bodies only)", seconds(tier1, lines[::10], 1) / len(lines[::10])),
    ]
    print(f"{len(lines):,} Synthea resources of {sum(map(len, lines)) / len(lines):,.0f} bytes on average\n")
    print("| step | µs per resource | resources per CPU-second | × floor |")
    print("|---|---:|---:|---:|")
    for name, each in rows:
        print(f"| {name} | {each * 1e6:.1f} | {1 / each:,.0f} | {each / floor:.1f} |")


if __name__ == "__main__":
    main()

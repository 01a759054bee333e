"""Import as the record grows: 2,000,000 resources of the demonstration hospital into one new SQLite record.

The rate of each 100,000 beside that of the first, the peak of the process's memory, and the size on disk with all
indexes and history. The first 1,000, with which modules are loaded, are not counted. The lives are drawn in the same
process, as `xinglin demo` does it; the time that this takes is measured apart and taken off. CPU is user and system
time of this process, all threads: a rate by CPU-second says what the import costs however busy the machine is.

    python benchmarks/import_growth.py [--resources 2000000] [--keep FOLDER]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

BLOCK = 100_000
RIVALS = "4.2–22.6"
"""GB that other open FHIR servers publish for 2 million resources."""


class Drawn:
    """The lines of the hospital, and how long drawing them took."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.cpu = self.wall = 0.0
        self.bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        from xinglin.apps.demo.hospital import lines

        source = lines(1_000_000)
        for _ in range(self.most):
            wall, cpu = time.perf_counter(), time.thread_time()
            line = next(source)
            self.cpu += time.thread_time() - cpu
            self.wall += time.perf_counter() - wall
            self.bytes += len(line) + 1
            yield line


def load(folder: str, most: int) -> dict[str, Any]:
    """One import, in this process; the state after each block."""
    from xinglin.records.service import open_records
    from xinglin.trust import local_system

    path = Path(folder) / "growth.db"
    records = open_records(f"sqlite:///{path}")
    drawn = Drawn(most)
    started, cpu_started = time.perf_counter(), time.process_time()
    marks = [{"count": 0, "cpu": 0.0, "wall": 0.0, "mib": 0.0}]
    count = 0

    def mark() -> None:
        marks.append(
            {
                "count": count,
                "cpu": time.process_time() - cpu_started - drawn.cpu,
                "wall": time.perf_counter() - started - drawn.wall,
                "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
        print(f"{count:,} {marks[-1]['wall']:.0f} s", file=sys.stderr, flush=True)

    for progress in records.load(local_system(), drawn):
        assert progress.rejections == 0, progress.rejected[:3]
        count += progress.taken
        if len(marks) == 1 and not marks[0]["count"]:
            marks.clear()
            mark()
        if count >= len(marks) * BLOCK:
            mark()
    mark()  # with the statistics that the database plans by, taken at the end
    records.close()
    return {
        "marks": marks,
        "size": sum(f.stat().st_size for f in path.parent.glob("growth.db*")),
        "raw": drawn.bytes,
    }


def table(got: dict[str, Any]) -> str:
    """The measurements as Markdown."""
    marks, size = got["marks"], got["size"]
    total = marks[-1]["count"]

    def rate(begin: dict[str, float], end: dict[str, float], of: str) -> float:
        return (end["count"] - begin["count"]) / (end[of] - begin[of])

    first = rate(marks[0], marks[1], "cpu")
    out = [
        "| of the import | resources | per CPU-second | ÷ the first | per second on the clock | memory, MiB |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    blocks = list(pairwise(marks[:-1]))
    shown = sorted({0, len(blocks) // 4, len(blocks) // 2, 3 * len(blocks) // 4, len(blocks) - 1})
    for at in shown:
        begin, end = blocks[at]
        name = "the first" if at == 0 else f"up to {end['count'] / 1e6:.1f} million"
        speed = rate(begin, end, "cpu")
        out.append(
            f"| {name} | {end['count'] - begin['count']:,} | {speed:,.0f} | {speed / first:.2f} |"
            f" {rate(begin, end, 'wall'):,.0f} | {end['mib']:.0f} |"
        )
    slowest = min(rate(begin, end, "cpu") for begin, end in blocks)
    whole = rate(marks[0], marks[-1], "cpu")
    out.append(f"| the slowest 100,000 | | {slowest:,.0f} | {slowest / first:.2f} | | |")
    out.append(
        f"| all | {total:,} | {whole:,.0f} | {whole / first:.2f} |"
        f" {rate(marks[0], marks[-1], 'wall'):,.0f} | {marks[-1]['mib']:.0f} |"
    )
    out += [
        "",
        f"On disk: {size / 1e9:.2f} GB with all indexes ({size / total:,.0f} bytes a resource, {size / got['raw']:.2f} × the"
        f" NDJSON of {got['raw'] / 1e9:.2f} GB), {size / total * 2e6 / 1e9:.2f} GB for 2 million; others publish"
        f" {RIVALS} GB for as many.",
    ]
    return "\n".join(out)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--resources", type=int, default=2_000_000)
    parser.add_argument("--keep", metavar="FOLDER", help="leave the database there")
    parser.add_argument("--load", metavar="FOLDER", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.load:
        print(json.dumps(load(options.load, options.resources)))
        return 0
    with tempfile.TemporaryDirectory(prefix="xinglin-growth-") as folder:
        arguments = ["--load", options.keep or folder, "--resources", str(options.resources)]
        done = subprocess.run([sys.executable, __file__, *arguments], stdout=subprocess.PIPE, check=True)
    print(table(json.loads(done.stdout)))
    return 0


if __name__ == "__main__":
    sys.exit(main())

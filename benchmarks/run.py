"""Run the benchmarks: ``./run bench [NAME …] [--write]``.

Each ``benchmarks/NAME.py`` (``import_.py`` is called ``import``) is a script that prints one Markdown table of its claim, what
was measured and the floor measured in the same run. ``--write`` puts the table, with date and machine, into docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "benchmarks.md"
NOT_BENCHMARKS = {"run", "search_suite"}
NAMED_ONLY = {"soak", "import_growth"}
"""Too long for a run of all of them."""


def names() -> dict[str, Path]:
    """Benchmark name → script."""
    scripts = {path.stem.rstrip("_"): path for path in sorted(HERE.glob("*.py"))}
    return {
        name: path
        for name, path in scripts.items()
        if name not in NOT_BENCHMARKS and not name.startswith("_")
    }


def machine() -> str:
    """Processor, cores, memory and Python, in a line."""
    model = "unknown processor"
    info = Path("/proc/cpuinfo")
    if info.exists():
        found = re.search(r"model name\s*:\s*(.+)", info.read_text())
        model = found.group(1).strip() if found else platform.machine()
    pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{model}, {os.cpu_count()} cores, {pages:.0f} GiB, Python {platform.python_version()}"


def write(name: str, table: str) -> None:
    """Put ``table`` between the markers of ``name`` in docs/benchmarks.md."""
    page = PAGE.read_text(encoding="utf-8")
    start, end = f"<!-- bench:{name} -->", f"<!-- /bench:{name} -->"
    if start not in page:
        page = page.rstrip() + f"\n\n## {name}\n\n{start}\n{end}\n"
    before, rest = page.split(start, 1)
    after = rest.split(end, 1)[1]
    stamp = f"{datetime.now(UTC).date().isoformat()}, {machine()}. `./run bench {name}`"
    PAGE.write_text(f"{before}{start}\n{stamp}\n\n{table.strip()}\n{end}{after}", encoding="utf-8")


def main() -> int:
    known = names()
    parser = argparse.ArgumentParser(prog="./run bench", description="Measure what the documentation claims.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"one of: {', '.join(known)} (all, if none is named)"
    )
    parser.add_argument("--write", action="store_true", help="put the tables into docs/benchmarks.md")
    given = parser.parse_args()
    unknown = [name for name in given.names if name not in known]
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are: {', '.join(known)}")
    failed = 0
    for name in given.names or (name for name in known if name not in NAMED_ONLY):
        print(f"== {name}", flush=True)
        done = subprocess.run(
            [sys.executable, str(known[name])], stdout=subprocess.PIPE, text=True, check=False
        )
        print(done.stdout, flush=True)
        failed += done.returncode != 0
        if given.write and done.returncode == 0:
            write(name, done.stdout)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

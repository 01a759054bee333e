"""How long one waits: the help, a server on an existing database, the demonstration from a fresh clone and again.

    python benchmarks/startup.py

The fresh clone installs into an environment of its own, so it needs the network; the floor is Python itself starting.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
XINGLIN = Path(sys.executable).with_name("xinglin")
REPEATS = 7


def cpu_s(*command: str) -> float:
    """Median CPU seconds of a command, its children included."""
    taken = []
    for _ in range(REPEATS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(taken)


def ready_s(*command: str, folder: Path, environment: dict[str, str]) -> float:
    """Wall seconds until the command has printed its address; it is then told to stop."""
    started = time.perf_counter()
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if re.search(r"https?://[^ ]+:\d+", line) and "Ctrl-C" in line:
                taken = time.perf_counter() - started
                process.send_signal(signal.SIGTERM)
                process.wait(30)
                return taken
    raise SystemExit(f"{command} ended without an address:\n" + "".join(said[-20:]))


def main() -> None:
    rows = [("python -c pass (floor)", f"{cpu_s(sys.executable, '-c', 'pass'):.3f} s CPU", "")]
    rows.append(("xinglin --help", f"{cpu_s(str(XINGLIN), '--help'):.3f} s CPU", "< 0.3 s"))
    with tempfile.TemporaryDirectory() as temporary:
        environment = {**os.environ, "XDG_DATA_HOME": f"{temporary}/data", "LC_ALL": "C.UTF-8"}
        clone = Path(temporary) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        demo = ("./run", "demo", "--port", "0")
        rows.append(
            (
                "./run demo, fresh clone",
                f"{ready_s(*demo, folder=clone, environment=environment):.0f} s",
                "< 180 s",
            )
        )
        again = statistics.median(ready_s(*demo, folder=clone, environment=environment) for _ in range(3))
        rows.append(("./run demo, again", f"{again:.1f} s", "< 10 s"))
        database = shutil.copy(f"{temporary}/data/xinglin/demo.db", f"{temporary}/other.db")
        serve = (str(XINGLIN), "serve", "--database", str(database), "--port", "0")
        serving = statistics.median(ready_s(*serve, folder=clone, environment=environment) for _ in range(3))
        rows.append(("xinglin serve on that database", f"{serving:.1f} s", "< 2 s"))
    print("| what | measured | goal |\n| --- | --: | --: |")
    for row in rows:
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()

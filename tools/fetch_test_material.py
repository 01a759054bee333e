"""Fetch what the tests read or run and we do not keep in the repository; quiet and quick when it is there already.

The official R4 examples (an npm package, CC0) and the Node FHIR client come through npm into ``.cache/`` and
``tests/journeys/clients/node/node_modules``. Without a network this only says so: the tests that need them skip, with the reason.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STEPS = ("tools/fetch_r4_examples.py", "tools/fetch_node_client.py")


def main() -> int:
    for step in STEPS:
        script = ROOT / step
        if (
            script.exists()
            and subprocess.run([sys.executable, str(script)], check=False, cwd=ROOT).returncode
        ):
            print(
                f"{step} did not succeed; the tests that need it will be skipped and say so.", file=sys.stderr
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())

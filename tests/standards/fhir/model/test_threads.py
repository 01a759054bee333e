"""The first parse may come from several threads at once, as in a server that warms up while it answers."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys, threading
from xinglin.standards.fhir.parse import parse
body = b'{"resourceType":"Observation","status":"final","code":{"text":"x"}}'
start = threading.Barrier(8)
done = []
def work():
    start.wait()
    done.append(parse(body).status)
threads = [threading.Thread(target=work) for _ in range(8)]
sys.setswitchinterval(1e-6)
[t.start() for t in threads]; [t.join() for t in threads]
assert done == ["final"] * 8, done
"""


def test_the_first_parse_may_come_from_many_threads() -> None:
    for _ in range(3):
        run = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr

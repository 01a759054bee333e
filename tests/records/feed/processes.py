"""Run apart: ``write URL COUNT`` creates observations, ``consume URL FILE`` appends what its consumer is given to a file."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from following import consumers, observe

from xinglin.records.feed import Consumer
from xinglin.records.service import open_records
from xinglin.records.stored import Change


def write(url: str, count: int) -> None:
    records = open_records(url)
    for value in range(count):
        observe(records, f"p{value % 5}", value)
    records.close()


def consume(url: str, path: str) -> None:
    records = open_records(url)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def handle(changes: list[Change]) -> None:
        lines = "".join(f"{os.getpid()} {c.position} {c.patient} {c.id}\n" for c in changes)
        os.write(file, lines.encode())
        time.sleep(0.002)

    consumers(records, Consumer("a", handle, batch=20, start="beginning"), lease_s=1.0).start()
    time.sleep(300)


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(sys.argv[2], int(sys.argv[3]))
    else:
        consume(sys.argv[2], sys.argv[3])

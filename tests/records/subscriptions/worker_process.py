"""Run apart: a worker of the record's own consumers, Subscriptions among them."""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from subscriber import SETTINGS, running

from xinglin.records.service import open_records
from xinglin.records.subscriptions import deliverer

if __name__ == "__main__":
    deliverer.FIRST_WAIT_S = 0.05
    running(open_records(sys.argv[1], SETTINGS)).start()
    print("ready", flush=True)
    time.sleep(300)

"""A process that writes pairs of resources until it is killed, and says of each pair when it was acknowledged.

python writing_process.py URL FIRST_NUMBER THREADS [MOST]
"""

from __future__ import annotations

import itertools
import json
import sys
import threading

from xinglin.kernel.errors import XinglinError
from xinglin.records.service import open_records
from xinglin.records.stored import Operation
from xinglin.trust import local_system


def pair(number: int) -> list[Operation]:
    """A patient and an observation of them, which belong together."""
    patient = {
        "resourceType": "Patient",
        "id": f"p{number}",
        "identifier": [{"system": "urn:n", "value": str(number)}],
    }
    observation = {
        "resourceType": "Observation",
        "id": f"o{number}",
        "status": "final",
        "code": {"text": "x" * 300},
        "subject": {"reference": f"Patient/p{number}"},
    }
    return [
        Operation("update", "Patient", f"p{number}", json.dumps(patient).encode()),
        Operation("update", "Observation", f"o{number}", json.dumps(observation).encode()),
    ]


def main(url: str, first: str, threads: str, most: str = "1000000000") -> None:
    records = open_records(url)
    actor = local_system()
    numbers = itertools.count(int(first))
    lock = threading.Lock()
    left = itertools.count()

    def work() -> None:
        while True:
            with lock:
                if next(left) >= int(most):
                    return
                number = next(numbers)
            try:
                records.write(actor, pair(number))
            except XinglinError:
                return
            with lock:
                sys.stdout.write(f"{number}\n")
                sys.stdout.flush()

    for operation in pair(0):  # loads the model: what is killed shall be writing, not starting
        records.prepare(actor, operation.type, operation.body or b"", operation.id)
    print("ready", flush=True)
    running = [threading.Thread(target=work) for _ in range(int(threads))]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


if __name__ == "__main__":
    main(*sys.argv[1:])

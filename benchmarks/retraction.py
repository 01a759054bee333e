"""Retraction: one value is corrected, a hundred results rest on it. Until the last is superseded or flagged.

Half of the dependants are open drafts, half were accepted; and a chain of twenty, each computed from the one before. Durable,
through the change feed. The floor: the same number of plain updates of such resources, one transaction each.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / folder) for folder in ("src", "tests")]
os.environ.setdefault("XINGLIN_LOG_LEVEL", "error")

from drafts.patients import DOCTOR, Ward, risk  # noqa: E402
from xinglin.drafts import Draft  # noqa: E402
from xinglin.kernel.database import open_database  # noqa: E402
from xinglin.kernel.log import configure  # noqa: E402
from xinglin.records.service import Records  # noqa: E402

BESIDE = 500


def ward_in(url: str) -> Ward:
    """A ward with other drafts in it, so that a search has something to pass by."""
    ward = Ward(Records(open_database(url)))
    for at in range(BESIDE // 100):
        ward.result(f"other{at}")
        for kind in range(100):
            ward.propose(f"Observation/other{at}", kind=f"beside{kind}")
    return ward


def dependants(ward: Ward, number: int, chained: bool) -> list[Draft]:
    """So many results that rest on Observation/bp."""
    ward.result("bp")
    drafts: list[Draft] = []
    for at in range(number):
        rests_on = drafts[-1].reference if chained and drafts else "Observation/bp"
        drafts.append(ward.propose(rests_on, kind=f"kind{at}"))
        if at % 2 and not chained:
            ward.drafts.accept(DOCTOR, drafts[-1].reference)
    return drafts


def retracted(url: str, number: int, chained: bool = False) -> tuple[float, float]:
    """Seconds from the corrected value's commit to the last dependant's, and of as many plain updates."""
    ward = ward_in(url)
    drafts = dependants(ward, number, chained)
    ward.position = ward.records.changes(DOCTOR, 0, 10**9)[-1].position
    ward.result("bp", "99")
    began = time.perf_counter()
    done = ward.follow()
    took = time.perf_counter() - began
    assert done.superseded + done.flagged == number, done
    states = {ward.state(one) for one in drafts}
    assert "open" not in states
    for at in range(number):
        ward.put({**risk(), "id": f"plain{at}"})
    began = time.perf_counter()
    for at in range(number):
        ward.put({**risk(probability=0.3), "id": f"plain{at}"})
    plain = time.perf_counter() - began
    ward.records.close()
    return took, plain


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dependants", type=int, default=100)
    number = parser.parse_args().dependants
    configure("error")
    print("| database | dependants | retraction, s | as many plain updates, s | ratio |")
    print("| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        urls = [("SQLite", lambda n: f"sqlite:///{folder}/{n}.db")]
        cluster = None
        try:
            from postgres import Cluster

            cluster = Cluster("fsync=on")
            urls.append(("PostgreSQL", lambda n: cluster.new_database()))
        except BaseException as error:
            print(f"<!-- no PostgreSQL: {error} -->")
        try:
            for name, url in urls:
                for count, chained in ((number, False), (20, True)):
                    took, plain = retracted(url(f"{name}{count}"), count, chained)
                    shape = "in a chain" if chained else "side by side, half accepted"
                    print(f"| {name} | {count} {shape} | {took:.2f} | {plain:.2f} | {took / plain:.1f} × |")
        finally:
            if cluster is not None:
                cluster.close()


if __name__ == "__main__":
    main()

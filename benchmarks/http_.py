"""HTTP on SQLite: requests per CPU-second of the server process, for reads and searches of every kind.

The Synthea resources are loaded (without them, a demo hospital), a server is started on loopback in its own process, and this
process asks over 16 connections. Counted is what the server's process used, user and system time, from /proc; so the figures
hold on a busy machine too. The floor is the same web server answering one fixed body from memory without looking at the request.

    python benchmarks/http_.py [--seconds 4] [--only read]
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import itertools
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

CONNECTIONS = 16
SYNTHEA = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "fhir" / "synthea_100.ndjson.gz"
FLOOR = """
import socket, sys
from xinglin.apps.api.server import uvicorn_server
BODY = b"x" * 1200
HEADERS = [(b"content-type", b"application/fhir+json"), (b"content-length", b"1200")]
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})
listener = socket.socket()
listener.bind(("127.0.0.1", int(sys.argv[1])))
uvicorn_server(app, lambda: print("ready", flush=True)).run(sockets=[listener])
"""
SERVE = """
import sys
from xinglin.apps.api.server import serve
serve(sys.argv[2], "127.0.0.1", int(sys.argv[1]))
"""


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A server process on a free port, until the block is left."""

    def __init__(self, code: str, *arguments: str) -> None:
        self.port = free_port()
        self.command = [sys.executable, "-c", code, str(self.port), *arguments]

    def __enter__(self) -> Server:
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        if not self.process.stdout.readline():
            raise RuntimeError("the server did not start")
        used = -1.0
        while cpu_seconds(self.process.pid) > used:  # until it has loaded all that it will need
            used = cpu_seconds(self.process.pid)
            time.sleep(0.5)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)

    def rate(self, paths: Iterator[str], seconds: float) -> tuple[float, float, int]:
        """Requests per server CPU-second, requests per second, and how many were answered."""
        asyncio.run(_ask(self.port, paths, min(1.0, seconds / 4)))  # warm
        before, started = cpu_seconds(self.process.pid), time.monotonic()
        count = asyncio.run(_ask(self.port, paths, seconds))
        used, passed = cpu_seconds(self.process.pid) - before, time.monotonic() - started
        return count / used, count / passed, count


async def _ask(port: int, paths: Iterator[str], seconds: float) -> int:
    ends = time.monotonic() + seconds

    async def one() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        count = 0
        try:
            while time.monotonic() < ends:
                path = next(paths)
                writer.write(
                    f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: application/fhir+json\r\n\r\n".encode()
                )
                head = await reader.readuntil(b"\r\n\r\n")
                if not head.startswith(b"HTTP/1.1 200"):
                    raise RuntimeError(f"{path}: {head[:200]!r}")
                at = head.lower().index(b"content-length:") + 15
                await reader.readexactly(int(head[at : head.index(b"\r\n", at)]))
                count += 1
        finally:
            writer.close()
        return count

    return sum(await asyncio.gather(*(one() for _ in range(CONNECTIONS))))


def load(url: str) -> str:
    """Fill the database; what with, in words."""
    from xinglin.records.service import open_records
    from xinglin.trust import local_system

    records = open_records(url)
    try:
        if SYNTHEA.exists():
            with gzip.open(SYNTHEA, "rb") as lines:
                records.load(local_system(), (line for line in lines if line.strip())).run()
            return "the 27,861 Synthea resources"
        from xinglin.apps.demo.hospital import lines as demo

        records.load(local_system(), demo(patients=100)).run()
        return "a demo hospital of 100 patients"
    finally:
        records.close()


def questions(url: str) -> dict[str, tuple[Callable[[], Iterator[str]], int]]:
    """Name of each measurement, its addresses in random order, and the rate it must reach."""
    from xinglin.records.service import open_records

    records = open_records(url)
    with records.reading() as connection:
        ids = connection.execute("SELECT type, id FROM resource WHERE state = 0").fetchall()
        codes = connection.execute(
            "SELECT DISTINCT p.id, t.system, t.code FROM ix_token i JOIN term t ON t.value = i.value"
            " JOIN resource r ON r.rid = i.rid JOIN entity p ON p.rid = r.patient"
            " WHERE r.type = 'Observation' AND t.system = 'http://loinc.org' LIMIT 20000"
        ).fetchall()
        names = [
            row[0]
            for row in connection.execute("SELECT DISTINCT norm FROM ix_string WHERE kind = 0 LIMIT 500")
        ]
    records.close()
    chance = random.Random(1)
    for rows in (ids, codes, names):
        chance.shuffle(rows)
    patients = [id_ for type_, id_ in ids if type_ == "Patient"]

    def each(make: Callable[[object], str], rows: list[object]) -> Callable[[], Iterator[str]]:
        return lambda: itertools.cycle([make(row) for row in rows])

    return {
        "read by id": (each(lambda r: f"/fhir/{r[0]}/{r[1]}", ids), 15_000),  # type: ignore[index]
        "patient + code + date, sorted, ten entries": (
            each(
                lambda r: (
                    f"/fhir/Observation?patient={r[0]}&code={quote(r[1], safe='')}|{r[2]}"  # type: ignore[index]
                    "&date=ge1990-01-01&_sort=-date&_count=10"
                ),
                codes,
            ),
            4_000,
        ),
        "chained: Observation?patient.family=…&code=…": (
            each(
                lambda n: (
                    f"/fhir/Observation?patient.family={quote(str(n).split()[0])}"
                    "&code=http%3A%2F%2Floinc.org|8302-2&_count=10"
                ),
                names,
            ),
            1_500,
        ),
        "_has: the same of one patient (&_id=…)": (
            each(lambda p: f"/fhir/Patient?_has:Observation:patient:code=8302-2&_id={p}", patients),  # type: ignore[arg-type]
            1_500,
        ),
        "_has: Patient?_has:Observation:patient:code=…, ten entries": (
            each(lambda c: f"/fhir/Patient?_has:Observation:patient:code={c[2]}&_count=10", codes),  # type: ignore[index]
            1_500,
        ),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--only", default="", help="measure those whose name contains this")
    parser.add_argument(
        "--database", default="", help="a folder to keep the loaded database in, for running again"
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(given.database or temporary)
        file = folder / "http.db"
        url = f"sqlite:///{file}"
        what = "the database as it was" if file.exists() else load(url)
        with Server(FLOOR) as server:
            floor, _, _ = server.rate(itertools.cycle(["/fhir/Patient/1"]), given.seconds)
        print(f"On {what}; {CONNECTIONS} connections.\n")
        print("| request | per server CPU-second | goal | per second of wall time | share of the floor |")
        print("|---|--:|--:|--:|--:|")
        print(f"| floor: a fixed body, nothing looked at | {floor:,.0f} | | | 1 |")
        met = True
        with Server(SERVE, url) as server:
            for name, (paths, goal) in questions(url).items():
                if given.only in name:
                    per_cpu, per_wall, _ = server.rate(paths(), given.seconds)
                    met = met and per_cpu >= goal
                    print(
                        f"| {name} | {per_cpu:,.0f} | {goal:,} | {per_wall:,.0f} | {per_cpu / floor:.2f} |",
                        flush=True,
                    )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())

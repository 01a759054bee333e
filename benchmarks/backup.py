"""Backup, archive and restore: versions per CPU-second of this process, on both databases.

The record is what the demonstration hospital makes. The floor of a backup is the same versions decompressed and compressed
again as one stream, with no database and no digests; that of a restore is `Records.load` of the same resources into an
empty database of the same kind. The archive's lag is what a commit waits until it is in a segment on disk.

    python benchmarks/backup.py [--patients 60]
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import zstandard

from xinglin.apps.backup.archive import archive
from xinglin.apps.backup.base import back_up
from xinglin.apps.backup.bringing import bring
from xinglin.apps.backup.place import open_place
from xinglin.apps.backup.rehearsal import sums_of
from xinglin.apps.backup.restore import plan, restore
from xinglin.apps.demo.hospital import lines as demo
from xinglin.kernel.blobs.folder import FolderBlobs
from xinglin.kernel.database import open_database
from xinglin.kernel.settings import Settings
from xinglin.records.bodies import compress, decompress
from xinglin.records.service import Records, open_records
from xinglin.trust import local_system

ACTOR = local_system()
COMMITS = 200
FILES, FILE_BYTES = 400, 500_000


def timed(call: Callable[[], Any]) -> tuple[float, float, Any]:
    """CPU-seconds and seconds of a call, and what it gave."""
    cpu, started = time.process_time(), time.perf_counter()
    got = call()
    return time.process_time() - cpu, time.perf_counter() - started, got


def measure(name: str, lines: list[bytes], url: str, other: str, third: str, folder: Path) -> list[str]:
    """The rows of one database."""
    settings = Settings(backup_folder=str(folder / "backups"), data=str(folder))
    place = open_place(settings)
    records = open_records(url, settings)
    records.load(ACTOR, lines).run()
    count = len(lines)
    rows = []

    def row(what: str, done: int, cpu: float, wall: float, floor: float | None = None) -> None:
        ratio = f"{done / floor:,.0f} | {cpu / floor:.1f}" if floor else "– | –"
        rows.append(f"| {name}: {what} | {done / cpu:,.0f} | {done / wall:,.0f} | {ratio} |")

    frames = [compress(line) for line in lines]
    floor, _, _ = timed(lambda: again(frames))
    cpu, wall, manifest = timed(lambda: back_up(records, place))
    row("backup", count, cpu, wall, floor)
    cpu, wall, chosen = timed(lambda: plan(place))
    row("check of every part", count, cpu, wall)
    floor, _, _ = timed(lambda: loaded(third, settings, lines))
    cpu, wall, _ = timed(lambda: restore(place, settings, chosen, url=other))
    row("restore, index rows drawn anew", count, cpu, wall, floor)
    restored = open_records(other, settings)
    cpu, wall, sums = timed(lambda: sums_of(restored.database, chosen.position, chosen.position))
    assert sums[1].told() == manifest.types
    row("comparison of every version", count, cpu, wall)
    restored.close()
    lags = []
    for number in range(COMMITS):
        began = time.perf_counter()
        records.update(
            ACTOR, "Basic", "b", b'{"resourceType":"Basic","id":"b","code":{"text":"%d"}}' % number
        )
        archive(records, place)
        lags.append(time.perf_counter() - began)
    lags.sort()
    rows.append(
        f"| {name}: one commit and its archive segment, synced: median {lags[len(lags) // 2] * 1000:.1f} ms,"
        f" 99 % {lags[int(len(lags) * 0.99)] * 1000:.1f} ms | – | – | – | – |"
    )
    if url.startswith("sqlite"):  # files are copied the same way whatever the database is
        rows += measure_files(name, records, folder)
    records.close()  # else a SQLite file and its log were both counted
    with open_database(url) as database:
        size = database.size_bytes()
    rows.append(
        f"| {name}: a backup takes {manifest.bytes / count:,.0f} bytes a resource of {sum(map(len, lines)) / count:,.0f},"
        f" the database {size / count:,.0f} | – | – | – | – |"
    )
    return rows


def measure_files(name: str, records: Records, folder: Path) -> list[str]:
    """Large files: the first backup of them, the second one, and bringing them back; the floor reads, digests and packs."""
    blobs = FolderBlobs(folder / "blobs")
    contents = [random.Random(number).randbytes(FILE_BYTES) for number in range(FILES)]
    for number, content in enumerate(contents):
        blobs.put(f"1/images/{number}", [content])
    place = open_place(Settings(backup_folder=str(folder / "files"), data=str(folder)))
    floor, _, _ = timed(lambda: [(sha256(one).digest(), compress(one)) for one in contents])
    without, _, _ = timed(lambda: back_up(records, open_place(Settings(), str(folder / "without"))))
    mb = FILES * FILE_BYTES / 1e6
    rows = []
    for what in ("first", "second"):
        cpu, wall, _ = timed(lambda: back_up(records, place, blobs=blobs))
        cpu = max(cpu - without, 1e-3)
        rows.append(
            f"| {name}: {FILES} files of {FILE_BYTES:,} bytes, {what} backup, MB | {mb / cpu:,.0f} | {mb / wall:,.0f} |"
            f" {mb / floor:,.0f} | {cpu / floor:.1f} |"
        )
    chosen = plan(place).files
    assert chosen is not None
    cpu, wall, brought = timed(lambda: bring(place, chosen, FolderBlobs(folder / "brought")))
    assert brought.written == FILES
    rows.append(f"| {name}: the same, brought back, MB | {mb / cpu:,.0f} | {mb / wall:,.0f} | – | – |")
    return rows


def again(frames: list[bytes]) -> int:
    """Decompress all and compress them as one stream."""
    packer = zstandard.ZstdCompressor(level=3).compressobj()
    return sum(len(packer.compress(decompress(frame))) for frame in frames) + len(packer.flush())


def loaded(url: str, settings: Settings, lines: list[bytes]) -> None:
    """Import into an empty database."""
    records: Records = open_records(url, settings)
    records.load(ACTOR, lines).run()
    records.close()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--patients", type=int, default=60)
    asked = parser.parse_args()
    lines = list(demo(asked.patients))
    print("| | per CPU-second | per second | floor per CPU-second | CPU, times the floor |")
    print("| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        urls = [f"sqlite:///{folder}/{name}.db" for name in ("a", "b", "c")]
        print("\n".join(measure("SQLite", lines, *urls, Path(folder) / "s")))
        sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
        from postgres import Cluster, programs

        if programs() is not None:
            cluster = Cluster("shared_buffers=256MB")
            try:
                urls = [cluster.new_database() for _ in range(3)]
                print("\n".join(measure("PostgreSQL", lines, *urls, Path(folder) / "p")))
            finally:
                cluster.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())

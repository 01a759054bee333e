"""The demonstration hospital in a database: grown, gone on with after an end in the middle, refused where it cannot be."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from xinglin.apps import hospital
from xinglin.apps.demo.hospital import lines
from xinglin.apps.errors import AppError
from xinglin.apps.hospital import BYTES_EACH, RESOURCES_EACH, Estimate, Step, ensure_demo
from xinglin.kernel.settings import Settings
from xinglin.records.service import open_records
from xinglin.trust import local_system


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return replace(Settings(), database="demo", data=str(tmp_path))


def bodies(settings: Settings) -> dict[str, int]:
    """Every resource that is there, with its version."""
    records = open_records(settings.database_url, settings)
    try:
        return {f"{c.type}/{c.id}": c.version for c in records.changes(local_system(), 0, 1_000_000)}
    finally:
        records.close()


def expected(patients: int, seed: int = 1) -> set[str]:
    return {f"{r['resourceType']}/{r['id']}" for r in map(msgspec.json.decode, lines(patients, seed))}


def test_a_hospital_grows_by_the_new_patients_only(settings: Settings) -> None:
    assert ensure_demo(settings, 3) == 3
    steps: list[Step] = []
    assert ensure_demo(settings, 5, steps=steps.append) == 5
    there = bodies(settings)
    assert set(there) == expected(5)
    assert set(there.values()) == {1}
    assert steps[-1].stored == 5
    assert steps[-1].before == 3
    assert steps[-1].resources == len(expected(5)) - len(expected(3))
    assert ensure_demo(settings) == 5


def test_it_neither_shrinks_nor_changes_its_seed(settings: Settings) -> None:
    ensure_demo(settings, 2)
    for patients, seed in ((1, None), (None, 7), (3, 7)):
        with pytest.raises(AppError, match="--anew"):
            ensure_demo(settings, patients, seed)
    assert ensure_demo(settings, 1, 7, anew=True) == 1
    assert set(bodies(settings)) == expected(1, 7)


def test_a_hospital_cut_short_goes_on_where_it_stopped(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hospital, "_NOTE_EVERY_S", 0.0)

    def stop(step: Step) -> None:
        if step.stored >= 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensure_demo(settings, 30, steps=stop)
    steps: list[Step] = []
    assert ensure_demo(settings, steps=steps.append) == 30
    assert steps[0].before >= 12
    there = bodies(settings)
    assert set(there) == expected(30)
    assert set(there.values()) == {1}


def test_growing_further_than_was_asked_before_the_end_is_fine(settings: Settings) -> None:
    def stop(step: Step) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensure_demo(settings, 20, steps=stop)
    assert ensure_demo(settings, 22) == 22
    assert set(bodies(settings)) == expected(22)


@pytest.mark.slow
def test_kill_9_in_the_middle_loses_and_doubles_nothing(settings: Settings, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "xinglin.apps.cli.main", "demo", "--no-serve", "--patients", "60"]
    environment = os.environ | {"XINGLIN_DATA": str(tmp_path)}
    with subprocess.Popen(command, env=environment) as process:
        file = Path(settings.database_url.removeprefix("sqlite:///"))
        until = time.monotonic() + 60
        while (
            process.poll() is None
            and time.monotonic() < until
            and not (
                file.exists()
                and file.with_name(file.name + "-wal").exists()
                and sum(f.stat().st_size for f in file.parent.glob(file.name + "*")) > 6_000_000
            )
        ):
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    there = bodies(settings)
    assert set(there) == expected(60)
    assert set(there.values()) == {1}


def test_too_little_room_is_told_before_anything_is_written(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**10, 9 * 10**9, 10**9))
    told: list[Estimate] = []
    with pytest.raises(AppError, match=r"340 GB.*1 GB") as refused:
        ensure_demo(settings, 1_000_000, tell=told.append)
    assert "--patients" in refused.value.say("en")
    assert "340 GB" in refused.value.say("zh")
    assert told == [Estimate(1_000_000, 1_000_000 * RESOURCES_EACH, 1_000_000 * BYTES_EACH, 10**9)]
    assert not Path(settings.database_url.removeprefix("sqlite:///")).exists()


def test_the_estimates_are_near_what_is_made(settings: Settings) -> None:
    ensure_demo(settings, 60)
    size = Path(settings.database_url.removeprefix("sqlite:///")).stat().st_size
    assert 0.5 < size / (60 * BYTES_EACH) <= 1.3
    assert 0.6 < len(expected(60)) / (60 * RESOURCES_EACH) < 1.4


def test_a_note_without_its_database_is_no_hospital(settings: Settings) -> None:
    ensure_demo(settings, 2)
    for path in Path(settings.database_url.removeprefix("sqlite:///")).parent.glob("demo.db*"):
        path.unlink()
    assert ensure_demo(settings, 1) == 1
    assert set(bodies(settings)) == expected(1)


def test_a_hospital_on_a_server_grows_and_is_not_mixed_with_a_record(
    tmp_path: Path, database_url: str
) -> None:
    settings = replace(Settings(), database=database_url, data=str(tmp_path))
    ensure_demo(settings, 1)
    ensure_demo(settings, 2)
    assert set(bodies(settings)) == expected(2)
    for note in tmp_path.glob("demo*.json"):
        note.unlink()
    with pytest.raises(AppError, match="mixed"):
        ensure_demo(settings, 2)


def test_memory_does_not_grow_with_the_number_of_patients() -> None:
    """The stream of a hospital of a million holds one patient at a time."""
    import tracemalloc
    from itertools import islice

    stream = lines(1_000_000)
    for _ in islice(stream, 2000):
        pass
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in islice(stream, 20_000):
            pass
        assert tracemalloc.get_traced_memory()[0] - before < 2_000_000
    finally:
        tracemalloc.stop()

"""`xinglin doctor` finds what is wrong, says what to do about it in both languages, and tells by its exit code."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from xinglin.apps.backup.base import back_up, remember
from xinglin.apps.backup.errors import Damaged
from xinglin.apps.backup.place import open_place
from xinglin.apps.backup.rehearsal import rehearse
from xinglin.apps.cli.main import main
from xinglin.apps.doctor import Finding, examine
from xinglin.kernel.clock import now_us
from xinglin.kernel.database import open_database
from xinglin.kernel.language import Language
from xinglin.kernel.settings import Settings
from xinglin.records import schema
from xinglin.records.service import open_records
from xinglin.records.site import Site
from xinglin.trust import local_system

PATIENT = b'{"resourceType":"Patient","id":"p1"}'


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    found = Settings(database=database_url, data=str(tmp_path), port=0)
    records = open_records(database_url, found)
    records.update(local_system(), "Patient", "p1", PATIENT)
    records.close()
    return found


def found(settings: Settings) -> dict[str, Finding]:
    """By name; each has its sentence in both languages."""
    findings = examine(settings)
    for finding in findings:
        assert finding.say("en") != finding.say("zh")
    return {finding.name: finding for finding in findings}


def test_a_record_without_backup_is_warned_about_and_nothing_else_is_wrong(settings: Settings) -> None:
    told = found(settings)
    assert told["backup"].key == "apps.doctor-backup-off"
    assert told["workers"].level == "note"
    wrong = {name for name, finding in told.items() if finding.level == "error"}
    assert wrong <= {"fsync", "full_page_writes"}  # the tests' own PostgreSQL runs without


def test_a_server_that_may_lose_what_it_acknowledged_is_an_error(postgres_url: str, tmp_path: Path) -> None:
    told = found(Settings(database=postgres_url, data=str(tmp_path), port=0))
    assert told["fsync"].level == told["full_page_writes"].level == "error"
    assert "fsync = on" in told["fsync"].say("en")
    assert told["autovacuum"].level == "warning"
    assert told["engine"].say("en").startswith("The engine is PostgreSQL")


def test_a_port_that_another_program_has_is_told(settings: Settings) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert found(replace(settings, port=port))["port"].key == "apps.doctor-port-taken"
    assert found(replace(settings, port=port))["port"].level == "ok"


def test_the_age_and_outcome_of_backup_archive_and_rehearsal_are_told(
    settings: Settings, tmp_path: Path
) -> None:
    settings = replace(settings, backup_folder=str(tmp_path / "backups"))
    assert found(settings)["backup"].key == "apps.doctor-backup-none"
    records = open_records(settings.database_url, settings)
    try:
        place = open_place(settings)
        back_up(records, place)
        told = found(settings)
        assert told["backup"].level == "ok"
        assert told["rehearsal"].key == "apps.doctor-rehearsal-none"
        rehearse(place, settings, records=records)
        assert found(settings)["rehearsal"].level == "ok"
        records.update(local_system(), "Patient", "p2", b'{"resourceType":"Patient","id":"p2"}')
        assert found(settings)["archive"].level == "ok"

        def long_ago(connection: object) -> None:
            connection.execute("UPDATE commits SET at_us = at_us - 100000000")  # type: ignore[attr-defined]

        records.database.write(long_ago)
        assert found(settings)["archive"].level == "error"
        remember(
            records,
            "backup_failed",
            {"at_us": now_us() + 1, "reason": "kernel.blobs-full", "values": {"store": "/b"}},
        )
        assert found(settings)["backup"].key == "apps.doctor-backup-failed"
    finally:
        records.close()


def test_failed_jobs_and_a_clock_set_back_are_told(settings: Settings) -> None:
    records = open_records(settings.database_url, settings)
    try:
        queue = Site(records, settings).queue
        job = queue.add("apps.backup")

        def fail(connection: object) -> None:
            connection.execute(  # type: ignore[attr-defined]
                "UPDATE job SET state = 3, started_us = ?, ended_us = ? WHERE id = ?",
                (now_us(), now_us(), job.id),
            )
            connection.execute("UPDATE commits SET at_us = at_us + 7200000000")  # type: ignore[attr-defined]

        records.database.write(fail)
    finally:
        records.close()
    told = found(settings)
    assert told["jobs_failed"].values == {"kinds": "apps.backup: 1"}
    assert told["clock_record"].level == "error"
    assert main(["doctor", "--database", settings.database_url, "--data", settings.data, "--port", "0"]) == 1


def test_a_damaged_file_is_found_before_somebody_meets_it(sqlite_url: str, tmp_path: Path) -> None:
    settings = Settings(database=sqlite_url, data=str(tmp_path), port=0)
    records = open_records(sqlite_url, settings)
    records.load(local_system(), (b'{"resourceType":"Patient","id":"q%d"}' % n for n in range(3000))).run()
    records.close()
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    whole = bytearray(path.read_bytes())
    for place in range(len(whole) // 2, len(whole), 8192):
        whole[place : place + 200] = bytes(200)
    path.write_bytes(whole)
    told = found(settings)
    assert any(
        finding.level == "error" for name, finding in told.items() if name in ("file", "database", "counts")
    )


def test_an_older_database_is_told_and_left_as_it_is(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older.setattr(schema, "SCHEMA_VERSION", 1)
        older.setattr(schema, "STEPS", schema.STEPS[:1])
        with open_database(database_url) as database:
            schema.migrate(database)
    told = found(Settings(database=database_url, data=str(tmp_path), port=0))
    assert told["schema"].level == "warning"
    assert "1" in told["schema"].say("en")
    with open_database(database_url) as database, database.read() as connection:
        assert schema.schema_version(connection) == 1


def test_a_rehearsal_that_failed_is_told_with_its_reason(settings: Settings) -> None:
    settings = replace(settings, backup_folder=str(Path(settings.data) / "kept"))
    records = open_records(settings.database_url, settings)
    place = open_place(settings)
    back_up(records, place)
    (part,) = Path(settings.backup_folder).glob("1/base/*/versions-*")
    part.write_bytes(part.read_bytes()[:-1])
    with pytest.raises(Damaged):
        rehearse(place, settings, records=records)
    records.close()
    told = found(settings)["rehearsal"]
    assert told.level == "error"
    assert part.name in told.say("zh")


class Answers(BaseHTTPRequestHandler):
    """Some other program's server."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"status": "ready"}')

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_server_that_is_named_is_asked_and_nothing_is_said_of_this_machine(
    sqlite_url: str, tmp_path: Path, language: Language, capsys: pytest.CaptureFixture[str]
) -> None:
    running = subprocess.Popen(
        [sys.executable, "-m", "xinglin.apps.cli.main", "serve", "--port", "0", "--json"],
        env={
            **os.environ,
            "XINGLIN_DATABASE": sqlite_url,
            "XINGLIN_DATA": str(tmp_path),
            "XINGLIN_WORKER": "false",
        },
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert running.stdout is not None
        base = json.loads(running.stdout.readline())["address"]
        asked = [
            "doctor",
            "--database",
            base,
            "--data",
            str(tmp_path / "mine"),
            "--language",
            language,
            "--json",
        ]
        assert main(asked) == 0
        told = {one["name"]: one for one in json.loads(capsys.readouterr().out)["findings"]}
        assert {"server", "ready", "backup", "workers", "engine"} <= told.keys()
        assert str(tmp_path / "mine") not in json.dumps(told)
        assert ("服务器" if language == "zh" else "Server") in told["backup"]["message"]
        assert main([*asked, "--adopt-time-zone"]) == 2
    finally:
        running.kill()
        running.wait()
    assert main(asked) == 1
    capsys.readouterr()
    other = HTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=other.serve_forever, daemon=True).start()
    try:
        (finding,) = examine(Settings(database=f"http://127.0.0.1:{other.server_port}"))
        assert finding.key == "apps.doctor-server-foreign"
        assert finding.level == "error"
    finally:
        other.shutdown()
        other.server_close()

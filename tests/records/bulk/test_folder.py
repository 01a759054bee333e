"""`xinglin export` and `Record.export`: a folder of NDJSON, from a database and from a server."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import xinglin as xl
from bulk_serving import Place, serving
from bulk_world import load_world, patient, put
from xinglin.apps import exporting_remote
from xinglin.apps.cli.main import main
from xinglin.apps.errors import AppError
from xinglin.kernel.database import open_database
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.settings import Settings
from xinglin.records.bulk import exporter as exporter_module
from xinglin.records.service import Records
from xinglin.trust import local_system

ACTOR = local_system()


@pytest.fixture
def database(sqlite_url: str) -> str:
    records = Records(open_database(sqlite_url, durable=False))
    load_world(records, ACTOR)
    records.close()
    return sqlite_url


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    settings = Settings(data=str(tmp_path / "data"), export_file_bytes=2000)
    records = Records(open_database(f"sqlite:///{tmp_path}/server.db", durable=False), settings)
    load_world(records, ACTOR)
    with serving(records, settings) as found:
        stop = threading.Event()

        def work() -> None:
            while not stop.wait(0.02):
                found.worker.run_pending()

        thread = threading.Thread(target=work)
        thread.start()
        yield found
        stop.set()
        thread.join()
    records.close()


def names(folder: Path) -> set[str]:
    """Every resource of the folder's files that the manifest names."""
    manifest = json.loads((folder / "manifest.json").read_text())
    found = []
    for file in manifest["output"]:
        raw = (folder / file["url"]).read_bytes()
        lines = (
            (gzip.decompress(raw) if file["url"].endswith(".gz") else raw).decode().strip("\n").split("\n")
        )
        assert len(lines) == file["count"]
        found += [f"{each['resourceType']}/{each['id']}" for each in map(json.loads, lines)]
    assert len(found) == len(set(found))
    assert {path.name for path in folder.iterdir()} == {
        "manifest.json",
        *(file["url"] for part in ("output", "deleted", "error") for file in manifest[part]),
    }
    return set(found)


def test_the_command_writes_a_folder(
    database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(tmp_path / "out"), "--database", database]) == 0
    assert "54 resources" in capsys.readouterr().out
    assert len(names(tmp_path / "out")) == 54
    command = [
        "export",
        str(tmp_path / "part"),
        "--database",
        database,
        "--type",
        "Observation,Patient",
        "--gzip",
    ]
    assert main([*command, "--filter", "Observation?code=b", "--group", "g", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["resources"] == 4
    assert all(name.endswith(".ndjson.gz") for name in told["files"])
    asked = json.loads((tmp_path / "part" / "manifest.json").read_text())["request"]
    assert asked == "Group/g/$export?_type=Observation%2CPatient&_typeFilter=Observation%3Fcode%3Db"
    assert names(tmp_path / "part") == {"Patient/p1", "Patient/p2", "Observation/o12", "Observation/o32"}


def test_the_same_export_gives_the_same_bytes(database: str, tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert main(["export", str(tmp_path / name), "--database", database, "--gzip"]) == 0
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--type", "Patients"],
        ["--since", "soon"],
        ["--since", "2199-01-01"],
        ["--elements", "nam"],
        ["--group", "none"],
        ["--filter", "Observation?no=1"],
    ],
)
def test_what_cannot_be_exported_is_said(database: str, tmp_path: Path, words: list[str]) -> None:
    folder = [str(tmp_path / "out")] if words else []
    assert main(["export", *folder, "--database", database, *words]) in (1, 2)
    if folder:  # the folder is not taken by what was refused
        assert not (tmp_path / "out").exists()
        assert main(["export", *folder, "--database", database, "--type", "Patient"]) == 0


def test_a_folder_in_use_is_left_alone(database: str, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "Patient-1.ndjson").write_text("mine\n")
    with xl.open(database) as record:
        with pytest.raises(AppError):
            record.export(folder)
        with pytest.raises(AppError):
            record.export(folder / "Patient-1.ndjson")
    assert (folder / "Patient-1.ndjson").read_text() == "mine\n"


def test_python_follows_by_the_instant_it_is_given(database: str, tmp_path: Path) -> None:
    with xl.open(database) as record:
        first = record.export(tmp_path / "first")
        record.save(patient(60))
        record.delete("Observation/o5")
        done = record.export(tmp_path / "second", since=first.at)
    assert "Patient/p60" in names(tmp_path / "second")
    assert done.deleted == 1


def test_cut_short_it_goes_on(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = exporter_module.lines
    calls = iter(range(100))

    def interrupted(*given: Any) -> Any:
        if next(calls) == 2:
            raise KeyboardInterrupt
        return lines(*given)

    monkeypatch.setattr(exporter_module, "lines", interrupted)
    assert main(["export", str(tmp_path / "out"), "--database", database]) == 130
    begun = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.ndjson")}
    assert begun
    assert main(["export", str(tmp_path / "out"), "--database", database, "--type", "Patient"]) == 1
    put_later = Records(open_database(database, durable=False))
    put(put_later, ACTOR, patient(99))
    put_later.close()
    assert main(["export", str(tmp_path / "out"), "--database", database]) == 0
    assert len(names(tmp_path / "out")) == 54  # as of the instant at which it began
    for name, written in begun.items():
        assert (tmp_path / "out" / name).stat().st_mtime_ns == written


# From a server


@pytest.mark.parametrize("packed", [False, True])
def test_from_a_server(place: Place, tmp_path: Path, packed: bool) -> None:
    folder = tmp_path / "out"
    words = ["export", str(folder), "--database", place.address, "--type", "Patient,Observation"]
    assert main([*words, *(["--gzip"] if packed else [])]) == 0
    assert len(names(folder)) == 50
    assert list(place.site.blobs.list("1/exports/")) == []  # nothing is left on the server


def test_from_a_server_that_refuses(place: Place, tmp_path: Path) -> None:
    with xl.open(place.address) as record, pytest.raises(XinglinError, match="Patients"):
        record.export(tmp_path / "out", types=["Patients"])


def test_a_file_that_breaks_off_is_gone_on_with(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    once, asked = exporting_remote.urlopen, []

    class Half:
        """An answer that ends after its first bytes."""

        def __init__(self, answer: Any) -> None:
            self.answer = answer
            self.left = 100

        def __getattr__(self, name: str) -> Any:
            return getattr(self.answer, name)

        def __enter__(self) -> Half:
            return self

        def __exit__(self, *_: object) -> None:
            self.answer.close()

        def read(self, size: int) -> bytes:
            found: bytes = self.answer.read(min(size, self.left))
            self.left -= len(found)
            return found

    def breaking(request: Any, **options: Any) -> Any:
        asked.append(request.headers.get("Range"))
        answer = once(request, **options)
        return Half(answer) if len(asked) == 1 else answer

    monkeypatch.setattr(exporting_remote, "urlopen", breaking)
    with xl.open(place.address) as record:
        record.export(tmp_path / "out", types=["Patient"])
    assert asked[:2] == [None, "bytes=100-"]
    assert len(names(tmp_path / "out")) == 10


def test_a_server_cannot_send_us_elsewhere(place: Place, tmp_path: Path) -> None:
    with xl.open(place.address) as record:
        remote: Any = record._backend
        with pytest.raises(XinglinError):
            exporting_remote._same_server(remote, "http://169.254.169.254/x")

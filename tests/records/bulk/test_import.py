"""Bulk import: by address and by upload, what is rejected, faults of the source, and what may not be fetched."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as with_settings
from hypothesis import strategies as st

from bulk_serving import ASYNC, FileServer, Place, serving
from bulk_world import load_world, observation, patient
from xinglin.ingest import connecting, remote_files
from xinglin.ingest.errors import HostError
from xinglin.ingest.remote_files import Fetch
from xinglin.kernel.database import open_database
from xinglin.kernel.settings import Settings
from xinglin.records.service import Records
from xinglin.trust import local_system

ACTOR = local_system()


@pytest.fixture
def place(database_url: str, tmp_path: Path) -> Iterator[Place]:
    chosen = Settings(data=str(tmp_path / "data"), import_batch=20, body_limit_bytes=20_000)
    records = Records(open_database(database_url, durable=False), chosen)
    with serving(records, chosen) as found:
        yield found
    records.close()


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setattr(remote_files, "PAUSE_S", 0.01)
    server = FileServer()
    yield server
    server.close()


def ndjson(*resources: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in resources)


def manifest(files: FileServer, *names: str) -> dict[str, Any]:
    return {
        "inputFormat": "application/fhir+ndjson",
        "inputSource": files.address,
        "storageDetail": {"type": "http"},
        "input": [{"url": f"{files.address}{name}"} for name in names],
    }


def start(place: Place, body: dict[str, Any]) -> str:
    answer = place.http.post("/$import", json=body, headers=ASYNC)
    assert answer.status_code == 202, answer.text
    found: str = answer.headers["content-location"]
    return found


def test_files_by_address(place: Place, files: FileServer) -> None:
    files.files["/p.ndjson"] = ndjson(*(patient(n) for n in range(50)))
    files.files["/o.ndjson.gz"] = gzip.compress(ndjson(*(observation(n, n % 5) for n in range(70))))
    status = start(place, manifest(files, "/p.ndjson", "/o.ndjson.gz"))
    assert status.startswith(f"{place.address}/api/imports/")
    assert place.http.get(status).status_code == 202
    done = place.ended(status)
    assert [(each["type"], each["count"], each["inputUrl"]) for each in done["output"]] == [
        ("Patient", 50, f"{files.address}/p.ndjson"),
        ("Observation", 70, f"{files.address}/o.ndjson.gz"),
    ]
    assert done["error"] == []
    assert done["report"]["taken"] == 120
    assert place.records.count(ACTOR)["Observation"] == 70
    left = [path for path in place.site.blobs.list("1/imports/") if path.endswith(".ndjson")]
    assert left == []


def test_again_it_changes_nothing(place: Place, files: FileServer) -> None:
    files.files["/p.ndjson"] = ndjson(*(patient(n) for n in range(30)))
    place.ended(start(place, manifest(files, "/p.ndjson")))
    done = place.ended(start(place, manifest(files, "/p.ndjson")))
    assert (done["report"]["taken"], done["report"]["unchanged"]) == (0, 30)
    assert place.records.read(ACTOR, "Patient", "p1").version == 1


def test_an_id_that_stands_again_is_written_once(place: Place, files: FileServer) -> None:
    last = patient(1, active=True)
    files.files["/p.ndjson"] = (
        ndjson(patient(1), patient(2), patient(1, active=False), last)
        + b'{"resourceType":"Patient","id":"p1","gender":3}\n'
    )
    done = place.ended(start(place, manifest(files, "/p.ndjson")))
    report = done["report"]
    assert (report["taken"], report["repeated"], report["rejected"]) == (2, 2, 1)
    assert place.ended(start(place, manifest(files, "/p.ndjson")))["report"]["unchanged"] == 2
    found = place.records.read(ACTOR, "Patient", "p1")
    assert (found.version, json.loads(found.body)["active"]) == (1, True)


def test_what_is_rejected_comes_back_as_outcomes(place: Place, files: FileServer) -> None:
    lines = [json.dumps(patient(n)).encode() for n in range(60)]
    lines[3] = b"{broken"
    lines[44] = b'{"resourceType":"Patient","id":"bad","gender":"secret-name"}'
    lines[50] = json.dumps(patient(50, name=[{"text": "x" * 30_000}])).encode()
    files.files["/p.ndjson"] = b"\xef\xbb\xbf" + b"\n".join(lines)
    done = place.ended(start(place, manifest(files, "/p.ndjson")))
    assert done["report"]["taken"] == 57
    assert done["report"]["rejected"] == 3
    (file,) = done["error"]
    assert (file["type"], file["count"]) == ("OperationOutcome", 3)
    told = place.http.get(file["url"]).text
    outcomes = [json.loads(line) for line in told.strip().split("\n")]
    for outcome, line in zip(outcomes, (4, 45, 51), strict=True):
        assert f"line {line}:" in outcome["issue"][0]["diagnostics"]
    assert "secret-name" not in told


def test_parameters_say_the_same_as_a_manifest(place: Place, files: FileServer) -> None:
    files.files["/p.ndjson"] = ndjson(patient(1))
    parts = [
        {"name": "type", "valueCode": "Patient"},
        {"name": "url", "valueUrl": f"{files.address}/p.ndjson"},
    ]
    body = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "inputFormat", "valueCode": "application/fhir+ndjson"},
            {"name": "input", "part": parts},
        ],
    }
    assert place.ended(start(place, body))["report"]["taken"] == 1


def test_a_source_that_breaks_off_is_gone_on_with(place: Place, files: FileServer) -> None:
    files.files["/p.ndjson"] = ndjson(*(patient(n) for n in range(40)))
    files.breaks["/p.ndjson"] = [503, 1, 1, 500]
    done = place.ended(start(place, manifest(files, "/p.ndjson")))
    assert done["report"]["taken"] == 40
    ranges = [ranged for _, ranged in files.asked]
    assert ranges[0] is None
    assert sum(ranged is not None for ranged in ranges) >= 2


def test_a_source_that_stays_away_is_tried_again_later(place: Place, files: FileServer) -> None:
    files.files["/p.ndjson"] = ndjson(patient(1))
    files.files["/q.ndjson"] = ndjson(patient(2))
    files.breaks["/q.ndjson"] = [503] * 6
    status = start(place, manifest(files, "/p.ndjson", "/q.ndjson"))
    place.worker.run_pending()
    assert place.http.get(status).status_code == 202
    assert place.records.read(ACTOR, "Patient", "p1")
    id_ = status.rpartition("/")[2]
    place.records.database.write(
        lambda connection: connection.execute("UPDATE job SET run_at_us = 0 WHERE id = ?", (id_,))
    )
    assert place.ended(status)["report"]["taken"] == 2
    assert [path for path, _ in files.asked].count("/p.ndjson") == 1


def test_who_waits_for_a_source_that_stays_away_can_see_it(place: Place, files: FileServer) -> None:
    files.breaks["/p.ndjson"] = [503] * 99
    status = start(place, manifest(files, "/p.ndjson"))
    place.worker.run_pending()
    waiting = place.http.get(status)
    assert waiting.status_code == 202
    assert "attempt 1 of" in waiting.headers["x-progress"]


def test_lines_of_another_type_than_the_manifest_says_are_rejected(place: Place, files: FileServer) -> None:
    files.files["/p.ndjson"] = ndjson(patient(1), observation(1, 1), patient(2))
    body = manifest(files, "/p.ndjson")
    body["input"][0]["type"] = "Patient"
    done = place.ended(start(place, body))
    assert [(each["type"], each["count"]) for each in done["output"]] == [("Patient", 2)]
    assert "line 2" in place.http.get(done["error"][0]["url"]).text
    body["input"][0]["type"] = "Pateint"
    assert place.http.post("/$import", json=body, headers=ASYNC).status_code == 400


def test_a_file_that_is_not_there_costs_itself_alone(place: Place, files: FileServer) -> None:
    files.files["/p.ndjson"] = ndjson(patient(1))
    files.files["/packed.gz"] = gzip.compress(ndjson(patient(2)))[:-9]
    done = place.ended(start(place, manifest(files, "/none.ndjson", "/packed.gz", "/p.ndjson")))
    problems = [each["problem"] for each in done["report"]["files"]]
    assert "404" in problems[0]
    assert problems[1]
    assert problems[2] is None
    assert done["report"]["taken"] == 1
    # Who knows the pattern alone reads output and error, not our report.
    assert [(file["count"], file["inputUrl"].rpartition("/")[2]) for file in done["error"]] == [
        (1, "none.ndjson"), (1, "packed.gz"),
    ]  # fmt: skip
    told = place.http.get(done["error"][0]["url"]).json()
    assert told["resourceType"] == "OperationOutcome"
    assert "404" in told["issue"][0]["diagnostics"]


HTML = b"<!doctype html>\n<html>\n<head><title>Sign in</title></head>\n" + b"<p>{}</p>\n" * 300


@pytest.mark.parametrize(
    "body",
    [
        HTML,
        b"\xef\xbb\xbf\r\n\r\n" + HTML,
        b"id,name\n1,a\n" * 200,
        b'[{"resourceType":"Patient","id":"p1"}]',
        json.dumps(patient(1), indent=2).encode(),
        ndjson(patient(1)).decode().encode("utf-16"),
        b"PK\x03\x04" + bytes(range(256)) * 50,
    ],
    ids=["html", "mark", "csv", "array", "indented", "utf-16", "zip"],
)
def test_what_is_no_ndjson_is_said_once(place: Place, files: FileServer, body: bytes) -> None:
    files.files |= {"/x": body, "/p.ndjson": ndjson(patient(2))}
    done = place.ended(start(place, manifest(files, "/x", "/p.ndjson")))
    (file,) = done["error"]
    assert (file["count"], file["inputUrl"]) == (1, f"{files.address}/x")
    assert "is not NDJSON" in place.http.get(file["url"]).json()["issue"][0]["diagnostics"]
    assert (done["report"]["taken"], done["report"]["rejected"]) == (1, 1)
    assert "is not NDJSON" in done["report"]["files"][0]["problem"]


def test_a_first_line_that_is_broken_is_rejected_by_itself(place: Place, files: FileServer) -> None:
    files.files["/p.ndjson"] = b'{"resourceType":"Patient",\n'
    files.files["/q.ndjson"] = b'half a line"}\n' + ndjson(patient(1))
    done = place.ended(start(place, manifest(files, "/p.ndjson", "/q.ndjson")))
    assert [each["problem"] for each in done["report"]["files"]] == [None, None]
    assert "line 1" in place.http.get(done["error"][0]["url"]).json()["issue"][0]["diagnostics"]
    assert (done["report"]["taken"], done["report"]["rejected"]) == (1, 2)


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "https://example.org/x.ndjson",
        "file:///etc/passwd",
        "ftp://localhost/x",
        "http://user:word@localhost/x",
        "http://[::1",
        "x.ndjson",
        "http://localhost.example.org/x",
    ],
)
def test_other_hosts_are_refused_before_anything_begins(place: Place, url: str) -> None:
    answer = place.http.post("/$import", json={"input": [{"type": "Patient", "url": url}]}, headers=ASYNC)
    assert answer.status_code == 400
    assert answer.json()["issue"][0]["code"] == "security"
    assert "word" not in answer.text


def test_a_redirection_leads_to_no_other_host(place: Place, files: FileServer) -> None:
    files.breaks["/p.ndjson"] = ["http://169.254.169.254/x"] * 9
    files.files["/q.ndjson"] = ndjson(patient(1))
    done = place.ended(start(place, manifest(files, "/p.ndjson", "/q.ndjson")))
    (file,) = done["error"]
    issue = place.http.get(file["url"]).json()["issue"][0]
    assert (issue["code"], "169.254.169.254" in issue["diagnostics"]) == ("security", True)
    assert done["report"]["taken"] == 1  # the other file is none the worse for it


def test_hosts_are_allowed_by_the_setting() -> None:
    check = remote_files.check_address
    check("https://files.example.org/x", Settings(import_hosts="files.example.org"))
    check("https://files.example.org:8443/x", Settings(import_hosts="other, files.example.org:8443"))
    check("https://any.example.org/x", Settings(import_hosts="*"))
    for setting in ("", "files.example.org:443", "example.org"):
        with pytest.raises(HostError):
            check("https://files.example.org:8443/x", Settings(import_hosts=setting))


def test_a_name_that_leads_inside_is_not_followed(
    place: Place, files: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.files["/p.ndjson"] = ndjson(patient(1))
    port = int(files.address.rpartition(":")[2])
    real = socket.getaddrinfo
    monkeypatch.setattr(  # the name server of whoever holds the name
        socket,
        "getaddrinfo",
        lambda host, *more, **named: real("127.0.0.1" if "example" in host else host, *more, **named),
    )
    for setting in ("files.example.org", "*", "*, localhost"):
        with pytest.raises(HostError):
            list(Fetch(f"http://files.example.org:{port}/p.ndjson", Settings(import_hosts=setting)))
    with pytest.raises(HostError):
        list(Fetch(f"http://localhost:{port}/p.ndjson", Settings(import_hosts="*")))
    assert files.asked == []
    assert list(Fetch(f"http://localhost:{port}/p.ndjson", Settings()))


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "100.100.100.200", "0.0.0.0", "::ffff:127.0.0.1", "fe80::1"]
)
def test_addresses_that_are_never_asked(address: str) -> None:
    with pytest.raises(HostError):
        connecting.resolved(address, 80, Settings(import_hosts=f"* {address}"))


def test_a_hospitals_own_network_is_asked() -> None:
    assert connecting.resolved("10.0.0.7", 80, Settings(import_hosts="*"))


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"input":[]}', b'{"input":[{"type":"Patient"}]}', b'{"input":7}',
     b'{"input":[{"url":"http://localhost/x"}],"inputFormat":"text/csv"}',
     b'{"resourceType":"Parameters"}'],
)  # fmt: skip
def test_a_request_that_says_nothing_is_refused(place: Place, body: bytes) -> None:
    answer = place.http.post("/$import", content=body, headers=ASYNC | {"Content-Type": "application/json"})
    assert answer.status_code == 400


def test_it_must_be_asynchronous(place: Place) -> None:
    assert place.http.post("/$import", json={"input": []}).status_code == 400


def test_lines_sent_with_the_request(place: Place) -> None:
    answer = place.http.post(
        "/$import",
        content=ndjson(patient(1), patient(2)),
        headers=ASYNC | {"Content-Type": "application/fhir+ndjson"},
    )
    assert answer.status_code == 202, answer.text
    done = place.ended(answer.headers["content-location"])
    assert done["output"] == [{"type": "Patient", "count": 2}]


@pytest.mark.parametrize("packed", [False, True])
def test_an_upload_beyond_the_limit_of_a_body_streams_in(place: Place, packed: bool) -> None:
    whole = ndjson(*(patient(n, name=[{"text": "x" * 200}]) for n in range(400)))
    assert len(whole) > 3 * place.site.settings.body_limit_bytes
    headers = {"Content-Type": "application/fhir+ndjson"}
    if packed:
        headers["Content-Encoding"] = "gzip"
        whole = gzip.compress(whole[: len(whole) // 2]) + gzip.compress(whole[len(whole) // 2 :])

    def chunks() -> Iterator[bytes]:
        for at in range(0, len(whole), 5000):
            yield whole[at : at + 5000]

    answer = place.http.post(f"{place.address}/api/imports", content=chunks(), headers=headers)
    assert answer.status_code == 202, answer.text
    done = place.ended(answer.headers["content-location"])
    assert done["report"]["taken"] == 400
    assert place.http.delete(answer.headers["content-location"]).status_code == 202
    assert place.http.get(answer.headers["content-location"]).status_code == 404
    assert list(place.site.blobs.list("1/imports/")) == []


def test_a_packed_upload_that_no_header_calls_so(place: Place) -> None:
    answer = place.http.post(
        f"{place.address}/api/imports",
        content=gzip.compress(ndjson(patient(1))),
        headers={"Content-Type": "application/fhir+ndjson"},
    )
    assert place.ended(answer.headers["content-location"])["report"]["taken"] == 1


def test_uploads_that_are_none(place: Place) -> None:
    address = f"{place.address}/api/imports"
    assert place.http.post(address, content=b"").status_code == 400
    assert place.http.post(address, content=b"x", headers={"Content-Type": "text/csv"}).status_code == 415
    broken = place.http.post(address, content=b"\x1f\x8bxx", headers={"Content-Encoding": "gzip"})
    assert broken.status_code == 422
    assert list(place.site.blobs.list("1/imports/")) == []


def test_a_bomb_is_defused(place: Place) -> None:
    bomb = gzip.compress(b" " * 60_000_000)
    answer = place.http.post(
        f"{place.address}/api/imports", content=bomb, headers={"Content-Encoding": "gzip"}
    )
    assert answer.status_code == 422
    assert list(place.site.blobs.list("1/imports/")) == []


def test_on_s3_it_is_the_same(s3_address: str, s3_endpoint: str, tmp_path: Path) -> None:
    chosen = Settings(
        data=str(tmp_path),
        blobs=s3_address,
        blobs_endpoint=s3_endpoint,
        export_file_bytes=2000,
        import_batch=20,
    )
    records = Records(open_database("sqlite://", durable=False), chosen)
    with serving(records, chosen) as place:
        lines = ndjson(*(patient(n) for n in range(60))) + b"{broken\n"
        answer = place.http.post(f"{place.address}/api/imports", content=lines)
        status = answer.headers["content-location"]
        done = place.ended(status)
        assert (done["report"]["taken"], done["report"]["rejected"]) == (60, 1)
        assert "line 61" in place.http.get(done["error"][0]["url"]).text
        made = place.done("/$export", params={"_type": "Patient"})
        assert len(place.resources(made)) == 60
        part = place.http.get(made["output"][0]["url"], headers={"Range": "bytes=1-15"})
        assert (part.status_code, part.content) == (206, b'"resourceType":')
        assert not (tmp_path / "blobs").exists()
    records.close()


# There and back

_TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20)
_PATIENTS = st.lists(
    st.builds(
        lambda id_, name, active: {"resourceType": "Patient", "id": id_, "name": [{"text": f"x{name}"}], "active": active},
        st.from_regex(r"[A-Za-z0-9\-.]{1,20}", fullmatch=True), _TEXT, st.booleans(),
    ),
    unique_by=lambda each: each["id"], min_size=1, max_size=12,
)  # fmt: skip


def bodies(records: Records) -> dict[str, Any]:
    found = {}
    for change in records.changes(ACTOR, 0, 100_000):
        if change.type in ("Task", "Provenance"):
            continue
        body = json.loads(records.read(ACTOR, change.type, change.id).body)
        del body["meta"]["versionId"], body["meta"]["lastUpdated"]
        found[change.type, change.id] = body
    return found


def there_and_back(tmp_path: Path, load: Any) -> None:
    """Export from one record, import into another: the same resources, versions aside."""
    opened = []
    for name in ("one", "two"):
        chosen = Settings(data=str(tmp_path / name), export_file_bytes=3000, import_batch=7)
        opened.append((Records(open_database("sqlite://", durable=False), chosen), chosen))
    (one, first), (two, second) = opened
    load(one)
    before = bodies(one)
    with serving(one, first) as source, serving(two, second) as target:
        made = source.done("/$export")
        inputs = [{"type": file["type"], "url": file["url"]} for file in made["output"]]
        done = target.ended(start(target, {"input": inputs}))
        assert done["error"] == []
        after = bodies(two)
    assert after == before
    one.close()
    two.close()


def test_export_and_import_give_the_same_resources(tmp_path: Path) -> None:
    there_and_back(tmp_path, lambda records: load_world(records, ACTOR))


@with_settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(patients=_PATIENTS)
def test_whatever_the_resources_hold(tmp_path: Path, patients: list[dict[str, Any]]) -> None:
    there_and_back(
        tmp_path, lambda records: records.load(ACTOR, (json.dumps(p).encode() for p in patients)).run()
    )


def test_looking_at_the_first_lines_holds_one_of_them_at_a_time(tmp_path: Path) -> None:
    import tracemalloc
    from types import SimpleNamespace

    from xinglin.ingest import bulk
    from xinglin.ingest.errors import SourceError
    from xinglin.kernel.blobs import open_blobs

    chosen = Settings(blobs=str(tmp_path))
    blobs = open_blobs(chosen)
    blobs.put("1/imports/a/x", (b"[" * 2_000_000 + b"\n" for _ in range(bulk.LOOK_LINES)))
    importing = object.__new__(bulk._Import)
    importing._site = SimpleNamespace(settings=chosen, blobs=blobs)  # type: ignore[assignment]
    tracemalloc.start()
    try:
        with pytest.raises(SourceError, match="not NDJSON"):
            importing._look("1/imports/a/x", "x")
        assert tracemalloc.get_traced_memory()[1] < 15_000_000
    finally:
        tracemalloc.stop()

"""A client of the Bulk Data pattern from outside: kick-off, status, files, end; and what it may not have."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from bulk_serving import ASYNC, Place, serving
from bulk_world import load_world, patient, put
from xinglin.kernel.database import open_database
from xinglin.kernel.settings import Settings
from xinglin.records.bulk import job as exports
from xinglin.records.bulk.errors import NoSuchExport
from xinglin.records.service import Records
from xinglin.trust import Actor, local_system

ACTOR = local_system()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("bulk")
    settings = Settings(data=str(folder), export_file_bytes=4000)
    records = Records(open_database(f"sqlite:///{folder}/x.db", durable=False), settings)
    load_world(records, ACTOR)
    with serving(records, settings) as found:
        yield found
    records.close()


def test_the_whole_journey(place: Place) -> None:
    status = place.kick_off("/$export", params={"_type": "Patient,Observation"})
    assert status.startswith(f"{place.address}/api/exports/")
    waiting = place.http.get(status)
    assert waiting.status_code == 202
    assert waiting.headers["x-progress"] == "queued"
    assert int(waiting.headers["retry-after"]) >= 1
    place.worker.run_pending()

    done = place.http.get(status, headers={"Accept": "application/json"})
    assert done.status_code == 200
    assert done.headers["content-type"] == "application/json"
    assert "expires" in done.headers
    manifest = done.json()
    assert manifest["request"] == f"{place.address}/fhir/$export?_type=Patient,Observation"
    assert manifest["requiresAccessToken"] is False
    assert manifest["deleted"] == manifest["error"] == []
    assert manifest["transactionTime"].endswith("Z")
    names = [f"{each['resourceType']}/{each['id']}" for each in place.resources(manifest)]
    assert len(names) == len(set(names)) == 50
    assert {file["type"] for file in manifest["output"]} == {"Patient", "Observation"}

    task = place.http.get(f"/Task/{status.rpartition('/')[2]}").json()
    assert task["status"] == "completed"

    assert place.http.delete(status).status_code == 202
    for address in (status, manifest["output"][0]["url"]):
        assert place.http.get(address).status_code == 404
    assert place.http.delete(status).status_code == 404


def test_a_file_in_ranges_and_packed(place: Place) -> None:
    manifest = place.done("/$export", params={"_type": "Patient"})
    url = manifest["output"][0]["url"]
    plain = place.http.get(url, headers={"Accept-Encoding": "identity"})
    assert plain.headers["content-type"].startswith("application/fhir+ndjson")
    assert "content-encoding" not in plain.headers
    whole, tag = plain.content, plain.headers["etag"]
    assert plain.headers["content-length"] == str(len(whole))
    packed = place.http.stream("GET", url, headers={"Accept-Encoding": "gzip"})
    with packed as answer:
        assert answer.headers["content-encoding"] == "gzip"
        assert gzip.decompress(b"".join(answer.iter_raw())) == whole

    def ranged(text: str, **more: str) -> httpx.Response:
        return place.http.get(url, headers={"Range": text, **more})

    part = ranged("bytes=10-19")
    assert (part.status_code, part.content) == (206, whole[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(whole)}"
    assert ranged("bytes=-5").content == whole[-5:]
    assert ranged(f"bytes={len(whole) - 3}-").content == whole[-3:]
    assert ranged(f"bytes={len(whole)}-").status_code == 416
    assert ranged("bytes=5-2").content == whole
    assert ranged("lines=1-2").content == whole
    assert ranged("bytes=0-1", **{"If-Range": tag}).status_code == 206
    assert ranged("bytes=0-1", **{"If-Range": '"other"'}).content == whole
    assert place.http.head(url).headers["accept-ranges"] == "bytes"


def test_patient_and_group_level(place: Place) -> None:
    patients = place.resources(place.done("/Patient/$export"))
    assert {each["resourceType"] for each in patients} == {"Patient", "Observation", "Appointment", "Group"}
    members = place.resources(place.done("/Group/g/$export", params={"_type": "Patient"}))
    assert {each["id"] for each in members} == {"p1", "p2"}


def test_a_kick_off_by_post(place: Place) -> None:
    body = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "_type", "valueString": "Observation"},
            {"name": "_type", "valueString": "Patient"},
            {"name": "_typeFilter", "valueString": "Observation?_id=o1,o2"},
            {"name": "_typeFilter", "valueString": "Patient?_id=p1"},
            {"name": "_outputFormat", "valueString": "application/fhir+ndjson"},
            {"name": "_since", "valueInstant": "2000-01-01T00:00:00Z"},
        ],
    }
    answer = place.http.post("/$export", json=body, headers=ASYNC)
    assert answer.status_code == 202, answer.text
    place.worker.run_pending()
    manifest = place.http.get(answer.headers["content-location"]).json()
    assert {each["id"] for each in place.resources(manifest)} == {"o1", "o2", "p1"}


def test_since_gives_deletions_as_bundles(place: Place) -> None:
    records = place.site.records
    put(records, ACTOR, patient(70))
    since = place.done("/$export", params={"_type": "Patient"})["transactionTime"]
    records.delete(ACTOR, "Patient", "p70")
    manifest = place.done("/$export", params={"_type": "Patient", "_since": since})
    (file,) = manifest["deleted"]
    assert (file["type"], file["count"]) == ("Bundle", 1)
    bundle = place.http.get(file["url"]).json()
    assert bundle["entry"] == [{"request": {"method": "DELETE", "url": "Patient/p70"}}]


@pytest.mark.parametrize(
    "params",
    [
        {"_outputFormat": "text/csv"},
        {"_type": "Patients"},
        {"_type": ""},
        {"_since": "yesterday"},
        {"_typeFilter": "code=a"},
        {"_typeFilter": "Observation?no-such=1"},
        {"_typeFilter": "Observation?_count=3"},
        {"_type": "Patient", "_typeFilter": "Observation?code=a"},
        {"_elements": "a b"},
        {"_elements": "nam"},
        {"_elements": "Patient.status"},
        {"_elements": "status", "_type": "Patient"},
        {"_elements": ""},
        {"_elements": ","},
        {"_since": ""},
        {"_since": "2199-01-01"},
        {"_since": ["2020", "2021"]},
        {"_since": "2021", "_until": "2020"},
        {"_outputFormat": ["ndjson", "ndjson"]},
        {"_outputFormat": ""},
        {"includeAssociatedData": "LatestProvenanceResources"},
    ],
)
def test_what_is_not_understood_is_refused(place: Place, params: dict[str, Any]) -> None:
    answer = place.http.get("/$export", params=params, headers=ASYNC)
    assert answer.status_code == 400
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert "content-location" not in answer.headers


@pytest.mark.parametrize(
    "params", [{"_elements": ""}, {"_since": "2199-01-01"}, {"_since": ["2020", "2021"]}]
)
def test_not_even_leniently_is_more_exported_than_was_meant(place: Place, params: dict[str, Any]) -> None:
    headers = {**ASYNC, "Prefer": "respond-async, handling=lenient"}
    assert place.http.get("/$export", params=params, headers=headers).status_code == 400


def test_a_posted_parameter_may_be_of_any_type_that_says_it(place: Place) -> None:
    def answered(*parameters: dict[str, Any]) -> int:
        body = {"resourceType": "Parameters", "parameter": parameters}
        return place.http.post("/$export", json=body, headers=ASYNC).status_code

    assert answered({"name": "_since", "valueDate": "2020-01-01"}) == 202
    assert answered({"name": "_since", "valueInstant": 5}) == 400
    assert answered({"name": "_since", "valueDate": "2020-01-01", "valueInstant": "2021-01-01"}) == 400
    assert answered({"name": "_type"}) == 400


def test_leniently_it_is_left_aside_and_told(place: Place) -> None:
    manifest = place.done(
        "/$export",
        params={"_type": "Patient,Nothing", "includeAssociatedData": "x"},
        headers={"Prefer": "respond-async, handling=lenient"},
    )
    assert {file["type"] for file in manifest["output"]} == {"Patient"}
    (file,) = manifest["error"]
    told = place.http.get(file["url"]).json()
    assert [issue["severity"] for issue in told["issue"]] == ["warning", "warning"]


def test_it_must_be_asynchronous(place: Place) -> None:
    for prefer in ({}, {"Prefer": "return=minimal"}):
        answer = place.http.get("/$export", headers=prefer)
        assert answer.status_code == 400
        assert "respond-async" in answer.text


@pytest.mark.parametrize(
    ("path", "status"),
    [("/Group/none/$export", 404), ("/Observation/$export", 404), ("/Patient/p1/$export", 404)],
)
def test_where_there_is_nothing_to_export(place: Place, path: str, status: int) -> None:
    assert place.http.get(path, headers=ASYNC).status_code == status


def test_nobody_elses_export_is_there(place: Place) -> None:
    """Whoever is not its asker, in whatever tenant, is told that there is none."""
    status = place.kick_off("/$export", params={"_type": "Organization"})
    place.worker.run_pending()
    id_ = status.rpartition("/")[2]
    assert len(id_) >= 26
    assert exports.theirs(place.site, ACTOR, id_)
    for actor in (Actor("somebody-else"), replace(ACTOR, tenant=2)):
        with pytest.raises(NoSuchExport):
            exports.theirs(place.site, actor, id_)
    other = place.site.queue.add("records.bulk-sweep", {})
    for unknown in (other.id, "0", "..%2f..", "a" * 26):
        assert place.http.get(f"{place.address}/api/exports/{unknown}").status_code == 404


@pytest.mark.parametrize("name", ["request.json", "manifest.json", "..%2fother", "Patient-9.ndjson"])
def test_only_files_of_the_manifest_are_given(place: Place, name: str) -> None:
    status = place.kick_off("/$export", params={"_type": "Organization"})
    place.worker.run_pending()
    assert place.http.get(f"{status}/{name}").status_code == 404


def test_what_was_asked_is_not_in_the_jobs_row(place: Place) -> None:
    """A filter may name a person: jobs are shown to whoever keeps the house running."""
    status = place.kick_off("/$export", params={"_typeFilter": "Patient?name=Zhang"})
    job = place.site.queue.get(status.rpartition("/")[2])
    assert "Zhang" not in repr(job)


def test_removed_before_it_ran_it_never_runs(place: Place) -> None:
    status = place.kick_off("/$export")
    assert place.http.delete(status).status_code == 202
    assert place.http.get(status).status_code == 404
    place.worker.run_pending()
    assert place.http.get(status).status_code == 404
    folder = place.site.queue.get(status.rpartition("/")[2]).arguments["folder"]
    assert list(place.site.blobs.list(f"1/exports/{folder}/")) == []


def test_removed_while_it_runs_it_stops_and_leaves_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    from xinglin.records.bulk.exporter import Exporter

    writing, chunks = threading.Event(), Exporter._chunks

    def slow(self: Any, *given: Any) -> Iterator[bytes]:
        for chunk in chunks(self, *given):
            yield chunk
            writing.set()
            time.sleep(0.05)
            self._watch.check()

    monkeypatch.setattr(Exporter, "_chunks", slow)
    monkeypatch.setattr("xinglin.jobs.work.LOOK_S", 0.0)
    status = place.kick_off("/$export")
    thread = threading.Thread(target=place.worker.run_pending)
    thread.start()
    assert writing.wait(10)
    assert place.http.delete(status).status_code == 202
    assert place.http.get(status).status_code == 404
    thread.join(20)
    job = place.site.queue.get(status.rpartition("/")[2])
    assert job.state == "cancelled"
    assert list(place.site.blobs.list(f"1/exports/{job.arguments['folder']}/")) == []


def test_expired_exports_are_swept_away(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = place.kick_off("/$export", params={"_type": "Organization"})
    place.worker.run_pending()
    place.site.queue.add(exports.SWEEP)
    place.worker.run_pending()
    assert place.http.get(kept).status_code == 200
    later = exports.now_us() + (25 * 3_600_000_000)
    monkeypatch.setattr(exports, "now_us", lambda: later)
    place.site.queue.add(exports.SWEEP)
    place.worker.run_pending()
    assert place.http.get(kept).status_code == 404
    assert list(place.site.blobs.list("1/exports/")) == []


def test_a_failed_export_says_why_and_goes_on_after_a_retry(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    from xinglin.kernel.blobs import BlobsFull
    from xinglin.kernel.blobs.folder import FolderBlobs

    put_blob = FolderBlobs.put

    def full(self: Any, path: str, chunks: Any) -> int:
        if "Patient-" in path:
            raise BlobsFull("kernel.blobs-full", store="disk")
        return put_blob(self, path, chunks)

    status = place.kick_off("/$export", headers={"Accept-Language": "zh"})
    id_ = status.rpartition("/")[2]
    monkeypatch.setattr(FolderBlobs, "put", full)
    for _ in range(20):
        place.worker.run_pending()
        if place.site.queue.get(id_).state == "failed":
            break
        place.site.records.database.write(
            lambda connection: connection.execute("UPDATE job SET run_at_us = 0 WHERE id = ?", (id_,))
        )
    answer = place.http.get(status, headers={"Accept-Language": "zh"})
    assert answer.status_code == 500
    assert "已无空间" in answer.json()["issue"][0]["diagnostics"]
    monkeypatch.undo()
    place.site.queue.retry(id_)
    assert place.http.get(status).status_code == 202
    place.worker.run_pending()
    manifest = place.http.get(status).json()
    names = [f"{each['resourceType']}/{each['id']}" for each in place.resources(manifest)]
    assert len(names) == len(set(names)) >= 54


def test_the_capability_statement_names_it(place: Place) -> None:
    statement = place.http.get("/metadata").json()
    assert "export" in {each["name"] for each in statement["rest"][0]["operation"]}
    assert "http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data" in statement["instantiates"]

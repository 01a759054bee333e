"""Metrics, readiness, request ids and the access log: what an operator sees of a running server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

from apps.api.conftest import running
from xinglin.apps.metrics import BOUNDS_S, Family, Metrics, exposition
from xinglin.kernel.log import configure

PATIENT = b'{"resourceType":"Patient","id":"p1","name":[{"family":"Sonnenschein"}]}'
JSON = {"content-type": "application/fhir+json"}
LINE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\]|\\.)*",?)*)\})? (-?[0-9.e+]+)')


def samples(address: str) -> dict[str, float]:
    """Every sample as ``name{labels}``; each line must be one, or a comment."""
    response = httpx.get(f"{address}/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = {}
    for line in response.text.splitlines():
        if line.startswith("#"):
            assert re.fullmatch(r"# (HELP [a-z_]+ .+|TYPE [a-z_]+ (counter|gauge|histogram))", line), line
            continue
        match = LINE.fullmatch(line)
        assert match, line
        found[f"{match[1]}{{{match[2] or ''}}}"] = float(match[3])
    return found


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(f"sqlite:///{tmp_path_factory.mktemp('metrics')}/x.db") as address:
        yield address


def test_requests_are_counted_by_interaction_and_status(served: str) -> None:
    before = samples(served)
    with httpx.Client(base_url=f"{served}/fhir") as http:
        assert http.put("/Patient/p1", content=PATIENT, headers=JSON).status_code == 201
        for _ in range(3):
            assert http.get("/Patient/p1").status_code == 200
        assert http.get("/Patient/p1", headers={"x-request-id": "mine"}).status_code == 200
        assert http.get("/Patient/none").status_code == 404
        assert http.get("/Patient?name=sonnenschein").status_code == 200
        assert http.get("/Patient/p1/_history/1").status_code == 200
    after = samples(served)

    def more(name: str) -> float:
        return after.get(name, 0) - before.get(name, 0)

    assert more('xinglin_http_requests_total{interaction="read",status="200"}') == 4
    assert more('xinglin_http_requests_total{interaction="read",status="404"}') == 1
    assert more('xinglin_http_requests_total{interaction="update",status="201"}') == 1
    assert more('xinglin_http_requests_total{interaction="search",status="200"}') == 1
    assert more('xinglin_http_requests_total{interaction="vread",status="200"}') == 1
    assert more('xinglin_http_request_duration_seconds_count{interaction="read"}') == 5
    assert more('xinglin_http_request_duration_seconds_bucket{interaction="read",le="+Inf"}') == 5
    assert more("xinglin_commits_total{}") == 1
    assert after["xinglin_up{}"] == 1
    assert after["xinglin_database_bytes{}"] > 0
    assert after["process_resident_memory_bytes{}"] > 1e6
    assert after['xinglin_jobs{state="queued"}'] == 0


def test_metrics_hold_no_value_of_any_request_and_are_guarded(served: str) -> None:
    httpx.get(f"{served}/fhir/Patient?name=Geheim")
    httpx.get(f"{served}/api/Geheim%20x/1")
    assert "geheim" not in httpx.get(f"{served}/metrics").text.lower()
    assert httpx.get(f"{served}/metrics", headers={"host": "evil.example"}).status_code == 421


def test_every_answer_names_its_request(served: str) -> None:
    for path in ("/fhir/Patient/p1", "/fhir/Patient/none", "/fhir/Patient?x=y", "/api/jobs", "/api/none"):
        response = httpx.get(f"{served}{path}")
        assert re.fullmatch(r"[A-Za-z0-9\-.]{1,64}", response.headers["x-request-id"]), path
        mine = httpx.get(f"{served}{path}", headers={"x-request-id": "op-17"})
        assert mine.headers["x-request-id"] == "op-17"
        odd = httpx.get(f"{served}{path}", headers={"x-request-id": "a b\tc"})
        assert odd.headers["x-request-id"] != "a b\tc"
    ids = {httpx.get(f"{served}/fhir/Patient/p1").headers["x-request-id"] for _ in range(5)}
    assert len(ids) == 5


def test_the_access_log_says_what_was_done_by_whom_and_never_what_was_asked(
    tmp_path_factory: pytest.TempPathFactory, capfd: pytest.CaptureFixture[str]
) -> None:
    configure("info")
    try:
        with running(f"sqlite:///{tmp_path_factory.mktemp('log')}/x.db") as address:
            httpx.put(f"{address}/fhir/Patient/p1", content=PATIENT, headers={**JSON, "x-request-id": "op-1"})
            httpx.get(f"{address}/fhir/Patient/p1")
            httpx.get(f"{address}/fhir/Patient?name=Sonnenschein", headers={"x-request-id": "op-2"})
            httpx.get(f"{address}/api/jobs", headers={"x-request-id": "op-3"})
    finally:
        configure("warning")
    logged = capfd.readouterr().err
    assert "Sonnenschein" not in logged
    events = [json.loads(line) for line in logged.splitlines() if '"event": "request"' in line]
    told = {event["request"]: (event["interaction"], event["status"], event["actor"]) for event in events}
    assert told["op-1"] == ("update", 201, "local-system")
    assert told["op-2"] == ("search", 200, "local-system")
    assert told["op-3"][1] == 200
    assert any(event["interaction"] == "read" for event in events)
    assert all(event["ms"] >= 0 for event in events)


def test_readiness_says_what_is_missing(served: str, monkeypatch: pytest.MonkeyPatch) -> None:
    response = httpx.get(f"{served}/ready")
    assert response.status_code == 200
    assert response.json()["checks"]["worker"] == "none"
    assert response.json()["checks"]["database"] == "ok"
    monkeypatch.setattr("xinglin.apps.gauges.LITTLE_BYTES", 1 << 62)
    assert httpx.get(f"{served}/ready").json()["checks"]["disk"] == "low"


def test_histograms_add_up() -> None:
    metrics = Metrics()
    for seconds in (0.0001, 0.001, 0.0011, 3.0, 100.0):
        metrics.count("read", 200, seconds)
    text = exposition(metrics.families()).decode()
    counts = [int(line.split()[-1]) for line in text.splitlines() if "_bucket" in line]
    assert len(counts) == len(BOUNDS_S) + 1
    assert counts[:3] == [2, 3, 3]
    assert counts[-2:] == [4, 5]
    odd = exposition([Family.of("x", "gauge", "About.", 1, kind='a"b\\c\nd')]).decode()
    assert 'kind="a\\"b\\\\c\\nd"' in odd


def test_a_database_that_is_away_is_told_and_stops_nothing(
    served: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from xinglin.kernel.database import Unavailable
    from xinglin.records.feed import Feed

    def away(*_: object) -> int:
        raise Unavailable("kernel.database-away")

    monkeypatch.setattr(Feed, "last", away)
    found = samples(served)
    assert found["xinglin_up{}"] == 0
    assert "xinglin_commits_total{}" not in found
    with closing(httpx.Client()) as http:
        assert http.get(f"{served}/health").json() == {"status": "ok"}


def test_a_job_says_which_request_asked_for_it(served: str) -> None:
    asked = {"prefer": "respond-async", "accept": "application/fhir+json", "x-request-id": "op-export-9"}
    response = httpx.get(f"{served}/fhir/$export", headers=asked)
    assert response.status_code == 202, response.text
    jobs = httpx.get(f"{served}/api/jobs").json()["jobs"]
    (job,) = [job for job in jobs if job["kind"].endswith("bulk-export")]
    log = httpx.get(f"{served}/api/jobs/{job['id']}/log").text
    assert "op-export-9" in log


def test_a_job_of_a_write_says_which_request_wrote(served: str) -> None:
    """Enqueued in the record's own unit of work, by another thread than the request's."""
    parameter = {
        "resourceType": "SearchParameter", "id": "speaks", "url": "http://example.org/speaks", "name": "Speaks",
        "status": "active", "description": "Language.", "code": "speaks", "base": ["Patient"], "type": "token",
        "expression": "Patient.language",
    }  # fmt: skip
    named = {**JSON, "x-request-id": "op-put-5"}
    written = httpx.put(f"{served}/fhir/SearchParameter/speaks", json=parameter, headers=named)
    assert written.status_code == 201, written.text
    jobs = httpx.get(f"{served}/api/jobs").json()["jobs"]
    (job,) = [job for job in jobs if job["kind"] == "records.reindex"]
    assert "op-put-5" in httpx.get(f"{served}/api/jobs/{job['id']}/log").text

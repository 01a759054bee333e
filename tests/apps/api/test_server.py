"""Starting, stopping, and whom the server lets in."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from apps.api.outcomes import refused
from xinglin.apps.api.guard import Guard, host_name, is_loopback
from xinglin.apps.api.server import ServeError, check_bind, listen, serve
from xinglin.kernel.log import configure

JSON = {"content-type": "application/fhir+json"}
PATIENT = b'{"resourceType":"Patient"}'
CODE = "import sys; from xinglin.apps.api.server import serve; serve(sys.argv[1], '127.0.0.1', 0)"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", "", "127.0.0.1.example.org"])
def test_a_bind_that_others_reach_is_refused_with_a_sentence(host: str) -> None:
    with pytest.raises(ServeError) as error:
        check_bind(host)
    assert "sign-in" in error.value.say("en")
    assert "登录" in error.value.say("zh")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.5.5.5"])
def test_loopback_is_let_be(host: str) -> None:
    check_bind(host)
    assert is_loopback(host)


def test_a_taken_port_is_told_before_the_database_is_opened(tmp_path: Path) -> None:
    with listen("127.0.0.1", 0) as taken:
        taken.listen()
        with pytest.raises(ServeError) as error:
            serve(f"sqlite:///{tmp_path}/x.db", "127.0.0.1", taken.getsockname()[1])
        assert "--port" in error.value.say()
    assert not (tmp_path / "x.db").exists()


def start(database: Path) -> tuple[subprocess.Popen[str], str, float]:
    """A server process, its address, and the seconds until it said that it is ready."""
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, f"sqlite:///{database}"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    return process, address, time.monotonic() - began


NOTED = """
import sys
from xinglin.apps.api.server import serve
from xinglin.kernel.language import sentences
before = set()
def ready(address):
    before.update(sys.modules, [sentences.cache_info().misses])
    print(address, flush=True)
serve(sys.argv[1], '127.0.0.1', 0, ready=ready)
print(sorted(name for name in set(sys.modules) - before if name.startswith('xinglin')), flush=True)
print(sentences.cache_info().misses in before, flush=True)
"""


def test_nothing_is_loaded_once_it_listens(tmp_path: Path) -> None:
    """Its files may be replaced by a newer version while it runs."""
    arguments = [sys.executable, "-c", NOTED, f"sqlite:///{tmp_path}/x.db"]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        with httpx.Client(base_url=f"{process.stdout.readline().strip()}/fhir", timeout=30) as http:
            id_ = http.post("Patient", content=PATIENT, headers=JSON).json()["id"]
            batch = {
                "resourceType": "Bundle",
                "type": "batch",
                "entry": [{"request": {"method": "GET", "url": f"Patient/{id_}"}}],
            }
            for response in (
                http.post("", json=batch, headers=JSON),
                http.post("Patient/$validate", content=PATIENT, headers=JSON),
                http.get(f"Patient/{id_}/$everything"),
                http.get("metadata"),
                http.get(
                    "Patient?name=x&_include=Patient:organization&_sort=birthdate&_text=y&_elements=name"
                ),
                http.get(
                    f"Patient/{id_}/Observation?code=http://loinc.org|1&value-quantity=5|http://unitsofmeasure.org|mg"
                ),
                http.get("_history?_at=2020"),
            ):
                assert response.status_code == 200, response.text
            refused(http.get(f"Patient/{id_}x"), 404)
            refused(http.get("Patient?x=y", headers={"prefer": "handling=strict"}), 400)
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    assert process.stdout.read().split() == ["[]", "True"]


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_ready_soon_stops_when_told_and_keeps_what_was_written(tmp_path: Path) -> None:
    process, address, _ = start(tmp_path / "x.db")
    try:
        made = httpx.post(f"{address}/fhir/Patient", content=PATIENT, headers=JSON)
        assert made.status_code == 201
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert not (tmp_path / "x.db-wal").exists()  # folded into the file: the database was closed
    process, address, _ = start(tmp_path / "x.db")
    try:
        if sys.platform == "linux":
            assert cpu_s(process.pid) < 2.0
        assert httpx.get(f"{address}/ready").json()["status"] == "ready"
        assert httpx.get(made.headers["location"].replace(str(made.url)[:-13], address)).status_code == 200
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


def test_health_and_ready(address: str) -> None:
    assert httpx.get(f"{address}/health").json() == {"status": "ok"}
    assert httpx.get(f"{address}/ready").json()["status"] == "ready"


def test_pages_are_not_the_record_and_the_record_is_not_the_pages(address: str) -> None:
    assert httpx.get(f"{address}/patients/1").headers["content-type"].startswith("text/html")
    assert httpx.get(f"{address}/fhirx").headers["content-type"].startswith("text/html")
    assert httpx.get(f"{address}/fhir/Patient").headers["content-type"].startswith("application/fhir+json")
    assert httpx.get(f"{address}/fhir").headers["content-type"].startswith("application/fhir+json")
    assert httpx.get(f"{address}/assets/../../../../etc/passwd").status_code in (200, 404)
    for odd in ("/%00", "/" + "a" * 5000, "/%ff%fe", "/a/../../b"):
        assert httpx.get(f"{address}{odd}").status_code in (200, 404, 503), odd


def test_foreign_names_and_pages_are_kept_out(address: str) -> None:
    """DNS rebinding, and forms of other sites: a browser on this machine is no way in."""
    url = f"{address}/fhir/Patient"
    refused(httpx.get(url, headers={"host": "evil.example"}), 421, "security")
    refused(httpx.get(f"{url}/1", headers={"host": "evil.example:8080"}), 421, "security")
    refused(
        httpx.post(url, content=PATIENT, headers={**JSON, "origin": "http://evil.example"}), 403, "security"
    )
    refused(httpx.post(url, content=PATIENT, headers={**JSON, "origin": "null"}), 403)
    refused(httpx.post(url, content=PATIENT, headers={**JSON, "sec-fetch-site": "cross-site"}), 403)
    assert httpx.get(f"{address}/", headers={"host": "evil.example"}).status_code == 421
    own = {**JSON, "origin": address, "sec-fetch-site": "same-origin"}
    assert httpx.post(url, content=PATIENT, headers=own).status_code == 201
    assert "access-control-allow-origin" not in httpx.get(url, headers={"origin": address}).headers


def test_names_in_host_headers() -> None:
    guard = Guard("https://record.example.org/")
    assert guard.base(b"record.example.org", "http") == "https://record.example.org"
    assert guard.base(b"localhost:80", "http") == "https://record.example.org"
    assert guard.base(b"other.example.org", "http") is None
    assert Guard().base(b"[::1]:8080", "http") == "http://[::1]:8080"
    for odd in ("", "a b", "localhost/x", "user@localhost", "localhost\\x", "localhost#", "[::1"):
        assert host_name(odd) == "" or Guard().base(odd.encode(), "http") is None, odd


def test_an_unforeseen_error_is_told_by_number_and_logged_without_content(
    address: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from xinglin.records.rest import searches

    def fail(*_: object, **__: object) -> None:
        raise ValueError("patient Zhang Wei")

    configure("warning")
    monkeypatch.setattr(searches, "searchset", fail)
    response = httpx.get(f"{address}/fhir/Patient", headers={"x-request-id": "r-7"})
    first = refused(response, 500, "exception")
    assert "r-7" in first["diagnostics"]
    logged = "".join(capfd.readouterr())
    assert "Zhang" not in response.text
    assert "Zhang" not in logged
    assert "ValueError" in logged
    assert "r-7" in logged

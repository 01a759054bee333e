"""``/api/status``: what an operator sees, true at the moment of asking."""

from __future__ import annotations

import httpx
import pytest

from apps.api.conftest import running


@pytest.fixture
def server(database_url: str):
    with running(database_url) as address, httpx.Client(base_url=address, timeout=30) as client:
        yield client


def test_it_tells_the_position_the_jobs_and_that_no_backups_are_made(server: httpx.Client) -> None:
    before = server.get("/api/status").json()
    assert server.post(
        "/fhir/Basic",
        json={"resourceType": "Basic", "code": {"text": "x"}},
        headers={"Content-Type": "application/fhir+json"},
    ).is_success
    now = server.get("/api/status")
    assert now.headers["cache-control"] == "no-store"
    told = now.json()
    assert told["feed"]["position"] == before["feed"]["position"] + 1
    assert told["jobs"]["workers"] == 0
    assert set(told["jobs"]["counts"]) == {"queued", "running", "done", "failed", "cancelled"}
    assert told["backup"] == {"folder": None, "newest": None, "rehearsed": None, "well": None, "reason": None}
    assert "password" not in told["database"]


@pytest.mark.parametrize(("language", "word"), [("en", "clock"), ("zh", "时钟")])
def test_the_checks_are_sentences_in_the_askers_language(
    server: httpx.Client, language: str, word: str
) -> None:
    checks = server.get("/api/status/checks", headers={"Accept-Language": language}).json()["checks"]
    assert {check["level"] for check in checks} <= {"ok", "note", "warning", "error"}
    assert any(word in check["message"] for check in checks)


def test_a_foreign_page_is_told_nothing(server: httpx.Client) -> None:
    assert server.get("/api/status", headers={"Origin": "https://elsewhere.example"}).status_code == 403

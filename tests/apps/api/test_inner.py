"""``/api``: whatever is asked there, what is refused is an OperationOutcome, as at ``/fhir``."""

from __future__ import annotations

import httpx
import pytest

from apps.api.outcomes import refused


@pytest.fixture
def api(address: str) -> httpx.Client:
    return httpx.Client(base_url=address, timeout=30)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/api/imports", "POST"),
        ("POST", "/api/exports/x", "DELETE, GET, HEAD"),
        ("PUT", "/api/imports/x", "DELETE, GET, HEAD"),
        ("OPTIONS", "/api/exports/x/Patient-1.ndjson", "GET, HEAD"),
    ],
)
def test_a_method_that_is_not_for_an_address_names_all_that_are(
    api: httpx.Client, method: str, path: str, allowed: str
) -> None:
    answer = api.request(method, path)
    refused(answer, 405)
    assert answer.headers["allow"] == allowed
    assert allowed in answer.json()["issue"][0]["diagnostics"]


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/nothing", "/api/imports/", "/api/exports/a/b/c"])
def test_where_there_is_nothing_no_page_is_given(api: httpx.Client, path: str) -> None:
    answer = api.get(path, headers={"Accept-Language": "zh"})
    refused(answer, 404)
    assert "此地址没有内容" in answer.text
    assert api.head(path).status_code == 404


def test_a_page_is_not_taken_for_it(api: httpx.Client) -> None:
    assert api.get("/apiary").headers["content-type"].startswith("text/html")

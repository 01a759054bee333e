"""What an address may carry, what a header may say, and sentences that name what is wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from apps.api.outcomes import refused
from apps.api.test_bundles import JSON, entry, fresh, observation, patient
from apps.api.test_bundles import bundle as bundle_of
from apps.api.test_references import server

__all__ = ["server"]


def made(http: httpx.Client) -> str:
    id_: str = http.post("Patient", json=patient(fresh()), headers=JSON).json()["id"]
    return id_


@pytest.mark.parametrize("handling", ["strict", "lenient"])
def test_unknown_parameters_where_no_warning_can_stand_are_refused(http: httpx.Client, handling: str) -> None:
    id_ = made(http)
    prefer = {"prefer": f"handling={handling}"}
    for path in (
        f"Patient/{id_}",
        f"Patient/{id_}/_history/1",
        f"Patient/{id_}/_history",
        "Patient/_history",
        "_history",
    ):
        first = refused(http.get(f"{path}?_sinc=2020", headers=prefer), 400, "value", "http._sinc")
        assert "_sinc" in first["diagnostics"]
        known = http.get(f"{path}?_format=json&_pretty=true&_summary=true&_elements=id", headers=prefer)
        assert known.status_code == 200, (path, known.text)


def test_history_is_cut_as_asked(http: httpx.Client) -> None:
    id_ = http.post("Patient", json=patient(fresh(), gender="male"), headers=JSON).json()["id"]
    (one,) = http.get(f"Patient/{id_}/_history?_elements=gender").json()["entry"]
    assert one["resource"]["gender"] == "male"
    assert "identifier" not in one["resource"]
    counted = http.get(f"Patient/{id_}/_history?_summary=count").json()
    assert (counted["total"], counted.get("entry")) == (1, None)


def test_a_type_outside_the_compartment_is_named(http: httpx.Client) -> None:
    id_ = made(http)
    first = refused(http.get(f"Patient/{id_}/Organization"), 404, "not-supported")
    assert "Organization" in first["diagnostics"]
    for type_ in ("Observation", "Patient", "*"):
        assert http.get(f"Patient/{id_}/{type_}").status_code == 200


def test_if_match_any(server: httpx.Client) -> None:
    id_ = made(server)
    any_ = {**JSON, "if-match": "*"}
    assert server.put(f"Patient/{id_}", json=patient("a", id=id_), headers=any_).status_code == 200
    patch = [{"op": "add", "path": "/active", "value": True}]
    typed = {"content-type": "application/json-patch+json", "if-match": "*"}
    assert server.patch(f"Patient/{id_}", json=patch, headers=typed).status_code == 200
    assert server.delete(f"Patient/{id_}", headers={"if-match": "*"}).status_code == 204
    for gone in (id_, fresh()):
        body = patient("a", id=gone)
        assert (
            "*"
            in refused(server.put(f"Patient/{gone}", json=body, headers=any_), 412, "conflict")["diagnostics"]
        )
    where = f"Patient?identifier={fresh()}"
    refused(server.put(where, json=patient("a"), headers=any_), 412, "conflict")


def test_garbage_in_if_match_is_named(http: httpx.Client) -> None:
    id_ = made(http)
    for text in ("garbage", 'W/"1', "", '"1","2"', "**", "W/"):
        sent = http.put(f"Patient/{id_}", json=patient("a", id=id_), headers={**JSON, "if-match": text})
        assert "If-Match" in refused(sent, 400, "structure")["diagnostics"], text
    other = http.put(f"Patient/{id_}", json=patient("a", id=id_), headers={**JSON, "if-match": 'W/"x"'})
    refused(other, 412)  # a tag, but of no version


def test_history_tells_a_resource_made_again(server: httpx.Client) -> None:
    id_ = fresh()
    for _ in range(2):
        for _ in range(2):
            server.put(f"Patient/{id_}", json=patient("a", id=id_), headers=JSON)
        server.delete(f"Patient/{id_}")
    expected = ["204", "200", "201", "204", "200", "201"]

    def statuses(path: str) -> list[str]:
        found: list[dict[str, Any]] = server.get(path).json()["entry"]
        return [one["response"]["status"][:3] for one in found if one["fullUrl"].endswith(id_)]

    assert statuses(f"Patient/{id_}/_history") == expected
    assert statuses("Patient/_history?_count=6") == expected
    assert statuses("_history?_count=6") == expected
    paged: list[str] = []
    address = f"Patient/{id_}/_history?_count=1"
    while address:
        page = server.get(address).json()
        paged += [one["response"]["status"][:3] for one in page["entry"]]
        address = next((one["url"] for one in page["link"] if one["relation"] == "next"), "")
    assert paged == expected


def test_at_takes_the_prefixes_of_dates(server: httpx.Client) -> None:
    id_ = made(server)
    now = datetime.now(UTC)
    past, future = f"{now - timedelta(days=3):%Y-%m-%d}", f"{now + timedelta(days=3):%Y-%m-%d}"

    def there(at: str) -> bool:
        response = server.get(f"Patient/{id_}/_history", params={"_at": at})
        assert response.status_code == 200, response.text
        return bool(response.json().get("entry"))

    found = {p: (there(p + past), there(p + future)) for p in ("", "eq", "ge", "gt", "sa", "le", "lt", "eb")}
    assert found == {
        "": (False, True),
        "eq": (False, True),
        "ge": (True, True),
        "gt": (True, True),
        "sa": (True, True),
        "le": (False, True),
        "lt": (False, True),
        "eb": (False, True),
    }
    for odd in ("ne2020", "ap2020", "xx2020"):
        first = refused(server.get(f"Patient/{id_}/_history", params={"_at": odd}), 400, "value", "http._at")
        assert odd[:2] in first["diagnostics"]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("Patient?_sort=name,-nosuchkey", "'nosuchkey'"),
        ("Patient?_elements=name,nosuch", "'nosuch'"),
        ("?_type=Patient,Nosuch", "'Nosuch'"),
        ("Observation?_include=Observation:nosuch", "'nosuch'"),
        ("Observation?_include=nosuch", "'nosuch'"),
        ("Observation?_include=Observation:encounter:Patient", "'encounter'"),
    ],
)
def test_sentences_quote_what_is_unknown(http: httpx.Client, query: str, named: str) -> None:
    for language in ("en", "zh"):
        headers = {"prefer": "handling=strict", "accept-language": language}
        assert named in refused(http.get(query, headers=headers), 400)["diagnostics"]


def test_a_body_of_another_type_is_told_so_first(http: httpx.Client) -> None:
    """Whatever else it lacks: an Observation without status and code."""
    body = {"resourceType": "Observation", "id": "x"}
    entries = bundle_of(entry("PUT", "Patient/x", body))
    for response in (
        http.put("Patient/x", json=body, headers=JSON),
        http.post("Patient", json=body, headers=JSON),
        http.post("", json=entries, headers=JSON),
    ):
        first = refused(response, 400, "value")
        assert "Observation" in first["diagnostics"]
        assert "a Observation" not in first["diagnostics"]
        assert len(response.json()["issue"]) == 1
    first = http.post("Patient/$validate", json=body, headers=JSON).json()["issue"][0]
    assert first["expression"] == ["resourceType"]
    whole = observation("Patient/1", id="x")
    assert (
        "resourceType Observation"
        in refused(http.put("Patient/x", json=whole, headers=JSON), 400)["diagnostics"]
    )
    nonsense = http.post("Patient", json={"resourceType": "Foo"}, headers=JSON)
    assert "resourceType" in refused(nonsense, 400)["diagnostics"]

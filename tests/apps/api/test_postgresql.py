"""The server on PostgreSQL: what differs there is where the work is done, never the answer."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from apart import run_apart
from apps.api.conftest import running
from apps.api.outcomes import refused
from postgres import FAST, Cluster

pytestmark = pytest.mark.postgres
JSON = {"content-type": "application/fhir+json"}


def patient(value: str) -> dict[str, object]:
    return {"resourceType": "Patient", "identifier": [{"system": "s", "value": value}]}


def test_reads_searches_conditions_and_races(postgres_url: str) -> None:
    with running(postgres_url) as address, httpx.Client(base_url=f"{address}/fhir", timeout=30) as http:
        made = http.post("Patient", json=patient("1"), headers=JSON)
        assert made.status_code == 201
        read = http.get(f"Patient/{made.json()['id']}")
        assert (read.json(), read.headers["etag"]) == (made.json(), 'W/"1"')
        refused(http.get("Patient/none"), 404)
        assert len(http.get("Patient", params={"identifier": "s|1"}).json()["entry"]) == 1

        async def creates() -> list[httpx.Response]:
            headers = {**JSON, "if-none-exist": "identifier=s|2"}
            async with httpx.AsyncClient(base_url=f"{address}/fhir", timeout=30) as client:
                return list(
                    await asyncio.gather(
                        *(client.post("Patient", json=patient("2"), headers=headers) for _ in range(20))
                    )
                )

        assert sorted(r.status_code for r in run_apart(creates())) == [200] * 19 + [201]
        history = http.get("_history").json()
        assert len(history["entry"]) == 2


def test_a_database_that_goes_away_is_a_503_until_it_is_back() -> None:
    cluster = Cluster(*FAST)
    try:
        with (
            running(cluster.new_database()) as address,
            httpx.Client(base_url=f"{address}/fhir", timeout=60) as http,
        ):
            made = http.post("Patient", json=patient("1"), headers=JSON).json()
            cluster.stop()
            for response in (
                http.get(f"Patient/{made['id']}"),
                http.get("Patient"),
                http.post("Patient", json=patient("2"), headers=JSON),
                http.get("_history"),
            ):
                refused(response, 503, "transient")
                assert response.headers["retry-after"] == "5"
            assert httpx.get(f"{address}/ready", timeout=60).status_code == 503
            assert httpx.get(f"{address}/health").status_code == 200
            cluster.start()
            assert http.get(f"Patient/{made['id']}").json() == made
            assert http.post("Patient", json=patient("3"), headers=JSON).status_code == 201
            assert httpx.get(f"{address}/ready").status_code == 200
    finally:
        cluster.close()

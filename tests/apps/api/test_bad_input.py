"""Whatever is sent, the answer is an OperationOutcome and never a 5xx."""

from __future__ import annotations

import gzip
import json
import random
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from apps.api.outcomes import refused
from paths import shared

JSON = {"content-type": "application/fhir+json"}
PATCH = {"content-type": "application/json-patch+json"}


def fine(response: httpx.Response) -> httpx.Response:
    """No 5xx, and every refusal an OperationOutcome."""
    assert response.status_code < 500, (response.request.method, response.request.url, response.text[:300])
    if response.status_code >= 400 and response.request.method != "HEAD":
        assert response.json()["resourceType"] == "OperationOutcome"
        assert all(issue["diagnostics"] for issue in response.json()["issue"])
    return response


def broken_json() -> list[Path]:
    return sorted(shared("security", "badinput", "json_parsing").glob("n_*"))


def test_every_broken_json_is_a_400_wherever_a_body_is_read(http: httpx.Client) -> None:
    files = broken_json()
    assert len(files) > 150
    for file in files:
        body = file.read_bytes()
        for method, url, headers in (
            ("POST", "Patient", JSON),
            ("PUT", "Patient/a", JSON),
            ("POST", "", JSON),
            ("PATCH", "Patient/a", PATCH),
            ("POST", "Patient/$validate", JSON),
        ):
            response = fine(http.request(method, url, content=body, headers=headers))
            if url.endswith("$validate") and body:
                assert response.json()["issue"][0]["severity"] in ("error", "fatal"), (
                    file.name,
                    response.text,
                )
            else:
                assert response.status_code == 400, (file.name, method, url, response.text[:200])


def test_json_that_is_valid_but_no_resource_is_a_400(http: httpx.Client) -> None:
    for file in sorted(shared("security", "badinput", "json_parsing").glob("[iy]_*")):
        for method, url in (("POST", "Patient"), ("PUT", "Patient/a"), ("POST", "")):
            assert (
                fine(http.request(method, url, content=file.read_bytes(), headers=JSON)).status_code == 400
            ), file.name


def naughty() -> list[str]:
    strings: list[str] = json.loads(shared("security", "badinput", "blns.json").read_text(encoding="utf-8"))
    return [*strings, "\ud800", "\x00", "a\u0000b", "\u202e", "張" * 5000, "'; DROP TABLE resource; --"]


def test_naughty_strings_in_every_string_of_a_resource_come_back_or_are_refused(http: httpx.Client) -> None:
    for text in naughty():
        resource = {
            "resourceType": "Patient",
            "language": text,
            "identifier": [{"system": text, "value": text, "use": text}],
            "name": [{"family": text, "given": [text], "text": text}],
            "gender": text,
            "birthDate": text,
            "address": [{"line": [text], "city": text}],
            "text": {"status": text, "div": text},
            "extension": [{"url": text, "valueString": text}],
        }
        body = json.dumps(resource).encode()
        fine(http.post("Patient", content=body, headers=JSON))
        only = {"resourceType": "Patient", "name": [{"family": text, "text": text}]}
        response = fine(http.post("Patient", content=json.dumps(only).encode(), headers=JSON))
        if response.status_code == 201:
            again = http.get(f"Patient/{response.json()['id']}").json()
            assert again["name"][0]["text"] == text
        patch = json.dumps([{"op": "add", "path": f"/{text}", "value": text}]).encode()
        fine(http.patch("Patient/none", content=patch, headers=PATCH))


def test_naughty_strings_in_addresses_and_queries(http: httpx.Client) -> None:
    for text in naughty()[::3]:
        safe = quote(text.encode("utf-8", "surrogatepass"), safe="")[:3000]
        for url in (
            f"Patient/{safe}",
            f"{safe}",
            f"Patient/{safe}/_history/{safe}",
            f"Patient/1/{safe}",
            f"Patient?name={safe}",
            f"Patient?{safe}={safe}",
            f"Patient?name:{safe}=x",
            f"Patient?_sort={safe}&_elements={safe}&_include={safe}&_count={safe}&_cursor={safe}",
            f"Observation?code={safe}&date={safe}&value-quantity={safe}&patient={safe}",
            f"Observation?code-value-quantity={safe}&_has:{safe}:{safe}:{safe}=1",
            f"Patient/_history?_since={safe}",
            f"Patient/_history?_at={safe}&_count={safe}",
            f"Patient?_format={safe}",
            f"Patient?_summary={safe}&_total={safe}&_type={safe}",
            f"?_type={safe}",
            f"Patient/a/$everything?_since={safe}&_type={safe}",
            f"${safe}",
        ):
            fine(http.get(url))
            fine(http.get(url, headers={"prefer": "handling=strict"}))
        fine(http.delete(f"Patient?identifier={safe}"))
        fine(
            http.post(
                "Patient",
                json={"resourceType": "Patient"},
                headers={**JSON, "if-none-exist": f"identifier={safe}"},
            )
        )
        form = {"content-type": "application/x-www-form-urlencoded"}
        fine(http.post("Patient/_search", content=f"name={safe}&{safe}", headers=form))


def test_odd_headers(http: httpx.Client) -> None:
    for text in naughty()[::5]:
        raw = (
            text.encode("utf-8", "surrogatepass").replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b"")
        )
        for name in (
            "accept", "content-type", "prefer", "if-match", "if-none-match", "if-modified-since", "if-none-exist",
            "accept-language", "accept-encoding", "content-encoding", "x-request-id", "range", "cookie", "authorization",
        ):  # fmt: skip
            headers = [(name.encode(), raw.strip())]
            try:
                fine(http.get("Patient/none", headers=headers))
                fine(http.post("Patient", content=b"{}", headers=headers))
                fine(
                    http.put("Patient/a", content=b'{"resourceType":"Patient","id":"a"}', headers=[*headers])
                )
            except httpx.LocalProtocolError:
                continue  # the client itself will not send it


def test_entries_of_bundles_may_hold_anything(http: httpx.Client) -> None:
    for text in naughty():
        for request in (
            {"method": text, "url": "Patient"},
            {"method": "GET", "url": text or "-"},
            {"method": "POST", "url": "Patient", "ifNoneExist": text},
            {"method": "PUT", "url": f"Patient?identifier={text}"},
            {"method": "DELETE", "url": f"Patient/{text}", "ifMatch": text},
        ):
            for kind in ("batch", "transaction", text):
                entry = {
                    "fullUrl": text,
                    "resource": {"resourceType": "Patient", "id": text},
                    "request": request,
                }
                body = {"resourceType": "Bundle", "type": kind, "entry": [entry]}
                fine(http.post("", content=json.dumps(body).encode(), headers=JSON))


def nested(depth: int) -> str:
    return (
        '{"resourceType":"Patient","extension":[' + '{"url":"u","extension":[' * depth + "]}" * depth + "]}"
    )


@pytest.mark.parametrize("depth", [70, 1000, 30_000])
def test_nesting_is_bounded(http: httpx.Client, depth: int) -> None:
    for method, url, headers in (
        ("POST", "Patient", JSON),
        ("POST", "", JSON),
        ("PATCH", "Patient/a", PATCH),
    ):
        body = nested(depth).encode() if url != "" else b"[" * depth
        response = fine(http.request(method, url, content=body[:190_000], headers=headers))
        assert response.status_code == 400
        assert "nesting_limit" in response.json()["issue"][0]["diagnostics"]


def test_brackets_in_text_do_not_nest(http: httpx.Client) -> None:
    text = "[" * 500 + '{"' * 500
    response = http.post("Patient", json={"resourceType": "Patient", "name": [{"text": text}]}, headers=JSON)
    assert response.status_code == 201


def test_bodies_are_bounded_packed_or_not(http: httpx.Client) -> None:
    big = json.dumps({"resourceType": "Patient", "name": [{"text": "x" * 450_000}]}).encode()
    first = refused(http.post("Patient", content=big, headers=JSON), 413, "too-long")
    assert "body_limit_bytes" in first["diagnostics"]
    assert "400000" in first["diagnostics"]

    def chunks() -> Iterator[bytes]:
        for start in range(0, len(big), 10_000):
            yield big[start : start + 10_000]

    refused(http.post("Patient", content=chunks(), headers=JSON), 413)
    bomb = gzip.compress(b" " * 50_000_000)
    refused(http.post("Patient", content=bomb, headers={**JSON, "content-encoding": "gzip"}), 413)


def test_packed_bodies(http: httpx.Client) -> None:
    packed = gzip.compress(b'{"resourceType":"Patient"}')
    assert (
        http.post("Patient", content=packed, headers={**JSON, "content-encoding": "gzip"}).status_code == 201
    )
    refused(http.post("Patient", content=packed[:-3], headers={**JSON, "content-encoding": "gzip"}), 400)
    refused(http.post("Patient", content=b"{}", headers={**JSON, "content-encoding": "gzip"}), 400)
    refused(http.post("Patient", content=b"{}", headers={**JSON, "content-encoding": "br"}), 415)


def test_long_addresses_and_headers(http: httpx.Client) -> None:
    refused(http.get("Patient?name=" + "x" * 40_000), 414)
    refused(http.get("Patient/a", headers={"x-long": "x" * 60_000, "x-longer": "y" * 60_000}), 431)


def raw(address: str, sent: bytes) -> bytes:
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


@pytest.mark.parametrize(
    "sent",
    [
        b"GARBAGE\r\n\r\n",
        b"GET /fhir/Patient/\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /fhir/../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /fhir/%00%ff%2e%2e%2f HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET //fhir//Patient//1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /fhir/Patient?%zz=%f&&&=&= HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /fhir/Patient?name=\xe5\xbc\xa0 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET http://localhost/fhir/Patient HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET * HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /fhir/Patient HTTP/1.1\r\n\r\n",
        b"GET /fhir/Patient HTTP/1.1\r\nHost: a b\r\n\r\n",
        b"GET /fhir/Patient HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        b"GET /fhir/Patient HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"POST /fhir/Patient HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        b"POST /fhir/Patient HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"POST /fhir/Patient HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /fhir/Patient HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HEAD /fhir/Nonsense HTTP/1.0\r\nHost: localhost\r\n\r\n",
        b"GET /%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
    ],
)
def test_what_is_hardly_http_is_never_a_5xx(address: str, sent: bytes) -> None:
    status = raw(address, sent)[:13]
    assert status == b"" or (status.startswith(b"HTTP/1.1 ") and status[9:10] in b"234"), status


def test_random_requests_are_never_a_5xx(http: httpx.Client) -> None:
    chance = random.Random(20)
    words = [
        "Patient",
        "Observation",
        "_history",
        "_search",
        "$validate",
        "$everything",
        "metadata",
        "1",
        "*",
        "",
        "%2F",
        "Foo",
    ]
    names = ["_id", "name", "code", "date", "patient", "_sort", "_count", "_include", "_has:Observation:patient:code",
             "subject:Patient.name", "_lastUpdated", "value-quantity",
             "_type", "_elements", "_summary", "_since", "_at", "x"]  # fmt: skip
    values = [
        "1",
        "a,b",
        "|",
        "a|b",
        "ge2020",
        "-x",
        "$",
        "a$b",
        "\\,",
        "true",
        "Patient/1",
        "http://x",
        "5.4|u|c",
        "*",
        "",
    ]
    bodies: list[Any] = [
        None,
        {},
        [],
        {"resourceType": "Patient"},
        {"resourceType": "Bundle", "type": "batch"},
        "x",
        5,
    ]
    for _ in range(1500):
        path = "/".join(chance.choices(words, k=chance.randint(0, 4)))
        query = "&".join(
            f"{n}={quote(chance.choice(values))}" for n in chance.sample(names, chance.randint(0, 3))
        )
        method = chance.choice(["GET", "GET", "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
        body = chance.choice(bodies)
        content = b"" if body is None else json.dumps(body).encode()
        headers = chance.choice([JSON, PATCH, {}, {"content-type": "application/x-www-form-urlencoded"}])
        strict = {"prefer": chance.choice(["handling=strict", "handling=lenient", "return=minimal"])}
        fine(http.request(method, f"{path}?{query}", content=content, headers={**headers, **strict}))


def test_an_outcome_never_repeats_what_was_sent_as_markup_or_control_characters(http: httpx.Client) -> None:
    response = http.get("Patient?" + quote("na\x00me<script>") + "=x", headers={"prefer": "handling=strict"})
    assert "\x00" not in response.text
    assert "\\u0000" not in response.text
    assert response.headers["x-content-type-options"] == "nosniff"

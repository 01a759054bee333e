"""Asking the REST edge without a server, as one of several tenants."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from xinglin.kernel.errors import XinglinError
from xinglin.records.api import Api
from xinglin.records.rest.exchange import Answer, Pending, Request
from xinglin.records.rest.negotiate import preferences
from xinglin.trust import local_system

BASE = "http://localhost/fhir"
Ask = Callable[..., tuple[int, Any]]
"""Method, address with its query, body (bytes as they are, else as JSON), headers → status and body."""


class Said(NamedTuple):
    """An answer as its client has it: numbers keep their digits."""

    status: int
    body: Any
    headers: dict[str, str]


def said(api: Api, method: str, url: str, body: Any = None, *, tenant: int = 1, **headers: str) -> Said:
    """What is answered; a refusal as the outcome that tells it. ``if_match`` is the header ``if-match``."""
    path, _, query = url.removeprefix(BASE).partition("?")
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    request = Request(
        method=method,
        path=tuple(part for part in path.split("/") if part),
        actor=local_system(tenant),
        base=BASE,
        pairs=tuple(parse_qsl(query, keep_blank_values=True)),
        headers=given,
        body=body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode(),
        prefer=preferences(given.get("prefer")),
    )
    try:
        answer: Answer | Pending = api.answer(request)
        if isinstance(answer, Pending):
            answer = answer.wait()
    except XinglinError as error:
        answer = api.refuse(error, "en")
    told = {name.decode(): value.decode("latin-1") for name, value in answer.headers}
    return Said(answer.status, json.loads(answer.body, parse_float=Decimal) if answer.body else None, told)


def asking(api: Api, tenant: int = 1, **always: str) -> Ask:
    """A way to ask as a tenant, with headers that are sent ``always``."""

    def ask(method: str, url: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        return said(api, method, url, body, tenant=tenant, **{**always, **headers})[:2]

    return ask

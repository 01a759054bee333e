"""What every refusal must be."""

from __future__ import annotations

from typing import Any

import httpx


def refused(
    response: httpx.Response, status: int, code: str | None = None, expression: str | None = None
) -> dict[str, Any]:
    """The first issue of the OperationOutcome that ``response`` must be."""
    assert response.status_code == status, response.text[:500]
    body = response.json()
    assert body["resourceType"] == "OperationOutcome", body
    first: dict[str, Any] = body["issue"][0]
    assert first["severity"] in ("fatal", "error", "warning", "information")
    assert first["diagnostics"].strip()
    if code is not None:
        assert first["code"] == code, first
    if expression is not None:
        assert expression in [e for issue in body["issue"] for e in issue.get("expression", [])], body
    return first

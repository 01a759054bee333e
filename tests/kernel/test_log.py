"""The log carries ids, never names or free text."""

from __future__ import annotations

import json

import pytest

from xinglin.kernel import log


def test_events_carry_ids_and_withhold_free_text(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info")
    log.bind(request="r-1", actor="local-system")
    log.logger("records").info("written", resource="Patient/p1", count=3, name="张伟", note="has a cough")
    log.logger("records").info("failed", error=ValueError("Zhang Wei"), rows=["Zhang"])
    log.unbind()
    log.logger("records").debug("below the level")
    first, second = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert first["request"] == "r-1"
    assert first["actor"] == "local-system"
    assert first["resource"] == "Patient/p1"
    assert first["count"] == 3
    assert first["name"] == first["note"] == "withheld"
    assert second["error"] == "ValueError"
    assert second["rows"] == "withheld"
    assert first["timestamp"].endswith("Z")

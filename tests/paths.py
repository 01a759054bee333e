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

"""The two stores of blobs under one contract: a folder, and moto's S3 server over HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest

from s3_server import s3_address, s3_endpoint
from xinglin.kernel.blobs import Blobs, open_blobs
from xinglin.kernel.settings import Settings

__all__ = ["blob_settings", "blobs", "s3_address", "s3_endpoint"]


@pytest.fixture(params=["folder", "s3"])
def blob_settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    if request.param == "folder":
        return Settings(data=str(tmp_path), blobs="")
    return Settings(
        data=str(tmp_path),
        blobs=request.getfixturevalue("s3_address"),
        blobs_endpoint=request.getfixturevalue("s3_endpoint"),
    )


@pytest.fixture
def blobs(blob_settings: Settings) -> Blobs:
    return open_blobs(blob_settings)

"""Stores of large files beside a record: a folder, and moto's S3 server over HTTP."""

from __future__ import annotations

from s3_server import s3_address, s3_endpoint

__all__ = ["s3_address", "s3_endpoint"]

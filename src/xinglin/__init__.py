"""Xinglin (杏林): an open smart-hospital platform on one FHIR R4 record.

``import xinglin as xl; record = xl.open("demo")`` opens a record from Python.
"""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"
__all__ = ["__version__", "open"]


def open(place: object = "", **settings: Any) -> Any:  # noqa: A001 read as xl.open
    """Open a record: ``"demo"``, a file, a database URL or a server's address. See ``xinglin.apps.notebook.Record``."""
    from importlib import import_module

    # By name, so that the ground floors, which may import the version above, stand on nothing of apps.
    return import_module("xinglin.apps.notebook").open_record(place, **settings)

"""Xinglin (杏林): an open smart-hospital platform on one FHIR R4 record.

``import xinglin as xl; record = xl.open("demo")`` opens a record from Python.
"""

from __future__ import annotations

__version__ = "0.1.0"
__all__ = ["__version__", "open"]


def __getattr__(name: str) -> object:
    # Lazily, so that `xinglin --help` and the generated model load without the store.
    if name == "open":
        from xinglin.apps.notebook import open_record

        return open_record
    raise AttributeError(f"module 'xinglin' has no attribute {name!r}")

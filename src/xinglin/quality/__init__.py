"""The quality of what is in the record. First: results whose unit cannot be right."""

from xinglin.quality.units import Finding, examine

__all__ = ["Finding", "examine"]

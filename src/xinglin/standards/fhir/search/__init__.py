"""The FHIR search grammar: URL parameters to one typed `Query`, no I/O."""

from xinglin.standards.fhir.search.limits import Limits
from xinglin.standards.fhir.search.query import Query

__all__ = ["Limits", "Query"]

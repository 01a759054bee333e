"""Search over the index tables: a typed Query to SQL on SQLite and PostgreSQL, page by page.

This package is the repository of searches: all of its modules write SQL, and nothing beside SQL.

    Query ── lift ──► Shape + values ── plans ──► Steps ── statements ──► SQL ── engine ──► Page
             codes, ids → numbers        which way      conditions, sources, ordering    cursor, includes

``nodes`` the shape; ``comparisons`` one value; ``conditions`` a criterion as a probe of one resource; ``sources`` a
criterion as a range of an index; ``ordering`` sort keys; ``budget`` limits of steps and time.
"""

from xinglin.records.search.engine import Bounds, Entry, Page, Search
from xinglin.records.search.errors import OverBudget, SearchTooLong, TooManyIncluded

__all__ = ["Bounds", "Entry", "OverBudget", "Page", "Search", "SearchTooLong", "TooManyIncluded"]

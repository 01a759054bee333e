"""What a resource is found by: pure extraction of index rows for every search parameter."""

from xinglin.records.index.rows import INDEX_VERSION, IndexContext, IndexRows

__all__ = ["INDEX_VERSION", "IndexContext", "IndexRows"]

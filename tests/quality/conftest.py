"""The ward of the drafts' tests."""

from drafts.conftest import small_ward, ward

__all__ = ["small_ward", "ward"]

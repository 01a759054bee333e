"""The time, as aware UTC; the one place that tests replace."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now() -> datetime:
    """The present instant, aware, in UTC."""
    return datetime.now(UTC)


def now_us() -> int:
    """The present instant as microseconds since 1970-01-01T00:00:00Z."""
    return time.time_ns() // 1000

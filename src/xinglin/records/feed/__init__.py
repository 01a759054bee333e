"""The change feed: followed in order, nothing missed.

`Feed` for who reads it in Python; `Consumer` and `Consumers` for what follows it durably, in a worker.
"""

from xinglin.records.feed.consumer import Consumer, Lag
from xinglin.records.feed.consumers import Consumers
from xinglin.records.feed.follow import Feed

__all__ = ["Consumer", "Consumers", "Feed", "Lag"]

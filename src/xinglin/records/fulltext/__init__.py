"""Full text for `_text` and `_content`: words of resources, kept up to date behind the commits.

It follows `commits.position` in the background, so that a bulk load is not slowed by it; see `Follower`.
"""

from xinglin.records.fulltext.follower import Follower

__all__ = ["Follower"]

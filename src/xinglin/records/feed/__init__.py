"""The change feed: followed in order, nothing missed."""

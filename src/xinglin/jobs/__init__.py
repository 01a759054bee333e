"""The durable queue: long work that survives."""

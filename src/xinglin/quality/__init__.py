"""The quality of what is in the record. First: results whose unit cannot be right (`units`, and the `rule` at work)."""

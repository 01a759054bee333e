"""Index rows in the database: symbolic names resolved to numbers, written and taken away a batch at a time."""

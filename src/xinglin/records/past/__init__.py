"""The time machine: the record as it was."""

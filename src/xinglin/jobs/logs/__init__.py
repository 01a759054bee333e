"""What jobs say while they run."""

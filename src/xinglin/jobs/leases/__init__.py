"""Who is alive, and whose jobs are anybody's."""

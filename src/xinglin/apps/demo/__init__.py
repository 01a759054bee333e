"""The demonstration hospital: a seeded generator of coherent lives. Nobody in it exists."""

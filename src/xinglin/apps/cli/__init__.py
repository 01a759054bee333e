"""The command line ``xinglin``: a grammar, and a thin module for each command."""

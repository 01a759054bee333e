"""The lines that queued jobs wait in."""

"""Export and import of whole records."""

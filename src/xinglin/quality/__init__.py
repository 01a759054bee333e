"""Quality of the data: what cannot be right."""

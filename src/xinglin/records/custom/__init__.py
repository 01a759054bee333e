"""Search parameters of the site's own."""

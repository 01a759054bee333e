"""Search parameters of a tenant's own: SearchParameter resources that are active, and how their index comes to be.

``definition`` reads and checks one, ``following`` takes note of each that is written, ``rules`` is what a process knows of
them, `records.reindexing` makes their rows for what was there before, ``verification`` proves them.
"""

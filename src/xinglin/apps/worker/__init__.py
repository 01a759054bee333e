"""The worker: a process that runs jobs and follows the change feed, alone or as the child of a server."""

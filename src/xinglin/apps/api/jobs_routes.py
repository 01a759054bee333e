"""``/api/jobs``: the queue of the asker's tenant.

``GET /api/jobs?state=&kind=&shown=1&limit=&after=``
    ``{"jobs": [job…], "counts": {state: n}, "next": cursor | null}``, newest first; ``state`` may repeat. ``after`` is the
    ``next`` of the page before.
``GET /api/jobs/counts``
    ``{"counts": {state: n}, "waiting": n, "waitingSeconds": s, "workers": n}``: all of the tenant; due jobs that no
    worker has taken, how long the oldest has waited, and workers alive, over the whole installation.
``GET /api/jobs/{id}``, ``GET /api/jobs/{id}/log``
    One job; ``{"lines": [{"at", "level", "text"}…]}``.
``POST /api/jobs/{id}/cancel``, ``POST /api/jobs/{id}/retry``
    The job as it is then; 409 where it is in no state for that.
``GET /api/jobs/events?shown=1``
    Server-sent events: ``event: job`` with one job as data for each that is new or has changed since, first the newest
    twenty as they are; a comment now and then keeps the line open.

A job is ``{"id", "kind", "title", "state", "done", "of", "stage", "queued", "started", "ended", "attempts",
"attemptsMost", "reason", "cancelAsked", "canCancel", "canRetry"}``: ``title``, ``stage`` and ``reason`` are sentences in
the language asked for (``reason`` null where there is none), ``of`` is null where it is not known how much there is,
``queued``, ``started`` and ``ended`` are ISO instants or null.
"""

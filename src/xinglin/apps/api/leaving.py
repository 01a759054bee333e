"""Tells answers without an end (server-sent events, web sockets) that the server is stopping: it would wait for them."""

from __future__ import annotations

import asyncio
from weakref import WeakKeyDictionary

_EVENTS: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Event] = WeakKeyDictionary()


def leaving() -> asyncio.Event:
    """An event that is set once the server of the running event loop stops."""
    return _EVENTS.setdefault(asyncio.get_running_loop(), asyncio.Event())

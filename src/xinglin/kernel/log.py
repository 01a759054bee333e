"""The log: structured events on standard error, a JSON object a line, with ids and no names or free text.

``bind`` sets the request, job and actor ids of whatever runs next in this thread or task; every event then
carries them. Values that are not numbers, booleans or short id-like words are withheld, so that a patient's
name or a note cannot reach the log by mistake.
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from structlog.typing import EventDict, WrappedLogger

REQUEST: Final[ContextVar[str]] = ContextVar("request", default="")
"""The id of the request being answered in this thread or task; cheaper than `bind`, and on every event all the same."""

_ID_LIKE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/\-]{0,127}")


def configure(level: str = "warning") -> None:
    """Write events of ``level`` and above (debug, info, warning, error) to standard error."""
    import logging
    import sys

    import structlog

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _with_request,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            withhold_free_text,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),  # whatever that is by then
        cache_logger_on_first_use=False,
    )


def enabled(level: str) -> bool:
    """Whether events of ``level`` are written."""
    import logging

    import structlog

    wrapper = structlog.get_config()["wrapper_class"]
    return bool(wrapper(None, (), {}).is_enabled_for(logging.getLevelNamesMapping()[level.upper()]))


def logger(name: str) -> Any:
    """A logger whose events say that they come from ``name``, such as ``records``."""
    import structlog

    return structlog.get_logger(source=name)


def bind(**ids: str | int) -> None:
    """Put ids (``request=``, ``actor=``, ``job=``) on all events that follow in this thread or task."""
    import structlog

    structlog.contextvars.bind_contextvars(**ids)


def unbind() -> None:
    """Forget the ids bound before."""
    import structlog

    structlog.contextvars.clear_contextvars()


def _with_request(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    if (request := REQUEST.get()) and "request" not in event:
        event["request"] = request
    return event


def withhold_free_text(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace whatever could be a name or a note by ``"withheld"``; exceptions keep only their type.

    >>> withhold_free_text(None, "info", {"event": "read", "id": "p1", "name": "Zhang Wei"})
    {'event': 'read', 'id': 'p1', 'name': 'withheld'}
    """
    for key, value in event.items():
        if key == "event" or value is None or isinstance(value, (bool, int, float)):
            continue
        if isinstance(value, BaseException):
            event[key] = type(value).__name__
        elif not (isinstance(value, str) and _ID_LIKE.fullmatch(value)):
            event[key] = "withheld"
    return event

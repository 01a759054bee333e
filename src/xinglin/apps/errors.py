"""Errors of the programs themselves.

AppError            400  something a person asked for cannot be done as asked
 ├─ UsageError      400  a command line that is not understood
 ├─ Stopped         400  long work ended by Ctrl-C; says how to go on
 └─ RemoteError          what a server answered, with its status
"""

from __future__ import annotations

from typing import ClassVar

from xinglin.kernel.errors import XinglinError


class AppError(XinglinError):
    """Something a person asked for cannot be done as asked."""

    status: ClassVar[int] = 400
    issue: ClassVar[str] = "invalid"


class UsageError(AppError):
    """A command line that is not understood."""


class Stopped(AppError):
    """Long work that a person ended by Ctrl-C, at a place from which it goes on; exit code 130."""


class RemoteError(AppError):
    """A server refused, or could not be reached; ``answered`` is its HTTP status, 0 where there was no answer."""

    def __init__(
        self, key: str, /, *, answered: int = 0, expression: str | None = None, **values: object
    ) -> None:
        super().__init__(key, expression=expression, **values)
        self.answered = answered

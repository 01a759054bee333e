"""Errors of the REST edge.

XinglinError
 ├─ AtEntry                  as the error of one entry of a bundle, which it names
 └─ RestError                400  invalid
     ├─ Malformed            400  structure       the body or a header cannot be read
     ├─ TooDeep              400  too-costly      nested deeper than the limit
     ├─ BadValue             400  value           a value is none that is taken here
     ├─ NotUnderstood        400  not-supported   an operation, parameter or mode that is not built
     ├─ NoSuchPlace          404  not-supported   no such resource type or operation in R4 or on this server
     ├─ NoSuchResource       404  not-found
     ├─ WrongMethod          405  not-supported
     ├─ NotAcceptable        406  not-supported
     ├─ TooSlow              408  timeout
     ├─ PreconditionFailed   412  conflict
     ├─ MultipleMatches      412  multiple-matches
     ├─ TooLarge             413  too-long
     ├─ TooMany              413  too-costly
     ├─ UnsupportedMedia     415  not-supported
     └─ Unprocessable        422  processing      well-formed, but it cannot be applied
"""

from __future__ import annotations

from typing import ClassVar

from xinglin.kernel.errors import XinglinError


class AtEntry(XinglinError):
    """An error of one entry of a bundle: ``error``, at ``place`` such as ``Bundle.entry[3]``."""

    def __init__(self, error: XinglinError, place: str) -> None:
        super().__init__(error.key, expression=error.expression, **error.values)
        self.error = error
        self.place = place
        self.status = error.status  # type: ignore[misc]
        self.issue = error.issue  # type: ignore[misc]


class RestError(XinglinError):
    """A request that is refused at the edge, before or beside the store."""

    status: ClassVar[int] = 400
    issue: ClassVar[str] = "invalid"


class Malformed(RestError):
    """The body, a header or an address cannot be read."""

    issue: ClassVar[str] = "structure"


class TooDeep(RestError):
    """The body is nested deeper than the limit."""

    issue: ClassVar[str] = "too-costly"


class BadValue(RestError):
    """A value is not one that is taken here."""

    issue: ClassVar[str] = "value"


class NotUnderstood(RestError):
    """What is asked for exists in FHIR, or might, but not on this server."""

    issue: ClassVar[str] = "not-supported"


class NoSuchPlace(RestError):
    """No such resource type, operation or address."""

    status: ClassVar[int] = 404
    issue: ClassVar[str] = "not-supported"


class NoSuchResource(RestError):
    """A resource that another one names is not there."""

    status: ClassVar[int] = 404
    issue: ClassVar[str] = "not-found"


class WrongMethod(RestError):
    """The address is right, the HTTP method is not; ``values["allowed"]`` names those that are."""

    status: ClassVar[int] = 405
    issue: ClassVar[str] = "not-supported"


class NotAcceptable(RestError):
    """None of the formats asked for is spoken here."""

    status: ClassVar[int] = 406
    issue: ClassVar[str] = "not-supported"


class TooSlow(RestError):
    """The client did not send its body in time."""

    status: ClassVar[int] = 408
    issue: ClassVar[str] = "timeout"


class PreconditionFailed(RestError):
    """If-Match, If-None-Match or a condition of the request does not hold; nothing was changed."""

    status: ClassVar[int] = 412
    issue: ClassVar[str] = "conflict"


class MultipleMatches(RestError):
    """A condition that must name one resource names several; nothing was changed."""

    status: ClassVar[int] = 412
    issue: ClassVar[str] = "multiple-matches"


class TooLarge(RestError):
    """The body is over the limit."""

    status: ClassVar[int] = 413
    issue: ClassVar[str] = "too-long"


class TooMany(RestError):
    """More entries than the limit."""

    status: ClassVar[int] = 413
    issue: ClassVar[str] = "too-costly"


class UnsupportedMedia(RestError):
    """The body is in a format that is not read here."""

    status: ClassVar[int] = 415
    issue: ClassVar[str] = "not-supported"


class Unprocessable(RestError):
    """Well-formed, but it cannot be applied to what is there."""

    status: ClassVar[int] = 422
    issue: ClassVar[str] = "processing"

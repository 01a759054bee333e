"""One request and one answer, free of any web framework, so that a batch entry and an HTTP request are the same thing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from xinglin.kernel.language import Language
from xinglin.trust import Actor

if TYPE_CHECKING:
    from xinglin.records.stored import Stored

Header = tuple[bytes, bytes]
FHIR_JSON = b"application/fhir+json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Preferences:
    """The Prefer header: what to return of a write, and whether unknown search parameters are errors."""

    returning: Literal["minimal", "representation", "OperationOutcome"] | None = None
    strict: bool | None = None


class Request(Struct, frozen=True):
    """What is asked, by whom.

    ``path``: segments below the base, percent-decoded one by one. ``pairs``: query parameters in order, without those
    of presentation (``_format``, ``_pretty``), which became ``pretty`` and ``content_type``. ``headers``: lower-case names.
    ``base``: the address of the FHIR endpoint, such as ``http://localhost:8080/fhir``, without a final slash.
    ``content_type``: of the answer.
    """

    method: str
    path: tuple[str, ...]
    actor: Actor
    base: str
    pairs: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = {}
    body: bytes = b""
    language: Language = "en"
    prefer: Preferences = Preferences()
    content_type: bytes = FHIR_JSON
    pretty: bool = False
    raw_accepted: bool = False
    """No FHIR format was asked for by name: a Binary is given as what it holds."""
    query: str | None = None
    """The query as it was sent, where ``pairs`` is all that it says; None where it says more, or is not known."""


class Answer(Struct, frozen=True):
    """Status, headers (beside Content-Length, which the server adds) and body.

    ``stored``: the version that it speaks of, for the entry of a batch.
    """

    status: int
    headers: list[Header]
    body: bytes = b""
    stored: Stored | None = None

    def header(self, name: bytes) -> str | None:
        """The first header of that lower-case name."""
        return next((value.decode("latin-1") for key, value in self.headers if key == name), None)


@dataclass(frozen=True, slots=True)
class Pending:
    """An answer that waits for the writer: ``submit`` queues the unit and gives a concurrent Future, ``finish`` makes
    the answer of its result. The server awaits in between, so that many requests share one commit.
    """

    submit: Callable[[], Any]
    finish: Callable[[Any], Answer]

    def wait(self) -> Answer:
        """The answer, waiting in this thread."""
        return self.finish(self.submit().result())

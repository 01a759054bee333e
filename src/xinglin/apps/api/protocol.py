"""uvicorn's HTTP protocol with two changes: what is no HTTP is refused with an OperationOutcome like everything else, and the
head of a response is written together with its body, which saves a system call and often a packet.
"""

from __future__ import annotations

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from xinglin.kernel.language import say
from xinglin.records.rest.exchange import FHIR_JSON
from xinglin.records.rest.outcome import Issue, outcome


class Cycle(RequestResponseCycle):
    """One request and its response; `respond` is what an application may call instead of ``send`` twice."""

    def respond(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> bool:
        """Write a whole response at once. ``headers`` are lower case, valid, and hold Content-Length where one is due.

        False, with nothing done, where this is no plain case (a slow or a closing connection): use ``send``.
        """
        if self.response_started or self.disconnected or not self.keep_alive or self.flow.write_paused:
            return False
        parts = [STATUS_LINE[status]]
        for name, value in self.default_headers:
            parts += (name, b": ", value, b"\r\n")
        for name, value in headers:
            parts += (name, b": ", value, b"\r\n")
        parts.append(b"\r\n")
        if self.scope["method"] != "HEAD":
            parts.append(body)
        self.transport.write(b"".join(parts))
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        self.message_event.set()
        self.on_response()
        return True


class Protocol(HttpToolsProtocol):
    """See the module."""

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        cycle.__class__ = Cycle
        super()._start_asgi_task(cycle, app)

    def send_400_response(self, msg: str) -> None:
        """Answer 400 and close the connection; ``msg`` is uvicorn's own and says nothing more."""
        body = outcome([Issue("error", "structure", say("records.rest-no-http"))])
        self.transport.write(
            b"HTTP/1.1 400 Bad Request\r\ncontent-type: %s\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s"
            % (FHIR_JSON, len(body), body)
        )
        self.transport.close()


__all__ = ["Cycle", "Protocol"]

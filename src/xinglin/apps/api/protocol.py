"""The HTTP protocol with one change: what is no HTTP is refused with an OperationOutcome like everything else."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from xinglin.kernel.language import say
from xinglin.records.rest.exchange import FHIR_JSON
from xinglin.records.rest.outcome import Issue, outcome


class Protocol(HttpToolsProtocol):
    """See the module."""

    def send_400_response(self, msg: str) -> None:
        """Answer 400 and close the connection; ``msg`` is uvicorn's own and says nothing more."""
        body = outcome([Issue("error", "structure", say("records.rest-no-http"))])
        self.transport.write(
            b"HTTP/1.1 400 Bad Request\r\ncontent-type: %s\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s"
            % (FHIR_JSON, len(body), body)
        )
        self.transport.close()

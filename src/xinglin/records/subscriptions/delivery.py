"""One notification over HTTP.

Without a payload it is a POST with an empty body to the endpoint; with one a PUT of the resource to
``[endpoint]/[type]/[id]``. Redirects are not followed, proxies of the environment not used.

Source: HL7 FHIR R4, subscription.html, "REST Hook".
"""

from __future__ import annotations

import http.client
import socket
import ssl
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from xinglin.kernel.ids import stable_id
from xinglin.records.subscriptions.endpoints import resolved
from xinglin.records.subscriptions.errors import Undelivered
from xinglin.records.subscriptions.timed import Timed

if TYPE_CHECKING:
    from xinglin.kernel.settings import Settings
    from xinglin.records.stored import Stored

READ_MOST = 64 * 1024


def delivery_id(tenant: int, subscription: str, position: int, type_: str, id_: str, version: int) -> str:
    """The id of a notification: the same whenever it is sent again, and no other has it."""
    return stable_id("notification", str(tenant), subscription, str(position), type_, id_, str(version))


@dataclass(slots=True)
class Hook:
    """A subscriber's endpoint, with its connection as long as that lasts; used by one thread."""

    endpoint: str
    headers: dict[str, str]
    settings: Settings
    connection: http.client.HTTPConnection | None = None
    _cut: bool = False

    def send(self, id_: str, resource: Stored | None) -> None:
        """Deliver; ``resource`` None: nothing but that something matched. Raises Undelivered.

        The setting ``subscription_timeout_s`` is the time for all of it, however it is spent, and once more for making
        the connection.
        """
        parts = urlsplit(self.endpoint)
        path = parts.path
        headers = {
            "User-Agent": "Xinglin", "X-Request-Id": id_, "Idempotency-Key": id_, **self.headers,
        }  # fmt: skip
        method, body = "POST", b""
        if resource is not None:
            method, body = "PUT", resource.body
            path = f"{path.rstrip('/')}/{resource.type}/{quote(resource.id)}"
            headers["Content-Type"] = "application/fhir+json; charset=utf-8"
        target = (path or "/") + (f"?{parts.query}" if parts.query else "")
        reused = self.connection is not None
        try:
            status = self._exchange(method, target, body, headers)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if not reused or self._cut or isinstance(error, TimeoutError):
                raise Undelivered("records.subscription-no-answer", kind=type(error).__name__) from error
            try:  # the subscriber may have closed a connection that was idle: once more on a new one
                status = self._exchange(method, target, body, headers)
            except (OSError, http.client.HTTPException) as again:
                self.close()
                raise Undelivered("records.subscription-no-answer", kind=type(again).__name__) from again
        if not 200 <= status < 300:
            raise Undelivered("records.subscription-answered", status=status)

    def _exchange(self, method: str, target: str, body: bytes, headers: dict[str, str]) -> int:
        if self.connection is None:
            self.connection = self._connect()
        timed: Any = self.connection.sock
        if timed is not None:  # None: http.client has closed it, and raises
            timed.begin(self.settings.subscription_timeout_s)
        if self._cut:
            raise ConnectionAbortedError
        self.connection.request(method, target, body, headers)
        with self.connection.getresponse() as answer:
            answer.read(READ_MOST)
            if not answer.isclosed():
                self.close()  # it has more to say than anybody asked for
            return answer.status

    def _connect(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.endpoint)
        host = parts.hostname or ""
        secure = parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        address = resolved(host, port, self.settings)
        timeout = self.settings.subscription_timeout_s
        sock = socket.create_connection((address, port), timeout)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if secure:
                sock = _trust().wrap_socket(sock, server_hostname=host)
        except BaseException:
            sock.close()
            raise
        # Of either kind, since it is connected already; the name is for the Host header.
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(host, port, timeout=timeout)
        connection.auto_open = 0  # never to another address than the one looked at
        connection.sock = Timed(sock)
        return connection

    def cut(self) -> None:
        """End what is under way; from another thread."""
        self._cut = True
        timed: Any = None if self.connection is None else self.connection.sock
        if timed is not None:
            timed.cut()

    def close(self) -> None:
        """Let the connection go."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None


@cache
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context()

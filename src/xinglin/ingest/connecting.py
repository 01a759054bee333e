"""Connections to where `$import` fetches from: made to the very address that was looked at.

The setting `import_hosts` names hosts; a name server says where these are, and may be made to say this machine, or where a
cloud keeps the credentials of one. So every address of a name is held to the rules that Subscriptions have
(`records.subscriptions.endpoints`): private networks are a hospital's own and allowed; loopback only where the setting
names this machine itself.
"""

from __future__ import annotations

import socket
from dataclasses import replace
from functools import partial
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from ipaddress import ip_address
from typing import Any
from urllib.request import HTTPHandler, HTTPSHandler, Request

from xinglin.ingest.errors import HostError
from xinglin.kernel.settings import Settings
from xinglin.records.subscriptions.endpoints import allowed


def listed(settings: Settings) -> list[str]:
    """The hosts that the setting names."""
    return settings.import_hosts.lower().replace(",", " ").split()


def resolved(host: str, port: int, settings: Settings) -> list[tuple[Any, ...]]:
    """What `socket.getaddrinfo` says of ``host``. Raises HostError where any of it is not allowed, OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    name = host.lower()
    itself = _is_loopback(name) and any(one in (name, f"{name}:{port}") for one in listed(settings))
    rules = replace(settings, subscription_private=True, subscription_loopback=itself)
    for *_, place in found:
        if not allowed(ip_address(str(place[0]).partition("%")[0]), rules):
            raise HostError("ingest.bulk-inside", host=host, setting="import_hosts")
    return found


def _is_loopback(name: str) -> bool:
    try:
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False


def _connected(settings: Settings, place: tuple[str, int], timeout: Any, source: Any = None) -> socket.socket:
    """A socket that leads to one of the addresses that were looked at."""
    failed: OSError | None = None
    for *_, address in resolved(*place, settings):
        try:
            return socket.create_connection(address[:2], timeout, source)
        except OSError as error:
            failed = error
    raise failed or OSError(place[0])


class Plain(HTTPHandler):
    """Opens ``http`` addresses."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings = settings

    def http_open(self, req: Request) -> HTTPResponse:
        """See HTTPHandler."""
        return self.do_open(_kind(HTTPConnection, req, self.settings), req)


class Secure(HTTPSHandler):
    """Opens ``https`` addresses."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings = settings

    def https_open(self, req: Request) -> HTTPResponse:
        """See HTTPSHandler."""
        return self.do_open(_kind(HTTPSConnection, req, self.settings), req)


def _kind(kind: type[HTTPConnection], req: Any, settings: Settings) -> Any:
    """A kind of connection that is guarded; to a proxy of the environment, which looks names up itself, a common one."""
    if req.has_proxy() or getattr(req, "_tunnel_host", None):
        return kind

    def made(*given: Any, **more: Any) -> Any:
        connection: Any = kind(*given, **more)
        # Where http.client keeps the function that makes its socket.
        connection._create_connection = partial(_connected, settings)
        return connection

    return made

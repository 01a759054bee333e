"""Start the server: bind, say where, serve until told to stop, finish what was begun."""

from __future__ import annotations

import gc
import importlib
import pkgutil
import socket
import sys
from collections.abc import Callable
from importlib.resources import files
from typing import TYPE_CHECKING, ClassVar

from xinglin.apps.api.guard import is_loopback
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.language import sentences
from xinglin.kernel.log import configure
from xinglin.kernel.settings import Settings

if TYPE_CHECKING:
    import uvicorn

    from xinglin.apps.api.app import App
    from xinglin.apps.worker.child import Child
    from xinglin.records.service import Records

GRACE_S = 10
"""How long requests in progress may take to finish once a stop is asked for."""


class ServeError(XinglinError):
    """The server cannot be started as asked."""

    status: ClassVar[int] = 400
    issue: ClassVar[str] = "invalid"


def check_bind(host: str) -> None:
    """Raises ServeError for an address that other machines reach: there is no sign-in yet to let them in by."""
    if not is_loopback(host):
        raise ServeError("apps.serve-not-loopback", host=host)


def serve(
    database_url: str | None = None,
    host: str | None = None,
    port: int | None = None,
    *,
    settings: Settings | None = None,
    records: Records | None = None,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve a record until SIGINT or SIGTERM.

    Parameters
    ----------
    database_url, host, port :
        Override those of ``settings``; port 0 takes a free one.
    records : Records, optional
        An open record to serve instead of opening ``database_url``; it stays open afterwards.
    ready : callable, optional
        Told the address once the server accepts requests; by default it is printed.

    Raises
    ------
    ServeError
        A bind that other machines reach, or an address that is taken.
    """
    from dataclasses import replace

    settings = settings or Settings()
    settings = replace(
        settings,
        database=database_url or settings.database,
        host=host or settings.host,
        port=settings.port if port is None else port,
    )
    check_bind(settings.host)
    configure(settings.log_level)
    listener = listen(settings.host, settings.port)
    try:
        from xinglin.apps.assemble import open_record

        own = None
        if records is None:
            own = records = open_record(settings)
        try:
            # A record that is handed in may be another one than the settings name: its worker is whoever opened it.
            child = None if own is None else _worker(settings)
            _run(records, settings, listener, ready or _print, child)
        finally:
            if own is not None:
                own.close()
    finally:
        listener.close()


def listen(host: str, port: int) -> socket.socket:
    """A bound socket, so that a taken port is told before the database is opened."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host.strip("[]"), port))
    except OSError as error:
        listener.close()
        raise ServeError("apps.serve-taken", host=host, port=port) from error
    return listener


def _print(address: str) -> None:
    print(address, flush=True)


def _run(
    records: Records,
    settings: Settings,
    listener: socket.socket,
    ready: Callable[[str], None],
    child: Child | None,
) -> None:
    from xinglin.apps.api.app import create_app

    app = create_app(records, settings)
    shown = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = settings.base_url or f"http://{shown}:{listener.getsockname()[1]}"
    _load()
    records.keep_up()

    def started() -> None:
        ready(address)
        if child is not None:
            child.start()  # now, and not before: it would take the processor from a server that people wait for

    try:
        uvicorn_server(app, started, child.ask_to_stop if child else None).run(sockets=[listener])
    finally:
        if child is not None:
            child.stop()
        records.stop_keeping_up()
        app.close()


def _worker(settings: Settings) -> Child | None:
    """The worker beside this server, not yet started; None where it shall have none, or none could open the database."""
    if not settings.worker or settings.database_url == "sqlite://":
        return None
    from xinglin.apps.worker.child import Child

    return Child(settings)


_LOADED = ("xinglin.kernel", "xinglin.trust", "xinglin.standards", "xinglin.records")


def _load() -> None:
    """Load every module that a request may need: a third of a second, which the first requests need not wait.

    Nothing is loaded later: a running server goes on as it is while its files are being replaced by a newer version.
    """
    from xinglin.records.rest.writes import check

    for folder in files("xinglin").iterdir():
        if folder.joinpath("messages.toml").is_file():
            sentences(folder.name)
    for package in map(importlib.import_module, _LOADED):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(found.name)
    check(b'{"resourceType":"Basic","code":{"text":"-"}}', "Basic")
    # What is loaded by now stays: keeping it out of every later collection saves 6 % of a search.
    gc.collect()
    gc.freeze()


def uvicorn_server(
    app: App, ready: Callable[[], None], stopping: Callable[[], None] | None = None
) -> uvicorn.Server:
    """The web server around the application, not yet running.

    ``ready`` is called once it accepts requests, ``stopping`` once it no longer does.
    """
    import uvicorn

    from xinglin.apps.api.leaving import leaving
    from xinglin.apps.api.protocol import Protocol

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                ready()

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            leaving().set()
            if stopping is not None:
                stopping()
            await super().shutdown(sockets)
            # Else the signal is raised anew once the server is down, and SIGTERM would end us before the database is closed.
            self._captured_signals.clear()

    config = uvicorn.Config(
        app,
        loop="uvloop" if sys.platform != "win32" else "asyncio",
        http=Protocol,
        ws="websockets-sansio",
        ws_max_size=64 * 1024,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=30,
        backlog=512,
    )
    return Server(config)

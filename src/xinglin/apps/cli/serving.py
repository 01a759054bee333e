"""``xinglin serve`` and ``xinglin demo``."""

from __future__ import annotations

import socket
import sys
from dataclasses import replace
from urllib.parse import urlsplit

from xinglin.apps.cli.grammar import Asked
from xinglin.apps.cli.output import Bar, plain_json, print_json
from xinglin.apps.errors import UsageError
from xinglin.kernel.language import Language, say
from xinglin.kernel.settings import Loaded, Settings


def run(asked: Asked, loaded: Loaded, language: Language) -> int:
    """Serve a record until stopped; for ``demo`` make the demonstration hospital first."""
    assert asked.command is not None
    settings = loaded.settings
    as_json = asked.options["json"]
    made: int | None = None
    if asked.command.name == "demo":
        if loaded.origins["database"] != "flag":  # never into the hospital's own record by mistake
            settings = replace(settings, database="demo")
        made = _hospital(asked, settings, language)
        if asked.options["no-serve"]:
            if as_json:
                print_json({"patients": made, "database": loaded_name(settings)})
            else:
                print(say("apps.demo-ready", language, patients=made, database=loaded_name(settings)))
            return 0

    def ready(address: str) -> None:
        address = address if settings.base_url else named(address)
        if as_json:
            told = {"address": address, "fhir": f"{address}/fhir", "database": loaded_name(settings)}
            print(plain_json(told | ({"patients": made} if made is not None else {})), flush=True)
            return
        if made is not None:
            print(say("apps.demo-made", language, patients=made))
        print(say("apps.serving", language, address=address, database=loaded_name(settings)), flush=True)

    from xinglin.apps.api.server import serve

    serve(settings=settings, ready=ready)
    return 0


def named(address: str) -> str:
    """``http://127.0.0.1:8080`` as ``http://localhost:8080``, where that name leads here and nowhere else.

    A browser may try another address of ``localhost`` first (::1); what listens there must not be taken for this server.
    """
    parts = urlsplit(address)
    if parts.hostname not in ("127.0.0.1", "::1") or parts.port is None:
        return address
    try:
        found = {info[4][0] for info in socket.getaddrinfo("localhost", parts.port, type=socket.SOCK_STREAM)}
    except OSError:
        return address
    if parts.hostname not in found:
        return address
    for other in found - {parts.hostname}:
        try:
            socket.create_connection((str(other), parts.port), timeout=0.5).close()
        except OSError:
            continue
        return address
    return f"http://localhost:{parts.port}"


def loaded_name(settings: Settings) -> str:
    """The database's address without its password."""
    from xinglin.kernel.settings import redacted

    return redacted(settings.database_url)


def _hospital(asked: Asked, settings: Settings, language: Language) -> int:
    from xinglin.apps.hospital import ensure_demo

    bar = Bar()

    def ticks(done: int, of: int) -> None:
        bar.show(done / of if of else None, say("apps.demo-making", language, done=done, of=of))

    patients, seed = (_number(asked, name) for name in ("patients", "seed"))
    if not asked.options["no-serve"]:
        _check_address(settings)
    try:
        return ensure_demo(settings, patients, seed, anew=asked.options["anew"], ticks=ticks)
    finally:
        bar.close()
        sys.stderr.flush()


def _check_address(settings: Settings) -> None:
    """Say that the port is taken before a minute is spent on the hospital, not after it."""
    from xinglin.apps.api.server import check_bind, listen

    check_bind(settings.host)
    listen(settings.host, settings.port).close()


def _number(asked: Asked, name: str) -> int | None:
    given = asked.options[name]
    if given is None:
        return None
    if not given.isascii() or not given.isdigit() or not 1 <= int(given) <= 1_000_000:
        raise UsageError("apps.cli-number", option=f"--{name}", given=given, least=1, most=1_000_000)
    return int(given)

"""``xinglin serve`` and ``xinglin demo``."""

from __future__ import annotations

import socket
import sys
from dataclasses import replace
from urllib.parse import urlsplit

from xinglin.apps.cli.grammar import Asked
from xinglin.apps.cli.output import Bar, plain_json, print_json
from xinglin.apps.errors import Stopped, UsageError
from xinglin.kernel.language import Language, say
from xinglin.kernel.settings import Loaded, Settings


def run(asked: Asked, loaded: Loaded, language: Language) -> int:
    """Serve a record until stopped; for ``demo`` make the demonstration hospital first."""
    assert asked.command is not None
    settings = loaded.settings
    as_json = asked.options["json"]
    made: int | None = None
    live = False
    if asked.command.name == "demo":
        live = asked.options["live"]
        if live and asked.options["no-serve"]:
            raise UsageError("apps.demo-live-serves")
        if asked.options["speed"] is not None and not live:
            raise UsageError("apps.demo-speed-alone")
        speed = _speed(asked)
        if loaded.origins["database"] != "flag":  # never into the hospital's own record by mistake
            settings = replace(settings, database="demo")
        made = _hospital(asked, settings, language)
        if asked.options["no-serve"]:
            if as_json:
                print_json({"patients": made, "database": loaded_name(settings)})
            else:
                print(say("apps.demo-ready", language, patients=made, database=loaded_name(settings)))
            return 0
        from xinglin.apps.live import set_going

        set_going(settings, speed if live else None)

    def ready(address: str) -> None:
        address = address if settings.base_url else named(address)
        if as_json:
            told = {"address": address, "fhir": f"{address}/fhir", "database": loaded_name(settings)}
            print(plain_json(told | ({"patients": made} if made is not None else {})), flush=True)
            return
        if made is not None:
            print(say("apps.demo-made", language, patients=made))
        if live:
            print(say("apps.demo-live-on", language, speed=f"{speed:g}"))
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
    from xinglin.apps.hospital import TOLD_FROM, Estimate, Step, ensure_demo, gigabytes

    bar = Bar()
    last: Step | None = None

    def steps(step: Step) -> None:
        nonlocal last
        last = step
        rate = f"{step.resources / max(step.seconds, 0.001):,.0f}"
        words = say("apps.demo-making", language, done=f"{step.stored:,}", of=f"{step.patients:,}", rate=rate)
        bar.show(step.stored / step.patients, words, since=step.before / step.patients)

    def tell(estimate: Estimate) -> None:
        if estimate.patients < TOLD_FROM or asked.options["json"]:
            return
        key, values = "apps.demo-estimate-elsewhere", {}
        if estimate.free is not None:
            key, values = "apps.demo-estimate", {"free": gigabytes(estimate.free)}
        count, resources = f"{estimate.patients:,}", f"{estimate.resources:,}"
        needs = gigabytes(estimate.needs)
        print(say(key, language, patients=count, resources=resources, needs=needs, **values), file=sys.stderr)

    patients, seed = (_number(asked, name) for name in ("patients", "seed"))
    if not asked.options["no-serve"]:
        _check_address(settings)
    try:
        return ensure_demo(settings, patients, seed, anew=asked.options["anew"], steps=steps, tell=tell)
    except KeyboardInterrupt:
        if last is None:
            raise
        stored, patients = last.stored, last.patients
        raise Stopped("apps.demo-interrupted", stored=f"{stored:,}", patients=f"{patients:,}") from None
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


def _speed(asked: Asked) -> float:
    """How many times faster than real. Raises UsageError."""
    from xinglin.apps.demo.live import SPEED

    given = asked.options["speed"]
    if given is None:
        return SPEED
    try:
        speed = float(given)
    except ValueError:
        speed = 0.0
    if not 0.1 <= speed <= 3600:
        raise UsageError("apps.demo-speed", given=given)
    return speed

"""``xinglin worker``."""

from __future__ import annotations

from xinglin.apps.cli.grammar import Asked
from xinglin.apps.cli.output import plain_json
from xinglin.kernel.language import Language, say
from xinglin.kernel.settings import Loaded, redacted


def run(asked: Asked, loaded: Loaded, language: Language) -> int:
    """Run jobs until SIGTERM or SIGINT."""
    from xinglin.apps.worker.process import stop_on_signals, work

    settings = loaded.settings
    stop = stop_on_signals()
    database = redacted(settings.database_url)

    def ready() -> None:
        if asked.options["json"]:
            print(plain_json({"database": database, "threads": settings.worker_threads}), flush=True)
        else:
            print(
                say("apps.working", language, database=database, threads=settings.worker_threads), flush=True
            )

    work(settings, stop, ready=ready)
    return 0

"""``xinglin export FOLDER``: the record as NDJSON files, all of it or a part."""

from __future__ import annotations

from xinglin.apps.backend import open_backend
from xinglin.apps.cli.grammar import Asked
from xinglin.apps.cli.output import Bar, print_json, print_table
from xinglin.apps.errors import UsageError
from xinglin.kernel.language import Language, say
from xinglin.kernel.settings import Loaded


def run(asked: Asked, loaded: Loaded, language: Language) -> int:
    """Export, and say what was written."""
    from xinglin.apps.exporting import Exported, Wanted, export_folder

    if not asked.arguments:
        raise UsageError("apps.export-needs-folder", example="xinglin export records/")
    options = asked.options
    if options["group"] and options["all-patients"]:
        raise UsageError("apps.export-group-or-all")
    wanted = Wanted(
        types=[kind for given in options["type"] or () for kind in given.split(",")],
        since=options["since"],
        group=options["group"],
        patients=options["all-patients"],
        filters=options["filter"] or (),
        elements=(options["elements"] or "").split(",") if options["elements"] else (),
        gzip=options["gzip"],
    )
    backend = open_backend(loaded.settings, create=False, language=language)
    bar = Bar()

    def ticks(done: int, of: int, what: str) -> None:
        bar.show(
            min(1.0, done / of) if of else None,
            say("apps.export-progress", language, done=f"{done:,}", what=what),
        )

    try:
        done: Exported = export_folder(backend, loaded.settings, asked.arguments[0], wanted, ticks)
    finally:
        bar.close()
        backend.close()
    if options["json"]:
        print_json(done.as_dict())
        return 0
    if done.files:
        print_table([[say("apps.export-file", language)], *([name] for name in done.files)], widest=80)
    print(
        say(
            "apps.export-done",
            language,
            count=f"{done.resources:,}",
            folder=done.folder,
            seconds=f"{done.elapsed_s:.1f}",
            at=done.at,
        )
    )
    if done.deleted:
        print(say("apps.export-deleted", language, count=f"{done.deleted:,}"))
    if done.errors:
        print(say("apps.export-errors", language, count=f"{done.errors:,}"))
        return 1
    return 0

"""``xinglin drafts``: what machines propose, and a clinician's decision on it; what rests on what."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xinglin.apps.cli.grammar import Asked
from xinglin.apps.cli.output import print_json, print_table, safe
from xinglin.apps.errors import AppError, UsageError
from xinglin.kernel.language import Language, say
from xinglin.kernel.settings import Loaded

if TYPE_CHECKING:
    from xinglin.drafts import Draft, Drafts
    from xinglin.trust import Actor

LIMIT = 50
_ALONE = ("list", "feedback")
_DECISIONS = ("accept", "amend", "reject")
_WITH_ID = ("show", *_DECISIONS, "rests-on", "computed-from")


def run(asked: Asked, loaded: Loaded, language: Language) -> int:
    """Do what the first word says; `list` where there is none."""
    what, reference = [*asked.arguments, "", ""][:2]
    what = what or "list"
    _check(asked, what, reference)
    settings = loaded.settings
    if settings.database.startswith(("http://", "https://")):
        raise UsageError("apps.drafts-remote", address=settings.database)

    from xinglin.apps.assemble import open_record
    from xinglin.drafts import Drafts
    from xinglin.trust import local_system

    records = open_record(settings)
    try:
        drafts, actor = Drafts(records), local_system()
        if what == "list":
            _list(asked, drafts, actor, language)
        elif what == "feedback":
            _feedback(asked, drafts, actor, language)
        elif what in ("rests-on", "computed-from"):
            _graph(asked, drafts, actor, what, reference, language)
        else:
            done = _decide(asked, drafts, actor, what, reference)
            _show(asked, drafts, actor, done, language)
            if what in _DECISIONS and not asked.options["json"]:
                print(say(f"apps.drafts-done-{done.state}", language, reference=done.reference))
    finally:
        records.close()
    return 0


def _check(asked: Asked, what: str, reference: str) -> None:
    if what not in (*_ALONE, *_WITH_ID):
        raise UsageError("apps.drafts-what", what=what)
    if what in _WITH_ID and not reference:
        raise UsageError("apps.drafts-needs-reference", what=what)
    if what in _ALONE and reference:
        raise UsageError("apps.cli-too-many", word=reference, command="drafts")
    limit = asked.options["limit"]
    if limit is not None and not (limit.isascii() and limit.isdigit() and 1 <= int(limit) <= 100_000):
        raise UsageError("apps.cli-number", option="--limit", given=limit, least=1, most=100_000)
    if what == "reject" and not asked.options["reason"]:
        from xinglin.drafts.deciding import REJECTIONS

        raise UsageError("apps.drafts-needs-reason", known=", ".join(REJECTIONS))
    if what == "amend" and not asked.options["content"]:
        raise UsageError("apps.drafts-needs-content")


def _decide(asked: Asked, drafts: Drafts, actor: Actor, what: str, reference: str) -> Draft:
    note = asked.options["note"] or ""
    if what == "accept":
        return drafts.accept(actor, reference, note=note)
    if what == "reject":
        return drafts.reject(actor, reference, asked.options["reason"], note)
    if what == "amend":
        from xinglin.drafts.exact import loads

        path = Path(asked.options["content"])
        try:
            content = loads(path.read_bytes())
        except ValueError as error:
            raise AppError("apps.drafts-content", path=str(path)) from error
        return drafts.amend(actor, reference, content, note=note)
    return drafts.show(actor, reference)


def _list(asked: Asked, drafts: Drafts, actor: Actor, language: Language) -> None:
    from xinglin.drafts.view import brief, shown

    most = int(asked.options["limit"] or LIMIT)
    found: list[Draft] = []
    cursor: str | None = None
    while len(found) < most:
        page = drafts.open(actor, patient=asked.options["patient"], cursor=cursor, count=min(most, LIMIT))
        found += page.drafts
        cursor = page.next
        if cursor is None:
            break
    told = [shown(drafts, actor, one, language) for one in found[:most]]
    if asked.options["json"]:
        print_json({"drafts": told})
        return
    if not told:
        print(say("apps.drafts-none", language))
        return
    heads = ("draft", "patient", "what", "now", "proposed", "model")
    rows: list[list[Any]] = [[say(f"apps.drafts-head-{name}", language) for name in heads]]
    for one in told:
        name = (one["patient"] or {}).get("name") or (one["patient"] or {}).get("id", "")
        model = f"{one['model']['name']} {one['model']['version']}"
        rows.append(
            [one["reference"], name, one["title"], brief(one["before"]), brief(one["content"]), model]
        )
    print_table(rows)


def _show(asked: Asked, drafts: Drafts, actor: Actor, draft: Draft, language: Language) -> None:
    from xinglin.drafts.view import shown

    told = shown(drafts, actor, draft, language)
    if asked.options["json"]:
        print_json(told)
        return
    rows: list[list[Any]] = [[told["reference"], say(f"apps.drafts-state-{told['state']}", language)]]
    patient = told["patient"] or {}
    rows.append([say("apps.drafts-head-patient", language), patient.get("name") or patient.get("id", "")])
    rows.append([say("apps.drafts-head-what", language), told["title"]])
    for one in told["changes"]:
        rows.append([one["path"], f"{_text(one['before'])} → {_text(one['after'])}"])
    model = f"{told['model']['name']} {told['model']['version']} {told['model']['hash']}".strip()
    rows.append([say("apps.drafts-head-model", language), model])
    for one in told["inputs"]:
        rows.append([say("apps.drafts-head-input", language), f"{one['reference']}  {one['value']}"])
    print_table(rows, widest=100)
    print(safe(told["reason"]))


def _text(value: Any) -> str:
    from xinglin.drafts.exact import dumps

    return "–" if value is None else value if isinstance(value, str) else dumps(value).decode()


def _graph(asked: Asked, drafts: Drafts, actor: Actor, what: str, reference: str, language: Language) -> None:
    graph = (
        drafts.rests_on(actor, reference) if what == "rests-on" else drafts.computed_from(actor, reference)
    )
    if asked.options["json"]:
        edges = [
            {
                "target": str(one.target),
                "entity": str(one.entity),
                "role": one.role,
                "provenance": one.provenance.name,
            }
            for one in graph.edges
        ]
        print_json({"start": str(graph.start), "edges": edges, "complete": graph.complete})
        return
    if not graph.edges:
        print(say(f"apps.drafts-{what}-nothing", language, reference=str(graph.start)))
        return
    heads = ("result", "role", "from", "provenance")
    rows: list[list[Any]] = [[say(f"apps.drafts-head-{name}", language) for name in heads]]
    rows += [[str(one.target), one.role, str(one.entity), one.provenance.name] for one in graph.edges]
    print_table(rows, widest=100)
    if not graph.complete:
        print(say("drafts.graph-bound", language))


def _feedback(asked: Asked, drafts: Drafts, actor: Actor, language: Language) -> None:
    from xinglin.drafts.feedback import told

    found = drafts.feedback(actor, asked.options["model"], asked.options["since"])
    decisions = [told(one) for one in islice(found, int(asked.options["limit"] or LIMIT))]
    if asked.options["json"]:
        print_json({"decisions": decisions})
        return
    if not decisions:
        print(say("apps.drafts-no-decisions", language))
        return
    heads = ("draft", "decision", "by", "at", "seconds", "code", "model")
    rows: list[list[Any]] = [[say(f"apps.drafts-head-{name}", language) for name in heads]]
    for one in decisions:
        seconds = "" if one["latencySeconds"] is None else round(one["latencySeconds"])
        model = f"{one['model']} {one['version']}"
        decision = say(f"apps.drafts-decision-{one['decision']}", language)
        rows.append([one["draft"], decision, one["by"], one["at"], seconds, one["code"], model])
    print_table(rows)

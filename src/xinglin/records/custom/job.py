"""The job of kind ``records.reindex``, and what people see of it.

Arguments: ``types`` (empty: all), ``verify``: only compare, change nothing; ``all``: index anew
what is up to date too. Its result has for each type how many
resources were indexed anew, and for each parameter and type compared what was found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xinglin.jobs import SILENT_S, Kind, Work
from xinglin.records.custom import repository
from xinglin.records.custom.errors import NoSuchParameter, Unproven
from xinglin.records.custom.rules import KIND, SETTLE_S
from xinglin.records.custom.verification import verify
from xinglin.records.reindexing import Pace, Reindex, count_stale, signatures
from xinglin.standards.fhir.search.errors import UnknownParameter
from xinglin.standards.fhir.search.names import RESOURCE_TYPES
from xinglin.trust import Actor, scope

if TYPE_CHECKING:
    from xinglin.jobs import Job
    from xinglin.records.custom.model import OwnParameter
    from xinglin.records.service import Records
    from xinglin.records.site import Site

EVERYTHING = 1_000_000_000
ATTEMPTS = 12
"""It goes on where it was, and takes hours on a large record: workers that end meanwhile must not be its end."""


def kinds(site: Site) -> list[Kind]:
    """The kinds that this module runs."""

    def run(work: Work) -> dict[str, Any]:
        share = site.settings.reindex_share
        if work.arguments.get("verify"):
            report = _verified(site.records, work)
        else:
            reindexing = Reindex(
                site.records,
                work.job.tenant,
                work,
                kinds=tuple(work.arguments.get("types") or ()),
                pace=Pace(share, SETTLE_S),
                checkpoint=work.checkpoint,
                anew=bool(work.arguments.get("all")),
            )
            report = reindexing.run()
        _tell(work, report)
        return report

    return [Kind(KIND, run, attempts=ATTEMPTS, concurrency=1, silent_s=SILENT_S)]


def asked(
    records: Records,
    actor: Actor,
    types: tuple[str, ...] = (),
    parameter: str | None = None,
    *,
    verify: bool = False,
    anew: bool = False,
) -> dict[str, Any]:
    """A job's arguments. Raises UnknownParameter for a type that is none, NoSuchParameter."""
    tenant = scope(actor, "write").tenant
    for one in types:
        if one not in RESOURCE_TYPES:
            raise UnknownParameter("unknown-type", name=one)
    if parameter is not None:
        records.own.look()
        found = {
            one.parameter.base
            for one in records.own.of(tenant).parameters
            if one.state != "gone" and one.parameter.name == parameter
        }
        types = tuple(found & set(types) if types else found)
        if not types:
            raise NoSuchParameter("records.custom-none", code=parameter[:64])
    more = {"verify": verify, "all": anew and not verify}
    return {"types": sorted(set(types)), **{name: True for name, wanted in more.items() if wanted}}


def submit(site: Site, actor: Actor, arguments: dict[str, Any]) -> Job:
    """Enqueue a reindex that people see; the one already queued where it is the same."""
    tenant = scope(actor, "write").tenant
    unique = " ".join(sorted(arguments.keys() - {"types"}) + arguments["types"]) or "everything"
    site.queue.know(kinds(site))
    return site.queue.add(
        KIND, arguments, tenant=tenant, actor=actor.id, purpose=actor.purpose, unique=unique, shown=True
    )


def status(records: Records, actor: Actor, *, stale: bool = True) -> dict[str, Any]:
    """The tenant's own parameters, how far each is and what was proven of it; with ``stale`` resources by type."""
    tenant = scope(actor, "search").tenant
    records.own.look()
    shown = [_shown(one) for one in records.own.of(tenant).parameters if one.state != "gone"]
    return {"parameters": shown, **({"stale": count_stale(records, actor)} if stale else {})}


def _shown(one: OwnParameter) -> dict[str, Any]:
    p = one.parameter
    return {
        "code": p.name, "base": p.base, "type": p.type, "url": p.url, "state": one.state, "number": one.number,
        "resource": f"SearchParameter/{one.resource}", "done": one.done, "total": one.total, "report": one.report,
    }  # fmt: skip


def _verified(records: Records, work: Work) -> dict[str, Any]:
    """Compare all rows of the types asked for, and keep what was found with each parameter. Raises Unproven."""
    tenant, proofs = work.job.tenant, {}
    records.own.look()
    types = work.arguments.get("types") or sorted(signatures(records, tenant))

    def step(done: int, of: int) -> None:
        work.check()
        work.progress(done, of, "records.reindex-verifying")

    for one in records.own.of(tenant).parameters:
        if one.state == "ready" and one.parameter.base in types:
            proof = verify(records, tenant, one.parameter.base, one, EVERYTHING, step)
            report = proofs[f"{one.parameter.base}.{one.parameter.name}"] = proof.report()
            records.database.write(
                lambda c, one=one, report=report: repository.set_report(c, tenant, one.number, report)  # type: ignore[misc]
            )
    for kind in types:
        proofs[kind] = verify(records, tenant, kind, None, EVERYTHING, step).report()
    for name, report in proofs.items():
        if report["different"]:
            kind, _, code = name.partition(".")
            raise Unproven(
                "records.custom-unproven", type=kind, code=code or "*", checked=report["checked"],
                different=report["different"],
            )  # fmt: skip
    return {"types": {}, "proofs": proofs}


def _tell(work: Work, report: dict[str, Any]) -> None:
    for kind, counts in report["types"].items():
        if counts["redrawn"]:
            work.say("info", "records.reindex-redrawn", type=kind, **counts)
    for name, proof in report["proofs"].items():
        kind, _, code = name.partition(".")
        shown = {key: proof[key] for key in ("checked", "resources", "different", "with_rows", "rows")}
        key = "records.reindex-proven" if code else "records.reindex-compared"
        work.say("info", key, type=kind, code=code, **shown)

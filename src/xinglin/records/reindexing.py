"""Making index rows anew where they were made by other rules than today's.

Each resource carries the signature of the rules that its rows were drawn by (`index.signature`): a changed parameter,
reading of a name or unit table changes it. Reindexing writes rows only: no version, no commit, nothing in history.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import msgspec

from xinglin.kernel.database import Connection, Row
from xinglin.records import repository
from xinglin.records.bodies import decompress
from xinglin.records.index.rows import IndexContext, IndexRows
from xinglin.records.rows import repository as rows_repository
from xinglin.trust import Actor, local_system, scope

if TYPE_CHECKING:
    from xinglin.records.service import Records

BATCH: Final = 500


def count_stale(records: Records, actor: Actor) -> dict[str, int]:
    """How many live resources of each type wait to be reindexed; types that have none are left out."""
    from xinglin.records.index.signature import index_signature

    tenant = scope(actor, "search").tenant
    found = {}
    with records.database.read() as connection:
        for kind in repository.live_types(connection, tenant):
            signature = index_signature(kind, records.zone(tenant))
            count = repository.count_stale(connection, tenant, kind, signature)
            if count:
                found[kind] = count
    return found


def reindex(records: Records, actor: Actor) -> Iterator[int]:
    """Make the stale index rows of the actor's tenant anew, a batch a transaction; gives how many each did.

    May run while others read and write, and be broken off and started again.
    """
    from xinglin.records.index.signature import index_signature

    tenant = scope(actor, "write").tenant
    with records.database.read() as connection:
        kinds = repository.live_types(connection, tenant)
    for kind in kinds:
        signature, after = index_signature(kind, records.zone(tenant)), 0
        while True:
            with records.database.read() as connection:
                stale = repository.stale(connection, tenant, kind, signature, after, BATCH)
            if not stale:
                break
            after = stale[-1][0]
            yield _reindex(records, tenant, signature, [(row[0], row[1], row[2]) for row in stale])


def renew(records: Records, stopped: Callable[[], bool]) -> int:
    """Reindex whatever is stale in any tenant; how many resources were. ``stopped`` is asked between batches.

    What was found up to date is remembered by type and signature, so that the next start need not look through the
    tables again.
    """
    from xinglin.records.index.signature import index_signature

    done = 0
    with records.database.read() as connection:
        tenants = list(repository.tenants(connection))
    for tenant in tenants:
        key = f"indexed_{tenant}"
        with records.database.read() as connection:
            zone = records.zone(tenant)
            present = {
                kind: index_signature(kind, zone) for kind in repository.live_types(connection, tenant)
            }
            known = msgspec.json.decode(repository.meta(connection, key) or "{}", type=dict[str, int])
        if present == known:
            continue
        for count in reindex(records, local_system(tenant)):
            done += count
            if stopped():
                return done
        text = msgspec.json.encode(present).decode()
        records.database.write(lambda c, key=key, text=text: repository.set_meta(c, key, text))  # type: ignore[misc]
    return done


def change_zone(records: Records, tenant: int, name: str, zone: str) -> int:
    """Make ``zone`` the one in which dates of the tenant are days, its index rows with it; how many resources that took.

    One transaction: no search meets rows of one zone with a question in the other, and if it is broken off, nothing has
    changed. Other writers wait meanwhile.
    """

    def unit(connection: Connection) -> int:
        if connection.dialect == "postgresql":
            connection.execute("LOCK TABLE resource IN SHARE ROW EXCLUSIVE MODE")
        named = repository.tenants(connection)
        repository.add_tenant(connection, tenant, name, zone)
        concerned = [tenant]
        if tenant == 1:  # whose zone is that of every tenant nobody has named
            concerned += [other for other in repository.live_tenants(connection) if other not in named]
        return sum(_renew_all(connection, records, one, zone) for one in dict.fromkeys(concerned))

    return records.database.write(unit)


def _renew_all(connection: Connection, records: Records, tenant: int, zone: str) -> int:
    """Within a transaction, make the tenant's rows those of ``zone``."""
    from xinglin.records.index.signature import index_signature

    context, done = replace(records.context(tenant), zone=zone), 0
    for kind in repository.live_types(connection, tenant):
        signature, after = index_signature(kind, zone), 0
        while stale := repository.stale(connection, tenant, kind, signature, after, BATCH):
            after = stale[-1][0]
            done += _put(connection, records, tenant, signature, _drawn(stale, context))
    # What another process writes until it learns of the change has the signature of the old zone: let `renew` look.
    repository.set_meta(connection, f"indexed_{tenant}", "{}")
    return done


def _reindex(records: Records, tenant: int, signature: int, stale: Sequence[Row]) -> int:
    drawn = _drawn(stale, records.context(tenant))
    return records.database.write(lambda connection: _put(connection, records, tenant, signature, drawn))


def _drawn(stale: Sequence[Row], context: IndexContext) -> dict[int, tuple[int, IndexRows]]:
    """Version and index rows of ``(rid, version, body)``, by rid."""
    from xinglin.records.index.extract import extract
    from xinglin.standards.fhir.parse import parse

    return {rid: (version, extract(parse(decompress(body)), context)) for rid, version, body in stale}


def _put(
    connection: Connection,
    records: Records,
    tenant: int,
    signature: int,
    drawn: dict[int, tuple[int, IndexRows]],
) -> int:
    """Put the rows in the place of those there; of how many resources."""
    current = repository.current(connection, tenant, list(drawn))
    # Whoever was written meanwhile has today's rows already.
    same = [rid for rid, now in current.items() if now.version == drawn[rid][0]]
    rows_repository.delete(connection, tenant, same)
    batch = rows_repository.resolve(
        connection, records.ledger, tenant, [(rid, drawn[rid][1]) for rid in same]
    )
    rows_repository.insert(connection, batch)
    repository.set_index(
        connection,
        tenant,
        [(signature, patient, rid) for rid, patient in zip(same, batch.patients, strict=True)],
    )
    return len(same)

"""What a process knows of the tenants' own search parameters, at most a second old.

Rows that are written by what was known a moment before a change carry the signature of those rules: the reindex, which
waits `SETTLE_S` before it looks a last time, makes them anew. A process that learns later than that (it was stopped, or cut off)
lets another reindex look for what it may have written meanwhile.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

from xinglin.kernel.clock import now_us
from xinglin.kernel.database import Connection
from xinglin.kernel.errors import XinglinError
from xinglin.records.custom import repository
from xinglin.standards.fhir.search.known import STANDARD, Known

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from xinglin.jobs import Queue
    from xinglin.records.custom.model import OwnParameter
    from xinglin.records.index.own import Own
    from xinglin.records.service import Records
    from xinglin.records.writing import Version

LOOK_S: Final = 1.0
"""How old what a process knows may be."""
SETTLE_S: Final = 5.0
"""How long after a change a reindex looks for rows that were written by the rules before it."""
_EAGER_S: Final = 2.0
KIND: Final = "records.reindex"


@dataclass(frozen=True)
class Rules:
    """One tenant's: ``known`` for reading searches, ``own`` by type for drawing rows, ``parameters`` all there ever were."""

    known: Known = STANDARD
    own: dict[str, Own] = field(default_factory=dict)
    parameters: tuple[OwnParameter, ...] = ()
    generation: int = 0
    changed_us: int = 0


NONE: Final = Rules()


class OwnRules:
    """Of all tenants. Safe from any thread."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._database = records.database
        self._rules: dict[int, Rules] = {}
        self._generations: dict[int, tuple[int, int, int]] | None = None
        self._look_at = 0.0
        self._eager_until = 0.0
        self._moving = False
        self._lock = threading.Lock()

    def of(self, tenant: int) -> Rules:
        """The tenant's rules, not older than `LOOK_S`."""
        present = time.monotonic()
        if present >= self._look_at or present < self._eager_until:
            self.look()
        return self._rules.get(tenant, NONE)

    def look(self) -> None:
        """Learn now what has changed."""
        with self._lock:
            with self._database.read() as connection:
                generations = repository.generations(connection)
                if generations != self._generations or self._moving:
                    before, self._generations = self._generations, generations
                    self._read(connection)
                    late = _late(before, generations)
                else:
                    late = []
            self._look_at = time.monotonic() + LOOK_S
        for tenant in late:
            with suppress(XinglinError):
                self._database.submit(lambda c, tenant=tenant: self.want(c, tenant, f"late-{now_us()}"))  # type: ignore[misc]

    def _read(self, connection: Connection) -> None:
        by_tenant: dict[int, list[OwnParameter]] = {}
        for one in repository.parameters(connection):
            by_tenant.setdefault(one.tenant, []).append(one)
        assert self._generations is not None
        self._rules = {
            tenant: rules(found, *self._generations.get(tenant, (0, 0, 0))[:2])
            for tenant, found in by_tenant.items()
        }
        self._moving = any(
            one.state in ("building", "going") for found in by_tenant.values() for one in found
        )

    @cached_property
    def queue(self) -> Queue:
        """Where a change puts its reindex."""
        from xinglin.jobs import Queue
        from xinglin.records.tasks import Tasks

        return Queue(self._database, Tasks(self._records))

    def want(self, connection: Connection, tenant: int, why: str, *, shown: bool = False) -> None:
        """Enqueue a reindex of whatever is stale in the tenant, as part of the running unit of work."""
        self.queue.enqueue(connection, KIND, {}, tenant=tenant, unique=why, shown=shown)

    def adopt(self, tenant: int) -> None:
        """Take note of SearchParameters that were not written as such here; their index is to be built."""
        from xinglin.records.custom.following import adopt

        def unit(connection: Connection) -> bool:
            generation = adopt(connection, tenant)
            if generation is not None:
                self.want(connection, tenant, f"generation-{generation}", shown=True)
            return generation is not None

        if self._database.write(unit):
            self.look()

    def follow(self, connection: Connection, tenant: int, versions: Sequence[Version]) -> None:
        """Take note of SearchParameters being written, in their own transaction. Raises BadDefinition, CodeTaken."""
        from xinglin.records.custom.following import follow

        generation = follow(connection, tenant, versions)
        if generation is not None:
            self.want(connection, tenant, f"generation-{generation}", shown=True)
            self._eager_until = time.monotonic() + _EAGER_S


def rules(found: Sequence[OwnParameter], generation: int, changed_us: int) -> Rules:
    """Of one tenant's definitions."""
    live = [one for one in found if one.live]
    known = Known(
        [one.parameter for one in live],
        {one.number: (one.done, one.total) for one in live if one.state == "building"},
    )
    return Rules(known, own_of(live), tuple(found), generation, changed_us)


def own_of(live: Iterable[OwnParameter]) -> dict[str, Own]:
    """What rows are drawn by, of each type."""
    from xinglin.records.index.own import Own

    by_type: dict[str, list[OwnParameter]] = {}
    for one in live:
        by_type.setdefault(one.parameter.base, []).append(one)
    return {kind: Own(kind, tuple(one.parameter for one in several)) for kind, several in by_type.items()}


def _late(before: dict[int, tuple[int, int, int]] | None, now: dict[int, tuple[int, int, int]]) -> list[int]:
    """Tenants whose change this process learnt of only when their reindex may have looked its last."""
    if before is None:
        return []
    bound = now_us() - int(SETTLE_S * 1_000_000)
    return [
        tenant
        for tenant, (number, at, _) in now.items()
        if before.get(tenant, (0, 0, 0))[0] != number and at < bound
    ]

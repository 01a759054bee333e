"""Reading the feed: once, or for as long as one likes, from where one stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec

from xinglin.kernel.database import Connection, Full, Unavailable
from xinglin.kernel.ids import new_id
from xinglin.records.feed import repository
from xinglin.records.feed.consumer import Lag
from xinglin.records.feed.errors import OtherHistory
from xinglin.records.repository import last_position, meta, set_meta
from xinglin.records.stored import Change
from xinglin.trust import Actor, scope

if TYPE_CHECKING:
    from xinglin.records.service import Records

EPOCH: Final = "epoch"
"""The row of the table ``meta`` that a restore makes anew."""
LOOK_S: Final = 1.0
"""How often a follower looks though nothing woke it."""
AWAY_S: Final = 60.0
"""How long a follower waits for a database that does not answer, before it raises."""


class Feed:
    """The change feed of one record: every version ever written, in the one order of commits, as ids only."""

    def __init__(self, records: Records) -> None:
        self.records = records
        self._names = repository.Names()

    def last(self) -> int:
        """The position of the newest commit, 0 before the first."""
        with self.records.database.read(snapshot=False) as connection:
            return last_position(connection)

    def epoch(self) -> str:
        """In which of its lives the record is: another text after each restore; empty where it cannot be noted now."""
        with self.records.database.read(snapshot=False) as connection:
            there = meta(connection, EPOCH)
        if there is None:
            with suppress(Unavailable, Full):  # whoever only reads is not to fail for that
                return self.records.database.write(_begin_epoch)
        return there or ""

    def check(self, after: int, epoch: str = "") -> None:
        """Raises OtherHistory where nobody who follows this record can have read up to ``after``.

        ``epoch``: as it was when that position was read, empty where it is not known. After a restore a position is good
        up to the one restored to; those behind it are given to nobody again before a second restore, which only the epoch
        tells from the first.
        """
        if after == 0:
            return
        now = self.epoch()
        with self.records.database.read() as connection:
            last = last_position(connection)
            known = repository.has_position(connection, after)
            text = meta(connection, "restored")
        restored = None if text is None else msgspec.json.decode(text, type=_Restored)
        if known and epoch and epoch != now:
            known = restored is not None and epoch == restored.of and after <= restored.position
        if known:
            return
        if restored is None:
            raise OtherHistory("records.feed-beyond", position=after, last=last)
        raise OtherHistory("records.feed-restored", position=after, restored=restored.position)

    def read(
        self, actor: Actor, after: int = 0, limit: int = 1000, types: Collection[str] = ()
    ) -> tuple[list[Change], int]:
        """Changes after a position (whole commits, about ``limit``) and the position to go on from.

        That position moves on also where nothing of what was committed is of ``types``, or may be seen.
        """
        predicate = scope(actor, "export")
        with self.records.database.read() as connection:
            found, reached = repository.read(
                connection, {predicate.tenant: predicate}, after, limit, self._names
            )
        return [change for change in found if not types or change.type in types], reached

    def read_house(self, tenant: int | None, after: int, limit: int) -> tuple[list[Change], int]:
        """`read` for the house's own followers: of one tenant, or of all."""
        from xinglin.trust import Predicate

        predicates = None if tenant is None else {tenant: Predicate(tenant=tenant)}
        with self.records.database.read() as connection:
            return repository.read(connection, predicates, after, limit, self._names)

    def follow(
        self,
        actor: Actor,
        after: int | None = None,
        *,
        stop: threading.Event | None = None,
        types: Collection[str] = (),
        limit: int = 1000,
        epoch: str = "",
    ) -> Iterator[list[Change]]:
        """Changes after ``after`` (None: from now on) in small lists, for ever: it waits for what is committed next.

        Remember the position of the last change and go on from there another time: nothing is missed. A set ``stop``
        ends it within a quarter of a second. Raises Unavailable where the database has not answered for a minute, and
        OtherHistory as `check` does.
        """
        if after is not None:
            self.check(after, epoch)
        pulse = self.records.database.pulse()
        position = self.last() if after is None else after
        away_since: float | None = None
        while not (stop and stop.is_set()):
            try:
                found, reached = self.read(actor, position, limit, types)
                away_since = None
            except Unavailable:
                away_since = away_since or time.monotonic()
                if time.monotonic() - away_since > AWAY_S:
                    raise
                found, reached = [], position
            moved, position = reached != position, reached
            if found:
                yield found
            elif not moved:
                waited = 0.0
                while waited < LOOK_S and not (stop and stop.is_set()) and not pulse.wait(0.25, stop):
                    waited += 0.25

    def lag(self) -> dict[str, Lag]:
        """How far each consumer of the record is behind, whichever process leads it."""
        with self.records.database.read() as connection:
            parked = repository.parked(connection)
            now = repository.clock_us(connection)
            found = {}
            for key, state in repository.states(connection).items():
                commits, first_us = repository.behind(connection, key, state.position)
                found[state.name] = Lag(
                    commits,
                    max(0.0, (now - first_us) / 1e6) if first_us else 0.0,
                    parked.get(state.name, 0),
                    not repository.free(state, now),
                    reason_of(state.reason),
                )
        return found


class _Restored(msgspec.Struct):
    """What a restore has noted: up to which position, and of which epoch."""

    position: int
    of: str


def _begin_epoch(connection: Connection) -> str:
    """The epoch of a record that has none yet, as its first backup would note it too."""
    there = meta(connection, EPOCH)
    if there is None:
        there = new_id()
        set_meta(connection, EPOCH, there)
    return there


def reason_of(text: str) -> tuple[str, dict[str, str]] | None:
    """The key and values of a sentence, as the database keeps them."""
    return msgspec.json.decode(text, type=tuple[str, dict[str, str]]) if text else None

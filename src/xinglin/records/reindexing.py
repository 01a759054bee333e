"""Making index rows anew where they were made by other rules than today's.

Each resource carries the signature of the rules that its rows were drawn by (`index.signature`): a changed parameter,
reading of a name or unit table changes it, and so does an own parameter of the tenant. Reindexing writes rows only: no
version, no commit, nothing in history. There is one way: `Reindex`, run by the job of kind ``reindex`` (`custom.job`).

While it runs others read and write. Nothing of what was written before, during or after can stay behind: the scan finds
what has another signature; after a change of own parameters it waits until every process knows of it and looks once more at
what was written since; and only when a comparison with fresh rows has found no difference (`custom.verification`) does a
parameter open.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import msgspec

from xinglin.kernel.clock import now_us
from xinglin.kernel.database import Connection
from xinglin.records import repository
from xinglin.records.custom import repository as own_repository
from xinglin.records.custom.drawing import Drawn, Recipes, put
from xinglin.records.custom.errors import Unproven
from xinglin.records.custom.model import BUILDING, GOING, GONE, READY, OwnParameter
from xinglin.records.custom.rules import SETTLE_S, Rules
from xinglin.records.custom.verification import Proof, verify, verify_gone
from xinglin.trust import Actor, scope

if TYPE_CHECKING:
    from xinglin.records.service import Records

T = TypeVar("T")

BATCH: Final = 500
SAMPLE: Final = 10_000
"""Resources of a type whose rows of a new parameter are compared: all where there are no more, else evenly chosen ones."""
WHOLE: Final = 2_000
"""Of a type of which resources were drawn as a whole, so many are compared with all their rows."""
BESIDE: Final = 200
"""The same where only rows of own parameters came or went: R4's beside them were not touched."""
SKEW_US: Final = 60_000_000
"""How far another machine's clock, or a transaction under way, may lie behind."""
ROUNDS: Final = 3


class Keeping(Protocol):
    """Where a reindex keeps how far it is: the job's `Work`."""

    def check(self) -> None:
        """Raise what ends the run."""

    def save(self, checkpoint: Mapping[str, Any], unit: Callable[[Connection], T] | None = None) -> T | None:
        """Keep ``checkpoint`` in the transaction of ``unit``."""

    def progress(self, done: int, of: int | None = None, stage: str = "") -> None:
        """Tell how far it is."""


class Alone:
    """`Keeping` without a job."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def check(self) -> None:
        """Go on."""

    def save(self, checkpoint: Mapping[str, Any], unit: Callable[[Connection], T] | None = None) -> T | None:
        """Only run the unit."""
        return None if unit is None else self._records.database.write(unit)

    def progress(self, done: int, of: int | None = None, stage: str = "") -> None:
        """Nobody asks."""


@dataclass(frozen=True, slots=True)
class Pace:
    """``share`` of one core's time that the work may take, the rest it sleeps; ``settle_s``: see `SETTLE_S`."""

    share: float = 1.0
    settle_s: float = SETTLE_S


class Reindex:
    """One run for one tenant; ``kinds``: of these types only.

    ``checkpoint`` is what an earlier run saved: it goes on from there. ``anew``: also what is up to date.
    """

    def __init__(
        self,
        records: Records,
        tenant: int,
        keeping: Keeping | None = None,
        *,
        kinds: tuple[str, ...] = (),
        pace: Pace | None = None,
        checkpoint: Mapping[str, Any] | None = None,
        anew: bool = False,
    ) -> None:
        self._records = records
        self._tenant = tenant
        self._keeping = keeping or Alone(records)
        self._kinds = kinds
        self._pace = pace or Pace()
        self._state: dict[str, Any] = {"types": {}, **(checkpoint or {})}
        self._total: int | None = None
        self._anew = anew
        self._late = False

    def run(self) -> dict[str, Any]:
        """Make all stale rows anew, prove it, open what is complete; the report. Raises Unproven."""
        proofs: dict[str, Any] = {}
        self._state.setdefault("began_us", now_us())
        self._records.own.adopt(self._tenant)
        for _ in range(ROUNDS):
            rules = self._learn()
            self._scan(rules, 0)
            self._settle(rules)
            if rules.generation != self._learn().generation:
                continue
            self._scan(rules, max(rules.changed_us - SKEW_US, 0))
            wrong = self._prove(rules, proofs)
            if not wrong and not self._late and rules.generation == self._learn().generation:
                self._remember()
                break
            if wrong or self._late:
                self._look_again(wrong)
        else:
            self._unproven(proofs)
        return {"types": self._state["types"], "proofs": proofs}

    def _look_again(self, wrong: list[int]) -> None:
        """Scan everything once more; damaged rows are made anew as a whole."""
        if wrong:
            self._records.database.write(lambda c: repository.mark_stale(c, self._tenant, wrong))
        self._state.pop("at", None)

    def _learn(self) -> Rules:
        self._records.learn()
        return self._records.own.of(self._tenant)

    # Drawing

    def _scan(self, rules: Rules, since_us: int) -> None:
        """Look through every type from ``since_us`` on, or from where an earlier run of the same rules was."""
        with self._records.database.read() as connection:
            kinds = [
                k
                for k in repository.live_types(connection, self._tenant)
                if k in self._kinds or not self._kinds
            ]
        context = replace(self._records.context(self._tenant), own=rules.own)
        anew = self._anew and not since_us
        recipes = {kind: Recipes(context, kind, rules.parameters, anew=anew) for kind in kinds}
        mark = [sum(one.signature for one in recipes.values()), rules.generation, since_us > 0]
        at = self._state.get("at", [])
        if at[:3] == [*mark[:2], True] and not since_us:
            return  # an earlier run was further than this
        going_on = at[:3] == mark
        if not going_on:
            self._state["at"] = at = [*mark, "", 0, 0]
        if self._total is None:
            before = sum(one["redrawn"] for one in self._state["types"].values())
            self._total = before + sum(self._left(recipes[kind]) for kind in kinds)
        for kind in kinds:
            if going_on and kind < at[3]:
                continue
            after = (at[4], at[5]) if going_on and kind == at[3] else (since_us - 1, 0)
            self._scan_type(recipes[kind], mark, after)

    def _left(self, recipes: Recipes) -> int:
        with self._records.database.read() as connection:
            return repository.count_stale(connection, self._tenant, recipes.kind, recipes.but)

    def _scan_type(self, recipes: Recipes, mark: list[Any], after: tuple[int, int]) -> None:
        counts = self._state["types"].setdefault(recipes.kind, {"redrawn": 0, "skipped": 0})
        live = 0
        while True:
            self._keeping.check()
            began = time.monotonic()
            with self._records.database.read() as connection:
                stale = repository.stale(connection, self._tenant, recipes.kind, recipes.but, after, BATCH)
                if stale and not live:
                    live = repository.count_live(connection, self._tenant, recipes.kind)
            if not stale:
                return
            after = (stale[-1][6], stale[-1][0])
            drawn = [recipes.draw(row) for row in stale]
            if any(one.full for one in drawn):
                self._state["whole"] = sorted({*self._state.get("whole", ()), recipes.kind})
            self._state["at"] = [*mark, recipes.kind, *after]
            done, skipped = self._put(recipes, drawn, counts, live)
            counts["redrawn"] += done
            counts["skipped"] += skipped
            sums = sum(one["redrawn"] for one in self._state["types"].values())
            self._keeping.progress(sums, max(self._total or 0, sums), "records.reindex-drawing")
            self._rest(time.monotonic() - began)

    def _put(
        self, recipes: Recipes, drawn: list[Drawn], counts: dict[str, int], live: int
    ) -> tuple[int, int]:
        def unit(connection: Connection) -> tuple[int, int]:
            done = put(connection, self._records.ledger, self._tenant, recipes, drawn)
            looked = min(live, counts["redrawn"] + len(drawn))
            own_repository.set_progress(connection, self._tenant, recipes.kind, looked, live)
            return done

        done = self._keeping.save(self._state, unit)
        assert done is not None
        return done

    def _rest(self, worked_s: float) -> None:
        pause = worked_s * (1 / self._pace.share - 1)
        if pause > 0:
            time.sleep(min(pause, 1.0))

    def _settle(self, rules: Rules) -> None:
        """Wait until every process draws rows by the present rules."""
        until = rules.changed_us / 1e6 + self._pace.settle_s
        while (left := until - now_us() / 1e6) > 0:
            self._keeping.check()
            self._keeping.progress(self._total or 0, self._total, "records.reindex-settling")
            time.sleep(min(left, 0.2))

    # Proving

    def _prove(self, rules: Rules, proofs: dict[str, Any]) -> list[int]:
        """Compare what must be compared; open and close parameters where it is as it should be, else what is not."""
        wrong: list[int] = []
        self._late = False
        touched = {kind for kind, one in self._state["types"].items() if one["redrawn"]}
        for one in rules.parameters:
            kind = one.parameter.base
            if self._kinds and kind not in self._kinds:
                continue
            if one.state == "building":
                wrong += self._open(one, proofs)
            elif one.state == "going":
                self._close(one)
        for kind in sorted(touched):
            proof = self._compared(kind, None, WHOLE if kind in self._state.get("whole", ()) else BESIDE)
            proofs[kind] = proof.report()
            wrong += proof.wrong
        return wrong

    def _compared(self, kind: str, parameter: OwnParameter | None, most: int) -> Proof:
        def step(done: int, of: int) -> None:
            self._keeping.check()
            self._keeping.progress(done, of, "records.reindex-verifying")

        return verify(self._records, self._tenant, kind, parameter, most, step)

    def _open(self, one: OwnParameter, proofs: dict[str, Any]) -> list[int]:
        proof = self._compared(one.parameter.base, one, SAMPLE)
        report = proofs[f"{one.parameter.base}.{one.parameter.name}"] = proof.report()
        if proof.wrong or proof.stale:
            # By a process that has not learnt of the parameter yet: it must not open before these rows are there.
            self._late = self._late or proof.stale > 0
            return proof.wrong

        def unit(connection: Connection) -> None:
            if own_repository.set_state(connection, self._tenant, one.number, BUILDING, READY, report):
                own_repository.touch(connection, self._tenant)

        self._keeping.save(self._state, unit)
        return []

    def _close(self, one: OwnParameter) -> None:
        while rids := verify_gone(self._records, self._tenant, one, BATCH):
            self._keeping.check()
            self._keeping.save(
                self._state,
                lambda c, rids=rids: put_away(c, self._tenant, one.number, rids),  # type: ignore[misc]
            )
        self._keeping.save(
            self._state,
            lambda c: own_repository.set_state(c, self._tenant, one.number, GOING, GONE, one.report),
        )

    def _unproven(self, proofs: dict[str, Any]) -> None:
        for name, report in proofs.items():
            if report["different"] or report["stale"]:
                kind, _, code = name.partition(".")
                raise Unproven(
                    "records.custom-unproven", type=kind, code=code or "*", checked=report["checked"],
                    different=report["different"] + report["stale"],
                )  # fmt: skip

    def _remember(self) -> None:
        if not self._kinds:
            present, began_us = signatures(self._records, self._tenant), self._state["began_us"]
            self._keeping.save(self._state, lambda c: _note(self._tenant, present, began_us, c))


def put_away(connection: Connection, tenant: int, number: int, rids: list[int]) -> None:
    """Take away rows of a parameter that is no longer."""
    from xinglin.records.custom.verification import numbers_of
    from xinglin.records.rows import repository as rows_repository

    rows_repository.delete_under(connection, tenant, rids, numbers_of(number))


def signatures(records: Records, tenant: int) -> dict[str, int]:
    """The present signature of each type of which there are resources."""
    context = records.context(tenant)
    with records.database.read() as connection:
        kinds = repository.live_types(connection, tenant)
    return {kind: Recipes.signature_of(context, kind) for kind in kinds}


def count_stale(records: Records, actor: Actor) -> dict[str, int]:
    """How many live resources of each type wait to be reindexed; types that have none are left out."""
    tenant = scope(actor, "search").tenant
    present = signatures(records, tenant)
    with records.database.read() as connection:
        found = {
            kind: repository.count_stale(connection, tenant, kind, signature)
            for kind, signature in present.items()
        }
    return {kind: count for kind, count in found.items() if count}


def want(records: Records, *, anyway: bool = False) -> list[int]:
    """Enqueue a reindex of each tenant that the last one did not leave up to date, or of all ``anyway``; which.

    Where nothing is stale, as in a record that this very program has filled, there is nothing to do: only that is noted.
    """
    wanted = []
    with records.database.read() as connection:
        tenants = list(repository.tenants(connection))
        tenants += [one for one in repository.live_tenants(connection) if one not in tenants]
    for tenant in tenants:
        records.own.adopt(tenant)
        present, began_us = signatures(records, tenant), now_us()
        if not present:
            continue
        if anyway or any_stale(records, tenant, present):
            wanted.append(tenant)
            records.database.write(lambda c, tenant=tenant: records.own.want(c, tenant, "rules"))  # type: ignore[misc]
        else:
            records.database.write(partial(_note, tenant, present, began_us))
    return wanted


_AT: Final = "at_us"


def any_stale(records: Records, tenant: int, present: dict[str, int]) -> bool:
    """Whether any live resource waits to be reindexed, or a parameter to be built.

    Of a type whose rules are the ones last noted only what was written since is looked at: by an older program beside, or
    by older rules.
    """
    if any(one.state in ("building", "going") for one in records.own.of(tenant).parameters):
        return True
    with records.database.read() as connection:
        known = msgspec.json.decode(
            repository.meta(connection, f"indexed_{tenant}") or "{}", type=dict[str, int]
        )
        since_us = max(known.get(_AT, 0) - SKEW_US, 0)
        return any(
            repository.stale(
                connection,
                tenant,
                kind,
                signature,
                (since_us - 1 if known.get(kind) == signature else -1, 0),
                1,
            )
            for kind, signature in present.items()
        )


def _note(tenant: int, present: dict[str, int], at_us: int, connection: Connection) -> None:
    """Note by which rules the tenant's rows are drawn, as was found from ``at_us`` on: the next start of a server need not
    look at all of them.
    """
    text = msgspec.json.encode(present | {_AT: at_us}).decode()
    repository.set_meta(connection, f"indexed_{tenant}", text)


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
    context, done = replace(records.context(tenant), zone=zone), 0
    for kind in repository.live_types(connection, tenant):
        recipes, after = Recipes(context, kind, ()), (-1, 0)
        while stale := repository.stale(connection, tenant, kind, recipes.signature, after, BATCH):
            after = (stale[-1][6], stale[-1][0])
            drawn = [recipes.draw(row) for row in stale]
            done += put(connection, records.ledger, tenant, recipes, drawn)[0]
    # What another process writes until it learns of the change has the signature of the old zone: let `want` look.
    repository.set_meta(connection, f"indexed_{tenant}", "{}")
    return done

"""Whatever way is chosen, the answer is the same: random searches run under every plan, page by page."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from shelf import Shelf, number

from xinglin.records.index.rows import IndexRows
from xinglin.records.search import engine, plans
from xinglin.records.search.engine import _Run
from xinglin.records.writing import Version, look_up, write_versions
from xinglin.trust import Predicate

DAY = 86_400_000_000
UCUM = "http://unitsofmeasure.org"


def param(name: str, base: str = "Observation") -> int:
    return number(base, name)


def fill(shelf: Shelf) -> None:
    chance = random.Random(7)
    found: list[tuple[str, str, IndexRows]] = []
    for p in range(6):
        names = [f"{chance.choice(['an', 'bo', 'an li'])}{p % 3}" for _ in range(chance.randrange(1, 3))]
        strings = sorted({(param("name", "Patient"), name, name, 0) for name in names})
        born = [(param("birthdate", "Patient"), p * 400 * DAY, (p * 400 + chance.choice([1, 31, 365])) * DAY)]
        found.append(
            ("Patient", f"p{p}", IndexRows(strings=strings, dates=born if p else [], patients=[f"p{p}"]))
        )
    for o in range(60):
        rows = IndexRows()
        for code in {f"c{chance.randrange(4)}" for _ in range(chance.randrange(1, 3))}:
            for display in {"", f"display {chance.randrange(2)}"}:
                rows.tokens.append((param("code"), "s", code, display))
        owners = sorted({f"p{chance.randrange(7)}" for _ in range(1 if chance.random() < 0.9 else 2)})
        rows.references += [(param(n), "Patient", owners[0]) for n in ("subject", "patient")]
        rows.references += [(param("performer"), "Patient", owner) for owner in owners[1:]]
        rows.patients = owners
        if chance.random() < 0.9:
            low = chance.randrange(100) * DAY
            rows.dates.append((param("date"), low, low + chance.choice([1, DAY, 40 * DAY, 4000 * DAY])))
        if chance.random() < 0.8:
            value = float(chance.randrange(8))
            rows.quantities += [
                (param("value-quantity"), UCUM, "g", value, value),
                (param("value-quantity"), "ucum", "g", value, value),
            ]
        found.append(("Observation", f"o{o}", rows))

    def unit(connection: object) -> None:
        rids, _ = look_up(connection, shelf.ledger, 1, [(kind, id_) for kind, id_, _ in found])  # type: ignore[arg-type]
        body = b'{"resourceType":"Basic","id":"x"}'
        versions = [Version(k, i, rids[k, i], "PUT", body, rows, None) for k, i, rows in found]
        write_versions(connection, shelf.ledger, 1, versions)  # type: ignore[arg-type]

    shelf.database.write(unit)


CRITERIA = (
    "code=c1", "code=c1,c2", "code:not=c3", "code=s|", "code:text=display", "patient=p1", "patient=p1,p2",
    "subject=Patient/p3", "date=ge1970-02-10", "date=lt1970-02-20", "date=1970-02", "date=ne1970-02",
    "date=gt1970-03-01,lt1970-01-15", "value-quantity=gt3||g", "value-quantity=4", "value-quantity=le2||g",
    "subject:Patient.name=an", "patient.birthdate=ge1971", "patient._has:Observation:patient:code=c0",
    "performer:Patient.name=bo", "date:missing=true", "_lastUpdated=gt2020-01-01", "_id=o1,o2,o3,o4,o5,o6,o7,o8,o9",
)  # fmt: skip
SORTS = (
    "",
    "date",
    "-date",
    "_id",
    "-_lastUpdated",
    "code,-date",
    "-date,code",
    "value-quantity",
    "-subject",
    "date,_id",
)


def every_plan(shelf: Shelf, url: str) -> Iterator[plans.Plan]:
    """Each mode with each criterion that can drive, confined to a patient where there is one, and without any."""
    with shelf.database.read() as connection:
        run = _Run(shelf.search, connection, Predicate(1), shelf.query(url))
        shape, compiled = run.shape, run.compiler()
        owners = [n for n, node in enumerate(shape.nodes) if getattr(node, "owner", -1) >= 0]
        for driver in range(-1, len(shape.nodes)):
            if driver >= 0 and not compiled.arms(shape.nodes[driver], shape.types):
                continue
            scopes = [-1]
            if driver >= 0 and getattr(shape.nodes[driver], "table", "") == "token" and owners:
                scopes.append(owners[0])
            for scope in scopes:
                modes = ["gather"] if shape.keys else ["stream", "gather"]
                if shape.keys and compiled.walk(shape.keys[0], shape.types) is not None:
                    modes.append("sorted")
                for mode in modes:
                    yield plans.Plan(mode, driver, scope)


@pytest.mark.parametrize("seed", range(4))
def test_every_plan_gives_the_same_answer(shelf: Shelf, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    fill(shelf)
    chance = random.Random(seed)
    undated = set(shelf.names("Observation?date:missing=true"))
    for _ in range(30):
        criteria = chance.sample(CRITERIA, chance.randrange(0, 4))
        sort = chance.choice(SORTS)
        pairs = [*criteria, *([f"_sort={sort}"] if sort else [])]
        url = "Observation?" + "&".join([*pairs, "_total=accurate"])
        answers = {}
        for plan in every_plan(shelf, url):
            monkeypatch.setattr(engine, "choose", lambda *_, plan=plan: plan)
            found = shelf.names(f"{url}&_count={chance.choice([1, 3, 7, 100])}")
            assert len(found) == len(set(found)), (url, plan)
            if sort in ("date", "-date"):  # those without a date come last, in no particular order
                dated = [name for name in found if name not in undated]
                found = dated + sorted(found[len(dated) :])
            answers[plan] = found if sort else sorted(found)
            assert shelf.page(url).total == len(found), (url, plan)
        assert len({tuple(answer) for answer in answers.values()}) == 1, (url, answers)
        assert numbers(shelf, url) == numbers_of_pages(shelf, url), url


def numbers(shelf: Shelf, url: str) -> list[int]:
    with shelf.database.read() as connection:
        return sorted(shelf.search.numbers(connection, Predicate(1), shelf.query(url)))


def numbers_of_pages(shelf: Shelf, url: str) -> list[int]:
    with shelf.database.read() as connection:
        rows, _ = _Run(shelf.search, connection, Predicate(1), shelf.query(url)).matches(1000)
    return sorted(row.keys[-1] for row in rows)

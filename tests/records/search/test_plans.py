"""The ways chosen: which index drives, and that no search walks a table for want of a better plan."""

from __future__ import annotations

import re

import pytest
from shelf import Shelf, number

from xinglin.records.index.rows import IndexRows

DAY = 86_400_000_000


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """120 patients with 60 Observations each on SQLite, two common codes and a rare one."""
    shelf = Shelf(f"sqlite:///{tmp_path_factory.mktemp('plans')}/x.db")

    def unit(connection: object) -> None:
        from xinglin.records.writing import Version, look_up, write_versions

        found = []
        for p in range(120):
            name, birth = f"name{p}", (number("Patient", "birthdate"), p * DAY, (p + 1) * DAY)
            rows = IndexRows(
                strings=[(number("Patient", "name"), name, name, 0)], dates=[birth], patients=[f"p{p}"]
            )
            found.append(("Patient", f"p{p}", rows))
            for o in range(60):
                code = "rare" if (p, o) == (7, 7) else f"c{o % 2}"
                references = [(number("Observation", n), "Patient", f"p{p}") for n in ("subject", "patient")]
                tokens = [(number("Observation", "code"), "s", code, "")]
                dates = [(number("Observation", "date"), (p + o) * DAY, (p + o) * DAY + 1)]
                found.append(
                    ("Observation", f"o{p}-{o}", IndexRows(tokens, references, [], dates, patients=[f"p{p}"]))
                )
        names = [(kind, id_) for kind, id_, _ in found]
        rids, _ = look_up(connection, shelf.ledger, 1, names)  # type: ignore[arg-type]
        body = b'{"resourceType":"Basic","id":"x"}'
        versions = [Version(k, i, rids[k, i], "PUT", body, rows, None) for k, i, rows in found]
        write_versions(connection, shelf.ledger, 1, versions)  # type: ignore[arg-type]

    shelf.database.write(unit)
    return shelf


def tables(plan: str) -> list[str]:
    """Which index each line of a plan reads, in order."""
    return re.findall(
        r"(?:SEARCH|SCAN) \w+ (?:EXISTS )?USING (?:COVERING )?(?:INDEX )?([\w ]+?) (?:\(|$)", plan, re.M
    )


@pytest.mark.parametrize(
    ("search", "first"),
    [
        ("Observation?patient=p1&code=c1&_sort=-date", "ix_token_value"),
        ("Observation?patient=p1&_sort=-date", "ix_reference_target"),
        ("Observation?code=c1&_sort=-date", "ix_token_value"),
        ("Observation?_sort=-date", "ix_date_low"),
        ("Observation?code:not=c1&_sort=-date", "ix_date_low"),
        ("Observation?date=ge1970-03-01&_sort=date", "ix_date_long"),
        ("Observation?date=ge1970-03-01&_sort=-date", "ix_date_low"),
        ("Observation?code=rare", "ix_token_value"),
        ("Observation?code=c1&subject:Patient.name=name7", "ix_reference_target"),
        ("Observation?subject:Patient.name=name7", "ix_reference_target"),
        ("Patient?_has:Observation:patient:code=rare", "ix_token_value"),
        ("Patient?_has:Observation:patient:code=c1", "resource_updated"),
        ("Patient?_id=p1", "INTEGER PRIMARY KEY"),
        ("Patient?birthdate=1970-02-01&name=name", "ix_date_low"),
        ("Patient?_lastUpdated=gt2020-01-01&_sort=_lastUpdated", "resource_updated"),
        ("Patient?", "resource_updated"),
    ],
)
def test_driver(big: Shelf, search: str, first: str) -> None:
    assert tables(big.explain(search))[0] == first


def test_many_candidates_are_walked_in_the_order_asked_for_instead_of_sorted(
    big: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    from xinglin.records.search import plans

    search = "Observation?code=c1&_sort=-date"
    gathered = big.names(search + "&_count=1000")
    assert tables(big.explain(search))[0] == "ix_token_value"
    monkeypatch.setattr(plans, "MANY", 1000)
    assert tables(big.explain(search))[0] == "ix_date_low"
    assert big.names(search + "&_count=700") == gathered


@pytest.mark.parametrize(
    "search",
    [
        "Observation?patient=p1&code=c1&date=ge1970-01-05&_sort=-date",
        "Observation?subject:Patient.name=name7&_sort=-date",
        "Observation?patient._has:Observation:patient:code=rare",
        "Observation?code=c1,rare&date:missing=false&subject:missing=false",
        "Patient?_has:Observation:patient:date=ge1970-03-01&birthdate=lt1970-03-01",
        "Patient?name:contains=7&birthdate:missing=false",
    ],
)
def test_probes_go_by_the_number_of_the_resource(big: Shelf, search: str) -> None:
    plan = big.explain(search)
    for line in plan.splitlines():
        if re.match(r"(SEARCH|SCAN) [im]\d", line):
            assert "rid=?" in line or "patient=?" in line, plan
        if line.startswith("SCAN"):
            assert re.match(r"SCAN [pgqu]\d*$", line), plan

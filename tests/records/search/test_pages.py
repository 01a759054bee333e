"""Order, pages, cursors, totals, tenants, the visibility condition, budgets."""

from __future__ import annotations

import random

import pytest
from shelf import Shelf, number

from xinglin.records.errors import BadCursor
from xinglin.records.index.rows import IndexRows
from xinglin.records.search import Bounds, OverBudget, Search, SearchTooLong
from xinglin.records.search import conditions as compiled
from xinglin.trust import Predicate

DAY = 86_400_000_000
CODE, DATE, SUBJECT = (number("Observation", name) for name in ("code", "date", "subject"))
NAME, BORN, GENDER = (number("Patient", name) for name in ("name", "birthdate", "gender"))


def fill(shelf: Shelf, count: int = 40) -> dict[str, tuple[int | None, str]]:
    """Observations with some equal and some missing dates."""
    chance = random.Random(1)
    made: dict[str, tuple[int | None, str]] = {}
    for n in range(count):
        day = None if n % 7 == 0 else chance.randrange(10)
        code = f"c{n % 3}"
        dates = [] if day is None else [(DATE, day * DAY, day * DAY + 1)]
        shelf.put(f"Observation/o{n:02}", IndexRows(tokens=[(CODE, "s", code, "")], dates=dates))
        made[f"Observation/o{n:02}"] = (day, code)
    return made


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("criterion", ["", "&code=c1", "&code=c1,c2", "&code:not=c1"])
def test_sorted_pages_hold_everything_once_missing_values_last(
    shelf: Shelf, descending: bool, criterion: str
) -> None:
    made = fill(shelf)
    sign = "-" if descending else ""
    found = shelf.names(f"Observation?_sort={sign}date{criterion}&_count=3")
    keep = {
        "": lambda code: True,
        "&code=c1": lambda code: code == "c1",
        "&code=c1,c2": lambda code: code != "c0",
        "&code:not=c1": lambda code: code != "c1",
    }[criterion]
    wanted = {name for name, (_, code) in made.items() if keep(code)}
    assert sorted(found) == sorted(wanted)
    days = [made[name][0] for name in found]
    there = [day for day in days if day is not None]
    assert days == sorted(there, reverse=descending) + [None] * (len(days) - len(there))


def test_several_keys(shelf: Shelf) -> None:
    made = fill(shelf)
    found = shelf.names("Observation?_sort=code,-date&_count=4")
    keys = [(made[name][1], -1000 if made[name][0] is None else -made[name][0]) for name in found]  # type: ignore[operator]
    expected = sorted(keys, key=lambda key: (key[0], 1 if key[1] == -1000 else key[1]))
    assert len(found) == len(made)
    assert keys == expected
    again = shelf.names("Observation?_sort=-date,code&_count=4")
    pairs = [(made[name][0], made[name][1]) for name in again if made[name][0] is not None]
    assert pairs == sorted(pairs, key=lambda pair: (-pair[0], pair[1]))  # type: ignore[operator]
    assert [made[name][1] for name in again[len(pairs) :]] == sorted(
        made[name][1] for name in again[len(pairs) :]
    )


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("name", ["1", "2", "3", "4"]),
        ("-name", ["2", "3", "1", "4"]),
        ("birthdate", ["3", "1", "2", "4"]),
        ("-birthdate", ["2", "1", "3", "4"]),
        ("gender", ["2", "1", "3", "4"]),
        ("-gender", ["1", "3", "2", "4"]),
        ("_id", ["1", "2", "3", "4"]),
        ("-_id", ["4", "3", "2", "1"]),
        ("_lastUpdated", ["3", "2", "1", "4"]),
        ("-_lastUpdated", ["4", "1", "2", "3"]),
    ],
)
def test_every_kind_of_key(shelf: Shelf, key: str, expected: list[str]) -> None:
    people = {
        "3": (["chen"], 1, "male"),
        "2": (["bai", "zhou"], 9, "female"),
        "1": (["an", "ang"], 5, "male"),
    }
    for id_, (names, day, gender) in people.items():
        strings = [(NAME, name, name, 0) for name in names] + [(NAME, "zzz", "", 1)]
        rows = IndexRows(
            [(GENDER, "g", gender, "")], strings=strings, dates=[(BORN, day * DAY, (day + 1) * DAY)]
        )
        shelf.put(f"Patient/{id_}", rows)
    shelf.put("Patient/4", IndexRows())
    found = [name.removeprefix("Patient/") for name in shelf.names(f"Patient?_sort={key}&_count=1")]
    if key in ("gender", "-gender"):  # equal keys: in the order of numbers, along the direction
        assert found.index("2") == expected.index("2")
        assert sorted(found) == sorted(expected)
    else:
        assert found == expected


def test_pages_are_stable_while_others_write(shelf: Shelf) -> None:
    made = fill(shelf)
    for search in (
        "Observation?_sort=-date&_count=5",
        "Observation?code=c1,c2&_count=5",
        "Observation?_count=5",
    ):
        seen: list[str] = []
        cursor, round_ = "", 0
        while True:
            page = shelf.page(search + cursor)
            seen += [f"Observation/{e.stored.id}" for e in page.entries]
            if page.next is None:
                break
            cursor = f"&_cursor={page.next}"
            round_ += 1
            for day in (0, 5, 9):
                rows = IndexRows([(CODE, "s", "c1", "")], dates=[(DATE, day * DAY, day * DAY + 1)])
                shelf.put(f"Observation/new{round_}-{day}", rows)
            shelf.put(f"Observation/new{round_ - 1}-5")
        unmodified = [name for name in seen if name in made]
        assert len(unmodified) == len(set(unmodified))
        wanted = {name for name, (_, code) in made.items() if "code" not in search or code != "c0"}
        assert set(unmodified) == wanted
        for name in {name for name in seen if "new" in name}:
            shelf.put(name)


def test_cursor_of_another_question_tenant_or_hand_is_refused(shelf: Shelf) -> None:
    fill(shelf, 6)
    cursor = shelf.page("Observation?code=c1&_count=1").next
    assert cursor is not None
    shelf.page(f"Observation?code=c1&_count=2&_cursor={cursor}")
    for url, tenant in (
        (f"Observation?code=c2&_cursor={cursor}", 1),
        (f"Observation?code=c1&_cursor={cursor}", 2),
    ):
        with pytest.raises(BadCursor):
            shelf.page(url, tenant)
    changed = ("A" if cursor[0] != "A" else "B") + cursor[1:]
    with pytest.raises(BadCursor):
        shelf.page(f"Observation?code=c1&_count=1&_cursor={changed}")


def test_totals(shelf: Shelf) -> None:
    fill(shelf)
    assert shelf.page("Observation?code=c1").total is None
    assert shelf.page("Observation?code=c1,c2&_total=accurate&_count=2").total == 26
    assert shelf.page("Observation?_summary=count").total == 40
    assert shelf.page("Observation?code=c1&_summary=count").total == 13
    assert shelf.page("Observation?code=none&_summary=count").total == 0
    assert shelf.page("Observation?_count=0").entries == []
    assert shelf.page("Observation?code=c1&_total=estimate").total == 13


def test_whole_system_search(shelf: Shelf) -> None:
    fill(shelf, 4)
    shelf.put("Patient/p", IndexRows(tokens=[(number("Resource", "_tag"), "t", "x", "")]))
    shelf.put("Group/g", IndexRows(tokens=[(number("Resource", "_tag"), "t", "x", "")]))
    assert sorted(shelf.names("?_tag=x&_count=1")) == ["Group/g", "Patient/p"]
    assert shelf.names("?_type=Patient,Observation&_tag=t|x") == ["Patient/p"]
    assert shelf.names("Patient?_tag=x") == ["Patient/p"]
    assert sorted(shelf.names("?_type=Patient,Group&_count=1")) == ["Group/g", "Patient/p"]
    assert len(shelf.names("?_count=2")) == 6
    assert sorted(shelf.names("?_id=p,o01")) == ["Observation/o01", "Patient/p"]
    latest = shelf.names("?_sort=-_lastUpdated&_count=2")
    assert latest[:2] == ["Group/g", "Patient/p"]
    assert len(latest) == len(set(latest)) == 6
    assert shelf.names("?_type=Patient,Observation&_sort=_lastUpdated&_count=1")[-1] == "Patient/p"
    assert len(shelf.names("?_lastUpdated=gt2020&_sort=-_lastUpdated&_count=4")) == 6


def test_last_updated_ranges(shelf: Shelf) -> None:
    fill(shelf, 4)
    assert len(shelf.names("Observation?_lastUpdated=gt2020-01-01&_sort=-_lastUpdated&_count=1")) == 4
    assert shelf.names("Observation?_lastUpdated=gt2020-01-01&_lastUpdated=lt2021-01-01") == []
    assert shelf.names("Observation?_lastUpdated=lt2020-01-01") == []
    assert len(shelf.names("Observation?_lastUpdated=lt2020-01-01,ge2021&_count=3")) == 4


def test_tenants_with_the_same_ids_never_meet(shelf: Shelf) -> None:
    for tenant, name in ((1, "zhang"), (2, "zhao")):
        shelf.put("Patient/p", IndexRows(strings=[(NAME, name, name, 0)]), tenant)
        shelf.put(
            "Observation/o",
            IndexRows([(CODE, "s", f"c{tenant}", "")], [(SUBJECT, "Patient", "p")], patients=["p"]),
            tenant,
        )
    assert shelf.names("Observation?subject:Patient.name=zhang", 1) == ["Observation/o"]
    assert shelf.names("Observation?subject:Patient.name=zhang", 2) == []
    assert shelf.names("Patient?_has:Observation:subject:code=c1", 1) == ["Patient/p"]
    assert shelf.names("Patient?_has:Observation:subject:code=c1", 2) == []
    assert shelf.names("Observation?code=c2", 1) == []
    assert shelf.page("?_summary=count", 2).total == 2
    assert shelf.page("?_summary=count", 3).total == 0


def test_rule_on_rows_holds_in_every_sub_query(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a later Predicate will do: hide some resources. They must not show through chains, _has, includes or totals."""
    fill(shelf, 6)
    shelf.put("Patient/open", IndexRows(strings=[(NAME, "open", "Open", 0)]))
    shelf.put("Patient/hidden", IndexRows(strings=[(NAME, "hidden", "Hidden", 0)]))
    shelf.put("Observation/x", IndexRows([(CODE, "s", "x", "")], [(SUBJECT, "Patient", "hidden")]))
    shelf.put("Observation/hidden", IndexRows([(CODE, "s", "y", "")], [(SUBJECT, "Patient", "open")]))
    with shelf.database.read() as connection:
        rows = connection.execute("SELECT rid FROM resource WHERE id = 'hidden'").fetchall()
    hidden = ", ".join(str(row[0]) for row in rows)
    monkeypatch.setattr(compiled.Compiler, "reached", lambda self, rid: f" AND {rid} NOT IN ({hidden})")
    shelf.search = Search(shelf.search.cursors)
    assert shelf.names("Patient?") == ["Patient/open"]
    assert shelf.names("Patient?name=hidden") == []
    assert shelf.names("Patient?_sort=name") == ["Patient/open"]
    assert shelf.names("Patient?_id=hidden") == []
    assert shelf.names("Observation?subject:Patient.name=hidden") == []
    assert shelf.names("Patient?_has:Observation:subject:code=y") == []
    assert shelf.included("Observation?code=x&_include=Observation:subject") == []
    assert shelf.included("Patient?_id=open&_revinclude=Observation:subject") == []
    assert shelf.page("Patient?_summary=count").total == 1
    assert shelf.page("Observation?code=y&_summary=count").total == 0


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_search_over_its_steps_is_stopped_and_can_be_run_again(shelf: Shelf) -> None:
    def grow(connection: object) -> None:
        rows = [(1_000_000 + n, NAME, f"name{n}", f"name{n}", 0, 1) for n in range(20_000)]
        connection.executemany(
            "INSERT INTO ix_string (rid, param, norm, exact, kind, tenant) VALUES (?,?,?,?,?,?)", rows
        )  # type: ignore[attr-defined]

    shelf.database.write(grow)
    query = shelf.query("Patient?name:contains=nobody")
    with shelf.database.read() as connection:
        with pytest.raises(OverBudget):
            shelf.search.page(connection, Predicate(1), query, budget=10_000)
        assert shelf.search.page(connection, Predicate(1), query).entries == []
        assert (
            shelf.search.page(connection, Predicate(1), shelf.query("Patient?_id=1"), budget=10_000).entries
            == []
        )


def test_search_over_its_time_is_stopped_with_a_sentence(shelf: Shelf) -> None:
    def grow(connection: object) -> None:
        rows = [(1_000_000 + n, NAME, f"name{n}" * 20, f"name{n}", 0, 1) for n in range(30_000)]
        connection.executemany(
            "INSERT INTO ix_string (rid, param, norm, exact, kind, tenant) VALUES (?,?,?,?,?,?)", rows
        )  # type: ignore[attr-defined]

    shelf.database.write(grow)
    shelf.search = Search(shelf.search.cursors, Bounds(time_s=0.001))
    with pytest.raises(SearchTooLong, match="search_time_limit_s"):
        shelf.page("Patient?name:contains=nobody,noone,nothing&name:contains=n")
    shelf.search = Search(shelf.search.cursors)
    assert shelf.names("Patient?name:contains=nobody") == []

"""Imports into a real record: taken, again unchanged, rejected with reasons, mended, resumed, all or nothing."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from importing import ACTOR, House, bundle, ndjson, observation, opened, patient, post, rejects
from paths import shared
from xinglin.ingest import resume
from xinglin.ingest.importer import Importer
from xinglin.ingest.plan import plan
from xinglin.ingest.report import Counts
from xinglin.ingest.sink import RecordSink
from xinglin.ingest.sources import Files
from xinglin.records.service import Records, open_records


def test_lines_are_taken_and_taken_again_are_unchanged(house: House, inbox: Path) -> None:
    path = ndjson(inbox / "a.ndjson", *(patient(f"p{n}") for n in range(25)))
    assert house.take(path).totals == Counts(taken=25)
    assert house.take(path).totals == Counts(unchanged=25)
    ndjson(path, patient("p3", active=True), patient("p99"))
    assert house.take(path).totals == Counts(taken=1, updated=1)
    assert house.read("Patient", "p3")["meta"]["versionId"] == "2"


def test_a_bad_line_stops_nothing_and_is_kept_beside_its_reason(house: House, inbox: Path) -> None:
    lines = [
        patient("p1"),
        b'{"resourceType":"Patient","id":"p2","gender":"mal',
        patient("p3", gender="mal"),
        b"\xff\xfe",
        b"",
        patient("p4"),
    ]
    report = house.take(ndjson(inbox / "a.ndjson", *lines))
    assert report.totals == Counts(taken=2, rejected=3)
    kept = rejects(report)
    assert [reject["line"] for reject in kept] == [2, 3, 4]
    assert kept[0]["text"] == lines[1].decode()  # type: ignore[union-attr]
    assert kept[1]["resource"] == lines[2]
    assert kept[1]["reason"][0]["expression"] == "Patient.gender"
    assert "base64" in kept[2]
    assert report.files[0].types["Patient"].rejected == 2


def test_rejects_are_mended_and_imported(house: House, inbox: Path) -> None:
    report = house.take(
        ndjson(inbox / "a.ndjson", patient("p1", gender="mal"), patient("p2", birthDate="soon"))
    )
    (path,) = map(Path, report.rejects)
    again = house.take(path)
    assert again.totals == Counts(rejected=2)
    path.write_text(path.read_text(encoding="utf-8").replace('"mal"', '"male"'), encoding="utf-8")
    report = house.take(path)
    assert report.totals == Counts(taken=1, rejected=1)
    assert house.read("Patient", "p1")["gender"] == "male"
    assert [reject["resource"]["id"] for reject in rejects(report)] == ["p2"]


def test_reasons_are_in_the_readers_language(lite: House, inbox: Path) -> None:
    path = ndjson(inbox / "a.ndjson", patient("p1", gender="mal"))
    files = Files(lite.settings)
    plans = list(plan(files, [path], lite.settings))
    report = Importer(RecordSink(lite.records, ACTOR), lite.settings, language="zh").run(files, plans)
    assert any("一" <= character <= "鿿" for character in rejects(report)[0]["reason"][0]["text"])


def test_a_transaction_is_taken_whole_and_again_unchanged(house: House, inbox: Path) -> None:
    path = bundle(
        inbox / "b.json",
        "transaction",
        post(
            {
                "resourceType": "Observation",
                "status": "final",
                "code": {"text": "x"},
                "subject": {"reference": "urn:uuid:a"},
            },
            "urn:uuid:b",
        ),
        post({"resourceType": "Patient"}, "urn:uuid:a"),
    )
    assert house.take(path).totals == Counts(taken=2)
    assert house.read("Observation", "b")["subject"] == {"reference": "Patient/a"}
    assert house.take(path).totals == Counts(unchanged=2)


@pytest.mark.parametrize(
    "wrong",
    [
        post(patient("p2", gender="mal")),
        post(observation("o1", "urn:uuid:nowhere")),
        post(patient("p1")),
        {"resource": patient("p9")} | {"request": {"method": "PATCH", "url": "Patient/p9"}},
    ],
    ids=["invalid", "dangling", "twice", "patch"],
)
def test_a_transaction_with_one_wrong_entry_is_not_taken_at_all(
    house: House, inbox: Path, wrong: dict[str, object]
) -> None:
    path = bundle(inbox / "b.json", "transaction", post(patient("p1")), wrong)
    report = house.take(path)
    assert report.totals == Counts(rejected=2)
    assert house.count() == {}
    (kept,) = rejects(report)
    assert kept["resource"] == json.loads(path.read_text(encoding="utf-8"))
    assert kept["reason"][0]["expression"].startswith("Bundle.entry[1]")


def test_a_rejected_transaction_is_mended_and_imported(house: House, inbox: Path) -> None:
    report = house.take(
        bundle(inbox / "b.json", "transaction", post(patient("p1")), post(patient("p2", gender="mal")))
    )
    (path,) = map(Path, report.rejects)
    path.write_text(path.read_text(encoding="utf-8").replace('"mal"', '"male"'), encoding="utf-8")
    assert house.take(path).totals == Counts(taken=2)


def test_a_transaction_deletes_too(house: House, inbox: Path) -> None:
    house.take(ndjson(inbox / "a.ndjson", patient("p1"), patient("p2")))
    delete = {"request": {"method": "DELETE", "url": "Patient/p1"}}
    report = house.take(bundle(inbox / "b.json", "transaction", delete, post(patient("p3"))))
    assert report.totals == Counts(taken=1, updated=1)
    assert house.count() == {"Patient": 2}


@pytest.mark.parametrize("kind", ["batch", "collection", "searchset"])
def test_entries_of_other_bundles_are_taken_one_by_one(house: House, inbox: Path, kind: str) -> None:
    entries = [
        post(patient("p1")),
        post(patient("p2", gender="mal")),
        post(observation("o1", "urn:uuid:x")),
        post({"resourceType": "Patient"}, "urn:uuid:x"),
    ]
    report = house.take(bundle(inbox / "b.json", kind, *entries))
    assert report.totals == Counts(taken=3, rejected=1)
    assert rejects(report)[0]["place"] == "Bundle.entry[1].resource"
    assert house.read("Observation", "o1")["subject"]["reference"] == "Patient/x"


def test_conditional_references_wait_for_what_a_later_file_brings(house: House, inbox: Path) -> None:
    doctor = {"resourceType": "Practitioner", "identifier": [{"system": "s", "value": "7"}]}
    visit = {
        "resourceType": "Observation",
        "id": "o1",
        "status": "final",
        "code": {"text": "x"},
        "performer": [{"reference": "Practitioner?identifier=s|7"}],
    }
    bundle(inbox / "1.json", "transaction", post(visit))
    bundle(inbox / "2.json", "transaction", post(doctor, "urn:uuid:d", ifNoneExist="identifier=s|7"))
    assert house.take(inbox).totals == Counts(taken=2)
    assert house.read("Observation", "o1")["performer"][0]["reference"] == "Practitioner/d"
    bundle(inbox / "2.json", "transaction", post(doctor, "urn:uuid:e", ifNoneExist="identifier=s|7"))
    assert house.take(inbox).totals == Counts(unchanged=2)  # the one that is there already is meant
    bundle(
        inbox / "1.json",
        "transaction",
        post(visit | {"performer": [{"reference": "Practitioner?identifier=s|8"}]}),
    )
    report = house.take(inbox / "1.json")
    assert report.totals == Counts(rejected=1)
    assert "Practitioner" in rejects(report)[0]["reason"][0]["text"]


def test_resources_arrays_bundle_lines_and_resources_without_id_are_taken(house: House, inbox: Path) -> None:
    (inbox / "1.json").write_text(json.dumps(patient("p1"), indent=2), encoding="utf-8")
    (inbox / "2.json").write_text(
        json.dumps([patient("p2"), {"resourceType": "Patient", "active": True}]), encoding="utf-8"
    )
    lines = [
        json.loads(bundle(inbox / "x", kind, post(patient(f"q{n}"))).read_text(encoding="utf-8"))
        for n, kind in enumerate(["transaction", "collection"])
    ]
    (inbox / "x").unlink()
    ndjson(inbox / "3.ndjson", *lines, {"resourceType": "Patient", "active": False})
    assert house.take(inbox).totals == Counts(taken=6)
    assert house.take(inbox).totals == Counts(unchanged=6)


def test_what_holds_no_records_is_named_and_skipped(lite: House, inbox: Path) -> None:
    (inbox / "a.png").write_bytes(b"\x89PNG\0\0")
    (inbox / "b.txt").write_bytes(b"")
    (inbox / "c.xml").write_bytes(b"<Patient/>")
    report = lite.take(inbox)
    assert [(file.skipped, file.problem is not None) for file in report.files] == [
        (True, True),
        (True, True),
        (False, True),
    ]
    assert report.totals == Counts(rejected=1)


class Broken(RecordSink):
    """A sink that is interrupted after some transactions, as a person or a crash would."""

    def __init__(self, records: Records, after: int) -> None:
        super().__init__(records, ACTOR)
        self._after = after

    def load(self, lines: Any, *, line: int = 1, offset: int = 0) -> Iterator[Any]:
        for number, progress in enumerate(super().load(lines, line=line, offset=offset)):
            if number >= self._after:
                raise KeyboardInterrupt
            yield progress


@pytest.mark.parametrize("pack", [lambda b: b, gzip.compress], ids=["plain", "gzip"])
def test_an_interrupted_import_goes_on_where_it_stopped(
    house: House, inbox: Path, monkeypatch: pytest.MonkeyPatch, pack: Callable[[bytes], bytes]
) -> None:
    monkeypatch.setattr(resume, "WORTH_BYTES", 1)
    resources = [patient(f"p{n}", gender="mal" if n % 20 == 3 else "male") for n in range(120)]
    for place in range(5, 120, 10):  # stand again further down
        resources[place] = patient(f"p{place + 2}")
    for place in range(9, 120, 20):  # one entry that can be taken, and one that cannot
        entries = patient(f"b{place}"), patient(f"c{place}", gender="mal")
        entry = [{"resource": one} for one in entries]
        resources[place] = {"resourceType": "Bundle", "type": "collection", "entry": entry}
    path = ndjson(inbox / "a.ndjson", *resources)
    path.write_bytes(pack(path.read_bytes()))
    files = Files(house.settings)
    plans = list(plan(files, [path], house.settings))
    first = Importer(Broken(house.records, 1), house.settings).run(files, plans)
    assert first.interrupted
    there, told = house.count()["Patient"], first.totals.taken
    assert 0 < told < there < 120  # what was written as it was interrupted is not told of
    second = house.take(path)
    assert second.files[0].resumed_line is not None
    assert second.totals.taken + second.totals.unchanged == house.count()["Patient"] == 102
    assert second.totals.repeated == 12
    assert second.totals.rejected == 12
    assert sorted(reject["line"] for reject in rejects(second)) == [*[2] * 6, *range(4, 120, 20)]
    third = house.take(path)
    assert third.files[0].resumed_line is None
    assert third.totals == Counts(unchanged=102, rejected=12, repeated=12)


def test_a_changed_file_is_not_resumed(lite: House, inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resume, "WORTH_BYTES", 1)
    path = ndjson(inbox / "a.ndjson", *(patient(f"p{n}") for n in range(40)))
    files = Files(lite.settings)
    Importer(Broken(lite.records, 2), lite.settings).run(files, list(plan(files, [path], lite.settings)))
    ndjson(path, *(patient(f"q{n}") for n in range(40)))
    assert lite.take(path).totals == Counts(taken=40)


def test_a_line_beyond_the_bound_is_rejected_and_the_next_one_taken(lite: House, inbox: Path) -> None:
    long = patient("p2", name=[{"text": "x" * 5000}])
    path = ndjson(inbox / "a.ndjson", patient("p1"), long, patient("p3"))
    settings = replace(lite.settings, body_limit_bytes=2000)
    records = open_records("sqlite://", settings)
    report = House(records, settings).take(path)
    assert report.totals == Counts(taken=2, rejected=1)
    assert rejects(report)[0]["line"] == 2
    records.close()


def test_a_long_collection_is_taken_in_bounded_memory(
    lite: House, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(lite.settings), "import_bundle_limit_bytes", 500, raising=False)
    entries = [post(observation(f"o{n}", "urn:uuid:z")) for n in range(30)] + [
        post({"resourceType": "Patient"}, "urn:uuid:z")
    ]
    report = lite.take(bundle(inbox / "b.json", "collection", *entries))
    assert report.totals == Counts(taken=31)
    assert lite.read("Observation", "o7")["subject"]["reference"] == "Patient/z"
    report = lite.take(bundle(inbox / "t.json", "transaction", *entries))
    assert "import_bundle_limit_bytes" in report.files[0].problem.say("en")  # type: ignore[union-attr]


@pytest.mark.slow
def test_a_hundred_synthea_patients_are_the_same_as_bundles_and_as_lines(lite: House) -> None:
    report = lite.take(shared("fhir", "synthea-r4-bundles"))
    assert report.totals == Counts(taken=27_861, unchanged=180)
    again = lite.take(shared("fhir", "synthea_100.ndjson.gz"))
    assert again.totals.rejected == 0
    assert again.totals.unchanged > 27_000


def test_the_report_is_one_shape_for_people_and_machines(lite: House, inbox: Path) -> None:
    report = lite.take(
        ndjson(inbox / "a.ndjson", patient("p1"), observation("o1", "Patient/p1"), patient("p2", gender="x"))
    )
    told = report.as_dict("zh")
    assert (told["taken"], told["rejected"]) == (2, 1)
    assert told["types"]["Patient"] == {
        "taken": 1,
        "updated": 0,
        "unchanged": 0,
        "rejected": 1,
        "repeated": 0,
    }
    assert told["files"][0]["rejects"] == report.rejects[0]
    assert report.as_rows("zh")[0] == ["类型", "新增", "更新", "未变", "被拒"]
    assert report.as_rows("en")[-1] == ["all", "2", "0", "0", "1"]
    assert "<td>Patient</td>" in report._repr_html_()


def test_of_an_id_that_stands_twice_the_last_sound_line_counts_and_again_changes_nothing(
    house: House, inbox: Path
) -> None:
    lines = [
        patient("p1", gender="male"),
        patient("p2"),
        patient("p1", gender="female"),
        patient("p1", gender="x"),
    ]
    path = ndjson(inbox / "a.ndjson", *lines)
    assert house.take(path).totals == Counts(taken=2, rejected=1, repeated=1)
    assert house.read("Patient", "p1")["gender"] == "female"
    assert house.take(path).totals == Counts(unchanged=2, rejected=1, repeated=1)
    assert house.read("Patient", "p1")["meta"]["versionId"] == "1"
    entries = [{"resource": patient("b1", active=active)} for active in (True, False)]
    collection: dict[str, Any] = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    (inbox / "b.json").write_text(json.dumps(collection), encoding="utf-8")
    assert house.take(inbox / "b.json").totals == Counts(taken=1, repeated=1)
    collection["entry"].insert(0, {"resource": patient("long", name=[{"text": "x" * 600_000}] * 2)})
    (inbox / "b.json").write_text(json.dumps(collection), encoding="utf-8")
    long = replace(house.settings, import_bundle_limit_bytes=1 << 20)
    assert house.take(inbox / "b.json", settings=long).totals == Counts(taken=1, unchanged=1, repeated=1)
    assert house.read("Patient", "b1")["active"] is False


@pytest.mark.parametrize("form", ["ndjson", "bundle", "transaction"])
def test_on_request_what_breaks_an_invariant_is_kept_with_its_place(
    lite: House, inbox: Path, form: str
) -> None:
    wrong = patient(
        "p1", contact=[{"gender": "male"}]
    )  # pat-1: a contact has a name, telecom, address or organization
    right = patient("p2")
    if form == "ndjson":
        path = ndjson(inbox / "a.ndjson", wrong, right)
    else:
        kind = "transaction" if form == "transaction" else "collection"
        entries = [
            {"resource": each, "request": {"method": "PUT", "url": f"Patient/{each['id']}"}}
            for each in (wrong, right)
        ]
        path = inbox / "a.json"
        path.write_text(
            json.dumps({"resourceType": "Bundle", "type": kind, "entry": entries}), encoding="utf-8"
        )
    files = Files(lite.settings)
    sink = RecordSink(lite.records, ACTOR, invariants=True)
    importer = Importer(sink, lite.settings, language="zh")
    report = importer.run(files, list(plan(files, [path], lite.settings)))
    taken = 0 if form == "transaction" else 1
    assert (report.totals.taken, report.totals.rejected) == (taken, 2 - taken)
    (reject,) = rejects(report)
    reason = reject["reason"][0]
    assert "contact[0]" in reason["expression"]
    assert any("一" <= character <= "鿿" for character in reason["text"])
    assert lite.take(path).totals.rejected == 0


def test_a_broken_line_is_called_a_line(lite: House, inbox: Path) -> None:
    report = lite.take(ndjson(inbox / "a.ndjson", patient("p1"), b'{"resourceType":"Patient","id":'))
    assert rejects(report)[0]["reason"][0]["text"].startswith("The line is not valid JSON: look at column ")


SOUND = json.dumps(
    {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            post(observation("o1", "urn:uuid:a"), "urn:uuid:b"),
            post({"resourceType": "Patient"}, "urn:uuid:a"),
        ],
    }
).encode()


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    yield from opened("sqlite://", tmp_path_factory.mktemp("damaged"))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(0, len(SOUND) - 1),
    st.integers(0, 30),
    st.sampled_from(
        [b"", b"\\", b'"', b"\xff", b"{", b"]", b"null", b"\\u12", b"1e999", b"\n", b"\0", b",", b"/"]
    ),
    st.sampled_from(["transaction", "collection", "batch", "history", "x"]),
)
def test_no_damage_to_a_file_stops_an_import_or_goes_unreported(
    memory: House, tmp_path_factory: pytest.TempPathFactory, at: int, cut: int, put: bytes, kind: str
) -> None:
    folder = tmp_path_factory.getbasetemp() / "damaged"
    folder.mkdir(exist_ok=True)
    sound = SOUND.replace(b"transaction", kind.encode())
    (folder / "1.json").write_bytes(sound[:at] + put + sound[at + cut :])
    ndjson(folder / "2.ndjson", patient("p1"))
    report = memory.take(folder)
    assert report.failure is None
    assert report.files[1].totals.rejected == 0
    first = report.files[0]
    counts = first.totals
    assert counts.taken + counts.updated + counts.unchanged + counts.rejected > 0 or first.skipped
    assert first.problem is None or first.problem.key != "ingest.unexpected"

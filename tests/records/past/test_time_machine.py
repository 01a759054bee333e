"""The time machine over the REST edge: reads, searches, charts, their marks and what is refused, on both databases."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from asking import Said, said
from xinglin.kernel.clock import now_us
from xinglin.kernel.settings import Settings
from xinglin.records.api import Api
from xinglin.records.past.instants import AsOf, instant_text
from xinglin.records.past.marks import SYSTEM, further, is_marked, marked
from xinglin.records.past.service import Range
from xinglin.records.past.validity import CLINICAL, validity
from xinglin.records.reindexing import Pace, Reindex
from xinglin.records.service import Records, open_records
from xinglin.records.site import Site
from xinglin.standards.fhir.r4.compartments import PATIENT_COMPARTMENT
from xinglin.standards.fhir.r4.parameters import PARAMETERS
from xinglin.standards.fhir.search.names import RESOURCE_TYPES

Ask = Callable[..., tuple[int, Any, dict[str, str]]]


@pytest.fixture
def records(database_url: str) -> Iterator[Records]:
    opened = open_records(database_url, Settings(time_zone="Asia/Shanghai"))
    yield opened
    opened.close()


@pytest.fixture
def ask(records: Records) -> Ask:
    api = Api(Site(records, Settings()))

    def asking(*asked: Any, **options: Any) -> Said:
        return said(api, *asked, **options)

    return asking


def moment() -> str:
    """An instant between what was written before and what is written after."""
    time.sleep(0.003)
    at = instant_text(now_us())
    time.sleep(0.003)
    return at


def observation(id_: str, day: str | None, value: int, patient: str = "p1", **more: Any) -> dict[str, Any]:
    when = {} if day is None else {"effectiveDateTime": day}
    return {
        "resourceType": "Observation",
        "id": id_,
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "subject": {"reference": f"Patient/{patient}"},
        "valueQuantity": {"value": value, "unit": "g/L"},
        **when,
        **more,
    }


def put(ask: Ask, resource: dict[str, Any]) -> None:
    status, body, _ = ask("PUT", f"{resource['resourceType']}/{resource['id']}", resource)
    assert status in (200, 201), body


def ids(bundle: dict[str, Any], kind: str | None = None) -> list[str]:
    entries = [entry["resource"] for entry in bundle.get("entry", [])]
    return [one["id"] for one in entries if kind in (None, one["resourceType"])]


def codes(meta: dict[str, Any]) -> list[str]:
    return [tag["code"] for tag in meta.get("tag", []) if tag["system"] == SYSTEM]


@pytest.fixture
def times(ask: Ask) -> dict[str, str]:
    """A small history: made, corrected, moved to another patient, deleted; an instant between any two."""
    found = {"before": moment()}
    put(ask, {"resourceType": "Patient", "id": "p1", "name": [{"family": "张"}]})
    put(ask, {"resourceType": "Patient", "id": "p2"})
    put(ask, {"resourceType": "Practitioner", "id": "d1", "name": [{"family": "Old"}]})
    put(ask, observation("o1", "2020-05-01", 100, performer=[{"reference": "Practitioner/d1"}]))
    found["made"] = moment()
    put(ask, observation("o1", "2020-05-01", 140, performer=[{"reference": "Practitioner/d1"}]))
    put(ask, {"resourceType": "Practitioner", "id": "d1", "name": [{"family": "New"}]})
    found["corrected"] = moment()
    put(ask, observation("o1", "2020-05-01", 140, patient="p2"))
    found["moved"] = moment()
    ask("DELETE", "Observation/o1")
    found["deleted"] = moment()
    return found


def test_a_read_gives_the_version_of_then_and_says_so(ask: Ask, times: dict[str, str]) -> None:
    status, body, headers = ask("GET", f"Observation/o1?_known={times['made']}")
    assert (status, body["valueQuantity"]["value"], body["meta"]["versionId"]) == (200, 100, "1")
    assert codes(body["meta"]) == ["as-of"]
    assert headers["xinglin-known"] == times["made"]
    assert ask("GET", f"Observation/o1?_known={times['corrected']}")[1]["valueQuantity"]["value"] == 140
    assert ask("GET", f"Observation/o1?_known={times['before']}")[0] == 404
    assert ask("GET", f"Observation/o1?_known={times['deleted']}")[0] == 410
    assert ask("GET", f"Observation/never?_known={times['made']}")[0] == 404


def test_a_search_follows_a_resource_from_patient_to_patient(ask: Ask, times: dict[str, str]) -> None:
    for place, one, other in (("made", 1, 0), ("corrected", 1, 0), ("moved", 0, 1), ("deleted", 0, 0)):
        for patient, expected in (("p1", one), ("p2", other)):
            for url in (
                f"Observation?patient={patient}&code=718-7",
                f"Patient/{patient}/Observation?code=718-7",
            ):
                _, bundle, _ = ask("GET", f"{url}&_known={times[place]}")
                assert len(ids(bundle)) == expected, (place, patient, url)


def test_what_is_included_is_as_it_was_too(ask: Ask, times: dict[str, str]) -> None:
    for place, family in (("made", "Old"), ("corrected", "New")):
        url = f"Observation?patient=p1&_include=Observation:performer&_known={times[place]}"
        _, bundle, headers = ask("GET", url)
        doctor = next(e["resource"] for e in bundle["entry"] if e["search"]["mode"] == "include")
        assert doctor["name"][0]["family"] == family
        assert codes(bundle["meta"]) == ["as-of"]
        assert all(codes(entry["resource"]["meta"]) == ["as-of"] for entry in bundle["entry"])
        assert "xinglin-known" in headers
        chained = f"Observation?patient=p1&performer.name={family}&_known={times[place]}"
        assert ids(ask("GET", chained)[1]) == ["o1"]


def test_a_chart_is_as_it_was(ask: Ask, times: dict[str, str]) -> None:
    _, then, headers = ask("GET", f"Patient/p1/$everything?_known={times['made']}")
    assert sorted(ids(then)) == ["d1", "o1", "p1"]
    doctor = next(e["resource"] for e in then["entry"] if e["resource"]["id"] == "d1")
    assert doctor["name"][0]["family"] == "Old"
    assert headers["xinglin-known"] == times["made"]
    assert codes(then["meta"]) == ["as-of"]
    assert ids(ask("GET", "Patient/p1/$everything")[1]) == ["p1"]
    assert ask("GET", f"Patient/p1/$everything?_known={times['before']}")[0] == 404


def test_pages_stay_at_the_instant_while_others_write(ask: Ask) -> None:
    put(ask, {"resourceType": "Patient", "id": "p1"})
    for number in range(9):
        put(ask, observation(f"o{number}", "2020-05-01", number))
    at = moment()
    for url in (
        f"Observation?patient=p1&_count=4&_sort=-value-quantity&_known={at}",
        f"Patient/p1/$everything?_type=Observation&_count=4&_known={at}",
        "Observation?patient=p1&_count=4&_valid=2021",
    ):
        found: list[str] = []
        while url:
            _, bundle, _ = ask("GET", url)
            found += ids(bundle)
            put(ask, observation(f"o{len(found)}", "2020-05-01", 99))  # would be first now
            put(ask, observation(f"new{len(found)}", "2020-05-01", 98))
            links = {link["relation"]: link["url"] for link in bundle["link"]}
            url = links.get("next", "")
        assert len(found) == len(set(found))
        assert {f"o{number}" for number in range(9)} <= set(found)
        assert not any(id_.startswith("new") for id_ in found) or "_valid=2021" in links["self"]


def test_a_cursor_of_one_past_is_none_of_another(ask: Ask) -> None:
    put(ask, {"resourceType": "Patient", "id": "p1"})
    for number in range(4):
        put(ask, observation(f"o{number}", "2020-05-01", number))
    first, second = moment(), moment()
    _, bundle, _ = ask("GET", f"Observation?patient=p1&_count=2&_known={first}")
    following = next(link["url"] for link in bundle["link"] if link["relation"] == "next")
    cursor = dict(parse_qsl(urlsplit(following).query))["_cursor"]
    assert ask("GET", f"Observation?patient=p1&_count=2&_known={second}&_cursor={cursor}")[0] == 400
    assert ask("GET", f"Observation?patient=p1&_count=2&_cursor={cursor}")[0] == 400


def test_valid_time_leaves_out_what_had_not_begun_and_never_what_has_no_date(ask: Ask) -> None:
    put(ask, {"resourceType": "Patient", "id": "p1", "birthDate": "1950-01-01"})
    put(ask, observation("early", "2019-12-31T23:00:00+08:00", 1))
    put(ask, observation("late", "2020-01-01T00:30:00+08:00", 2))  # still 2019 in UTC
    put(ask, observation("undated", None, 3))
    for id_, onset, abated in (("over", "2018", "2021-06"), ("new", "2020-02", None)):
        condition = {
            "resourceType": "Condition", "id": id_, "subject": {"reference": "Patient/p1"}, "onsetDateTime": onset,
            "clinicalStatus": {"coding": [{
                "system": "http://terminology.hl7.org/CodeSystem/condition-clinical",
                "code": "resolved" if abated else "active",
            }]},
            **({"abatementDateTime": abated} if abated else {}),
        }  # fmt: skip
        put(ask, condition)
    _, bundle, headers = ask("GET", "Patient/p1/$everything?_valid=2019-12-31")
    assert sorted(ids(bundle)) == ["early", "over", "p1", "undated"]
    marks = {e["resource"]["id"]: codes(e["resource"]["meta"]) for e in bundle["entry"]}
    assert marks["undated"] == ["as-of", "valid-at", "undated"]
    assert marks["over"] == ["as-of", "valid-at", "ended-later"]
    assert marks["early"] == ["as-of", "valid-at"]
    assert headers["xinglin-valid"] == "2019-12-31T15:59:59.999999Z"
    assert sorted(ids(ask("GET", "Observation?patient=p1&_valid=2019")[1])) == ["early", "undated"]
    assert ask("GET", "Observation/late?_valid=2019")[0] == 404
    assert ask("GET", "Observation/late?_valid=2020-01-01")[0] == 200
    assert codes(ask("GET", "Observation/undated?_valid=1990")[1]["meta"])[-1] == "undated"


def test_known_and_valid_together(ask: Ask, times: dict[str, str]) -> None:
    url = f"Observation?patient=p1&_known={times['made']}"
    assert ids(ask("GET", f"{url}&_valid=2020-05-01")[1]) == ["o1"]
    assert ids(ask("GET", f"{url}&_valid=2020-04-30")[1]) == []


def test_everything_between_two_dates(ask: Ask) -> None:
    put(ask, {"resourceType": "Patient", "id": "p1"})
    for day in ("2020-01-01", "2020-02-01", "2020-03-01"):
        put(ask, observation(f"o-{day}", day, 1))
    stay = {
        "resourceType": "Encounter", "id": "stay", "status": "finished", "class": {"code": "IMP"},
        "subject": {"reference": "Patient/p1"}, "period": {"start": "2020-01-20", "end": "2020-02-10"},
    }  # fmt: skip
    put(ask, stay)
    for asked, expected in (
        ("start=2020-02-01&end=2020-02-01", {"p1", "o-2020-02-01", "stay"}),
        ("end=2020-01-19", {"p1", "o-2020-01-01"}),
        ("start=2020-02-11", {"p1", "o-2020-03-01"}),
        ("start=2020-02", {"p1", "o-2020-02-01", "o-2020-03-01", "stay"}),
    ):
        _, bundle, headers = ask("GET", f"Patient/p1/$everything?{asked}")
        assert set(ids(bundle)) == expected, asked
        assert "xinglin-known" not in headers
        assert not codes(bundle.get("meta", {}))
    assert ask("GET", "Patient/p1/$everything?start=2021&end=2020")[0] == 400
    assert ask("GET", "Patient/p1/$everything?start=x")[0] == 400
    assert ask("GET", "Patient/$everything?start=2020")[0] == 400


@pytest.mark.parametrize(
    "url",
    [
        "Observation?code=718-7&_known=2021",
        "Patient?name=a&_known=2021",
        "?_type=Patient&_known=2021",
        "Encounter/e1/Observation?_known=2021",
        "Observation?patient=p1,p2&_known=2021",
        "Observation?patient.name=a&_known=2021",
        "Patient/$everything?_known=2021",
        "Patient/p1?_known=yesterday",
        "Patient/p1?_known=2999",
        "Patient/p1?_known=2021&_known=2022",
        "Patient/p1?_valid=2021-13",
        "Patient/p1/_history?_known=2021",
        "Patient/p1/_history/1?_known=2021",
    ],
)
def test_what_cannot_be_asked_of_the_past_says_so(ask: Ask, url: str) -> None:
    put(ask, {"resourceType": "Patient", "id": "p1"})
    status, body, _ = ask("GET", url)
    assert status == 400, body
    assert len(body["issue"][0]["diagnostics"]) > 20


def test_no_write_rests_on_the_past(ask: Ask, times: dict[str, str]) -> None:
    _, then, _ = ask("GET", f"Observation/o1?_known={times['made']}")
    assert ask("PUT", "Observation/o1", then)[0] == 422
    assert ask("PUT", f"Observation/o1?_known={times['made']}", observation("o1", None, 1))[0] == 400
    assert ask("PUT", f"Observation?patient=p1&_known={times['made']}", observation("o1", None, 1))[0] == 400
    assert ask("DELETE", f"Observation?patient=p1&_known={times['made']}")[0] == 400
    del then["meta"]["tag"]
    assert ask("PUT", "Observation/o1", then)[0] in (200, 201)


def test_a_day_that_is_not_over_is_known_so_far(ask: Ask) -> None:
    put(ask, {"resourceType": "Patient", "id": "p1"})
    today = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 8 * 3600))
    status, _, headers = ask("GET", f"Patient/p1?_known={today}")
    assert status == 200
    assert headers["xinglin-known"] <= instant_text(now_us())


def test_the_past_of_another_tenant_is_not_seen(ask: Ask, records: Records, times: dict[str, str]) -> None:
    records.set_tenant(2, "second", "UTC")
    assert ask("GET", f"Observation/o1?_known={times['made']}", tenant=2)[0] == 404
    assert ids(ask("GET", f"Observation?patient=p1&_known={times['made']}", tenant=2)[1]) == []
    assert ask("GET", f"Patient/p1/$everything?_known={times['made']}", tenant=2)[0] == 404


def test_no_parameter_of_r4_has_our_names() -> None:
    assert not {name for _, name in PARAMETERS} & {"_known", "_valid"}


def test_every_clinical_date_is_a_date_parameter_of_its_type() -> None:
    for kind, names in CLINICAL.items():
        assert kind in RESOURCE_TYPES
        assert kind in PATIENT_COMPARTMENT
        for name in names:
            assert PARAMETERS[kind, name].type == "date"
    undated = {
        kind
        for kind in PATIENT_COMPARTMENT
        if kind not in CLINICAL
        and any(p.type == "date" for (base, _), p in PARAMETERS.items() if base == kind)
    }
    assert undated == {"Patient", "Person", "RelatedPerson"}  # who has a date of birth, not of care


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("Observation", '{"effectiveDateTime":"1970-01-02"}', (86_400_000_000, 172_800_000_000, False)),
        ("Observation", '{"effectivePeriod":{"start":"1970-01-02"}}', (86_400_000_000, None, True)),
        (
            "Observation",
            '{"effectiveTiming":{"event":["1970-01-01","1970-01-03"]}}',
            (0, 259_200_000_000, True),
        ),
        ("Observation", '{"issued":"1970-01-01T00:00:00Z"}', None),
        ("Condition", '{"onsetAge":{"value":3},"recordedDate":"1970-01-01"}', (0, None, True)),
        (
            "Condition",
            '{"onsetDateTime":"1970-01-01","abatementDateTime":"1970-01-01"}',
            (0, 86_400_000_000, True),
        ),
        ("Patient", '{"birthDate":"1970-01-01"}', None),
    ],
)
def test_when_something_was_so(kind: str, body: str, expected: tuple[int, int | None, bool] | None) -> None:
    found = validity(kind, body.encode(), "UTC")
    if expected is None:
        assert found is None
        return
    assert found is not None
    assert found.low_us == expected[0]
    assert expected[1] is None or found.high_us == expected[1]
    assert found.lasting == expected[2]


def test_a_range_holds_what_lies_partly_in_it() -> None:
    span = validity("Observation", b'{"effectivePeriod":{"start":"1970-01-02","end":"1970-01-03"}}', "UTC")
    day = 86_400_000_000
    assert Range(0, day).holds(span)
    assert not Range(0, day - 1).holds(span)
    assert Range(2 * day, None).holds(span)
    assert not Range(3 * day, None).holds(span)
    assert Range(0, 1).holds(None)


def test_what_ends_with_the_day_had_not_ended_before_its_last_moment() -> None:
    span = validity("Encounter", b'{"period":{"start":"1970-01-01","end":"1970-01-01"}}', "UTC")
    end = 86_400_000_000
    for valid, told in ((end - 2, 1), (end - 1, 0), (end, 0)):
        assert len(further("Encounter", span, AsOf(None, valid))) == told, valid


def test_a_mark_changes_nothing_else() -> None:
    body = b'{"resourceType":"Basic","id":"1","meta":{"versionId":"1","tag":[{"code":"x"}]},"n":1.10}'
    done = marked(body, [b'{"system":"%s","code":"as-of"}' % SYSTEM.encode()])
    assert b"1.10" in done
    assert [tag["code"] for tag in json.loads(done)["meta"]["tag"]] == ["x", "as-of"]
    assert is_marked(done)
    assert not is_marked(body)


def test_full_text_of_the_past_is_that_of_the_versions_of_then(ask: Ask) -> None:
    put(ask, {"resourceType": "Patient", "id": "p1"})
    put(ask, observation("o1", "2020-05-01", 100, note=[{"text": "溶血，请复查 hemolysed"}]))
    then = moment()
    put(ask, observation("o1", "2020-05-01", 100, note=[{"text": "复查正常 repeated"}]))
    for parameter, words, found in (
        ("_content", "hemolysed", ["o1"]),
        ("_content", "溶血", ["o1"]),
        ("_content", "repeated", []),
    ):
        status, bundle, _ = ask("GET", f"Observation?patient=p1&{parameter}={words}&_known={then}")
        assert (status, ids(bundle)) == (200, found), words
    div = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">haemolysis</div>'}
    put(ask, observation("o1", "2020-05-01", 100, text=div))
    told = moment()
    put(ask, observation("o1", "2020-05-01", 100))
    assert ids(ask("GET", f"Observation?patient=p1&_text=haemolysis&_known={told}")[1]) == ["o1"]
    assert ids(ask("GET", f"Observation?patient=p1&_text=haemolysis&_known={then}")[1]) == []
    assert ids(ask("GET", f"Observation?patient=p1&_content=hemolysed&_known={told}")[1]) == []


def test_an_own_search_parameter_may_be_asked_of_the_past(ask: Ask, records: Records) -> None:
    put(ask, {"resourceType": "Patient", "id": "p1"})
    put(ask, observation("o1", "2020-05-01", 100, bodySite={"text": "left arm"}))
    then = moment()
    put(ask, observation("o1", "2020-05-01", 100, bodySite={"text": "right arm"}))
    own = {
        "resourceType": "SearchParameter",
        "id": "site",
        "url": "http://example.org/site",
        "name": "site",
        "status": "active",
        "description": "Where it was measured",
        "code": "body-place",
        "base": ["Observation"],
        "type": "string",
        "expression": "Observation.bodySite.text",
    }
    put(ask, own)
    assert ask("GET", f"Observation?patient=p1&body-place=left&_known={then}")[0] == 503  # not indexed yet
    Reindex(records, 1, pace=Pace(settle_s=0)).run()
    assert ids(ask("GET", f"Observation?patient=p1&body-place=left&_known={then}")[1]) == ["o1"]
    assert ids(ask("GET", f"Observation?patient=p1&body-place=right&_known={then}")[1]) == []

"""A chart that keeps itself as the record is, and a chart of the past that cannot be taken for it."""

from __future__ import annotations

import json
import re
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from journeys.web.browsing import PHONE, Installation

if TYPE_CHECKING:
    from journeys.web.conftest import Open

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def put(installation: Installation, resource: dict[str, Any]) -> None:
    request = urllib.request.Request(
        f"{installation.address}/fhir/{resource['resourceType']}/{resource['id']}",
        json.dumps(resource).encode(),
        {"Content-Type": "application/fhir+json"},
        method="PUT",
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.status in (200, 201)


def result(id_: str, value: float, patient: str) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": id_,
        "status": "final",
        "subject": {"reference": f"Patient/{patient}"},
        "category": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                        "code": "laboratory",
                    }
                ]
            }
        ],
        "code": {"text": "Watched test"},
        "effectiveDateTime": "2026-06-01",
        "valueQuantity": {"value": value, "unit": "mg"},
    }


def test_the_chart_follows_the_record_and_loses_nothing_of_what_one_does(
    visit: Open, working: Installation
) -> None:
    put(
        working,
        {
            "resourceType": "Patient",
            "id": "watched",
            "name": [{"text": "Wat Ched"}],
            "birthDate": "1950-01-01",
        },
    )
    put(working, {"resourceType": "Patient", "id": "other", "name": [{"text": "Other"}]})
    for at in range(40):
        put(working, result(f"w{at}", at, "watched") | {"code": {"text": f"Other test {at}"}})
    put(working, result("watched-1", 17.5, "watched"))
    page = visit(f"{working.address}/patients/watched", size={"width": 1366, "height": 500})
    page.locator(".line[data-line=open]").wait_for()
    field = page.get_by_role("textbox", name=re.compile("tests named"))
    field.fill("Watched")
    page.get_by_text("17.5").first.wait_for()
    page.evaluate("window.scrollTo(0, 220)")
    scrolled = page.evaluate("window.scrollY")
    page.evaluate("window.same = document.querySelector('#results')")
    put(working, result("watched-2", 99, "other"))
    put(working, result("watched-1", 18.25, "watched"))
    page.get_by_text("18.25").first.wait_for(timeout=5000)
    page.get_by_text(re.compile("^● Updated|Updated")).wait_for()
    assert field.input_value() == "Watched"
    assert page.evaluate("document.activeElement.tagName") == "INPUT"
    assert page.evaluate("window.scrollY") == scrolled
    assert page.evaluate("window.same === document.querySelector('#results')")


@pytest.mark.parametrize(
    ("language", "opener", "known", "today", "show", "back"),
    [
        ("en", "Chart as of a date …", "known", "As known today", "Show", "Back to the present (Esc)"),
        ("zh", "查看历史时点…", "known", "按现有记录", "查看", "返回当前病历（Esc）"),
    ],
)
def test_a_chart_of_the_past_says_so_and_leads_back(
    visit: Open,
    working: Installation,
    language: str,
    opener: str,
    known: str,
    today: str,
    show: str,
    back: str,
) -> None:
    put(
        working,
        {"resourceType": "Patient", "id": "older", "name": [{"text": "Old Er"}], "birthDate": "1950-01-01"},
    )
    put(working, result("older-1", 11.5, "older") | {"effectiveDateTime": "2015-05-05"})
    put(working, result("older-2", 22.5, "older") | {"effectiveDateTime": "2020-05-05"})
    page = visit(f"{working.address}/patients/older", language)
    page.get_by_text("22.5").first.wait_for()
    page.get_by_role("button", name=opener).click()
    page.locator('input[type="date"]').fill("2016-01-01")
    page.get_by_text(today, exact=True).click()
    page.get_by_role("button", name=show, exact=True).click()
    banner = page.get_by_role("alert").filter(has_text=re.compile("2016"))
    banner.wait_for()
    page.get_by_text("11.5").first.wait_for()
    assert page.get_by_text("22.5").count() == 0
    assert "valid=2016-01-01" in page.url
    assert page.get_by_text("66").first.is_visible()  # the age is that of then
    page.reload()
    banner.wait_for()
    page.keyboard.press("Escape")
    page.get_by_text("22.5").first.wait_for()
    assert "valid" not in page.url
    assert banner.count() == 0


def test_what_the_record_did_not_know_is_not_there(visit: Open, working: Installation) -> None:
    page = visit(f"{working.address}/patients/p1?known=2001-01-01", size=PHONE, quiet=False)
    page.get_by_text("The record did not hold this patient on that day.").wait_for()
    page.get_by_role("button", name="Show as known today").click()
    page.wait_for_url("**valid=2001-01-01")
    page.get_by_role("button", name="Back to the present").click()
    page.get_by_role("heading", level=1).wait_for()
    page.get_by_text("Problems").first.wait_for()


def test_the_source_of_a_value_of_the_past_is_that_of_the_past(visit: Open, working: Installation) -> None:
    page = visit(f"{working.address}/patients/p1?valid=2020-01-01")
    page.get_by_role("link", name=re.compile("Source of")).first.click()
    page.get_by_text("as known today").first.wait_for()
    page.get_by_role("link", name=re.compile("chart")).first.click()
    page.get_by_role("button", name="Back to the present (Esc)").wait_for()

"""Reading a chart: what the page shows is what the imported files say."""

from __future__ import annotations

import gzip
import json
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from journeys.web.browsing import DESKTOP, MANY, PHONE, SCRIPT, Installation
from paths import shared

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from journeys.web.conftest import Open

pytestmark = [pytest.mark.browser, pytest.mark.slow]

MURRAY = "Bambi_Murray"


@cache
def bundle(name: str) -> list[dict[str, Any]]:
    """The resources of one Synthea bundle, as the file has them."""
    [path] = shared("fhir", "synthea-r4-bundles").glob(f"{name}_*.json.gz")
    return [entry["resource"] for entry in json.loads(gzip.decompress(path.read_bytes()))["entry"]]


def of(name: str, kind: str) -> list[dict[str, Any]]:
    return [one for one in bundle(name) if one["resourceType"] == kind]


def chart(page: Page, typed: str, name: str) -> Page:
    page.get_by_role("searchbox").fill(typed)
    page.get_by_text(name, exact=True).first.click()
    page.get_by_role("heading", name=name).wait_for()
    page.wait_for_load_state("networkidle")
    return page


def test_the_banner_says_who_this_is(hospital: Installation, visit: Open) -> None:
    page = chart(visit(hospital.address), "bambi", "Mrs. Bambi Murray")
    banner = page.get_by_role("region", name="Mrs. Bambi Murray").inner_text()
    for words in ("Female", "died aged 73 years", "born 16 Jun 1924", "Died 5 Aug 1997", "999-72-3399"):
        assert words in banner
    assert "None recorded. This does not mean there are none." in banner


def test_active_and_past_problems_are_those_of_the_file(hospital: Installation, visit: Open) -> None:
    page = chart(visit(hospital.address), "bambi", "Mrs. Bambi Murray")
    conditions = of(MURRAY, "Condition")
    active = [one for one in conditions if one["clinicalStatus"]["coding"][0]["code"] == "active"]
    panel = page.locator("#problems")
    assert panel.locator(".what").count() == len(active)
    panel.get_by_text(f"{len(conditions) - len(active)} past problems").click()
    assert panel.locator(".what").count() == len(conditions)
    assert "Malignant tumor of colon" in panel.inner_text()
    assert "(disorder)" not in panel.inner_text()


def test_every_observation_is_counted_in_some_row(hospital: Installation, visit: Open) -> None:
    """403 observations come in three pages; none is lost on the way to the rows."""
    page = chart(visit(hospital.address), "bambi", "Mrs. Bambi Murray")
    for section in ("vitals", "results", "assessments"):
        more = page.locator(f"#{section}").get_by_role("button", name="Show ")
        if more.count():
            more.first.click()
    counts = page.locator(".course span").all_inner_texts()
    assert sum(int(text.split()[0]) for text in counts) == len(of(MURRAY, "Observation"))


def test_the_latest_value_its_unit_and_date_are_those_of_the_file(
    hospital: Installation, visit: Open
) -> None:
    page = chart(visit(hospital.address), "bambi", "Mrs. Bambi Murray")
    values = [one for one in of(MURRAY, "Observation") if one["code"]["coding"][0]["code"] == "4548-4"]
    latest = max(values, key=lambda one: str(one["effectiveDateTime"]))
    row = page.locator("#results tr", has_text="HbA1c").inner_text()
    assert f"{latest['valueQuantity']['value']:.2f}" in row
    assert "%" in row
    assert f"{len(values)} values" in row
    day = latest["effectiveDateTime"][:10]
    assert page.locator("#results tr", has_text="HbA1c").locator(f'time[title^="{day}"]').count() == 1


def test_more_results_than_are_fetched_is_said_and_they_come_when_asked(
    hospital: Installation, visit: Open
) -> None:
    page = visit(f"{hospital.address}/patients/many")
    results = page.locator("#results")
    results.get_by_text("Newest 1200 loaded; the record holds more.").wait_for()
    assert "1200 values" in results.inner_text()
    assert "None among the newest 1200 loaded." in page.locator("#vitals").inner_text()
    results.get_by_role("button", name="Load more").click()
    results.get_by_text(f"{MANY} values").wait_for()
    page.locator("#vitals").get_by_text("No vital signs recorded.").wait_for()


def test_a_trend_shows_every_value_and_draws_it(hospital: Installation, visit: Open) -> None:
    page = chart(visit(hospital.address), "bambi", "Mrs. Bambi Murray")
    values = [one for one in of(MURRAY, "Observation") if one["code"]["coding"][0]["code"] == "4548-4"]
    page.get_by_role("button", name="Trend of HbA1c").click()
    dialog = page.get_by_role("dialog")
    dialog.locator("canvas").wait_for()
    assert dialog.locator("table.grid tbody tr").count() == len(values)
    drawn = dialog.locator("canvas").evaluate(
        "c => new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size"
    )
    assert drawn > 4, "the canvas is blank"
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")


def test_each_value_leads_to_its_source_and_back(hospital: Installation, visit: Open) -> None:
    page = chart(visit(hospital.address), "bambi", "Mrs. Bambi Murray")
    at = page.url
    page.locator("#results tr", has_text="HbA1c").get_by_role("link").first.click()
    page.get_by_role("heading", name="Source: Observation").wait_for()
    assert "Hemoglobin A1c/Hemoglobin.total in Blood" in page.locator("main").inner_text()
    page.get_by_text("JSON", exact=True).click()
    shown = json.loads(page.locator("pre").inner_text())
    assert shown["code"]["coding"][0]["code"] == "4548-4"
    page.reload()
    page.get_by_role("link", name="Back to the chart").click()
    page.wait_for_url(at)


def test_a_chinese_csv_becomes_a_chart(hospital: Installation, visit: Open) -> None:
    page = chart(visit(hospital.address, "zh"), "zhangwei", "张伟")
    banner = page.get_by_role("region", name="张伟").inner_text()
    for words in ("男", "出生 1964-05-03", "0010023", "13800010023", "未记录过敏史（不等于无过敏）。"):
        assert words in banner
    row = page.locator("#results tr", has_text="糖化血红蛋白").inner_text()
    for words in ("7.10", "%", "偏高", "2024-02-19", "8.4", "2023-02-11", "2 次"):
        assert words in row
    potassium = page.locator("#results tr", has_text="钾").inner_text()
    assert "4.2" in potassium
    assert "偏" not in potassium


def test_allergy_medicine_problem_and_note_in_both_languages(hospital: Installation, visit: Open) -> None:
    page = visit(f"{hospital.address}/patients/full", "zh")
    page.get_by_role("heading", name="林小满").wait_for()
    page.wait_for_load_state("networkidle")
    assert "青霉素（高风险）" in page.get_by_role("region", name="林小满").inner_text()
    assert "每次 0.5 g，每日 2 次，口服" in page.locator("#medicines").inner_text()
    assert "过敏性休克（重度）" in page.locator("#allergies").inner_text()
    page.get_by_role("button", name="阅读：入院记录").click()
    note = page.get_by_role("dialog").get_by_text("主诉：口渴")
    note.wait_for()
    assert note.inner_text() == "主诉：口渴、多饮、多尿14年。\n现病史：近1月血糖控制不佳。"
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Switch to English").click()
    page.get_by_role("heading", name="Problems", exact=True).wait_for()
    assert "Type 2 diabetes mellitus 2型糖尿病" in page.locator("#problems").inner_text().replace("\n", " ")
    assert "Penicillin (High risk)" in page.get_by_role("region", name="林小满").inner_text()
    assert "0.5 g, 2 times a day" in page.locator("#medicines").inner_text()
    page.reload()
    page.get_by_role("heading", name="Problems", exact=True).wait_for()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_odd_records_are_shown_safely(hospital: Installation, visit: Open, size: dict[str, int]) -> None:
    page = visit(f"{hospital.address}/patients/odd-markup", "en", size)
    page.get_by_role("heading", name=SCRIPT).wait_for()
    page.wait_for_load_state("networkidle")
    results = page.locator("#results").inner_text()
    for words in (SCRIPT, "45 (unit not recorded)", "specimen clotted", "Date not recorded"):
        assert words in results
    assert "120/– mmHg" in page.locator("#vitals").inner_text()
    problems = page.locator("#problems").inner_text()
    assert "1 entry marked as entered in error is left out." in problems
    assert "Entered by mistake" not in problems
    page.get_by_role("button", name="Read Markup letter").click()
    page.get_by_role("dialog").get_by_text("Dear colleague").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Read Long note").click()
    note = page.get_by_role("dialog").get_by_text("很长的病程记录。")
    note.wait_for()
    assert note.inner_text().count("很长的病程记录。") == 1300
    assert page.evaluate("window.hacked") is None
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_nameless_and_right_to_left_patients_have_charts(hospital: Installation, visit: Open) -> None:
    page = visit(f"{hospital.address}/patients/odd-nameless", "zh")
    page.get_by_role("heading", name="未登记姓名").wait_for()
    assert "出生日期未登记" in page.locator("main").inner_text()
    page = visit(f"{hospital.address}/patients/odd-rtl", "en")
    page.get_by_role("heading", name="محمد بن عبد الله").wait_for()
    text = page.locator("main").inner_text()
    assert "born Mar 1971" in text
    assert "Deceased, date not recorded" in text
    assert "years" not in text, "no age is counted to today for someone who died on an unknown day"


def test_a_patient_who_is_not_there_is_said_so(hospital: Installation, visit: Open) -> None:
    page = visit(f"{hospital.address}/patients/nobody", quiet=False)
    page.get_by_text("There is no such patient in this record.").wait_for()
    page.get_by_role("link", name="All patients").click()
    page.get_by_role("searchbox").wait_for()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_chart_fits_a_phone(hospital: Installation, visit: Open, language: str) -> None:
    page = chart(visit(hospital.address, language, PHONE), "bambi", "Mrs. Bambi Murray")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.locator("#results .course").first.click()
    page.get_by_role("dialog").locator("canvas").wait_for()
    box = page.get_by_role("dialog").bounding_box()
    assert box is not None
    assert box["width"] <= PHONE["width"]

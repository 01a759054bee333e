"""A clinician at the drafts: what is proposed beside what it replaces, accepted, changed, rejected, looked at again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from drafts.patients import DOCTOR, Ward
from journeys.web.browsing import PHONE, Installation, pages
from xinglin.kernel.database import open_database
from xinglin.quality.rule import look
from xinglin.records.service import Records

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def lab(
    ward: Ward, id_: str, value: str, unit: str, loinc: str, names: tuple[str, str], patient: str
) -> None:
    ward.result(id_, value, unit, loinc)
    body = ward.read(f"Observation/{id_}")
    body["code"] = {"coding": [{**body["code"]["coding"][0], "display": names[1]}], "text": names[0]}
    ward.put({**body, "subject": {"reference": f"Patient/{patient}"}})


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A server over a record with drafts of two patients, and an accepted result whose grounds have changed."""
    pages()
    folder = tmp_path_factory.mktemp("drafts")
    records = Records(open_database(f"sqlite:///{folder / 'xinglin.db'}", durable=False))
    ward = Ward(records)
    lab(ward, "glucose", "99", "mmol/L", "14771-0", ("空腹血糖", "Fasting glucose"), "p")
    lab(ward, "hb", "13.5", "g/L", "718-7", ("血红蛋白", "Hemoglobin"), "q")
    lab(ward, "wbc", "6500", "10*9/L", "6690-2", ("白细胞计数", "Leukocytes"), "q")
    lab(ward, "bp", "150", "mm[Hg]", "8480-6", ("收缩压", "Systolic pressure"), "p")
    for id_ in ("glucose", "hb", "wbc"):
        look(records, DOCTOR, id_)
    ward.drafts.accept(DOCTOR, ward.propose("Observation/bp").reference)
    lab(ward, "bp", "105", "mm[Hg]", "8480-6", ("收缩压", "Systolic pressure"), "p")
    ward.follow()
    records.close()
    installation = Installation(folder)
    installation.serve()
    yield installation
    installation.stop()


def card(page: Page, name: str) -> Any:
    return page.get_by_role("article", name=name)


def accessible(page: Page, axe: str) -> None:
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    told = [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found["violations"]]
    assert told == []


def test_a_clinician_works_through_the_drafts_by_keyboard(inbox: Installation, visit: Any, axe: str) -> None:
    page = visit(f"{inbox.address}/drafts")
    glucose = card(page, "Fasting glucose")
    glucose.get_by_text("99 mmol/L").first.wait_for()
    assert "5.5 mmol/L" in glucose.inner_text()
    assert "99 mg/dL" in glucose.inner_text()
    assert "xinglin-units 2" in glucose.inner_text()
    assert (
        glucose.get_by_role("link", name="Fasting glucose 99 mmol/L")
        .get_attribute("href")
        .endswith("Observation/glucose")
    )
    accessible(page, axe)

    glucose.get_by_role("button", name="Accept").focus()
    page.keyboard.press("Enter")
    page.get_by_text("Accepted: Fasting glucose").wait_for()
    glucose.wait_for(state="detached")

    blood = card(page, "Hemoglobin")
    blood.get_by_role("button", name="Reject …").focus()
    page.keyboard.press("Enter")
    assert blood.get_by_role("button", name="Confirm").is_disabled()  # not without a reason
    accessible(page, axe)
    page.keyboard.press("Escape")
    blood.get_by_role("button", name="Confirm").wait_for(state="detached")
    blood.get_by_role("button", name="Reject …").click()
    blood.get_by_role("combobox", name="Why?").click()
    page.get_by_role("option", name="Known already").click()
    blood.get_by_role("button", name="Confirm").click()
    page.get_by_text("Rejected: Hemoglobin").wait_for()
    blood.wait_for(state="detached")

    cells = card(page, "White blood cells")
    cells.get_by_role("button", name="Change …").click()
    cells.get_by_label("Value").fill("6400")
    page.keyboard.press("Enter")
    page.get_by_text("Accepted as changed: White blood cells").wait_for()
    page.get_by_text("No draft waits for a decision.").wait_for()

    again = card(page, "CVD")
    assert "now 105 mmHg" in again.inner_text()
    again.get_by_role("button", name="Still holds").click()
    page.get_by_text("Confirmed: CVD").wait_for()

    page.goto(f"{inbox.address}/fhir/Observation/wbc")
    assert '"value":6400' in page.content()


def test_the_chart_shows_the_drafts_of_its_patient(inbox: Installation, visit: Any, axe: str) -> None:
    records = Records(open_database(f"sqlite:///{inbox.folder / 'xinglin.db'}", durable=False))
    try:
        ward = Ward(records)
        lab(ward, "k", "450", "mmol/L", "2823-3", ("钾", "Potassium"), "p")
        look(records, DOCTOR, "k")
        ward.put({"resourceType": "Patient", "id": "r", "name": [{"text": "欧阳娜"}]})
    finally:
        records.close()
    page = visit(f"{inbox.address}/patients/p", "zh", PHONE, "dark")
    draft = card(page, "结果数值不合理")
    draft.get_by_text("钾 450 mmol/L：超出该单位下的可能范围").wait_for()
    accessible(page, axe)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    draft.get_by_role("button", name="采纳").click()
    page.get_by_text("已采纳：结果数值不合理").wait_for()
    page.goto(f"{inbox.address}/patients/r")
    page.get_by_role("heading", name="欧阳娜").wait_for()
    page.wait_for_load_state("networkidle")
    assert page.get_by_role("heading", name="草稿").count() == 0

"""Jobs as one watches them: they move, are cancelled and begun again, with mouse and keyboard; the status beside them."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest

from journeys.web.browsing import PHONE, Installation

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from journeys.web.conftest import Open

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def done(page: Page) -> int:
    """How much the hospital's job says it has done."""
    text = page.locator("tbody", has_text="demonstration hospital").inner_text()
    found = re.search(r"([\d,]+) done", text)
    return int(found[1].replace(",", "")) if found else -1


def test_a_running_job_moves_is_cancelled_and_begun_again(visit: Open, working: Installation) -> None:
    page = visit(f"{working.address}/jobs")
    page.locator(".line[data-line=open]").wait_for()
    row = page.locator("tbody", has_text="demonstration hospital").first
    row.get_by_text("Running").wait_for()
    before = done(page)
    until = time.monotonic() + 20
    while done(page) <= max(before, 0):
        assert time.monotonic() < until, "the job does not move"
        page.wait_for_timeout(200)

    row.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="No", exact=True).last.click()
    assert row.get_by_text("Running").is_visible()
    row.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Cancel the job").click()
    row.get_by_text("Cancelled").wait_for()

    row.get_by_role("button", name="Retry").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Run again").wait_for()
    page.keyboard.press("Enter")
    row.get_by_text("Running").wait_for()


def test_a_job_unfolds_to_its_log_and_the_list_is_filtered(visit: Open, working: Installation) -> None:
    page = visit(f"{working.address}/jobs", size=PHONE)
    row = page.locator("tbody", has_text="demonstration hospital").first
    row.get_by_role("button", name="demonstration hospital").click()
    row.get_by_text("is at work").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.get_by_role("combobox", name="Show jobs that are").click()
    page.get_by_role("option", name=re.compile("^Failed")).click()
    page.get_by_text("No job is in this state.").wait_for()


@pytest.mark.parametrize(("language", "title"), [("en", "Status"), ("zh", "系统状态")])
def test_the_status_tells_feed_jobs_and_checks(
    visit: Open, working: Installation, axe: str, language: str, title: str
) -> None:
    page = visit(f"{working.address}/status", language)
    page.get_by_role("heading", name=title, level=1).wait_for()
    page.get_by_text("quality.units").wait_for()
    page.locator("li.row").first.wait_for()
    for path in ("/status", "/jobs"):
        page.goto(f"{working.address}{path}")
        page.locator("table").first.wait_for()
        page.evaluate(axe)
        found = page.evaluate(
            "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa']}).then(r => r.violations.map(v => v.id + ': ' + v.nodes[0].html))"
        )
        assert found == []

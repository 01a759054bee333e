"""Finding a patient: by characters, pinyin, initials, identifier, birth date; with keyboard; in both languages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from journeys.web.browsing import PHONE, Installation

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from journeys.web.conftest import Open

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def names(page: Page) -> list[str]:
    """The names in the list of patients, once it has settled."""
    page.locator('ul[aria-busy="false"]').wait_for()
    return page.locator('a[href^="/patients/"] bdi:first-child').all_inner_texts()


@pytest.mark.parametrize(
    "typed",
    [
        "张伟",
        "张",
        "zhangwei",
        "zw",
        "ZHANG",
        "0010023",
        "1964-05-03",
        "19640503",
        "1964年5月3日",
        "13800010023",
    ],
)
def test_a_chinese_patient_is_found_by_any_of_what_people_type(
    hospital: Installation, visit: Open, typed: str
) -> None:
    page = visit(hospital.address, "zh")
    page.get_by_role("searchbox").fill(typed)
    assert "张伟" in names(page)


def test_a_surname_is_read_as_a_surname(hospital: Installation, visit: Open) -> None:
    """单 is Shàn as a surname, not dān; 欧阳 is one surname of two characters."""
    page = visit(hospital.address, "zh")
    for typed, name in (
        ("shanlihua", "单丽华"),
        ("slh", "单丽华"),
        ("ouyangna", "欧阳娜"),
        ("oyn", "欧阳娜"),
    ):
        page.get_by_role("searchbox").fill(typed)
        assert names(page) == [name]


def test_an_english_patient_is_found_by_given_and_family_name(hospital: Installation, visit: Open) -> None:
    page = visit(hospital.address)
    page.get_by_role("searchbox").fill("murray bambi")
    page.get_by_text("Mrs. Bambi Murray").first.wait_for()
    assert [name for name in names(page) if "Bambi" in name] == ["Mrs. Bambi Murray"]
    page.get_by_text("1 patient", exact=True).wait_for()


def test_nobody_found_is_said_with_what_to_try(hospital: Installation, visit: Open) -> None:
    page = visit(hospital.address)
    page.get_by_role("searchbox").fill("qqqqqq")
    page.get_by_text("No patient matches “qqqqqq”.").wait_for()


def test_a_long_list_says_that_there_is_more(hospital: Installation, visit: Open) -> None:
    page = visit(hospital.address)
    page.get_by_role("searchbox").fill("M")
    page.get_by_text("First 20 patients; there are more").wait_for()
    assert len(names(page)) == 20


def test_from_typing_to_the_chart_and_back_by_keyboard_alone(hospital: Installation, visit: Open) -> None:
    page = visit(hospital.address, "zh")
    page.get_by_role("searchbox").wait_for()
    page.keyboard.type("zhangwei")
    page.get_by_text("1 位患者").wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="张伟").wait_for()
    page.go_back()
    assert page.get_by_role("searchbox").input_value() == "zhangwei"
    page.get_by_text("张伟", exact=True).wait_for()


def test_no_key_opens_a_patient_from_a_list_that_is_not_yet_the_answer(
    hospital: Installation, visit: Open
) -> None:
    page = visit(hospital.address, "zh")
    page.locator('a[href^="/patients/"]').first.wait_for()
    page.keyboard.type("zhangwei")
    page.keyboard.press("Enter")
    page.get_by_text("1 位患者").wait_for()
    assert "/patients/" not in page.url


def test_what_was_typed_stands_in_no_address_and_no_storage(hospital: Installation, visit: Open) -> None:
    page = visit(hospital.address, "zh")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.get_by_role("searchbox").fill("zhangwei")
    page.get_by_text("张伟", exact=True).click()
    page.get_by_role("heading", name="张伟").wait_for()
    page.wait_for_load_state("networkidle")
    assert asked
    assert not [url for url in asked if "zhangwei" in url or "%E5%BC%A0" in url]
    assert "zhangwei" not in page.url
    stored = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    assert "张伟" not in stored
    assert "zhangwei" not in stored


def test_an_empty_record_says_how_to_fill_it(empty: Installation, visit: Open) -> None:
    page = visit(empty.address, "zh")
    page.get_by_role("heading", name="还没有患者").wait_for()
    assert page.locator("code").all_inner_texts() == ["xinglin import 路径", "xinglin demo"]
    page.get_by_role("button", name="切换到中文").or_(
        page.get_by_role("button", name="Switch to English")
    ).click()
    page.get_by_role("heading", name="No patients yet").wait_for()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_list_fits_a_phone(hospital: Installation, visit: Open, language: str) -> None:
    page = visit(hospital.address, language, PHONE)
    page.locator('a[href^="/patients/"]').first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_more_patients_than_the_first_are_a_press_away(visit: Open, hospital: Installation) -> None:
    page = visit(hospital.address)
    rows = page.locator("ul a[href^='/patients/']")
    rows.nth(19).wait_for()
    assert rows.count() == 20
    page.get_by_role("button", name="Show more patients").click()
    rows.nth(60).wait_for()
    page.get_by_role("searchbox").fill("0010023")  # one patient: nothing more to show
    assert names(page) == ["张伟"]
    assert page.get_by_role("button", name="Show more patients").count() == 0

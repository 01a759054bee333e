"""Make docs/images/*.png anew from the demonstration hospital, as a person sees it in a browser.

    python tools/screenshots.py            all of them
    python tools/screenshots.py chart-zh   one

Needs Chromium and the built pages. The same seed gives the same hospital, so a picture changes only when a screen
or the day's ages do. Look at every picture before committing it.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from journeys.web.browsing import ARGUMENTS, LOCALES, PHONE, Installation, chromium, pages  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Page

IMAGES = ROOT / "docs" / "images"
WIDE = {"width": 1366, "height": 900}
PATIENTS = 60


@dataclass(frozen=True)
class Shot:
    """One picture: where it is taken and what is done first."""

    path: str
    language: str
    act: Callable[[Page], None] | None = None
    size: tuple[int, int] = (WIDE["width"], WIDE["height"])
    scheme: str = "light"
    empty: bool = False  # over a record with nothing in it
    live: bool = False  # over a hospital at work: never twice the same


def _typed(text: str) -> Callable[[Page], None]:
    def act(page: Page) -> None:
        page.get_by_role("searchbox").fill(text)
        page.wait_for_timeout(800)

    return act


def _trend(what: str) -> Callable[[Page], None]:
    def act(page: Page) -> None:
        page.locator("button.course", has=page.locator("svg")).and_(
            page.get_by_role("button", name=re.compile(what))
        ).first.click()
        page.get_by_role("dialog").locator("canvas").wait_for()
        page.wait_for_timeout(500)

    return act


def _note(page: Page) -> None:
    page.locator("#documents .rows button").first.click()
    page.get_by_role("dialog").wait_for()
    page.wait_for_timeout(500)


def _unfolded(page: Page) -> None:
    page.locator("tbody", has_text="示范医院").get_by_role("button").first.click()
    page.wait_for_timeout(3000)


SHOTS: dict[str, Shot] = {
    "search-zh": Shot("/", "zh", _typed("li")),
    "search-en": Shot("/", "en", _typed("jo")),
    "chart-zh": Shot("/patients/{zh}", "zh"),
    "chart-en": Shot("/patients/{en}", "en"),
    "chart-dark": Shot("/patients/{en}", "en", scheme="dark"),
    "trend-zh": Shot("/patients/{zh}", "zh", _trend("糖化血红蛋白")),
    "note-zh": Shot("/patients/{zh}", "zh", _note),
    "phone-zh": Shot("/patients/{zh}", "zh", size=(PHONE["width"], PHONE["height"])),
    "past-zh": Shot("/patients/{zh}?valid=2023-03-01", "zh"),
    "jobs-zh": Shot("/jobs", "zh", _unfolded, size=(1100, 620), live=True),
    "status-en": Shot("/status", "en", size=(1100, 900), live=True),
    "first-zh": Shot("/", "zh", size=(1100, 620), empty=True),
    "first-en": Shot("/", "en", size=(1100, 620), empty=True),
}


def get(address: str, query: str) -> list[dict[str, Any]]:
    """The matches of one search."""
    with urllib.request.urlopen(f"{address}/fhir/{query}") as answer:
        return [entry["resource"] for entry in json.load(answer).get("entry", [])]


def people(address: str) -> dict[str, str]:
    """Whose charts are shown: diabetics with most problems, one with a Chinese and one with an English name."""
    problems: dict[str, int] = {}
    for condition in get(address, "Condition?_count=1000"):
        patient = str(condition["subject"]["reference"]).split("/")[1]
        diabetic = str(condition["code"]["coding"][0].get("code", "")).startswith("E11")
        problems[patient] = problems.get(patient, 0) + (10 if diabetic else 1)
    for allergy in get(address, "AllergyIntolerance?_count=1000"):
        patient = str(allergy["patient"]["reference"]).split("/")[1]
        problems[patient] = problems.get(patient, 0) + 8  # a chart with an allergy shows more of the page
    ids = sorted(problems, key=lambda one: (-problems[one], one))
    named = {one["id"]: one["name"][0]["text"] for one in get(address, f"Patient?_count={PATIENTS}")}
    han = re.compile(r"[\u4e00-\u9fff]")
    return {
        "zh": next(one for one in ids if han.search(named.get(one, ""))),
        "en": next(one for one in ids if one in named and not han.search(named[one])),
    }


def main(wanted: list[str]) -> None:
    from playwright.sync_api import sync_playwright

    pages()
    unknown = [name for name in wanted if name not in SHOTS]
    if unknown:
        raise SystemExit(f"There is no picture {', '.join(unknown)}; there are {', '.join(SHOTS)}.")
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        demo, nothing = Installation(Path(folder) / "demo"), Installation(Path(folder) / "empty")
        working = Installation(Path(folder) / "working")
        for installation in (demo, nothing, working):
            installation.folder.mkdir()
        names = wanted or list(SHOTS)
        if any(SHOTS[name].live for name in names):
            working.serve(more=("--patients", "20", "--live", "--speed", "1200"), command="demo")
        demo.run("demo", "--patients", str(PATIENTS), "--no-serve")
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        try:
            demo.serve(more=("--database", "demo"))
            nothing.serve()
            shown = people(demo.address)
            for name in names:
                shot = SHOTS[name]
                width, height = shot.size
                context = browser.new_context(
                    viewport={"width": width, "height": height},
                    locale=LOCALES[shot.language],
                    color_scheme=shot.scheme,
                    reduced_motion="reduce",
                    device_scale_factor=2 if width < 500 else 1,
                )
                page = context.new_page()
                address = (nothing if shot.empty else working if shot.live else demo).address
                page.goto(address + shot.path.format(**shown))
                page.wait_for_timeout(2500)  # the network is never idle: a line stays open for what changes
                if shot.act:
                    shot.act(page)
                page.mouse.move(0, 0)
                page.screenshot(path=IMAGES / f"{name}.png", animations="disabled", caret="hide")
                context.close()
                print(IMAGES / f"{name}.png")
        finally:
            browser.close()
            demo.stop()
            working.stop()
            nothing.stop()


if __name__ == "__main__":
    main(sys.argv[1:])

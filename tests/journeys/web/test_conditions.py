"""What holds on every screen: accessible, honest when the server is gone, small, and in step with the glossary."""

from __future__ import annotations

import gzip
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from journeys.web.browsing import DESKTOP, PHONE, ROOT, Installation, pages

if TYPE_CHECKING:
    from journeys.web.conftest import Open

LARGEST_START_KB = 240
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize(
    ("scheme", "language", "size"),
    # Every pair of scheme, language and size stands together once.
    [("light", "en", DESKTOP), ("light", "zh", PHONE), ("dark", "zh", DESKTOP), ("dark", "en", PHONE)],
    ids=["light-en-desktop", "light-zh-phone", "dark-zh-desktop", "dark-en-phone"],
)
def test_no_screen_breaks_a_rule_of_accessibility(
    hospital: Installation, visit: Open, axe: str, scheme: str, language: str, size: dict[str, int]
) -> None:
    page = visit(hospital.address, language, size, scheme, quiet=False)
    page.locator('a[href^="/patients/"]').first.wait_for()
    broken = {"search": violations(page, axe)}
    for screen in (
        "/patients/full",
        "/patients/odd-markup",
        "/patients/full/source/Patient/full",
        "/nowhere",
    ):
        page.goto(hospital.address + screen)
        page.wait_for_load_state("networkidle")
        for folded in page.locator('main button[aria-expanded="false"]').element_handles():
            folded.click()
        broken[screen] = violations(page, axe)
    page.goto(f"{hospital.address}/patients/odd-markup")
    page.locator(".course").first.click()
    page.get_by_role("dialog").locator("table").wait_for()
    broken["trend"] = violations(page, axe)
    assert {screen: found for screen, found in broken.items() if found} == {}


def violations(page: Any, axe: str) -> list[str]:
    # The page's own policy forbids foreign scripts; the debugger's evaluate is not held by it.
    page.evaluate(axe)
    found = page.evaluate(f"axe.run(document, {{runOnly: {json.dumps(RULES)}}})")
    return [f"{one['id']}: {[node['target'] for node in one['nodes'][:3]]}" for one in found["violations"]]


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Installation]:
    """A server of the test's own, to be stopped."""
    pages()
    folder = tmp_path / "own"
    folder.mkdir()
    line = '{"resourceType":"Patient","id":"a","name":[{"text":"Ada Lovelace"}],"birthDate":"1815-12-10"}\n'
    (tmp_path / "patient.ndjson").write_text(line, encoding="utf-8")
    installation = Installation(folder)
    installation.run("import", "--yes", str(tmp_path / "patient.ndjson"))
    installation.serve()
    yield installation
    installation.stop()


@pytest.mark.browser
@pytest.mark.slow
def test_a_server_that_goes_is_said_and_the_page_recovers_by_itself(own: Installation, visit: Open) -> None:
    page = visit(own.address, quiet=False)
    page.get_by_text("Ada Lovelace").wait_for()
    port = own.port
    own.stop()
    page.get_by_role("searchbox").fill("ada")
    page.get_by_text("The server is not answering. What is on the page may be out of date").wait_for()
    assert page.get_by_role("searchbox").input_value() == "ada"
    own.serve(port)
    page.get_by_text("Ada Lovelace").wait_for(timeout=15_000)
    page.get_by_text("The server is not answering.").first.wait_for(state="detached")
    assert page.get_by_role("searchbox").input_value() == "ada"


@pytest.mark.browser
@pytest.mark.slow
def test_a_part_that_fails_says_so_and_leaves_the_rest_standing(hospital: Installation, visit: Open) -> None:
    page = visit(hospital.address, quiet=False)
    outcome = {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "diagnostics": "Too tired."}],
    }
    page.route(
        re.compile("/fhir/AllergyIntolerance"),
        lambda route: route.fulfill(
            status=500, content_type="application/fhir+json", body=json.dumps(outcome)
        ),
    )
    page.goto(f"{hospital.address}/patients/full")
    page.get_by_text("Allergies could not be loaded – check before prescribing.").wait_for()
    panel = page.locator("#allergies").inner_text()
    assert "Too tired." in panel
    assert "No allergies recorded" not in panel
    page.locator("#problems").get_by_text("Type 2 diabetes mellitus").wait_for()
    page.unroute_all()
    page.locator("#allergies").get_by_role("button", name="Try again").click()
    page.locator("#allergies").get_by_text("Penicillin").first.wait_for()


def test_the_first_load_is_small() -> None:
    folder = pages()
    page = (folder / "index.html").read_text(encoding="utf-8")
    scripts = re.findall(r'(?:src|href)="/(assets/[^"]+\.js)"', page)
    assert scripts
    size = sum(len(gzip.compress((folder / name).read_bytes())) for name in scripts)
    assert size <= LARGEST_START_KB * 1000, f"{size / 1000:.0f} kB of script before anything is shown"


def test_the_pages_name_no_other_server() -> None:
    # Addresses that are names (XML namespaces, code systems, links in a library's messages) are never fetched.
    page = (pages() / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", page)
    for sheet in (pages() / "assets").glob("*.css"):
        assert not re.search(r"url\(\s*[\"']?(?:https?:)?//|@import", sheet.read_text(encoding="utf-8")), (
            sheet
        )


def flat(tree: dict[str, Any], prefix: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in tree.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return found


def test_sentences_on_the_pages_keep_to_the_projects_glossary() -> None:
    folder = ROOT / "web" / "src" / "i18n"
    if not folder.exists():
        pytest.skip("the sources of the web pages are not here")
    english, chinese = (
        flat(json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))) for name in ("en", "zh")
    )
    glossary = tomllib.loads((ROOT / "src/xinglin/kernel/glossary.toml").read_text(encoding="utf-8"))
    strayed = [
        f"{key}: {term!r} in {words!r} is none of {terms} in {chinese[key]!r}"
        for key, words in english.items()
        for term, terms in glossary.items()
        if re.search(rf"\b{term}s?\b", words, re.IGNORECASE) and not any(one in chinese[key] for one in terms)
    ]
    assert strayed == []

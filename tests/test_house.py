"""The house keeps its own rules: floors, style, types, size, documents."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from importlib.metadata import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent


def run(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).exists()]


def tool(name: str) -> str:
    path = BIN / name
    if not path.exists():
        pytest.skip(f"{name} is not installed here; ./run test installs it")
    return str(path)


def test_a_package_imports_only_what_stands_below_it() -> None:
    run(tool("lint-imports"))


def test_code_is_linted_and_formatted() -> None:
    run(tool("ruff"), "check", ".")
    run(tool("ruff"), "format", "--check", ".")


def test_types_are_strict() -> None:
    run(tool("mypy"))


def test_no_module_is_longer_than_500_lines() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in tracked("*.py", "*.ts", "*.tsx")
        if "/r4/" not in str(path) and (lines := len(path.read_text(encoding="utf-8").splitlines())) > 500
    }
    assert long == {}


def test_no_lock_file_names_a_registry() -> None:
    for path in tracked("*package-lock.json", "*.npmrc"):
        assert not re.search(r"https?://registry\.", path.read_text(encoding="utf-8")), path


def test_shell_scripts_are_posix() -> None:
    run("sh", "-n", "run")


def test_the_settings_page_says_what_the_settings_say() -> None:
    run(sys.executable, "tools/write_settings_page.py", "--check")


def test_every_command_is_documented() -> None:
    from xinglin.apps.cli.main import COMMANDS

    pages = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md"))
    missing = [name for name in COMMANDS if f"xinglin {name}" not in pages]
    assert missing == []


def test_every_option_of_every_command_is_documented() -> None:
    from xinglin.apps.cli.grammar import COMMANDS, SHARED

    page = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
    options = {f"--{option.name}" for command in COMMANDS.values() for option in (*command.options, *SHARED)}
    assert sorted(option for option in options if not re.search(rf"{option}\b(?!-)", page)) == []


def test_every_command_line_in_the_pages_is_understood() -> None:
    from xinglin.apps.cli.grammar import parse

    pages = [*(ROOT / "docs").glob("*.md"), *ROOT.glob("README*.md")]
    lines = [
        line
        for page in pages
        for block in re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
        for line in block.splitlines()
        if line.startswith("xinglin ")
    ]
    assert len(lines) > 5
    for line in lines:
        words = shlex.split(line, comments=True)
        ends = [at for at, word in enumerate(words) if word in (">", "|", "&", "&&")]
        parse(words[1 : min(ends, default=None)])


def test_every_page_is_in_the_navigation_and_the_other_way_round() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = set(re.findall(r"[\w\-/.]+\.md", text))
    there = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    assert listed == there


def test_no_dependency_that_everyone_gets_is_under_the_gpl_or_lgpl() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = [found.group() for r in project["dependencies"] if (found := re.match(r"[\w\-]+", r))]
    assert len(names) == len(project["dependencies"])
    licences = {}
    for name in names:
        about = metadata(name)
        fields = (about.get("License-Expression"), about.get("License"), *(about.get_all("Classifier") or []))
        licences[name] = " ".join(field[:200] for field in fields if field)
    assert {name: text for name, text in licences.items() if "GPL" in text or not text} == {}

"""One word for one thing: every sentence, of the program and of the pages, is held to the glossary in both languages."""

from __future__ import annotations

import json
import re
import string
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
GLOSSARY: dict[str, list[str]] = tomllib.loads(
    (ROOT / "src/xinglin/kernel/glossary.toml").read_text(encoding="utf-8")
)
_MADE_UP = re.compile(
    r"`[^`]*`|\{[^}]*\}|'[^']*'|https?://\S+|\b_\S+"
)  # commands and placeholders are no prose


def packages() -> list[Path]:
    return sorted((ROOT / "src/xinglin").glob("*/messages.toml"))


def web() -> tuple[dict[str, str], dict[str, str]]:
    folder = ROOT / "web/src/i18n"
    if not (folder / "en.json").is_file():
        pytest.skip("the web pages' sources are not here")
    en, zh = (
        dict(flattened(json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))))
        for name in ("en", "zh")
    )
    return en, zh


def flattened(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from flattened(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value)


def sentences() -> Iterator[tuple[str, str, str]]:
    """(where, English, Chinese) of every sentence of the program."""
    for path in packages():
        for name, both in tomllib.loads(path.read_text(encoding="utf-8")).items():
            yield f"{path.parent.name}.{name}", both["en"], both["zh"]


def forms(term: str) -> re.Pattern[str]:
    """The English word in any of its forms."""
    stem = term[:-1] + "(?:y|ies)" if term.endswith("y") else re.escape(term) + "s?"
    return re.compile(rf"(?<![\w./-]){stem}(?![\w/-])", re.IGNORECASE)


def differing(pairs: Iterator[tuple[str, str, str]]) -> dict[str, str]:
    """Sentences whose English has a term and whose Chinese has none of its words, nor FHIR's own (`resource`)."""
    found = {}
    for where, en, zh in pairs:
        for term, words in GLOSSARY.items():
            if forms(term).search(_MADE_UP.sub(" ", en)) and not any(
                word in zh.lower() for word in [*words, term]
            ):
                found[f"{where} ({term})"] = zh
    return found


def test_every_sentence_is_written_in_both_languages() -> None:
    assert len(packages()) >= 6
    for path in packages():
        for name, both in tomllib.loads(path.read_text(encoding="utf-8")).items():
            assert set(both) == {"en", "zh"}, f"{path}: {name}"
            assert both["en"].strip(), f"{path}: {name}"
            assert both["zh"].strip(), f"{path}: {name}"


def test_both_languages_fill_the_same_places() -> None:
    def places(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    assert {where: (en, zh) for where, en, zh in sentences() if places(en) != places(zh)} == {}


def test_sentences_keep_to_the_glossary() -> None:
    assert differing(sentences()) == {}


def test_the_pages_have_the_same_sentences_in_both_languages() -> None:
    en, zh = web()
    # Chinese has one plural form; i18n keys may end in _one and _other
    plain = [{re.sub(r"_(one|other|zero)$", "", key) for key in each} for each in (en, zh)]
    assert plain[0] ^ plain[1] == set()


def test_the_pages_keep_to_the_glossary() -> None:
    en, zh = web()
    both = (
        (key, text, zh.get(key) or zh.get(re.sub(r"_(one|other)$", "_other", key), ""))
        for key, text in en.items()
    )
    assert differing((key, text, other) for key, text, other in both if other) == {}


def test_a_term_that_is_missed_is_found() -> None:
    wrong = iter([("x", "The patient is not in the database.", "患者不在资料库中。")])
    assert list(differing(wrong)) == ["x (database)"]


def test_every_key_that_the_code_names_has_a_sentence() -> None:
    known = {where for where, _, _ in sentences()}
    known |= {where.replace(".job-", ".", 1) for where in known}  # a kind of job, by its title
    named = set()
    for path in (ROOT / "src/xinglin").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for package in {where.partition(".")[0] for where in known}:
            named |= set(re.findall(rf'"({package}\.[a-z0-9]+(?:-[a-z0-9]+)*)"', text))
    modules = {name for name in named if (ROOT / "src/xinglin" / name.replace(".", "/")).exists()}
    modules |= {name for name in named if (ROOT / "src/xinglin" / (name.replace(".", "/") + ".py")).exists()}
    assert named - known - modules == set()

"""Every sentence that the queue names is written."""

from __future__ import annotations

import re
from pathlib import Path

from xinglin import jobs
from xinglin.jobs.model import sentence, title
from xinglin.kernel.language import sentences


def test_every_key_has_a_sentence() -> None:
    folder = Path(jobs.__file__).parent
    text = "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.py"))
    named = set(re.findall(r'"jobs\.([a-z0-9]+(?:-[a-z0-9]+)*)"', text))
    assert len(named) > 8
    assert named - sentences("jobs").keys() == set()


def test_a_sentence_that_is_gone_is_told_by_its_key() -> None:
    for key in ("jobs.no-longer", "elsewhere.thing", "", "jobs"):
        assert sentence(key, "en", {}) == key
    assert sentence("jobs.no-such-job", "en", {}) == "jobs.no-such-job"  # a value that it needs is missing


def test_a_kind_without_a_title_is_called_by_its_name() -> None:
    assert title("ward.count", {}) == "ward.count"
    assert title("ward.count", {}, "zh", "kernel.done") == "完成"

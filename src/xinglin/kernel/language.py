"""Sentences in English and Chinese, each written, none translated at run time.

Every package keeps its own in ``src/xinglin/<package>/messages.toml``::

    [not-found]
    en = "There is no {type}/{id}. Check the id, or search for it."
    zh = "没有 {type}/{id}。请核对编号，或先检索。"

and names one by ``<package>.<sentence>``, here ``records.not-found``. The words used for the field's terms are held to
``kernel/glossary.toml`` by a test.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Literal

Language = Literal["en", "zh"]


@cache
def sentences(package: str) -> dict[str, dict[str, str]]:
    """All sentences of one package: ``{name: {"en": …, "zh": …}}``."""
    return tomllib.loads(files(f"xinglin.{package}").joinpath("messages.toml").read_text(encoding="utf-8"))


def say(key: str, language: Language = "en", /, **values: object) -> str:
    """The sentence ``key`` in ``language`` with its placeholders filled.

    >>> say("kernel.done", "zh")
    '完成'
    """
    package, _, name = key.partition(".")
    return sentences(package)[name][language].format(**values)


def choose(accept_language: str | None) -> Language:
    """The language to answer in, from an Accept-Language header or a locale name such as ``zh_CN.UTF-8``.

    >>> choose("zh-CN,zh;q=0.9,en;q=0.8"), choose("fr"), choose(None)
    ('zh', 'en', 'en')
    """
    best: tuple[float, Language] = (0.0, "en")
    for part in (accept_language or "").split(","):
        name, _, quality = part.strip().partition(";")
        code = name.strip().lower()[:2]
        try:
            weight = float(quality.partition("=")[2]) if quality else 1.0
        except ValueError:
            weight = 0.0
        if code in ("en", "zh") and weight > best[0]:
            best = (weight, "zh" if code == "zh" else "en")
    return best[1]

"""Narratives: what FHIR's XHTML allows passes, what could act or hide does not."""

from __future__ import annotations

import time

import pytest

from standards.fhir.model.samples import DIV
from xinglin.standards.fhir.narrative import fault


@pytest.mark.parametrize(
    "inner",
    [
        "plain",
        "中文 &lt; &#x4e2d; &nbsp; &copy;",
        "<br/><hr />x",
        "<table border='1'><thead><tr><th colspan='2'>a</th></tr></thead><tbody><tr><td>b</td></tr></tbody></table>",
        '<a href="http://example.org/?a=1&amp;b=2" title="t">x</a>',
        '<img src="data:image/png;base64,AA==" alt="x"/>',
        '<p style="color: red" class="a b" id="c" lang="zh" xml:lang="zh">x</p>',
        "<ul><li>a</li><li>b</li></ul><!-- a comment -->",
        "<b\n>x</b\n>",
    ],
)
def test_formatting_is_allowed(inner: str) -> None:
    assert fault(f"{DIV}{inner}</div>") is None


@pytest.mark.parametrize(
    ("inner", "problem"),
    [
        ("<script>x</script>", "element script"),
        ("<SCRIPT>x</SCRIPT>", "element SCRIPT"),
        ("<p onmouseover='x'>x</p>", "attribute onmouseover"),
        ("<a href='jav&#x09;ascript:x'>x</a>", "attribute href"),
        ("<p>x", "not well-formed"),
        ("<b><i>x</b></i>", "not well-formed"),
        ("", "empty"),
        ("&bogus;x", "unknown entity"),
    ],
)
def test_what_is_wrong_is_named(inner: str, problem: str) -> None:
    assert fault(f"{DIV}{inner}</div>") == problem


def test_hostile_text_takes_linear_time() -> None:
    started = time.process_time()
    for junk in (
        "<" * 50_000,
        "<p " * 50_000,
        "<p a='" * 50_000,
        "&" * 50_000,
        "<!--" * 50_000,
        "<p a='x' " + "b " * 50_000,
    ):
        assert fault(DIV + junk + "</div>") == "not well-formed"
    assert time.process_time() - started < 2

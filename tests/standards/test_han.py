"""Folding, Chinese names and the cutting of running text."""

from __future__ import annotations

import doctest
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin.standards import han
from xinglin.standards.han import MOST_READINGS, family_forms, fold, given_forms, name_forms, segment, tokens
from xinglin.standards.surnames import COMPOUND, SINGLE

HAN = st.text("张王李赵单曾解仇区查朴尉迟欧阳伟小明芳娜秀英敏静丽强磊乐重长行𠮷〇", min_size=1, max_size=6)


def found_by(typed: str, family: str | None, given: tuple[str, ...], text: str | None = None) -> bool:
    """Whether what is typed is the beginning of one of a name's keys."""
    keys = [fold(part) for part in (family, text, *given) if part] + list(name_forms(family, given, text))
    return any(key.startswith(fold(typed)) for key in keys)


@given(st.text())
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(st.text())
def test_case_and_composition_do_not_matter(text: str) -> None:
    assert fold(unicodedata.normalize("NFD", text)) == fold(unicodedata.normalize("NFC", text)) == fold(text)


@pytest.mark.parametrize(
    ("text", "folded"),
    [("Müller", "muller"), ("ＡＢＣ１２", "abc12"), ("Straße", "strasse"), ("Łódź", "łodz"), ("  a \t b ", "a b"), ("Ǆ", "dz"),
     ("İstanbul", "istanbul"), ("ﬁ", "fi"), ("張偉", "張偉"), ("", "")],
)  # fmt: skip
def test_folding(text: str, folded: str) -> None:
    assert fold(text) == folded


@pytest.mark.parametrize(
    "typed", ["张", "伟", "张伟", "zhangwei", "ZhangWei", "zw", "zhang", "zhang wei", "wei", "z", "ｚｗ"]
)
@pytest.mark.parametrize("whole", [("张", ("伟",), None), (None, (), "张伟"), ("张", ("伟",), "张伟")])
def test_zhang_wei_is_found(typed: str, whole: tuple[str | None, tuple[str, ...], str | None]) -> None:
    assert found_by(typed, *whole)


@pytest.mark.parametrize(
    ("family", "reading"),
    [("单", "shan"), ("曾", "zeng"), ("解", "xie"), ("仇", "qiu"), ("区", "ou"), ("查", "zha"), ("朴", "piao"), ("任", "ren"),
     ("乐", "yue"), ("翟", "zhai"), ("尉迟", "yuchi"), ("欧阳", "ouyang"), ("歐陽", "ouyang"), ("万俟", "moqi"),
     ("长孙", "zhangsun"),
     ("澹台", "tantai"), ("诸葛", "zhuge"), ("單", "shan"), ("吕", "lv"), ("吕", "lu"), ("吕", "lyu")],
)  # fmt: skip
def test_surnames_have_their_own_readings(family: str, reading: str) -> None:
    assert reading in family_forms(family)
    assert found_by(f"{reading}wei", family, ("伟",))
    assert found_by(f"{reading}wei", None, (), family + "伟")


def test_polyphonic_given_names_are_found_by_each_reading() -> None:
    assert {"changle", "changyue"} <= set(given_forms("长乐")) | set(given_forms("常乐"))
    assert found_by("wangzhang", "王", ("长",))
    assert found_by("wangchang", "王", ("长",))


def test_a_double_surname_parts_a_name_written_in_one() -> None:
    assert found_by("oyx", None, (), "欧阳修")
    assert found_by("xiu", None, (), "欧阳修")
    assert found_by("ouyang xiu", None, (), "欧阳修")


def test_a_name_with_a_dot_is_one_name() -> None:
    assert found_by("吐尔逊", None, (), "买买提·吐尔逊")
    assert found_by("mmttex", None, (), "买买提·吐尔逊")


@pytest.mark.parametrize(
    "name", [("Chalmers", ("Peter",), "Peter Chalmers"), (None, (), None), ("", ("",), "")]
)
def test_names_without_han_have_no_further_keys(name: tuple[str | None, tuple[str, ...], str | None]) -> None:
    assert name_forms(*name) == ()


@given(HAN, HAN)
def test_every_ending_and_the_whole_are_keys(family: str, given_name: str) -> None:
    whole = (family + given_name)[: han.LONGEST_NAME]
    for start in range(len(whole)):
        assert found_by(whole[start:], family, (given_name,))


@given(st.text(), st.lists(st.text(), max_size=3).map(tuple), st.none() | st.text())
def test_any_text_gives_few_folded_keys(family: str, names: tuple[str, ...], text: str | None) -> None:
    forms = name_forms(family, names, text)
    assert len(forms) <= 2 * (han.LONGEST_NAME + 1 + MOST_READINGS * (4 + 3 * han.LONGEST_NAME))
    assert all(form and form == fold(form) for form in forms)
    assert len(set(forms)) == len(forms)


@given(st.text("型糖尿病高血压 HbA1c，。Ａ\n", max_size=40))
def test_running_text_is_cut_into_single_characters_and_words(text: str) -> None:
    cut = segment(text).split()
    assert "".join(cut) == "".join(char for char in fold(text) if char.isalnum())
    assert all(len(token) == 1 for token in cut if han.has_han(token))
    assert [one for phrase in tokens(text) for one in phrase] == cut


def test_runs_of_han_are_phrases() -> None:
    assert tokens("2型糖尿病，高 血压") == [["2"], ["型", "糖", "尿", "病"], ["高"], ["血", "压"]]


def test_the_surname_tables_are_well_formed() -> None:
    assert all(len(name) == 1 and reading.isalpha() and reading.isascii() for name, reading in SINGLE.items())
    assert all(len(name) == 2 and len(readings) == 2 for name, readings in COMPOUND.items())
    assert SINGLE["单"] == "shan"
    assert len(COMPOUND) > 80


def test_pypinyin_is_loaded_only_at_the_first_han_character() -> None:
    code = (
        "import sys; from xinglin.standards.han import name_forms, fold; name_forms('Smith', ('Ann',), None); fold('É');"
        "assert 'pypinyin' not in sys.modules; name_forms('张', ('伟',), None); assert 'pypinyin' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_examples_in_the_docstrings_hold() -> None:
    result = doctest.testmod(han)
    assert result.attempted >= 7
    assert result.failed == 0

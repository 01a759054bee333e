"""JSON Patch: RFC 6902 on a resource's own text."""

from __future__ import annotations

import pytest

from xinglin.records.rest.errors import Malformed, RestError, Unprocessable
from xinglin.records.rest.patch import apply, read_patch


def patched(body: str, patch: str) -> str:
    return apply(read_patch(patch.encode()), body.encode()).decode()


@pytest.mark.parametrize(
    ("body", "patch", "expected"),
    [
        ('{"a":1}', '[{"op":"add","path":"/b","value":[1]}]', '{"a":1,"b":[1]}'),
        ('{"a":[1,2]}', '[{"op":"add","path":"/a/1","value":9}]', '{"a":[1,9,2]}'),
        ('{"a":[1]}', '[{"op":"add","path":"/a/-","value":2}]', '{"a":[1,2]}'),
        ('{"a":[1]}', '[{"op":"add","path":"/a/1","value":2}]', '{"a":[1,2]}'),
        ('{"a":1,"b":2}', '[{"op":"remove","path":"/a"}]', '{"b":2}'),
        ('{"a":[1,2,3]}', '[{"op":"remove","path":"/a/1"}]', '{"a":[1,3]}'),
        ('{"a":1}', '[{"op":"replace","path":"/a","value":"x"}]', '{"a":"x"}'),
        ('{"a":{"b":1},"c":{"e":1}}', '[{"op":"move","from":"/a/b","path":"/c/d"}]', '{"c":{"e":1,"d":1}}'),
        ('{"a":[1,2]}', '[{"op":"move","from":"/a/0","path":"/a/1"}]', '{"a":[2,1]}'),
        ('{"a":{"b":1}}', '[{"op":"copy","from":"/a","path":"/c"}]', '{"a":{"b":1},"c":{"b":1}}'),
        ('{"a/b":1,"m~n":2}', '[{"op":"replace","path":"/a~1b","value":3}]', '{"a/b":3,"m~n":2}'),
        ('{"a/b":1,"m~n":2}', '[{"op":"remove","path":"/m~0n"}]', '{"a/b":1}'),
        ('{"a":{"é":"张"}}', '[{"op":"test","path":"/a/é","value":"\\u5f20"}]', '{"a":{"é":"张"}}'),
        ('{"a":1.50}', '[{"op":"test","path":"/a","value":1.5}]', '{"a":1.50}'),
        ('{"a":{"x":1,"y":2}}', '[{"op":"test","path":"/a","value":{"y":2,"x":1}}]', '{"a":{"x":1,"y":2}}'),
    ],
)
def test_operation_as_the_rfc_has_it(body: str, patch: str, expected: str) -> None:
    assert patched(body, patch) == expected


def test_what_a_patch_does_not_touch_keeps_its_digits_and_its_order() -> None:
    body = '{"z":1.10,"a":[-0.0,1E+2,100000000000000000000],"m":"\\u00e9"}'
    assert patched(body, '[{"op":"add","path":"/new","value":2.500}]') == (
        '{"z":1.10,"a":[-0.0,1E+2,100000000000000000000],"m":"é","new":2.500}'
    )


def test_what_a_removal_empties_goes_with_it() -> None:
    assert patched('{"a":{"b":[{"c":1}]},"d":1}', '[{"op":"remove","path":"/a/b/0/c"}]') == '{"d":1}'


def test_a_list_emptied_and_filled_again_by_later_operations_stays() -> None:
    patch = '[{"op":"remove","path":"/a/0"},{"op":"add","path":"/a/-","value":2}]'
    assert patched('{"a":[1]}', patch) == '{"a":[2]}'


@pytest.mark.parametrize(
    "patch",
    [
        '[{"op":"remove","path":"/b"}]',
        '[{"op":"replace","path":"/b","value":1}]',
        '[{"op":"add","path":"/b/c","value":1}]',
        '[{"op":"add","path":"/a/2","value":1}]',
        '[{"op":"add","path":"/a/01","value":1}]',
        '[{"op":"add","path":"/a/x","value":1}]',
        '[{"op":"test","path":"/a/0","value":2}]',
        '[{"op":"test","path":"/a/0","value":"1"}]',
        '[{"op":"test","path":"/a/0","value":true}]',
        '[{"op":"copy","from":"/x","path":"/y"}]',
        '[{"op":"move","from":"/a","path":"/a/0"}]',
        '[{"op":"remove","path":""}]',
        '[{"op":"remove","path":"/a/-"}]',
    ],
)
def test_a_patch_that_does_not_fit_is_unprocessable(patch: str) -> None:
    with pytest.raises(Unprocessable):
        patched('{"a":[1]}', patch)


@pytest.mark.parametrize(
    "patch",
    [
        "{}",
        "[1]",
        "[{}]",
        '[{"op":"frobnicate","path":"/a"}]',
        '[{"op":"add","path":"/a"}]',
        '[{"op":"add","value":1}]',
        '[{"op":"move","path":"/a"}]',
        '[{"op":"remove","path":"a"}]',
        '[{"op":"remove","path":"/a~2"}]',
        '[{"op":"remove","path":5}]',
        '[{"op":["add"],"path":"/a"}]',
        "[",
        "NaN",
        '[{"op":"add","path":"/a","value":NaN}]',
        '[{"op":"remove","op":"add","path":"/a"}]',
        "[" * 100_000,
    ],
)
def test_a_patch_that_is_none_is_malformed(patch: str) -> None:
    with pytest.raises(Malformed):
        patched('{"a":[1]}', patch)


def test_a_lone_surrogate_from_a_patch_is_refused_rather_than_stored() -> None:
    with pytest.raises(RestError):
        patched('{"a":1}', '[{"op":"add","path":"/b","value":"\\ud800"}]')


def test_an_object_copied_and_then_changed_leaves_its_source_alone() -> None:
    patch = '[{"op":"copy","from":"/a","path":"/b"},{"op":"replace","path":"/b/x","value":2}]'
    assert patched('{"a":{"x":1}}', patch) == '{"a":{"x":1},"b":{"x":2}}'

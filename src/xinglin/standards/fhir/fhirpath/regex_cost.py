"""How dear a regular expression can become for a backtracking matcher.

The tests are cautious: they pass no pattern whose repetitions can match one text in exponentially many ways, and refuse some
harmless ones.
"""

from __future__ import annotations

import importlib
from typing import Any

_parser: Any = importlib.import_module("re._parser")
_constants: Any = importlib.import_module("re._constants")
_REPEATS = (_constants.MAX_REPEAT, _constants.MIN_REPEAT)
_OUTSIDE_ASCII = 128  # stands for every character beyond ASCII

#: The characters one place can match, as code points; 128 for all beyond ASCII.
Characters = frozenset[int]
_ALL: Characters = frozenset(range(_OUTSIDE_ASCII + 1))


def _code(point: int) -> int:
    return min(point, _OUTSIDE_ASCII)


def _category(name: Any) -> Characters:
    text = str(name).rpartition("CATEGORY_")[2]
    inverted = text.startswith("NOT_")
    match text.removeprefix("NOT_").removeprefix("UNI_"):
        case "DIGIT":
            found = {c for c in range(128) if chr(c).isdigit()} | {_OUTSIDE_ASCII}
        case "SPACE":
            found = {c for c in range(128) if chr(c).isspace()} | {_OUTSIDE_ASCII}
        case "WORD":
            found = {c for c in range(128) if chr(c).isalnum() or c == 95} | {_OUTSIDE_ASCII}
        case _:
            return _ALL
    return frozenset(_ALL - found) | {_OUTSIDE_ASCII} if inverted else frozenset(found)


def _class(items: Any) -> Characters:
    found: set[int] = set()
    inverted = False
    for operation, argument in items:
        if operation is _constants.NEGATE:
            inverted = True
        elif operation is _constants.LITERAL:
            found.add(_code(argument))
        elif operation is _constants.RANGE:
            found.update(range(_code(argument[0]), _code(argument[1]) + 1))
        elif operation is _constants.CATEGORY:
            found |= _category(argument)
    return frozenset(_ALL - found) | {_OUTSIDE_ASCII} if inverted else frozenset(found)


def _single(operation: Any, argument: Any) -> Characters | None:
    """What a part that always takes exactly one character can match; None for other parts."""
    if operation is _constants.LITERAL:
        return frozenset({_code(argument)})
    if operation is _constants.IN:
        return _class(argument)
    if operation is _constants.ANY:
        return _ALL
    if operation is _constants.NOT_LITERAL:
        return (_ALL - {_code(argument)}) | {_OUTSIDE_ASCII}
    return None


def _parts(operation: Any, argument: Any) -> list[Any]:
    """The sequences right inside a part."""
    if operation in _REPEATS or operation is _constants.POSSESSIVE_REPEAT:
        return [argument[2]]
    if operation is _constants.SUBPATTERN:
        return [argument[3]]
    if operation is _constants.BRANCH:
        return list(argument[1])
    if operation in (_constants.ASSERT, _constants.ASSERT_NOT):
        return [argument[1]]
    if operation is _constants.ATOMIC_GROUP:
        return [argument]
    return []


def _flat(sequence: Any) -> list[tuple[Any, Any]]:
    """The parts of a sequence with plain groups opened."""
    found = []
    for operation, argument in sequence:
        if operation is _constants.SUBPATTERN:
            found += _flat(argument[3])
        else:
            found.append((operation, argument))
    return found


def _characters(sequence: Any) -> Characters:
    """Every character that some part of the sequence can match."""
    found: set[int] = set()
    for operation, argument in sequence:
        one = _single(operation, argument)
        if one is not None:
            found |= one
        for inner in _parts(operation, argument):
            found |= _characters(inner)
    return frozenset(found)


def _varies(sequence: Any) -> bool:
    """Whether the sequence can match texts of different lengths, or one text in several ways."""
    for operation, argument in sequence:
        if operation in _REPEATS and argument[0] != argument[1]:
            return True
        if operation is _constants.BRANCH or operation is _constants.GROUPREF:
            return True
        if any(_varies(inner) for inner in _parts(operation, argument)):
            return True
    return False


def _marked(sequence: Any) -> bool:
    """Whether each repetition shows where it begins or ends: a sure character there that nothing else in it matches."""
    parts = _flat(sequence)
    for mark, rest in ((parts[0], parts[1:]), (parts[-1], parts[:-1])):
        characters = _single(*mark)
        if characters is not None and not characters & _characters(rest):
            return True
    return False


def _plain_choice(sequence: Any) -> bool:
    """Whether the sequence is one choice among parts that begin with different single characters and do not vary."""
    parts = _flat(sequence)
    if len(parts) != 1 or parts[0][0] is not _constants.BRANCH:
        return False
    seen: set[int] = set()
    for branch in parts[0][1][1]:
        flat = _flat(branch)
        first = _single(*flat[0]) if flat else None
        if first is None or first & seen or _varies(flat):
            return False
        seen |= first
    return True


def _ambiguous(sequence: Any) -> bool:
    for operation, argument in sequence:
        if (
            operation in _REPEATS
            and argument[1] > 1
            and _varies(argument[2])
            and not _marked(argument[2])
            and not _plain_choice(argument[2])
        ):
            return True
        if any(_ambiguous(inner) for inner in _parts(operation, argument)):
            return True
    return False


def ambiguous(pattern: str) -> bool:
    """Whether a repeated group may match one text in more than one way, which can take exponential time.

    >>> ambiguous("(a+)+"), ambiguous(r"[a-z]+(\\.[a-z]+)*")
    (True, False)
    """
    return _ambiguous(_parser.parse(pattern))


def unbounded_repeats(pattern: str) -> int:
    """How many repetitions without an upper bound the pattern has: the power of the text's length in the cost."""

    def count(sequence: Any) -> int:
        return sum(
            (operation in _REPEATS and argument[1] is _constants.MAXREPEAT)
            + sum(count(inner) for inner in _parts(operation, argument))
            for operation, argument in sequence
        )

    return count(_parser.parse(pattern))

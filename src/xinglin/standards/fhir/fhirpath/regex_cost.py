"""How dear a regular expression can become for a backtracking matcher.

A pattern is read as the automaton of its places (Glushkov's construction) with every way from one place to the next
counted. Where the ways out of each place lead to different characters, a text is matched in one way only and nothing is tried
twice. A repeated group for which that does not hold can take time exponential in the text; some harmless ones are refused with
the dangerous.
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
#: Where a part can begin and end, and whether it can be skipped.
_Part = tuple[list[int], list[int], bool]
MAX_PLACES = 500
MAX_COPIES = 64
_ALL: Characters = frozenset(range(_OUTSIDE_ASCII + 1))


class TooManyPlaces(Exception):
    """The pattern is too large to be judged."""


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


class _Places:
    """The places of a pattern that take a character, and the ways between them."""

    def __init__(self) -> None:
        self.characters: list[Characters] = []
        self.ways: list[list[int]] = []
        self.doubled = False  # two ways to match nothing

    def add(self, characters: Characters) -> _Part:
        self.characters.append(characters)
        self.ways.append([])
        if len(self.characters) > MAX_PLACES:
            raise TooManyPlaces
        at = [len(self.characters) - 1]
        return at, at, False

    def connect(self, ends: list[int], starts: list[int]) -> None:
        for end in ends:
            self.ways[end] += starts

    def sequence(self, sequence: Any) -> _Part:
        first: list[int] = []
        last: list[int] = []
        optional = True
        for operation, argument in sequence:
            starts, ends, skips = self.part(operation, argument)
            self.connect(last, starts)
            first = first + starts if optional else first
            last = last + ends if skips else ends
            optional = optional and skips
        return first, last, optional

    def part(self, operation: Any, argument: Any) -> _Part:
        one = _single(operation, argument)
        if one is not None:
            return self.add(one)
        if operation in _REPEATS or operation is _constants.POSSESSIVE_REPEAT:
            return self.repeat(*argument)
        if operation is _constants.SUBPATTERN:
            return self.sequence(argument[3])
        if operation is _constants.ATOMIC_GROUP:
            return self.sequence(argument)
        if operation is _constants.BRANCH:
            return self.branch(argument[1])
        if operation is _constants.GROUPREF:
            return self.add(_ALL)
        return [], [], True  # an anchor or a look around takes nothing

    def repeat(self, least: int, most: int, body: Any) -> _Part:
        if least == most and least <= MAX_COPIES:
            return self.sequence([part for _ in range(least) for part in body])
        starts, ends, skips = self.sequence(body)
        if most > 1:
            self.connect(ends, starts)
        return starts, ends, skips or least == 0

    def branch(self, branches: Any) -> _Part:
        words = [tuple(argument for _, argument in branch) for branch in branches]
        literal = all(branch and all(part[0] is _constants.LITERAL for part in branch) for branch in branches)
        apart = not any(a == b[: len(a)] for at, a in enumerate(words) for b in words[:at] + words[at + 1 :])
        if literal and apart:
            return self.add(frozenset(_code(word[0]) for word in words))
        first: list[int] = []
        last: list[int] = []
        empty = 0
        for branch in branches:
            starts, ends, skips = self.sequence(branch)
            first, last, empty = first + starts, last + ends, empty + skips
        self.doubled = self.doubled or empty > 1
        return first, last, empty > 0

    def one_way(self, first: list[int]) -> bool:
        """Whether the ways from the start and from each place lead to different characters."""
        return not self.doubled and all(self._differ(ways) for ways in (first, *self.ways))

    def _differ(self, ways: list[int]) -> bool:
        seen: set[int] = set()
        for way in ways:
            if self.characters[way] & seen:
                return False
            seen |= self.characters[way]
        return True


def _one_way(sequence: Any) -> bool:
    places = _Places()
    try:
        first, _, _ = places.sequence(sequence)
    except TooManyPlaces:
        return False
    return places.one_way(first)


def _ambiguous(sequence: Any) -> bool:
    for operation, argument in sequence:
        if operation in _REPEATS and argument[1] > 1:
            # Two rounds stand for all of a fixed number.
            rounds = (
                (min(argument[0], 2), min(argument[1], 2)) if argument[0] == argument[1] else argument[:2]
            )
            if not _one_way([(operation, (*rounds, argument[2]))]):
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


def degree(pattern: str) -> int:
    """The power of the text's length in the cost of trying a pattern that is not ambiguous at one place of the text.

    1 where every text is matched in one way; else the number of repetitions that can be of very different length.
    """
    parsed = _parser.parse(pattern)

    def count(sequence: Any) -> int:
        return sum(
            (operation in _REPEATS and argument[1] - argument[0] >= 8)
            + sum(count(inner) for inner in _parts(operation, argument))
            for operation, argument in sequence
        )

    return 1 if _one_way(parsed) else max(1, count(parsed))

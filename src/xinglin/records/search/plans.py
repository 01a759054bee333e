"""Which way to a page: where candidates come from, and in which order.

``stream``: walk one criterion's index in its own order and probe the rest; a page costs its own length.
``gather``: take all candidates of one criterion, sort them; for few candidates.
``sorted``: walk the sort key's index and probe every criterion; for many candidates. Resources without the key follow,
gathered from the best criterion.

The planners are not trusted with this: their estimates know neither codes nor patients, and one wrong join order on a
million rows costs seconds. A criterion whose reach is known from what it is (an id, an identifier, one patient) drives at
once; else bounded counts decide, remembered for a minute. A cursor carries its plan, so that all pages follow one order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from xinglin.records.search.conditions import scoped
from xinglin.records.search.nodes import Key, Match, Missing, Node, Rids, Shape, Updated
from xinglin.records.search.ordering import Term
from xinglin.records.search.sources import Arm
from xinglin.records.search.statements import Statement, Statements, Step

MANY = 4000
"""Candidates above which sorting them all is dearer than walking the sort key's index. With N resources of the type and n
candidates, gathering costs about n, walking a page of 10 about 10 N / n; at 1.5 million they meet near 3,900."""

SCANNED = 20_000
"""Resources of a type are counted up to here."""

EXPECTED = 80
"""Walking all N resources until a page of 10 is full takes about 10 N / m steps where m match; a criterion with n rows has
about n / 4 resources, and gathering them takes n steps of half the cost."""

FEW = 20
"""Candidates so few that no other criterion needs counting."""

SCAN = -1
"""The driver of a search without a criterion that can drive."""

_WEAK = frozenset(
    {"status", "category", "clinical-status", "verification-status", "intent", "class", "type", "gender"}
)


@dataclass(frozen=True, slots=True)
class Plan:
    """``driver``: place of the criterion that gives candidates, or SCAN. ``scope``: place of the criterion that confines
    the driver's rows to one patient, or -1."""

    mode: str
    driver: int
    scope: int = -1


def choose(shape: Shape, compiled: Statements, count: Callable[[Statement], int]) -> Plan:
    """The plan for ``shape``. ``count`` runs a bounded count."""
    driver, scope, fewest = _driver(shape, compiled, count)
    if shape.keys:
        # A range of the key's own column is walked whatever its size: that costs the page's length.
        own = driver >= 0 and _same(shape.nodes[driver], shape.keys[0])
        walked = (own or fewest >= MANY) and compiled.walk(shape.keys[0], shape.types) is not None
        return Plan("sorted" if walked else "gather", driver, scope)
    if (
        fewest >= FEW
        and driver != SCAN
        and not all(arm.keys for arm in compiled.arms(shape.nodes[driver], shape.types))
    ):
        # Not to be walked in order: gather its candidates, or walk all resources where enough of them will match.
        everything = count(compiled.bounded_count_all(shape.types, SCANNED))
        if everything <= fewest or EXPECTED * everything < fewest * fewest:
            return Plan("stream", SCAN)
    return Plan("stream", driver, scope)


def best(shape: Shape, compiled: Statements, count: Callable[[Statement], int]) -> Plan:
    """The plan that looks at the fewest candidates, in whatever order: for a total."""
    driver, scope, _ = _driver(shape, compiled, count)
    return Plan("gather", driver, scope)


def _driver(shape: Shape, compiled: Statements, count: Callable[[Statement], int]) -> tuple[int, int, int]:
    """Driver, scope, and how many rows it has at most (0: few, from what it is)."""
    nodes = shape.nodes
    for position, node in enumerate(nodes):
        if isinstance(node, Rids):
            return position, -1, 0
    for position, node in enumerate(nodes):
        if isinstance(node, Match) and node.name == "identifier" and _listed(node):
            return position, -1, 0
    owners = [p for p, node in enumerate(nodes) if isinstance(node, Match) and node.owner >= 0]
    if owners:
        tokens = [
            (_strength(node), p) for p, node in enumerate(nodes) if isinstance(node, Match) and scoped(node)
        ]
        if tokens:
            return min(tokens)[1], owners[0], 0
        return owners[0], -1, 0
    weak, chosen, fewest = SCAN, SCAN, (MANY + 1, 0)
    for position, node in enumerate(nodes):
        arms = compiled.arms(node, shape.types)
        if not arms:
            continue
        if _contains(node):
            weak = position
            continue
        found = (count(compiled.bounded_count(arms, MANY)), _strength(node))
        if found < fewest:
            chosen, fewest = position, found
        if fewest[0] < FEW:
            break
    if chosen == SCAN:
        return weak, -1, MANY
    return chosen, -1, fewest[0]


def _listed(node: Match) -> bool:
    return scoped(node) and all(test.sets[0].how == "list" for test in node.tests)


def _strength(node: Node) -> int:
    """Less is stronger, where counting does not tell: a code before a status."""
    name = node.name if isinstance(node, Match) else ""
    return 0 if name == "code" else 2 if name in _WEAK else 1


def _contains(node: Node) -> bool:
    """Whether the criterion reads all rows of its parameter."""
    return isinstance(node, Match) and any(test.kind == "contains" for test in node.tests)


def steps(plan: Plan, shape: Shape, compiled: Statements) -> list[Step]:
    """The statements to run one after the other until a page is full."""
    others = tuple(node for position, node in enumerate(shape.nodes) if position != plan.driver)
    arms = driving(plan, shape, compiled)
    if plan.mode == "sorted":
        return [*_walks(shape, compiled), *_without(shape, arms, others)]
    if plan.mode == "stream":
        return _streamed(arms, others)
    return [Step(tuple(arms), (), shape.keys, others)]


def _streamed(arms: Sequence[Arm], others: tuple[Node, ...]) -> list[Step]:
    """All that the arms give, in whatever order they have; without any, by number."""
    if all(arm.keys for arm in arms):
        return [
            Step((arm,), (tuple(Term(key, False, False) for key in arm.keys),), (), others) for arm in arms
        ]
    return [Step(tuple(arms), (), (), others)]


def driving(plan: Plan, shape: Shape, compiled: Statements) -> list[Arm]:
    """The driver's arms, confined to the patient of ``scope``."""
    if plan.driver == SCAN:
        return [compiled.resources(shape.types)]
    arms = compiled.arms(shape.nodes[plan.driver], shape.types)
    if plan.scope < 0:
        return arms
    owner = shape.nodes[plan.scope]
    assert isinstance(owner, Match)
    # What several patients share carries -1 instead of the patient's number.
    return [
        replace(arm, where=(*arm.where, f"{arm.rid.removesuffix('.rid')}.patient IN (:{owner.owner}:, -1)"))
        for arm in arms
    ]


def _walks(shape: Shape, compiled: Statements) -> list[Step]:
    """The resources that have the first sort key, in its order."""
    key = shape.keys[0]
    own = next((node for node in shape.nodes if _same(node, key)), None)
    if own is not None:
        # The range is read from the very rows that are walked. What began before its bound comes in a second arm.
        others = tuple(node for node in shape.nodes if node is not own)
        if isinstance(own, Updated):
            arms = [compiled.resources((one,), own) for one in shape.types]
            walks = [compiled.walks(arms, key)]
        else:
            walks = [compiled.by_beginning(arm, key) for arm in compiled.arms(own, shape.types)]
            if not key.descending:
                walks.reverse()
    else:
        others = shape.nodes
        found = compiled.walk(key, shape.types)
        assert found is not None
        walks = [found]
    direction = shape.keys[-1].descending
    steps = []
    for arms, terms in walks:
        rows = []
        for arm, (*first, last) in zip(arms, terms, strict=True):
            further = [compiled.key(other, arm.rid) for other in shape.keys[1:]]
            rows.append((*first, *further, replace(last, descending=direction)))
        steps.append(Step(tuple(arms), tuple(rows), (), others))
    return steps


def _same(node: Node, key: Key) -> bool:
    """Whether a criterion is on the sort key's own, single rows."""
    if isinstance(node, Updated):
        return key.kind == "_lastUpdated" and len(node.tests) == 1
    return (
        isinstance(node, Match)
        and node.table == key.kind == "date"
        and node.single
        and node.params == key.params
        and len(node.tests) == 1
        and not any(part.kind == "date-ne" for part in (node.tests[0], *node.tests[0].parts))
    )


def _without(shape: Shape, arms: Sequence[Arm], others: tuple[Node, ...]) -> list[Step]:
    """The resources that lack the first sort key, last."""
    key = shape.keys[0]
    if key.kind in ("_id", "_lastUpdated") or any(_same(node, key) for node in shape.nodes):
        return []
    absent = Missing(key.kind, key.params, True, False)  # type: ignore[arg-type]  # every other kind is a table
    others = (*others, absent)
    return [Step(tuple(arms), (), shape.keys[1:], others)] if shape.keys[1:] else _streamed(arms, others)

"""Query → shape and values (see `nodes`)."""

from __future__ import annotations

from collections.abc import Sequence

from xinglin.records.index.rows import IDENTIFIER, OF_TYPE
from xinglin.records.index.unions import row_numbers
from xinglin.records.search.comparisons import Comparisons
from xinglin.records.search.nodes import (
    Among,
    Chained,
    Either,
    Having,
    Key,
    Match,
    Missing,
    Never,
    Node,
    NotRids,
    Rids,
    Shape,
    Table,
    Test,
    Updated,
    Words,
)
from xinglin.records.search.owners import compartment_parameters, is_owning, resource_types, single
from xinglin.records.search.words import expression
from xinglin.standards.fhir.search.query import (
    Chain,
    Compartment,
    Condition,
    Criterion,
    Has,
    Query,
    ReferenceValue,
    SortKey,
    StringValue,
    TextValue,
    TokenValue,
)

TABLES: dict[str, Table] = {
    "token": "token",
    "uri": "token",
    "reference": "reference",
    "string": "string",
    "date": "date",
    "number": "quantity",
    "quantity": "quantity",
    "composite": "pair",
}
_SHIFTED = {"identifier": IDENTIFIER, "of-type": OF_TYPE}
_ANY_TYPE = ("Resource", "DomainResource")
_NEVER = Never()


class Lifter(Comparisons):
    """Takes one query apart. A criterion that nothing can meet becomes `Never`."""

    def shape(self, query: Query) -> Shape:
        """The whole search."""
        types = (query.type,) if query.type is not None else query.types
        if not types and query.sort and query.sort[0].parameter.name == "_lastUpdated":
            types = tuple(self.lookup.types())  # each is walked, and the walks are merged
        type_slots = tuple(self.slot(name) for name in types)
        known = types or resource_types()
        nodes = [self.condition(criterion, known) for criterion in query.criteria]
        if query.compartment is not None:
            nodes.append(self.compartment(query.compartment, known))
        return Shape(type_slots, merged(nodes), tuple(sort_key(key) for key in query.sort))

    def condition(self, condition: Condition, types: Sequence[str]) -> Node:
        """One criterion on resources of ``types``."""
        if isinstance(condition, Criterion):
            return self.criterion(condition, types)
        if isinstance(condition, Chain):
            return self.chain(condition)
        return self.having(condition, types)

    def chain(self, chain: Chain) -> Node:
        ends = []
        for name, inner in zip(chain.types, chain.criteria, strict=True):
            node = self.condition(inner, (name,))
            if not isinstance(node, Never):
                ends.append((self.slot(name), node))
        if not ends:
            return _NEVER
        parameter = chain.parameter
        return Chained(
            (parameter.number,),
            single(parameter),
            parameter.base not in _ANY_TYPE,
            tuple(ends),
        )

    def having(self, has: Has, types: Sequence[str]) -> Node:
        node = self.condition(has.criterion, (has.type,))
        if isinstance(node, Never):
            return node
        owned = tuple(types) == ("Patient",) and is_owning(has.type, has.reference.name)
        return Having(has.reference.number, owned, self.slot(has.type), node)

    def compartment(self, compartment: Compartment, types: Sequence[str]) -> Node:
        """Membership: any of the references that the definition names, or the resource itself."""
        rids = self.lookup.entities((compartment.type,), compartment.id)
        if not rids:
            return _NEVER
        slot = self.slot(rids[0])
        numbers = {n for name in types for n in compartment_parameters(compartment.type, name)}
        nodes: list[Node] = []
        if numbers:
            test = Test("among", sets=(Among("list", (slot,)),))
            owner = slot if compartment.type == "Patient" else -1
            nodes.append(
                Match("reference", tuple(sorted(numbers)), (test,), False, True, "compartment", owner=owner)
            )
        if compartment.type in types:
            nodes.append(Rids((slot,)))
        if not nodes:
            return _NEVER
        return nodes[0] if len(nodes) == 1 else Either(tuple(nodes))

    def criterion(self, criterion: Criterion, types: Sequence[str]) -> Node:
        """A plain criterion."""
        parameter = criterion.parameter
        if parameter.name == "_id":
            return self.ids(criterion, types)
        if parameter.name == "_lastUpdated":
            dates = (self.date(value) for value in criterion.values)
            return Updated(tuple(test for test in dates if test is not None))
        if parameter.name in ("_text", "_content"):
            texts = [value.text for value in criterion.values if isinstance(value, TextValue | StringValue)]
            narrative, postgres = parameter.name == "_text", self.lookup.connection.dialect == "postgresql"
            wanted = expression(texts, narrative=narrative, postgres=postgres)
            return _NEVER if wanted is None else Words((self.slot(wanted),), narrative)
        parameters = (parameter, *criterion.also)
        params = tuple(number for p in parameters for number in row_numbers(p))
        typed = all(p.base not in _ANY_TYPE for p in parameters)
        table = TABLES[parameter.type]
        if criterion.modifier == "missing":
            return Missing(table, params, criterion.values[0] is True, typed)
        if criterion.modifier in _SHIFTED:
            table, params = "token", tuple(p + _SHIFTED[criterion.modifier] for p in params)
        tests = self.tests(criterion, table, params)
        negated = criterion.modifier == "not"
        if not tests and not negated:
            return _NEVER
        once = len(params) == 1 and single(parameter)
        owner = owner_slot(criterion, tests, types) if table == "reference" and tests else -1
        return Match(table, params, tests, once, typed, parameter.name, negated, owner)

    def ids(self, criterion: Criterion, types: Sequence[str]) -> Node:
        """`_id`."""
        found: list[int] = []
        for value in criterion.values:
            if isinstance(value, TokenValue) and value.code is not None and not value.system:
                found += self.lookup.entities(types, value.code)
        if criterion.modifier == "not":
            return NotRids(self.slots(sorted(set(found)) or [0]))  # no resource has the number 0
        return Rids(self.slots(sorted(set(found)))) if found else _NEVER

    def tests(self, criterion: Criterion, table: Table, params: tuple[int, ...]) -> tuple[Test, ...]:
        """The tests of the values, ORed; lists of numbers are one test."""
        if table in ("token", "reference"):
            numbers: list[int] = []
            sets: list[Among] = []
            for value in criterion.values:
                found = (
                    self.token(value, params, criterion.modifier)
                    if table == "token"
                    else self.reference(value, criterion.parameter.targets)
                )
                if isinstance(found, Among):
                    sets.append(found)
                else:
                    numbers += found
            if (listed := self.listed(numbers)) is not None:
                sets.insert(0, listed)
            return tuple(Test("among", sets=(one,)) for one in sets)
        tests: list[Test | None]
        if table == "string":
            tests = [self.string(value, criterion.modifier) for value in criterion.values]
        elif table == "date":
            tests = [self.date(value) for value in criterion.values]
        elif table == "quantity":
            tests = [self.measure(value, params) for value in criterion.values]
        else:
            tests = [self.pair(value, params) for value in criterion.values]
        return tuple(test for test in tests if test is not None)


def owner_slot(criterion: Criterion, tests: Sequence[Test], types: Sequence[str]) -> int:
    """The slot of the one Patient in whose compartment all that passes ``tests`` lies, or -1."""
    value, *others = criterion.values
    named = isinstance(value, ReferenceValue) and value.type == "Patient" and not others
    owning = named and len(types) == 1 and is_owning(types[0], criterion.parameter.name)
    return tests[0].sets[0].slots[0] if owning else -1


def merged(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """Comparisons of one date become one: ``date=ge2024&date=lt2025`` is a narrow range, each half is not."""
    kept: list[Node] = []
    dates: dict[tuple[int, ...], list[Match]] = {}
    updates: list[Test] = []
    for node in nodes:
        if isinstance(node, Match) and node.table == "date" and node.single and len(node.tests) == 1:
            dates.setdefault(node.params, []).append(node)
        elif isinstance(node, Updated) and len(node.tests) == 1:
            updates += node.tests
        else:
            kept.append(node)
    for group in dates.values():
        first, *others = group
        if others:
            test = Test("all", parts=tuple(node.tests[0] for node in group))
            first = Match("date", first.params, (test,), True, first.typed, first.name)
        kept.append(first)
    if updates:
        kept.append(Updated((updates[0] if len(updates) == 1 else Test("all", parts=tuple(updates)),)))
    return tuple(kept)


def sort_key(key: SortKey) -> Key:
    """The shape of one key of `_sort`."""
    parameter = key.parameter
    if parameter.name in ("_id", "_lastUpdated"):
        return Key(parameter.name, (), True, key.descending)
    params = row_numbers(parameter)
    return Key(TABLES[parameter.type], params, len(params) == 1 and single(parameter), key.descending)

"""How functions are named, found and called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xinglin.standards.fhir.fhirpath import schema
from xinglin.standards.fhir.fhirpath.code import Code, One, Types, value_one
from xinglin.standards.fhir.fhirpath.compiler import Scope
from xinglin.standards.fhir.fhirpath.context import Context
from xinglin.standards.fhir.fhirpath.errors import FhirPathEvaluationError, FhirPathSemanticError
from xinglin.standards.fhir.fhirpath.syntax import Call, Index, Node
from xinglin.standards.fhir.fhirpath.values import SYSTEM_TYPES, Item, type_name

#: Builds the code of a call: its scope, the code of its input, and the call.
Builder = Callable[[Scope, Code, Call], Code]

_FUNCTIONS: dict[str, tuple[Builder, int, int]] = {}

#: What the System types of arguments and inputs accept: a whole number passes for a decimal, a date for a date and time.
_ACCEPTED = {
    "Decimal": frozenset({"Decimal", "Integer"}),
    "DateTime": frozenset({"DateTime", "Date"}),
}
_SYSTEM_OF = {
    "boolean": "Boolean", "integer": "Integer", "positiveInt": "Integer", "unsignedInt": "Integer",
    "decimal": "Decimal", "date": "Date", "dateTime": "DateTime", "instant": "DateTime", "time": "Time",
}  # fmt: skip

BOOLEAN = frozenset({"System.Boolean"})
INTEGER = frozenset({"System.Integer"})
STRING = frozenset({"System.String"})
DECIMAL = frozenset({"System.Decimal"})
NUMBER = frozenset({"System.Integer", "System.Decimal"})


#: No string that a function or operator makes is longer.
MAX_CHARACTERS = 10_000_000


def bounded(text: str) -> str:
    """The text, unless it is longer than any that may be made.

    Raises
    ------
    FhirPathEvaluationError
    """
    if len(text) > MAX_CHARACTERS:
        raise FhirPathEvaluationError("standards.fhirpath-long-string", limit=MAX_CHARACTERS)
    return text


def function(name: str, minimum: int = 0, maximum: int | None = None) -> Callable[[Builder], Builder]:
    """Registers the builder of a function that takes ``minimum`` to ``maximum`` (default: the same) arguments."""

    def register(builder: Builder) -> Builder:
        _FUNCTIONS[name] = (builder, minimum, minimum if maximum is None else maximum)
        return builder

    return register


def names() -> frozenset[str]:
    """The names of all functions."""
    return frozenset(_FUNCTIONS)


def build(scope: Scope, call: Call) -> Code:
    """The code of a call.

    Raises
    ------
    FhirPathSemanticError
        There is no such function, or it takes another number of arguments.
    """
    if call.name not in _FUNCTIONS:
        raise FhirPathSemanticError("standards.fhirpath-function", name=call.name, position=call.at)
    builder, minimum, maximum = _FUNCTIONS[call.name]
    if not minimum <= len(call.arguments) <= maximum:
        raise FhirPathSemanticError(
            "standards.fhirpath-arguments",
            name=call.name,
            expected=minimum if minimum == maximum else f"{minimum}–{maximum}",
            found=len(call.arguments),
            position=call.at,
        )
    source = scope.this_code() if call.input is None else scope.compile(call.input)
    return builder(scope, source, call)


def system_type(name: str) -> str:
    """The System type that items of a type become, without namespace; complex types but quantities stay what they are."""
    if name.startswith("System."):
        return name[7:]
    if name in schema.PRIMITIVES:
        return _SYSTEM_OF.get(name, "String")
    return "Quantity" if schema.is_subtype(name, "Quantity") else name


def check(code: Code, accepted: str, name: str, at: int) -> None:
    """Refuses an input or argument none of whose types can be a ``accepted``.

    Raises
    ------
    FhirPathSemanticError
    """
    if not code.types or code.types & schema.OPEN:
        return
    allowed = _ACCEPTED.get(accepted, {accepted})
    if not any(system_type(one) in allowed for one in code.types):
        found = " | ".join(sorted(code.types))
        raise FhirPathSemanticError(
            "standards.fhirpath-kind", name=name, expected=accepted, found=found, position=at
        )


def value_of_kind(code: Code, kind: str, name: str, at: int) -> One:
    """The closure for one System value of a kind (``Any``: all); another kind is an error when it is met."""
    one = value_one(code)
    if kind == "Any":
        return one
    check(code, kind, name, at)
    allowed = _ACCEPTED.get(kind, {kind})
    classes = frozenset(python for python, system in SYSTEM_TYPES.items() if system in allowed)
    if code.constant is not None and type(code.constant) in classes:
        return one

    def checked(this: Item, context: Context) -> Item | None:
        item = one(this, context)
        if item is not None and type(item) not in classes:
            raise FhirPathEvaluationError(
                "standards.fhirpath-kind-met", name=name, expected=kind, found=type_name(item)
            )
        return item

    return checked


def pure(
    name: str,
    kind: str,
    arguments: tuple[str, ...],
    types: Types,
    compute: Callable[..., Any],
    optional: int = 0,
) -> None:
    """Registers a function of one input value and values as arguments; empty wherever one of those is empty.

    ``kind`` and ``arguments``: System types, or ``Any``. The last ``optional`` arguments may be left out.
    """

    def builder(scope: Scope, source: Code, call: Call) -> Code:
        get = value_of_kind(source, kind, name, call.at)
        given = [
            value_of_kind(scope.compile(node), wanted, name, node.at)
            for node, wanted in zip(call.arguments, arguments, strict=False)
        ]

        if not given:

            def alone(this: Item, context: Context) -> Item | None:
                value = get(this, context)
                return None if value is None else compute(value)

            return Code(types, build_one=lambda typed: alone)
        if len(given) == 1:
            argument = given[0]

            def with_one(this: Item, context: Context) -> Item | None:
                value = get(this, context)
                if value is None:
                    return None
                other = argument(this, context)
                return None if other is None else compute(value, other)

            return Code(types, build_one=lambda typed: with_one)

        def with_several(this: Item, context: Context) -> Item | None:
            values = [get(this, context), *(one(this, context) for one in given)]
            return None if None in values else compute(*values)

        return Code(types, build_one=lambda typed: with_several)

    function(name, len(arguments) - optional, len(arguments))(builder)


def boolean(one: One) -> Code:
    """The code of a closure that gives True, False or None."""
    return Code(BOOLEAN, build_one=lambda typed: one)


def counts(nodes: tuple[Node, ...]) -> bool:
    """Whether an argument uses ``$index``."""
    return any(isinstance(part, Index) for node in nodes for part in node.walk())


def needs_types(code: Code) -> bool:
    """Whether the items must be typed when each becomes ``$this``: where some are, or may be, FHIR primitives."""
    return code.types is None or any(one in schema.PRIMITIVES or one in schema.OPEN for one in code.types)

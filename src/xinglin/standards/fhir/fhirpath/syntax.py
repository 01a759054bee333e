"""The syntax tree of FHIRPath: plain, typed, immutable; what compilers to closures, SQL and others walk.

``at`` is the offset of the node's first own token in the expression (0-based characters) and no part of equality.

Source: FHIRPath N1 (2.0.0), Appendix B, grammar.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Literal as Choice

from xinglin.standards.fhir.fhirpath.quantity import Quantity
from xinglin.standards.fhir.fhirpath.temporal import Date, DateTime, Time

Operator = Choice[
    "*", "/", "div", "mod", "+", "-", "&", "|", "<", ">", "<=", ">=", "=", "~", "!=", "!~",
    "in", "contains", "and", "or", "xor", "implies",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Any part of an expression."""

    at: int = field(default=0, compare=False)

    def children(self) -> Iterator[Node]:
        """The nodes right below this one, from left to right."""
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, Node):
                yield value
            elif isinstance(value, tuple):
                yield from (part for part in value if isinstance(part, Node))

    def walk(self) -> Iterator[Node]:
        """This node and all below it, each before its children."""
        yield self
        for child in self.children():
            yield from child.walk()


@dataclass(frozen=True, slots=True)
class Empty(Node):
    """``{}``"""


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A number, string, date, time, quantity, ``true`` or ``false``."""

    value: bool | int | Decimal | str | Date | DateTime | Time | Quantity


@dataclass(frozen=True, slots=True)
class Variable(Node):
    """``%name``; the name without the percent sign and quotes."""

    name: str


@dataclass(frozen=True, slots=True)
class This(Node):
    """``$this``"""


@dataclass(frozen=True, slots=True)
class Index(Node):
    """``$index``"""


@dataclass(frozen=True, slots=True)
class Total(Node):
    """``$total``"""


@dataclass(frozen=True, slots=True)
class Member(Node):
    """``input.name``, or ``name`` alone where ``input`` is None: an element, or the name of a type."""

    input: Node | None
    name: str


@dataclass(frozen=True, slots=True)
class Call(Node):
    """``input.name(arguments)``, or ``name(arguments)`` where ``input`` is None."""

    input: Node | None
    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Indexer(Node):
    """``input[index]``"""

    input: Node
    index: Node


@dataclass(frozen=True, slots=True)
class Polarity(Node):
    """``+operand`` or ``-operand``."""

    sign: Choice["+", "-"]
    operand: Node


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """``left operator right``"""

    operator: Operator
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class TypeSpecifier(Node):
    """``namespace.name`` or ``name``."""

    namespace: str | None
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}.{self.name}" if self.namespace else self.name


@dataclass(frozen=True, slots=True)
class TypeOperation(Node):
    """``operand is type`` or ``operand as type``."""

    operator: Choice["is", "as"]
    operand: Node
    type: TypeSpecifier


def type_specifier(node: Node) -> TypeSpecifier | None:
    """The type that an expression such as ``FHIR.Patient`` names, where it has the shape of a type name."""
    match node:
        case Member(input=None, name=name):
            return TypeSpecifier(None, name, at=node.at)
        case Member(input=Member(input=None, name=namespace), name=name):
            return TypeSpecifier(namespace, name, at=node.at)
    return None

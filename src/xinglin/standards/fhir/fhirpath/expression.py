"""Compiled expressions: what callers hold and evaluate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from xinglin.standards.fhir.fhirpath import navigation, schema
from xinglin.standards.fhir.fhirpath.code import Types, boolean_one
from xinglin.standards.fhir.fhirpath.compiler import Scope
from xinglin.standards.fhir.fhirpath.context import Context, MemberOf, Resolve
from xinglin.standards.fhir.fhirpath.errors import FhirPathEvaluationError
from xinglin.standards.fhir.fhirpath.parser import parse
from xinglin.standards.fhir.fhirpath.syntax import Call, Index, Node, Variable
from xinglin.standards.fhir.fhirpath.values import SYSTEM_TYPES, Item, Primitive, type_name

Trace = Callable[[str, Sequence[Item]], None]


_OUTSIDE = {"now", "today", "timeOfDay", "resolve", "memberOf", "trace", "aggregate"}
_NO_CONTEXT = Context(None)


def _looks_outside(node: Node) -> bool:
    """Whether a node uses anything of the evaluation but ``$this``."""
    return isinstance(node, (Variable, Index)) or (isinstance(node, Call) and node.name in _OUTSIDE)


class Expression:
    """A FHIRPath expression, compiled for a type of context.

    Attributes
    ----------
    text : str
        As written.
    tree : Node
        Its syntax tree (:mod:`xinglin.standards.fhir.fhirpath.syntax`).
    context_type : str or None
        The type it was compiled for; None for any.
    types : frozenset of str or None
        The types that results can have (``code``, ``Patient.contact``, ``System.Boolean``); None where only the data tells.
    single : bool
        Whether there is never more than one result.
    """

    __slots__ = ("_alone", "_class", "_complex", "_many", "_plain", "_truth", "_type", "_typed", "context_type",
                 "single", "text", "tree", "types")  # fmt: skip

    def __init__(self, text: str, context_type: str | None, strict: bool) -> None:
        self.text = text
        self.tree: Node = parse(text)
        self.context_type = context_type
        this: Types = None
        if context_type:
            this = frozenset().union(*(schema.types_at(name) for name in context_type.split("|")))
        resource = this if this and this <= schema.resource_types() else None
        scope = Scope(this=this, resource=resource, context=this, strict=strict)
        code = scope.compile(self.tree)
        self.types = code.types
        self.single = code.single
        self._many = code.many()
        self._typed = code.many(True)
        self._truth = boolean_one(code)
        self._type = next(iter(this)) if this and len(this) == 1 else None
        self._class = schema.classes().get(self._type) if self._type else None
        self._complex = code.types is not None and not any(
            name in schema.PRIMITIVES or name in schema.OPEN for name in code.types
        )
        self._alone = not any(_looks_outside(node) for node in self.tree.walk())
        # A path alone needs no context object: its reader takes the resource and gives a list or an item.
        self._plain = navigation.path(code.steps, False) if code.steps else None

    def __repr__(self) -> str:
        return f"Expression({self.text!r}, {self.context_type!r})"

    def evaluate(
        self,
        resource: Any,
        *,
        resolve: Resolve | None = None,
        variables: Mapping[str, Any] | None = None,
        member_of: MemberOf | None = None,
        trace: Trace | None = None,
    ) -> list[Any]:
        """The results as plain values: structs, str, bool, int, Decimal, and FHIRPath's Date, DateTime, Time and Quantity.

        FHIR primitives come as they stand in the resource (a date as its text), without those that have only extensions.

        Parameters
        ----------
        resource : Any
            What the expression starts from: a resource, an element, or a primitive's value.
        resolve : callable, optional
            Finds the resource of a literal reference; contained resources, and entries where the root is a Bundle, are found
            without it.
        variables : mapping, optional
            Environment variables by name, without the percent sign. ``resource`` and ``rootResource`` set those two, which
            otherwise are the ``resource`` argument.
        member_of : callable, optional
            Answers ``memberOf()``; without it the answer is empty.
        trace : callable, optional
            Told the name and the items of every ``trace()``.

        Raises
        ------
        FhirPathEvaluationError
            The data is of a kind or number that the expression is not defined for.
        """
        if self._plain is not None and variables is None and type(resource) is self._class:
            found = self._plain(resource)
            if found.__class__ is not list:
                found = [] if found is None else [found]
        else:
            found = self._many(*self._start(resource, resolve, variables, member_of, trace))
        if self._complex:
            return [*found]
        return [
            item.value if item.__class__ is Primitive else item
            for item in found
            if item.__class__ is not Primitive or item.value is not None
        ]

    def evaluate_typed(
        self,
        resource: Any,
        *,
        resolve: Resolve | None = None,
        variables: Mapping[str, Any] | None = None,
        member_of: MemberOf | None = None,
        trace: Trace | None = None,
    ) -> list[tuple[str, Any]]:
        """The results with their types, ``System.Integer`` or ``FHIR.code``; primitives without value included, as None."""
        found = self._typed(*self._start(resource, resolve, variables, member_of, trace))
        return [(type_name(item), item.value if isinstance(item, Primitive) else item) for item in found]

    def holds(
        self,
        resource: Any,
        *,
        resolve: Resolve | None = None,
        variables: Mapping[str, Any] | None = None,
        member_of: MemberOf | None = None,
        trace: Trace | None = None,
    ) -> bool | None:
        """The truth of the result, as invariants need it: True, False, or None for an empty result.

        Raises
        ------
        FhirPathEvaluationError
            More than one result, or as in :meth:`evaluate`.
        """
        return self._truth(*self._start(resource, resolve, variables, member_of, trace))

    def _start(
        self,
        resource: Any,
        resolve: Resolve | None,
        variables: Mapping[str, Any] | None,
        member_of: MemberOf | None,
        trace: Trace | None,
    ) -> tuple[Item, Context]:
        if self._class is not None and type(resource) is not self._class:
            name = schema.name_of(type(resource))
            if name is None or not schema.is_subtype(name, self._type or ""):
                raise FhirPathEvaluationError(
                    "standards.fhirpath-wrong-context",
                    expected=self._type,
                    found=name or type(resource).__name__,
                )
        this = resource
        if self._type in schema.PRIMITIVES and type(resource) in SYSTEM_TYPES:
            this = Primitive(resource, self._type)
        if self._alone:
            return this, _NO_CONTEXT
        given = variables or {}
        return this, Context(
            this, given.get("resource"), given.get("rootResource"), resolve, member_of, given, trace
        )


@lru_cache(maxsize=8192)
def compile(expression: str, context_type: str | None = None, *, strict: bool = False) -> Expression:  # noqa: A001
    """Compiles an expression, once for each context type.

    Parameters
    ----------
    expression : str
        FHIRPath.
    context_type : str, optional
        The type the expression starts from: a resource, datatype, backbone element (``Patient.contact``) or primitive, or
        the path of an element that has it (``Organization.telecom``); several, for a choice, joined by ``|``. With it,
        elements are checked and read directly; without it, they are looked up by name.
    strict : bool
        Refuse also what the standard leaves to implementations: a path that begins with the name of another type (which
        otherwise is empty, as search parameters for several types need it), and ``first()``, ``skip()`` … on items without
        a defined order.

    Raises
    ------
    FhirPathSyntaxError
        The text is no FHIRPath.
    FhirPathSemanticError
        It names an element, function or type that its context does not have.
    """
    return Expression(expression, context_type, strict)

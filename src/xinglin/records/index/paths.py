"""Search parameters' FHIRPath as typed walks over the structs: what the source of an extraction function is written from.

Nearly all R4 expressions are walks: elements, choices narrowed by ``as``, ``where(element='constant')``,
``where(resolve() is Type)``, ``[0]`` and unions. What is more than that (`NotAWalk`) is left to the FHIRPath engine.
"""

from __future__ import annotations

import keyword
from dataclasses import dataclass, replace
from typing import TypeAlias

from xinglin.standards.fhir.fhirpath.parser import parse
from xinglin.standards.fhir.fhirpath.syntax import (
    Binary,
    Call,
    Indexer,
    Literal,
    Member,
    Node,
    TypeOperation,
    type_specifier,
)
from xinglin.standards.fhir.r4.elements import BASES, ELEMENTS
from xinglin.standards.fhir.search.implied import code_system


class NotAWalk(Exception):
    """The expression is more than a walk."""


@dataclass(frozen=True, slots=True)
class Step:
    """To the struct's attribute ``name``, a list where ``many``; ``first``: only to its first item."""

    name: str
    many: bool
    first: bool = False


@dataclass(frozen=True, slots=True)
class Only:
    """Stays where the item's attribute ``name`` equals ``text``."""

    name: str
    text: str


Steps: TypeAlias = tuple[Step | Only, ...]


@dataclass(frozen=True, slots=True)
class Walk:
    """``steps`` from the resource to values of the FHIR ``type``.

    ``system``: what a code there implies. ``owner``: the type that holds the last element, with its name. ``refers``: only
    references to this type count.
    """

    steps: Steps
    type: str
    system: str = ""
    owner: tuple[str, str] = ("", "")
    refers: str | None = None


def walks(expression: str, type: str) -> tuple[Walk, ...]:
    """The walks of an expression whose context is ``type`` (a resource type, or the path of a backbone element).

    Raises
    ------
    NotAWalk
        See the module.
    """
    found = _walk(parse(expression), Walk((), type))
    return tuple(dict.fromkeys(found))


def attribute(name: str) -> str:
    """The struct's attribute for an element."""
    return name + "_" if keyword.iskeyword(name) else name


def is_kind(type: str, other: str) -> bool:
    """Whether ``type`` is ``other`` or derived from it."""
    while type != other:
        if type not in BASES:
            return False
        type = BASES[type]
    return True


def _walk(node: Node, context: Walk) -> list[Walk]:
    match node:
        case Binary(operator="|", left=left, right=right):
            return _walk(left, context) + _walk(right, context)
        case Member(input=None, name=name):
            if name[0].isupper() and not context.steps and is_kind(context.type, name):
                return [context]
            return _children(context, name)
        case Member(input=Node() as source, name=name):
            return [child for walk in _walk(source, context) for child in _children(walk, name)]
        case TypeOperation(operator="as", operand=operand, type=wanted):
            return _narrowed(_walk(operand, context), wanted.name)
        case Call(input=Node() as source, name="as" | "ofType", arguments=(argument,)):
            specifier = type_specifier(argument)
            if specifier is None:
                raise NotAWalk(str(node))
            return _narrowed(_walk(source, context), specifier.name)
        case Call(input=Node() as source, name="where", arguments=(condition,)):
            return [_filtered(walk, condition) for walk in _walk(source, context)]
        case Indexer(input=source, index=Literal(value=0)):
            return [_first(walk) for walk in _walk(source, context)]
    raise NotAWalk(str(node))


def _children(walk: Walk, name: str) -> list[Walk]:
    if walk.refers is not None:
        raise NotAWalk(name)
    element = ELEMENTS.get(walk.type, {}).get(name)
    if element is None:
        raise NotAWalk(f"{walk.type}.{name}")
    many = element.max != 1
    system = code_system(element.binding, element.strength)
    return [
        Walk(
            (
                *walk.steps,
                Step(attribute(name + one[0].upper() + one[1:] if element.choice else name), many),
            ),
            one,
            system if one == "code" else "",
            (walk.type, name),
        )
        for one in element.types
    ]


def _narrowed(found: list[Walk], type: str) -> list[Walk]:
    # The published tables also write DateTime for dateTime.
    wanted = type[0].lower() + type[1:]
    return [walk for walk in found if wanted == walk.type[0].lower() + walk.type[1:]]


def _filtered(walk: Walk, condition: Node) -> Walk:
    match condition:
        case TypeOperation(operator="is", operand=Call(input=None, name="resolve"), type=wanted):
            if walk.type not in ("Reference", "canonical", "uri"):
                raise NotAWalk("resolve")
            return replace(walk, refers=wanted.name)
        case Binary(operator="=", left=Member(input=None, name=name), right=Literal(value=str() as text)):
            element = ELEMENTS.get(walk.type, {}).get(name)
            if element is None or element.choice or element.max != 1:
                raise NotAWalk(name)
            return replace(walk, steps=(*walk.steps, Only(attribute(name), text)))
    raise NotAWalk("where")


def _first(walk: Walk) -> Walk:
    # Of a list directly in the resource, or the first of the first: then the first item overall is that of this step.
    *before, last = walk.steps
    if not isinstance(last, Step) or any(isinstance(step, Only) or step.many for step in before):
        raise NotAWalk("[0]")
    return replace(walk, steps=(*before, replace(last, first=True))) if last.many else walk

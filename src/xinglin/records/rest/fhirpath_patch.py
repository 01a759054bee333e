"""FHIRPath Patch on a resource's own text: what the patch does not touch keeps its digits and its order.

Where an expression leads is found by evaluating it on the parsed resource and following the results back to their places
in the JSON. A path to primitives may end in an element's name, and behind it in ``[n]``, ``first()``, ``last()``,
``single()`` or ``where(…)``; anything before that is any FHIRPath.

Source: HL7 FHIR R4, fhirpatch.html.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from xinglin.records.rest.errors import Malformed, Unprocessable
from xinglin.records.rest.lexemes import Lexeme, dumps, loads
from xinglin.records.rest.patch import OPERATIONS_MOST, prune
from xinglin.standards.fhir.errors import Invalid
from xinglin.standards.fhir.fhirpath import FhirPathError
from xinglin.standards.fhir.fhirpath.syntax import Call, Indexer, Literal, Member, Node

_NEEDED = {
    "add": ("path", "name", "value"),
    "insert": ("path", "index", "value"),
    "delete": ("path",),
    "replace": ("path", "value"),
    "move": ("path", "source", "destination"),
}
Place = tuple[Any, ...]
"""Keys and indexes from the resource to an element; a primitive's extensions lie beside it, under ``_name``."""


@dataclass(frozen=True, slots=True)
class Change:
    """One operation: its parts as sent, by name. ``value`` is the part itself, whose type is in its own name."""

    index: int
    kind: str
    path: str
    name: str = ""
    value: dict[str, Any] | None = None
    at: int = 0
    source: int = 0
    destination: int = 0


def read_patch(body: bytes) -> list[Change]:
    """The operations of a Parameters resource, checked for form. Raises Malformed, naming the operation."""
    document = loads(body, what="Parameters")
    if not isinstance(document, dict) or document.get("resourceType") != "Parameters":
        raise Malformed("records.rest-fhirpath-patch-form")
    sent = document.get("parameter", [])
    if not isinstance(sent, list) or not all(isinstance(one, dict) for one in sent):
        raise Malformed("records.rest-fhirpath-patch-form")
    if len(sent) > OPERATIONS_MOST:
        raise Malformed("records.rest-patch-long", most=OPERATIONS_MOST)
    return [_change(index, one) for index, one in enumerate(sent)]


def _change(index: int, sent: dict[str, Any]) -> Change:
    if sent.get("name") != "operation":
        raise Malformed("records.rest-fhirpath-patch-op", index=index, known=", ".join(_NEEDED))
    listed = sent.get("part", [])
    parts = (
        {one.get("name"): one for one in listed if isinstance(one, dict)} if isinstance(listed, list) else {}
    )
    kind = _plain(parts.get("type"))
    if kind not in _NEEDED:
        raise Malformed("records.rest-fhirpath-patch-op", index=index, known=", ".join(_NEEDED))
    for name in _NEEDED[kind]:
        if name not in parts:
            raise Malformed("records.rest-patch-member", index=index, member=name)
    path = _plain(parts["path"])
    if not isinstance(path, str) or isinstance(path, Lexeme):
        raise Malformed("records.rest-patch-member", index=index, member="path")

    def number(name: str) -> int:
        text = _plain(parts.get(name)) if name in _NEEDED[kind] else Lexeme("0")
        if not isinstance(text, Lexeme) or not text.isdigit() or len(text) > 9:
            raise Malformed("records.rest-patch-member", index=index, member=name)
        return int(text)

    name = _plain(parts.get("name")) if kind == "add" else ""
    if not isinstance(name, str) or (kind == "add" and not name.isalpha()):
        raise Malformed("records.rest-patch-member", index=index, member="name")
    return Change(
        index, kind, path, name, parts.get("value"), number("index"), number("source"), number("destination")
    )


def _plain(part: dict[str, Any] | None) -> Any:
    """The primitive that a part holds, None where it holds none."""
    values = [value for name, value in (part or {}).items() if name.startswith("value")]
    return values[0] if len(values) == 1 else None


def apply(changes: list[Change], body: bytes) -> bytes:
    """``body`` with all ``changes`` made in order, or (by raising) none.

    Raises Unprocessable: a path that leads nowhere or to several elements, an element that cannot be added; the message
    names the operation.
    """
    document = loads(body)
    for change in changes:
        _Patching(document, change).run()
    prune(document)
    return dumps(document)


class _Patching:
    """One operation on one document."""

    def __init__(self, document: dict[str, Any], change: Change) -> None:
        from xinglin.standards.fhir.parse import parse

        self._document = document
        self._change = change
        cleaned = copy.deepcopy(document)
        prune(cleaned)  # what the operations before have emptied is no element
        try:
            self._resource = parse(dumps(cleaned))
        except Invalid as error:
            raise self._wrong("rest-fhirpath-patch-between") from error
        self._places = {
            id(struct): (struct, place) for struct, place in _structs(self._resource, document, ())
        }

    def run(self) -> None:
        """Change the document. Raises Unprocessable."""
        getattr(self, f"_{self._change.kind}")()

    def _wrong(self, key: str, **values: Any) -> Unprocessable:
        return Unprocessable(
            f"records.{key}", index=self._change.index, path=self._change.path[:200], **values
        )

    # The operations

    def _add(self) -> None:
        change = self._change
        place = self._one(self._located(change.path))
        holder = self._at(place)
        if not isinstance(holder, dict):
            raise self._wrong("rest-fhirpath-patch-place")
        element = self._element(place, change.name)
        key, value, beside = self._value(element, change.name)
        if element.max != 1:
            self._list_insert(holder, key, len(_items(holder, key)), value, beside)
            return
        if any(name.removeprefix("_") in _names(element) for name in holder):
            raise self._wrong("rest-fhirpath-patch-there", name=change.name)
        _set(holder, key, value, beside)

    def _insert(self) -> None:
        holder, key, element = self._list()
        _, value, beside = self._value(element, key)
        if self._change.at > len(_items(holder, key)):
            raise self._wrong("rest-fhirpath-patch-index")
        self._list_insert(holder, key, self._change.at, value, beside)

    def _delete(self) -> None:
        found = self._located(self._change.path)
        if not found:
            return  # R4: a delete of what is not there is no error
        place = self._one(found)
        if not place:
            raise self._wrong("rest-fhirpath-patch-place")
        _remove(self._at(_holder(place)), place)

    def _replace(self) -> None:
        place = self._one(self._located(self._change.path))
        if not place:
            raise self._wrong("rest-fhirpath-patch-place")
        in_list = isinstance(place[-1], int)
        holder_place = _holder(place)
        name = str(place[-2] if in_list else place[-1])
        element = self._element(holder_place, name)
        key, value, beside = self._value(element, name)
        holder = self._at(holder_place)
        if in_list:
            holder[place[-2]][place[-1]] = value
            _list_beside(holder, place[-2], place[-1], beside)
        elif key == place[-1]:
            holder[key] = value
            holder.pop(f"_{key}", None)
            if beside is not None:
                holder[f"_{key}"] = beside
        else:  # a choice changes its type
            _remove(holder, place)
            _set(holder, key, value, beside)

    def _move(self) -> None:
        holder, key, _ = self._list()
        items = _items(holder, key)
        source, destination = self._change.source, self._change.destination
        if source >= len(items) or destination >= len(items):
            raise self._wrong("rest-fhirpath-patch-index")
        items.insert(destination, items.pop(source))
        others = holder.get(f"_{key}")
        if isinstance(others, list):
            others.insert(destination, others.pop(source))

    # Where, and what

    def _one(self, found: list[Place]) -> Place:
        if len(found) != 1:
            raise self._wrong("rest-fhirpath-patch-place" if not found else "rest-fhirpath-patch-several")
        return found[0]

    def _at(self, place: Place) -> Any:
        value: Any = self._document
        for step in place:
            value = value[step]
        return value

    def _element(self, holder: Place, name: str) -> Any:
        """The definition of the element ``name`` of what lies at ``holder``: by its own name, or by that of a choice."""
        from xinglin.standards.fhir.fhirpath import schema
        from xinglin.standards.fhir.r4.elements import ELEMENTS

        kind = next((schema.name_of(type(s)) for s, place in self._places.values() if place == holder), None)
        for element in ELEMENTS.get(kind or "", {}).values():
            if name == element.name.removesuffix("[x]") or name in _names(element):
                return element
        raise self._wrong("rest-fhirpath-patch-element", name=name[:64])

    def _list(self) -> tuple[Any, str, Any]:
        """What holds the list that the path names, the list's key and the element's definition."""
        node, text = self._parsed(self._change.path)
        if not isinstance(node, Member):
            raise self._wrong("rest-fhirpath-patch-place")
        holder = self._one(self._located(text[: node.at].rstrip().removesuffix(".")))
        element = self._element(holder, node.name)
        if element.max == 1:
            raise self._wrong("rest-fhirpath-patch-no-list", name=node.name[:64])
        return self._at(holder), node.name, element

    def _parsed(self, text: str) -> tuple[Node, str]:
        from xinglin.standards.fhir.fhirpath import parse

        try:
            return parse(text), text
        except (FhirPathError, RecursionError) as error:
            raise self._wrong("rest-fhirpath-patch-path") from error

    def _located(self, text: str) -> list[Place]:
        """Where the elements lie that an expression gives."""
        from xinglin.standards.fhir.fhirpath import compile as compile_path

        node, _ = self._parsed(text)
        try:
            kind = type(self._resource).__name__
            found = compile_path(text, kind).evaluate(self._resource)
        except (FhirPathError, RecursionError) as error:
            raise self._wrong("rest-fhirpath-patch-path") from error
        if all(isinstance(one, msgspec.Struct) and id(one) in self._places for one in found) and found:
            return list(dict.fromkeys(self._places[id(one)][1] for one in found))
        return self._primitives(node, text) if found else []

    def _primitives(self, node: Node, text: str) -> list[Place]:
        """Where primitives lie: below the elements that the expression before their name gives."""
        if isinstance(node, Member) and node.input is not None:
            parents = self._located(text[: node.at].rstrip().removesuffix("."))
            return [place for parent in parents for place in self._children(parent, node.name)]
        if (
            isinstance(node, Indexer)
            and isinstance(node.index, Literal)
            and isinstance(node.index.value, int)
        ):
            return self._located(text[: node.at])[node.index.value : node.index.value + 1]
        if isinstance(node, Call) and node.input is not None:
            of = self._located(text[: node.at].rstrip().removesuffix("."))
            if not node.arguments and node.name in ("first", "last", "single"):
                return of[-1:] if node.name == "last" else of[:1]
            if node.name == "where" and len(node.arguments) == 1:
                opened = text.index("(", node.at)
                return [place for place in of if self._holds(text[opened + 1 : text.rindex(")")], place)]
        raise self._wrong("rest-fhirpath-patch-path")

    def _holds(self, criterion: str, place: Place) -> bool:
        from xinglin.standards.fhir.fhirpath import compile as compile_path

        value = self._at(place)
        return bool(compile_path(criterion).holds(str(value) if isinstance(value, Lexeme) else value))

    def _children(self, parent: Place, name: str) -> list[Place]:
        holder = self._at(parent)
        names = _names(self._element(parent, name))
        found: list[Place] = []
        for key in names:
            value = holder.get(key)
            if isinstance(value, list):
                found += [(*parent, key, index) for index in range(len(value))]
            elif value is not None:
                found.append((*parent, key))
        return found

    def _value(self, element: Any, name: str) -> tuple[str, Any, Any]:
        """The key under which the operation's value is put, the value, and (of a primitive) what lies beside it."""
        return self._made(self._change.value or {}, element, name)

    def _made(self, part: dict[str, Any], element: Any, name: str) -> tuple[str, Any, Any]:
        """As `_value`, of one part: a value[x], a resource, or (R4, of any complex type) parts of its own."""
        typed = [key for key in part if key.startswith("value")]
        base = element.name.removesuffix("[x]")
        if len(typed) == 1 and "part" not in part:
            key = base + typed[0].removeprefix("value") if element.choice else base
            return key, copy.deepcopy(part[typed[0]]), copy.deepcopy(part.get(f"_{typed[0]}"))
        if not typed and "resource" in part and "Resource" in element.types:
            return base, copy.deepcopy(part["resource"]), None
        kind = _complex(element, name)
        if typed or kind is None or "part" not in part:
            raise self._wrong("rest-fhirpath-patch-value")
        key = base + kind[0].upper() + kind[1:] if element.choice else base
        return key, self._built(part["part"], kind), None

    def _built(self, parts: Any, kind: str) -> dict[str, Any]:
        """A value of a complex type, or an element without a type of its own (Patient.contact), from its parts."""
        from xinglin.standards.fhir.r4.elements import ELEMENTS

        made: dict[str, Any] = {}
        for part in parts if isinstance(parts, list) else ():
            name = part.get("name") if isinstance(part, dict) else None
            element = next(
                (e for e in ELEMENTS[kind].values() if name in (e.name.removesuffix("[x]"), *_names(e))), None
            )
            if element is None:
                raise self._wrong("rest-fhirpath-patch-element", name=str(name)[:64])
            key, value, beside = self._made(part, element, str(name))
            if element.max != 1:
                self._list_insert(made, key, len(_items(made, key)), value, beside)
            elif any(one in made for one in _names(element)):
                raise self._wrong("rest-fhirpath-patch-there", name=key)
            else:
                _set(made, key, value, beside)
        if not made:
            raise self._wrong("rest-fhirpath-patch-value")
        return made

    def _list_insert(self, holder: dict[str, Any], key: str, at: int, value: Any, beside: Any) -> None:
        items = holder.setdefault(key, [])
        others = holder.get(f"_{key}")
        items.insert(at, value)
        if isinstance(others, list):
            others.insert(at, beside)
        elif beside is not None:
            holder[f"_{key}"] = [beside if place == at else None for place in range(len(items))]


def _structs(value: Any, node: Any, place: Place) -> Iterator[tuple[Any, Place]]:
    """Every struct of a parsed resource and its place in the document, walked side by side."""
    if isinstance(value, list) and isinstance(node, list):
        there = (place_ for place_, item in enumerate(node) if item not in ({}, []))
        for one, index in zip(value, there, strict=False):
            yield from _structs(one, node[index], (*place, index))
    elif isinstance(value, msgspec.Struct) and isinstance(node, dict):
        yield value, place
        for field in msgspec.structs.fields(type(value)):
            if field.encode_name in node:
                yield from _structs(
                    getattr(value, field.name), node[field.encode_name], (*place, field.encode_name)
                )


def _names(element: Any) -> list[str]:
    """The keys that an element can have: one, or one for each type of a choice."""
    base = element.name.removesuffix("[x]")
    return [base + name[0].upper() + name[1:] for name in element.types] if element.choice else [base]


def _complex(element: Any, name: str) -> str | None:
    """The type of which an element's value can be put together from parts; of a choice the one that ``name`` says."""
    from xinglin.standards.fhir.r4.elements import ELEMENTS

    base = element.name.removesuffix("[x]")
    kinds = [one for one in element.types if "." in one or one in ELEMENTS]
    if element.choice and len(kinds) > 1:
        kinds = [one for one in kinds if name == base + one[0].upper() + one[1:]]
    return kinds[0] if len(kinds) == 1 else None


def _items(holder: dict[str, Any], key: str) -> list[Any]:
    found = holder.get(key, [])
    return found if isinstance(found, list) else []


def _holder(place: Place) -> Place:
    """Where the object lies that holds an element, or the list of it."""
    return place[:-2] if isinstance(place[-1], int) else place[:-1]


def _set(holder: dict[str, Any], key: str, value: Any, beside: Any) -> None:
    holder[key] = value
    if beside is not None:
        holder[f"_{key}"] = beside


def _remove(holder: dict[str, Any], place: Place) -> None:
    """Take an element away, and what lies beside it."""
    if not isinstance(place[-1], int):
        del holder[place[-1]]
        holder.pop(f"_{place[-1]}", None)
        return
    key, index = place[-2], place[-1]
    del holder[key][index]
    others = holder.get(f"_{key}")
    if isinstance(others, list) and index < len(others):
        del others[index]
        if not any(one is not None for one in others):
            del holder[f"_{key}"]


def _list_beside(holder: dict[str, Any], key: str, index: int, beside: Any) -> None:
    others = holder.get(f"_{key}")
    if isinstance(others, list) and index < len(others):
        others[index] = beside
        if not any(one is not None for one in others):
            del holder[f"_{key}"]
    elif beside is not None:
        holder[f"_{key}"] = [beside if place == index else None for place in range(len(holder[key]))]

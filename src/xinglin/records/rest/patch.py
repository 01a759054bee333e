"""JSON Patch on a resource's own text: what the patch does not touch keeps its digits and its order.

Source: RFC 6902 (JSON Patch), RFC 6901 (JSON Pointer); HL7 FHIR R4, http.html#patch.
"""

from __future__ import annotations

import copy
import re
from typing import Any

from xinglin.records.rest.errors import Malformed, Unprocessable
from xinglin.records.rest.lexemes import dumps, equal, loads

OPERATIONS_MOST = 5000
_MEMBERS = {
    "add": ("path", "value"),
    "remove": ("path",),
    "replace": ("path", "value"),
    "move": ("from", "path"),
    "copy": ("from", "path"),
    "test": ("path", "value"),
}
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")

Patch = list[dict[str, Any]]


def read_patch(body: bytes) -> Patch:
    """A patch document, checked for form. Raises Malformed, naming the operation."""
    document = loads(body, what="JSON Patch")
    if not isinstance(document, list):
        raise Malformed("records.rest-patch-array")
    if len(document) > OPERATIONS_MOST:
        raise Malformed("records.rest-patch-long", most=OPERATIONS_MOST)
    for index, operation in enumerate(document):
        if not isinstance(operation, dict) or str(operation.get("op")) not in _MEMBERS:
            raise Malformed("records.rest-patch-op", index=index, known=", ".join(_MEMBERS))
        for member in _MEMBERS[operation["op"]]:
            if member not in operation:
                raise Malformed("records.rest-patch-member", index=index, member=member)
            if member != "value":
                _pointer(operation[member], index)
    return document


def apply(patch: Patch, body: bytes) -> bytes:
    """``body`` with ``patch`` applied, all of it or (by raising) nothing.

    >>> apply(read_patch(b'[{"op":"replace","path":"/b","value":2.50}]'), b'{"a":1.10,"b":0}')
    b'{"a":1.10,"b":2.50}'

    Raises Unprocessable: a place that is not there, or a test that fails; the message names the operation.
    """
    document: list[Any] = [loads(body)]  # in a list, so that the pointer "" can replace the whole
    for index, operation in enumerate(patch):
        _one(document, operation, index)
    # FHIR has no empty arrays or objects: what a removal emptied goes with it, once all operations are done.
    if isinstance(document[0], (dict, list)):
        prune(document[0])
    return dumps(document[0])


def prune(value: Any) -> None:
    """Take away what is empty, at any depth."""
    items = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
    for key, item in reversed(items):
        if isinstance(item, (dict, list)):
            prune(item)
            if not item:
                del value[key]


def _one(document: list[Any], operation: dict[str, Any], index: int) -> None:
    path = [0, *_pointer(operation["path"], index)]
    op = operation["op"]
    if op == "test":
        if not equal(_get(document, path, operation["path"], index), operation["value"]):
            raise Unprocessable("records.rest-patch-test", index=index, path=operation["path"])
    elif op == "add":
        _add(document, path, copy.deepcopy(operation["value"]), operation["path"], index)
    elif op == "remove":
        _remove(document, path, operation["path"], index)
    elif op == "replace":
        holder, key = _holder(document, path, operation["path"], index)
        holder[key] = copy.deepcopy(operation["value"])
    else:
        source = [0, *_pointer(operation["from"], index)]
        value = _get(document, source, operation["from"], index)
        if op == "move":
            if path[: len(source)] == source and len(path) > len(source):
                raise Unprocessable("records.rest-patch-into-itself", index=index)
            _remove(document, source, operation["from"], index)
        else:
            value = copy.deepcopy(value)
        _add(document, path, value, operation["path"], index)


def _pointer(text: object, index: int) -> list[Any]:
    """RFC 6901: "/name/0/family" as its steps. Raises Malformed."""
    if not isinstance(text, str) or (text and not text.startswith("/")) or re.search(r"~(?![01])", text):
        raise Malformed("records.rest-patch-pointer", index=index)
    return [step.replace("~1", "/").replace("~0", "~") for step in text.split("/")[1:]]


def _step(holder: Any, step: Any, path: str, index: int) -> Any:
    """The key in ``holder`` that ``step`` names and that exists."""
    if isinstance(holder, dict) and step in holder:
        return step
    if isinstance(holder, list) and (isinstance(step, int) or _INDEX.fullmatch(step)):
        place = int(step)
        if place < len(holder):
            return place
    raise Unprocessable("records.rest-patch-place", index=index, path=path)


def _get(document: list[Any], path: list[Any], shown: str, index: int) -> Any:
    value: Any = document
    for step in path:
        value = value[_step(value, step, shown, index)]
    return value


def _holder(document: list[Any], path: list[Any], shown: str, index: int) -> tuple[Any, Any]:
    """What holds the place, and the existing key in it."""
    holder = _get(document, path[:-1], shown, index)
    return holder, _step(holder, path[-1], shown, index)


def _remove(document: list[Any], path: list[Any], shown: str, index: int) -> None:
    if len(path) == 1:
        raise Unprocessable("records.rest-patch-place", index=index, path=shown)
    holder, key = _holder(document, path, shown, index)
    del holder[key]


def _add(document: list[Any], path: list[Any], value: Any, shown: str, index: int) -> None:
    if len(path) == 1:
        document[0] = value
        return
    holder = _get(document, path[:-1], shown, index)
    last = path[-1]
    if isinstance(holder, dict):
        holder[last] = value
    elif isinstance(holder, list) and last == "-":
        holder.append(value)
    elif isinstance(holder, list) and _INDEX.fullmatch(last) and int(last) <= len(holder):
        holder.insert(int(last), value)
    else:
        raise Unprocessable("records.rest-patch-place", index=index, path=shown)

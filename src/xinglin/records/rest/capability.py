"""``/metadata``: the CapabilityStatement, made from the tables that the server itself works by.

Source: HL7 FHIR R4, http.html#capabilities, capabilitystatement.html.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import cache, lru_cache
from importlib.metadata import version
from typing import Any

import msgspec

from xinglin.kernel.capability import FhirOperation
from xinglin.kernel.clock import now
from xinglin.records.rest.conditional import instant_text
from xinglin.records.rest.negotiate import PATCH
from xinglin.standards.fhir.r4.codes import RESOURCE_TYPES
from xinglin.standards.fhir.r4.compartments import COMPARTMENTS
from xinglin.standards.fhir.r4.parameters import SearchParameter, parameters_of
from xinglin.standards.fhir.search.grammar import REFUSED
from xinglin.standards.fhir.search.names import targets

INTERACTIONS = (
    "read",
    "vread",
    "update",
    "patch",
    "delete",
    "history-instance",
    "history-type",
    "create",
    "search-type",
)
SYSTEM_INTERACTIONS = ("transaction", "batch", "search-system", "history-system")


_WEBSOCKET = "http://hl7.org/fhir/StructureDefinition/capabilitystatement-websocket"


def websocket(base: str) -> str:
    """Where Subscriptions are told over web sockets, beside the FHIR endpoint at ``base``.

    >>> websocket("https://ward.example/fhir")
    'wss://ward.example/api/websocket'
    """
    return f"ws{base.removeprefix('http').removesuffix('/fhir')}/api/websocket"


def searchable(type_: str) -> dict[str, SearchParameter]:
    """The search parameters of a type that are answered."""
    return {
        name: parameter
        for name, parameter in sorted(parameters_of(type_).items())
        if name not in REFUSED and parameter.type != "special"
    }


@lru_cache(maxsize=32)
def statement(
    base: str, operations: tuple[FhirOperation, ...], own: tuple[SearchParameter, ...] = ()
) -> bytes:
    """The CapabilityStatement of a server at ``base``, made once for each address it is reached under.

    ``own``: the tenant's own search parameters whose index is complete.
    """
    backward = _backward()
    further: dict[str, list[SearchParameter]] = defaultdict(list)
    for parameter in own:
        further[parameter.base].append(parameter)
    resource: dict[str, Any] = {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": _started(),
        "kind": "instance",
        "instantiates": ["http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data"],
        "software": {"name": "Xinglin", "version": version("xinglin")},
        "implementation": {"description": "Xinglin (杏林)", "url": base},
        "fhirVersion": "4.0.1",
        "format": ["json", "application/fhir+json"],
        "patchFormat": [PATCH, "application/fhir+json"],
        "rest": [
            {
                "mode": "server",
                "extension": [{"url": _WEBSOCKET, "valueUri": websocket(base)}],
                "security": {"cors": False},
                "resource": [
                    _resource(type_, backward, operations, further[type_])
                    for type_ in sorted(RESOURCE_TYPES - {"Parameters"})
                ],
                "interaction": [{"code": code} for code in SYSTEM_INTERACTIONS],
                "searchParam": _parameters("Resource"),
                **_named(operation for operation in operations if operation.system),
                "compartment": [
                    f"http://hl7.org/fhir/CompartmentDefinition/{name.lower()}"
                    for name in sorted(COMPARTMENTS)
                ],
            }
        ],
    }
    return msgspec.json.encode(resource)


@cache
def _started() -> str:
    return instant_text(now())


def _resource(
    type_: str,
    backward: dict[str, list[str]],
    operations: tuple[FhirOperation, ...],
    own: list[SearchParameter],
) -> dict[str, Any]:
    forward = [
        f"{type_}:{name}" for name, parameter in searchable(type_).items() if parameter.type == "reference"
    ]
    forward += [f"{type_}:{parameter.name}" for parameter in own if parameter.type == "reference"]
    found: dict[str, Any] = {
        "type": type_,
        "profile": f"http://hl7.org/fhir/StructureDefinition/{type_}",
        "interaction": [{"code": code} for code in INTERACTIONS],
        "versioning": "versioned",
        "readHistory": True,
        "updateCreate": True,
        "conditionalCreate": True,
        "conditionalRead": "full-support",
        "conditionalUpdate": True,
        "conditionalDelete": "single",
        "referencePolicy": ["literal", "logical"],
        "searchInclude": ["*", *forward],
        "searchRevInclude": ["*", *backward[type_]] if backward[type_] else ["*"],
        "searchParam": [*_parameters(type_), *map(_parameter, own)],
        **_named(
            operation for operation in operations if operation.at(type_, None) or operation.at(type_, "-")
        ),
    }
    return found


def _backward() -> dict[str, list[str]]:
    """For each type the reference parameters that name it as a target (not those that may point to anything)."""
    found: dict[str, list[str]] = defaultdict(list)
    everything = len(RESOURCE_TYPES) - 10
    for type_ in sorted(RESOURCE_TYPES):
        for name, parameter in searchable(type_).items():
            wanted = targets(parameter) if parameter.type == "reference" else ()
            if len(wanted) < everything:
                for target in wanted:
                    found[target].append(f"{type_}:{name}")
    return found


def _parameters(type_: str) -> list[dict[str, str]]:
    return [_parameter(parameter) for parameter in searchable(type_).values()]


def _parameter(parameter: SearchParameter) -> dict[str, str]:
    return {"name": parameter.name, "definition": parameter.url, "type": parameter.type}


def _named(operations: Iterable[FhirOperation]) -> dict[str, list[dict[str, str]]]:
    found = [{"name": each.name.removeprefix("$"), "definition": each.definition} for each in operations]
    return {"operation": found} if found else {}

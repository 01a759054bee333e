"""What a capability gives to the house, as names only: listing capabilities loads none of them.

Each name is ``package.module:function``; `resolve` loads it when it is first needed, inside the process that needs it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import Any


@dataclass(frozen=True, slots=True)
class FhirOperation:
    """A FHIR operation: its name with ``$``, where it may be called, and what answers it.

    ``system``, ``types``, ``instances``: whether it is called on the whole system, and on which resource types and on
    resources of which types; ``("*",)`` is all. ``run`` names a function of ``(edge, request, type_, id_)``, where type
    and id are None at the levels above; it gives an Answer or a Pending one (`records.rest.exchange`).
    """

    name: str
    run: str
    definition: str
    methods: tuple[str, ...] = ("POST",)
    system: bool = False
    types: tuple[str, ...] = ()
    instances: tuple[str, ...] = ()

    def at(self, type_: str | None, id_: str | None) -> bool:
        """Whether it may be called there."""
        if type_ is None:
            return self.system
        named = self.types if id_ is None else self.instances
        return "*" in named or type_ in named


@dataclass(frozen=True, slots=True)
class Capability:
    """One capability.

    ``jobs``, ``consumers``, ``routes`` each name a function of one ``records.site.Site``: they give job kinds
    (``jobs.Kind``), followers of the change feed (``records.feed.Consumer``), and routes of the web framework below
    ``/api``. ``extra``: the optional dependencies that it needs.
    """

    name: str
    jobs: str = ""
    consumers: str = ""
    routes: str = ""
    operations: tuple[FhirOperation, ...] = field(default=())
    extra: str = ""


def resolve(name: str) -> Any:
    """The object that ``package.module:attribute`` names.

    >>> resolve("xinglin.kernel.ids:stable_id")("a") == resolve("xinglin.kernel.ids:stable_id")("a")
    True
    """
    module, _, attribute = name.partition(":")
    return getattr(import_module(module), attribute)

"""What an evaluation carries along: the resource, the variables, and how references are resolved."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from xinglin.standards.fhir.fhirpath import schema
from xinglin.standards.fhir.fhirpath.temporal import DateTime, now
from xinglin.standards.fhir.fhirpath.values import Item, Primitive

#: Finds the resource that a literal reference means (``Patient/1``, an absolute URL, a canonical); None where it cannot.
Resolve = Callable[[str], Any]
#: Whether a coded item is in a value set; None where that cannot be told.
MemberOf = Callable[[Any, str], bool | None]

_TARGET = re.compile(r"(?:^|/)([A-Z][A-Za-z]+)/[A-Za-z0-9.\-]{1,64}(?:/_history/[A-Za-z0-9.\-]{1,64})?$")
_LOCAL = re.compile(r"^[A-Z][A-Za-z]+/[A-Za-z0-9.\-]{1,64}(?:/_history/[A-Za-z0-9.\-]{1,64})?$")


class Context:
    """One evaluation."""

    __slots__ = (
        "_moment",
        "context",
        "index",
        "member_of",
        "resolve",
        "resource",
        "root",
        "total",
        "trace",
        "variables",
    )

    def __init__(
        self,
        context: Item,
        resource: Any = None,
        root: Any = None,
        resolve: Resolve | None = None,
        member_of: MemberOf | None = None,
        variables: Mapping[str, Any] | None = None,
        trace: Callable[[str, Sequence[Item]], None] | None = None,
    ) -> None:
        self.context = context
        self.resource = context if resource is None else resource
        self.root = self.resource if root is None else root
        self.resolve = resolve
        self.member_of = member_of
        self.variables = variables or {}
        self.trace = trace
        self.index = 0
        self.total: list[Item] = []
        self._moment: DateTime | None = None

    @property
    def moment(self) -> DateTime:
        """The present, the same for the whole evaluation (FHIRPath N1 §5.9)."""
        if self._moment is None:
            self._moment = now()
        return self._moment

    def find(self, reference: str) -> Any:
        """The resource that a reference means: contained, in the Bundle at the root, or through the callback; or None."""
        if reference.startswith("#"):
            if reference == "#":
                return self.root
            for contained in getattr(self.root, "contained", None) or ():
                if contained.id == reference[1:]:
                    return contained
            return None
        found = self._in_bundle(reference)
        if found is None and self.resolve is not None:
            found = self.resolve(reference)
        return found

    def _in_bundle(self, reference: str) -> Any:
        entries = getattr(self.root, "entry", None)
        if not entries or type(self.root).__name__ != "Bundle":
            return None
        bare = reference.partition("/_history/")[0]
        ending = f"/{bare}" if _LOCAL.match(reference) else None
        for entry in entries:
            if entry.resource is None or entry.fullUrl is None:
                continue
            if entry.fullUrl == bare or (ending and entry.fullUrl.endswith(ending)):
                return entry.resource
        return None

    def type_of_target(self, item: Item) -> str | None:
        """The resource type that a Reference or URI points to, read off the reference itself where it says so."""
        reference, declared = reference_of(item)
        if reference is not None:
            named = _named_type(reference)
            if named is not None:
                return named
            target = self.find(reference)
            if target is not None:
                return schema.name_of(type(target))
        return declared


@lru_cache(maxsize=65_536)
def _named_type(reference: str) -> str | None:
    """The type that a relative reference or REST URL names."""
    found = _TARGET.search(reference)
    return found[1] if found and found[1] in schema.resource_types() else None


def reference_of(item: Item) -> tuple[str | None, str | None]:
    """The literal reference and the declared type of a Reference struct, a URI primitive or a string."""
    if isinstance(item, str):
        return item, None
    if isinstance(item, Primitive):
        return (item.value if isinstance(item.value, str) else None), None
    return getattr(item, "reference", None), getattr(item, "type", None)

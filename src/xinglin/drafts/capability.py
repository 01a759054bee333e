"""What drafts give to the house: retraction in the feed, and operations on drafts and their Provenance."""

from __future__ import annotations

from typing import Final

from xinglin.drafts.states import FORMS
from xinglin.kernel.capability import Capability, FhirOperation

_DEFINITION: Final = "urn:xinglin:operation:"
_TYPES: Final = tuple(FORMS)


def _decision(name: str) -> FhirOperation:
    return FhirOperation(
        f"${name}", f"xinglin.drafts.operations:{name}", f"{_DEFINITION}draft-{name}", instances=_TYPES
    )


def _graph(name: str, run: str) -> FhirOperation:
    return FhirOperation(
        f"${name}",
        f"xinglin.drafts.operations:{run}",
        f"{_DEFINITION}{name}",
        methods=("GET", "HEAD"),
        instances=("*",),
    )


CAPABILITY: Final = Capability(
    name="drafts",
    consumers="xinglin.drafts.consumers:consumers",
    operations=(
        _decision("accept"),
        _decision("amend"),
        _decision("reject"),
        _graph("rests-on", "rests_on"),
        _graph("computed-from", "computed_from"),
    ),
)

"""What goes into a proposal and what a draft is, as plain values.

Tags on a resource (``meta.tag``), all of the system's own:

==========================  ================================================================
``urn:xinglin:draft``       its state: open, accepted, amended, rejected, superseded, withdrawn, bypassed
``urn:xinglin:draft:slot``  same kind, model name and inputs, whatever their versions
``urn:xinglin:draft:kind``  what was computed, such as ``quality.units``
``urn:xinglin:retraction``  ``input-changed``: what it rests on has changed since a clinician accepted it
==========================  ================================================================
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from xinglin.drafts.errors import BadProposal

STATE: Final = "urn:xinglin:draft"
SLOT: Final = "urn:xinglin:draft:slot"
KIND: Final = "urn:xinglin:draft:kind"
DECISION: Final = "urn:xinglin:draft:decision"
RETRACTION: Final = "urn:xinglin:retraction"
CHANGED: Final = "input-changed"
ASSERTED_BY: Final = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"
AIAST: Final = "AIAST"  # artificial intelligence asserted
CLINAST: Final = "CLINAST"  # clinician asserted

State = Literal["open", "accepted", "amended", "rejected", "superseded", "withdrawn", "bypassed"]
DECIDED: Final = ("accepted", "amended", "rejected", "superseded", "withdrawn", "bypassed")
BYPASSED: Final = "bypassed"
"""No longer open by its own state, though nobody decided: a direct write made it so."""
HELD: Final = ("accepted", "amended")
"""States in which a clinician stands for the result."""

_REFERENCE = re.compile(
    r"([A-Z][A-Za-z]{1,60})/([A-Za-z0-9\-.]{1,64})(?:/_history/([1-9][0-9]{0,17}))?", re.ASCII
)


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """A resource in the record, in one version or (0) in any."""

    type: str
    id: str
    version: int = 0

    def __str__(self) -> str:
        return f"{self.name}/_history/{self.version}" if self.version else self.name

    @property
    def name(self) -> str:
        """``Type/id``."""
        return f"{self.type}/{self.id}"

    @property
    def bare(self) -> Ref:
        """Without its version."""
        return Ref(self.type, self.id)


def ref(text: str | None) -> Ref | None:
    """``Type/id`` or ``Type/id/_history/version``; None for any other reference.

    >>> ref("Observation/a/_history/3"), ref("urn:oid:1.2")
    (Ref(type='Observation', id='a', version=3), None)
    """
    found = _REFERENCE.fullmatch(text or "")
    return Ref(found[1], found[2], int(found[3] or 0)) if found else None


@dataclass(frozen=True, slots=True)
class Model:
    """What computed something: its name, version, and the hash of its file or rules."""

    name: str
    version: str
    hash: str = ""

    @property
    def text(self) -> str:
        """Name and version, for people."""
        return f"{self.name} {self.version}"

    @property
    def identifier(self) -> str:
        """Name, version and hash, for machines."""
        return f"{self.name}|{self.version}|{self.hash}"

    def older_than(self, other: Model) -> bool:
        """Whether it is an older version; numbers in versions count as numbers.

        >>> Model("m", "1.9").older_than(Model("m", "1.10"))
        True
        """
        return _ordered(self.version) < _ordered(other.version)


def _ordered(version: str) -> list[tuple[int, int, str]]:
    return [
        (1, int(part), "") if part.isdigit() else (0, 0, part) for part in re.findall(r"\d+|[^\d.]+", version)
    ]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, in both languages, each written; ``code`` names the kind of reason."""

    en: str
    zh: str
    code: str = ""

    def in_(self, language: str) -> str:
        """The sentence in one language; the other one where that is missing."""
        return (self.zh or self.en) if language == "zh" else (self.en or self.zh)


@dataclass(frozen=True, slots=True)
class Input:
    """A resource, in the version that was read, from which something was computed.

    ``elements``: the top-level elements that were used; a change of any other does not touch the result. Empty: all.
    """

    reference: str
    elements: tuple[str, ...] = ()

    @property
    def ref(self) -> Ref:
        """As parts. Raises BadProposal where it names no version."""
        found = ref(self.reference)
        if found is None or not found.version:
            raise BadProposal("drafts.input-unversioned", reference=self.reference[:120])
        return found


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a model proposes, and why.

    ``kind`` names what is computed (``cvd.risk``); with the model and the input versions it decides whether a draft is
    the same one. ``corrects``: the resource, in the version read, of which ``resources`` holds the corrected content.
    """

    kind: str
    by: Model
    inputs: tuple[Input, ...]
    reason: Reason
    resources: tuple[dict[str, Any], ...]
    corrects: str = ""
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a draft comes from, as its Provenance says."""

    model: Model
    kind: str
    inputs: tuple[Input, ...]
    corrects: Ref | None
    reason: Reason
    at: str  # FHIR instant
    confidence: float | None


@dataclass(frozen=True, slots=True)
class Draft:
    """One draft in its present version. ``changed``: what it rests on has changed since it was accepted."""

    ref: Ref
    state: State
    resource: dict[str, Any] = field(repr=False)
    origin: Origin
    changed: bool = False

    @property
    def reference(self) -> str:
        """``Type/id``."""
        return self.ref.name

    @property
    def proposed(self) -> dict[str, Any]:
        """The content that is proposed: of a correction, what the corrected resource would be."""
        if self.origin.corrects is None:
            return self.resource
        contained = self.resource.get("contained") or [{}]
        found: dict[str, Any] = contained[0]
        return found

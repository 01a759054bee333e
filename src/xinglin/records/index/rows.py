"""The index rows of one resource, symbolic: the store resolves systems, codes, types and ids to integers.

What each list holds, so that whoever compiles a `Query` and whoever writes the tables agree:

tokens ``(param, system, code, text)``
    One per Coding, Identifier, ContactPoint, code, id, boolean or string of a token parameter.
    ``system`` "" is none. ``text`` is the coding's display (for ``:text``). A CodeableConcept whose own
    text no coding repeats gives one more row with system "" and code "". A code with a required binding
    to one code system carries that system, and a boolean
    ``http://terminology.hl7.org/CodeSystem/special-values``. A uri parameter gives rows with system "".
    ``param + IDENTIFIER`` holds the identifier of a reference (``subject:identifier``); ``param +
    OF_TYPE`` one row per coding of Identifier.type: system and ``code|value`` (``identifier:of-type``).
references ``(param, type, id)``
    A local target (relative, or absolute under one of the context's base URLs; versions dropped). Type
    "" and id = the URL for any other absolute URL, urn or canonical; a canonical with ``|version`` gives
    the row with and the one without it. Type "" and id "": there is a reference, but it names nothing
    (only display or identifier). So does a contained target.
strings ``(param, norm, exact, kind)``
    ``norm`` folded (`xinglin.standards.han.fold`), at most 200 characters of it; ``exact`` as written, clipped as
    `xinglin.records.clip.clip_code` does: ``:contains`` sees the first 200 characters, ``:exact`` all of them.
    Kind 1 is derived (pinyin, initials, endings of Chinese names): never matched by ``:exact``; its ``exact`` is "".
dates ``(param, low_us, high_us)``
    Half-open; an open end of a Period is MIN_US or MAX_US of `xinglin.standards.fhir.temporal`.
quantities ``(param, system, code, low, high)``
    Closed intervals as doubles, ±inf where open. Numbers have system and code "". A UCUM quantity gives
    one row as written and one in canonical units under the system ``CANONICAL``; where the human unit
    differs from the code, one row more with system "" and code = unit (for ``5.4||mmHg``).
pairs ``(param, a, b, low, high, text)``
    Composites. ``a`` and ``b`` are Token ``(system, code, text)``, or for ``a`` Target ``(type, id)``; b
    is None if unused, and low and high are then 0.
    token$quantity: a, b = the unit ``(system, code, "")``, low, high (one row as written, one canonical,
    as above);
    token$token: a, b; token$date: a, low, high in µs; token$string: a, text folded;
    token$reference: a = Target, b = the token; token$number$number: a, low = first, high = second.
patients ``[id]``
    The Patients in whose compartments the resource lies (those that the compartment's reference parameters refer to); a
    Patient is in its own, and in those of the Patients it is linked to.

``_id``, ``_lastUpdated``, ``_text`` and ``_content`` have no rows: the store keeps them in its own
columns and full text. The same row never stands twice in a list.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xinglin.records.index.own import Own

INDEX_VERSION: Final = 1
"""Raise when `extract` gives other rows than before for the same resource; see also
`signature.index_signature`.
"""

IDENTIFIER: Final = 20_000
OF_TYPE: Final = 40_000
CANONICAL: Final = "ucum"
LONGEST: Final = 200
"""Characters of ``norm`` and ``exact`` kept of a string."""

Token: TypeAlias = tuple[str, str, str]
Target: TypeAlias = tuple[str, str]
TokenRow: TypeAlias = tuple[int, str, str, str]
ReferenceRow: TypeAlias = tuple[int, str, str]
StringRow: TypeAlias = tuple[int, str, str, int]
DateRow: TypeAlias = tuple[int, int, int]
QuantityRow: TypeAlias = tuple[int, str, str, float, float]
PairRow: TypeAlias = tuple[int, Token | Target, Token | None, float | int, float | int, str]


@dataclass(slots=True)
class IndexRows:
    """Rows of all tables for one resource; see the module."""

    tokens: list[TokenRow] = field(default_factory=list)
    references: list[ReferenceRow] = field(default_factory=list)
    strings: list[StringRow] = field(default_factory=list)
    dates: list[DateRow] = field(default_factory=list)
    quantities: list[QuantityRow] = field(default_factory=list)
    pairs: list[PairRow] = field(default_factory=list)
    patients: list[str] = field(default_factory=list)
    zone: str = "UTC"
    """In which the dates were read."""
    own: str = ""
    """Digest of the tenant's own parameters that rows were drawn for beside R4's (`own.Own`), "" without any."""


@dataclass(frozen=True, slots=True)
class IndexContext:
    """What extraction needs from outside the resource.

    ``bases``: the site's own base URLs, each ending in "/", whose absolute references are local.
    ``zone``: the IANA name of the site's time zone, in which partial dates and times without offset are read.
    ``own``: the tenant's own search parameters, of each type that has any.
    """

    bases: tuple[str, ...] = ()
    zone: str = "UTC"
    own: Mapping[str, Own] = field(default_factory=dict)

"""A FHIR search as one typed value: what the grammar (`grammar.py`) makes of a URL and the record
compiles to SQL.

Everything is frozen and hashable (structs, since dataclasses take ten times as long to make).
Times are microseconds since 1970-01-01T00:00:00Z, intervals half-open ``[low, high)``.

How values are compared (R4 search.html §3.1.1.5; ``row`` is an index row of `xinglin.records.index.rows`):

========  =====================================  ==========================================
prefix    dates (row half-open [low, high))      numbers, quantities (row closed)
========  =====================================  ==========================================
eq        row.low >= low and row.high <= high    row.low >= low and row.high < high
ne        not eq                                 not eq
gt        row.high > high                        row.high > value
lt        row.low < low                          row.low < value
ge        gt or eq                               row.high >= value
le        lt or eq                               row.low <= value
sa        row.low >= high                        row.low > value
eb        row.high <= low                        row.high < value
ap        row.low < high and row.high > low      row.low <= high and row.high >= low
========  =====================================  ==========================================

``low`` and ``high`` of a value with prefix ``ap`` are already widened by the tolerance of the
specification (10 % of the number; 10 % of the distance from now of the date), so that ``ap`` is a plain
overlap. ``ne`` is per row, as the specification words it: a resource matches when ONE of its rows is not
equal.

Source: HL7 FHIR R4 (4.0.1), search.html.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec import Struct

from xinglin.kernel.language import Language, say

if TYPE_CHECKING:
    from xinglin.standards.fhir.r4.parameters import SearchParameter

Prefix = Literal["eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"]
PREFIXES: tuple[Prefix, ...] = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")

Modifier = Literal["missing", "exact", "contains", "not", "text", "identifier", "of-type", "above", "below"]
Total = Literal["none", "estimate", "accurate"]
Summary = Literal["true", "text", "data", "count", "false"]


class TokenValue(Struct, frozen=True):
    """``[system|]code``: ``system`` None is any, "" explicitly none (``|c``); ``code`` None is any code
    of the system.

    Systems match exactly, codes without regard to case (R4: "servers SHOULD treat tokens in a
    case-insensitive manner"). Never both without content.
    """

    system: str | None
    code: str | None


class OfTypeValue(Struct, frozen=True):
    """``system|code|value`` of ``identifier:of-type``: the identifier's type coding and its value; none
    is empty.
    """

    system: str
    code: str
    value: str


class TextValue(Struct, frozen=True):
    """Words: for ``:text`` on tokens (folded, a word of the folded text of a row begins there), or for ``_text`` and
    ``_content`` (full text).
    """

    text: str


class StringValue(Struct, frozen=True):
    """As typed. Without modifier: folded, at the beginning of a folded row; exact: equal, kind 0 only;
    contains: folded, anywhere.
    """

    text: str


class DateValue(Struct, frozen=True):
    """A date, dateTime or instant as the interval it stands for, in µs since 1970 (see the module's
    table).
    """

    prefix: Prefix
    low_us: int
    high_us: int


class NumberValue(Struct, frozen=True):
    """``value`` as written and the half-open ``[low, high)`` of its implicit precision: 100 is [99.5,
    100.5).
    """

    prefix: Prefix
    value: Decimal
    low: Decimal
    high: Decimal


class QuantityValue(Struct, frozen=True):
    """A number with unit. ``system`` None: any; then ``code`` is the unit's code or its display; both
    None: any unit.

    ``system`` "http://unitsofmeasure.org" is compared in canonical units where ``code`` is a valid UCUM code.
    """

    prefix: Prefix
    value: Decimal
    low: Decimal
    high: Decimal
    system: str | None
    code: str | None


class ReferenceValue(Struct, frozen=True):
    """What a reference points to.

    ``type`` and ``id``: a local resource (``type`` None: of any of the parameter's target types).
    ``url``: an absolute URL of elsewhere, a canonical or a urn; then ``type`` and ``id`` are None, and
    ``version`` may hold what stood after ``|``. ``version`` beside an id is that of
    ``Patient/1/_history/2``; rows do not keep it.
    """

    type: str | None
    id: str | None
    url: str | None = None
    version: str | None = None


class UriValue(Struct, frozen=True):
    """A URI, compared exactly (case too); with ``below``: equal or underneath; with ``above``: equal or
    one of its prefixes.

    For canonical URIs (``|version``) the version is part of ``uri`` when given.
    """

    uri: str


class CompositeValue(Struct, frozen=True):
    """The components' values joined by ``$``, in the order of ``SearchParameter.components``."""

    parts: tuple[Value, ...]


Value: TypeAlias = (
    TokenValue
    | OfTypeValue
    | TextValue
    | StringValue
    | DateValue
    | NumberValue
    | QuantityValue
    | ReferenceValue
    | UriValue
    | CompositeValue
)


class Criterion(Struct, frozen=True):
    """``parameter[:modifier]=value,value``: the values are ORed. With ``missing`` the one value is True
    or False.

    The type modifier (``subject:Patient=1``) has become ``ReferenceValue.type``; ``modifier`` is then None.
    ``also``: the same parameter name on further types, for a search over several types
    (``_type=A,B&date=…``).
    """

    parameter: SearchParameter
    modifier: Modifier | None
    values: tuple[Value | bool, ...]
    also: tuple[SearchParameter, ...] = ()


class Chain(Struct, frozen=True):
    """``subject:Patient.name=peter``: a reference in ``parameter`` to a resource of one of ``types``
    that meets ``criteria``.

    ``criteria`` maps each type to its criterion, since ``name`` of Patient and of Group are different
    parameters: pairs (type, criterion), ``types`` and ``criteria`` in the same order.
    """

    parameter: SearchParameter
    types: tuple[str, ...]
    criteria: tuple[Criterion | Chain | Has, ...]


class Has(Struct, frozen=True):
    """``_has:Observation:patient:code=1234``: some ``type`` whose ``reference`` points here meets
    ``criterion``.
    """

    type: str
    reference: SearchParameter
    criterion: Criterion | Chain | Has


Condition: TypeAlias = Criterion | Chain | Has


class Include(Struct, frozen=True):
    """``_include=source:parameter[:target]``, or ``_revinclude``. ``parameter`` "*": every reference
    parameter of ``source``.

    ``source`` "*" (only with parameter "*") is any type. ``target`` None: of any type. ``own``: numbers of the site's own
    parameters that "*" means beside R4's.
    """

    source: str
    parameter: SearchParameter | Literal["*"]
    target: str | None
    iterate: bool
    own: tuple[int, ...] = ()


class SortKey(Struct, frozen=True):
    """One key of ``_sort``; ``descending`` for ``-key``. Never composite or special."""

    parameter: SearchParameter
    descending: bool


class Compartment(Struct, frozen=True):
    """``/Patient/1/Observation?…``: only what belongs to this compartment."""

    type: str
    id: str


class Ignored(Struct, frozen=True):
    """A parameter that lenient handling left out: its ``name`` as sent, and why, as a sentence of
    ``messages.toml``.
    """

    name: str
    key: str
    values: tuple[tuple[str, str], ...]

    def say(self, language: Language = "en") -> str:
        """Why, in words."""
        return say(self.key, language, **dict(self.values))


class Query(Struct, frozen=True):
    """One search. ``criteria`` are ANDed.

    ``type`` None is a search over all types, or those of ``types`` (``_type``). ``total`` and
    ``summary`` as asked for. ``sort`` empty: the server's own order. ``cursor`` is the opaque text of a
    paging link, unchecked here.
    """

    type: str | None
    criteria: tuple[Condition, ...] = ()
    includes: tuple[Include, ...] = ()
    revincludes: tuple[Include, ...] = ()
    sort: tuple[SortKey, ...] = ()
    count: int = 20
    total: Total = "none"
    summary: Summary | None = None
    elements: tuple[str, ...] = ()
    cursor: str | None = None
    compartment: Compartment | None = None
    ignored: tuple[Ignored, ...] = ()
    types: tuple[str, ...] = ()
    pairs: tuple[
        tuple[str, str], ...
    ] = ()  # as understood, for the self link; without paging cursor and ignored ones

"""A search without its values: the shape from which SQL text is made, so that the text is made once per shape.

`lift` takes a Query apart into nodes and one flat list of values; a node holds slots, that is places in that list. Two
searches that differ only in their values give equal nodes, hence the same SQL and a prepared statement.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

TENANT = 0
"""Slot of the tenant in every list of values."""

Table = Literal["token", "reference", "string", "date", "quantity", "pair"]


class Among(Struct, frozen=True):
    """A set of interned numbers that a column is compared with.

    ``list``: the numbers themselves; ``code``: terms of a folded code; ``coded``: terms of a system and a folded code;
    ``system``: terms of a system; ``text``: terms whose folded text begins with, or has a word that begins with, a text;
    ``below``: URIs equal to one or underneath it; ``written``: units that are not canonical.
    """

    how: Literal["list", "code", "coded", "system", "text", "below", "written"]
    slots: tuple[int, ...]


class Test(Struct, frozen=True):
    """One condition on one row of an index table; `conditions.test` has the SQL of each ``kind``."""

    kind: str
    slots: tuple[int, ...] = ()
    sets: tuple[Among, ...] = ()
    parts: tuple[Test, ...] = ()


class Match(Struct, frozen=True):
    """Some row of ``table`` under one of ``params`` passes one of ``tests``; ``negated``: none does.

    ``single``: at most one row per resource can arise. ``typed``: a row implies the resource's type. ``name`` is the
    search parameter's, for choosing a driver.
    """

    table: Table
    params: tuple[int, ...]
    tests: tuple[Test, ...]
    single: bool
    typed: bool
    name: str
    negated: bool = False
    owner: int = -1
    """Slot of the one Patient whose compartment every matching resource lies in, or -1."""


class Missing(Struct, frozen=True):
    """The resource has no row (``wanted`` False: some row) under ``params``."""

    table: Table
    params: tuple[int, ...]
    wanted: bool
    typed: bool


class Rids(Struct, frozen=True):
    """The resource is one of these (``_id``)."""

    slots: tuple[int, ...]


class NotRids(Struct, frozen=True):
    """The resource is none of these (``_id:not``)."""

    slots: tuple[int, ...]


class Updated(Struct, frozen=True):
    """The resource's own time of update passes one of ``tests`` (kinds of dates)."""

    tests: tuple[Test, ...]


class Words(Struct, frozen=True):
    """The resource's full text has the words; ``narrative``: only its narrative (``_text``)."""

    slots: tuple[int, ...]
    narrative: bool


class Chained(Struct, frozen=True):
    """A reference under ``param`` to a live resource that meets one of ``ends``: (slot of the type, node)."""

    params: tuple[int, ...]
    single: bool
    typed: bool
    ends: tuple[tuple[int, Node], ...]


class Having(Struct, frozen=True):
    """Some resource whose reference under ``param`` points here meets ``node``.

    ``owned``: whatever refers to a Patient under ``param`` lies in that Patient's compartment. ``type``: its slot.
    """

    param: int
    owned: bool
    type: int
    node: Node


class Either(Struct, frozen=True):
    """One of ``nodes`` holds."""

    nodes: tuple[Node, ...]


class Never(Struct, frozen=True):
    """Nothing can match: a code or an id that the record does not hold."""


Node: TypeAlias = Match | Missing | Rids | NotRids | Updated | Words | Chained | Having | Either | Never


class Key(Struct, frozen=True):
    """One sort key: ``kind`` a table, ``_id`` or ``_lastUpdated``, which have no ``params``."""

    kind: str
    params: tuple[int, ...]
    single: bool
    descending: bool


class Shape(Struct, frozen=True):
    """A whole search: ``types`` slots of the resource types (empty: any), criteria ANDed, sort keys."""

    types: tuple[int, ...]
    nodes: tuple[Node, ...]
    keys: tuple[Key, ...]

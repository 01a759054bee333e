"""Provenance as a graph: what a resource rests on, and what was computed from it, through any number of steps.

An edge leads from a target to one of the entities of the same Provenance. Nodes are versions. Where a version has no
Provenance of its own (a tag was added), it rests on what the latest version before it rests on; what cites a later version
of a result rests on that result too. Each node is met once, so cycles end; at ``most`` edges it stops and says so.
Source: HL7 FHIR R4, provenance.html; W3C PROV-DM.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from xinglin.drafts.parts import Ref
from xinglin.drafts.provenance import Resource, activity_of, entities_in, targets_in
from xinglin.drafts.reading import found
from xinglin.records.service import Records
from xinglin.trust import Actor

MOST: Final = 2000
"""Edges that one question follows unless it says otherwise."""
AT_ONCE: Final = 100
"""Resources that one search asks about."""


@dataclass(frozen=True, slots=True)
class Edge:
    """``target`` came from ``entity``, in the part of ``role``, as ``provenance`` says."""

    target: Ref
    entity: Ref
    role: str
    provenance: Ref
    activity: str = ""


@dataclass(slots=True)
class Graph:
    """What was found from ``start``, nearest first. ``complete`` False: the bound was reached, there is more."""

    start: Ref
    edges: list[Edge] = field(default_factory=list)
    complete: bool = True

    def nodes(self) -> list[Ref]:
        """Every version met, ``start`` apart, each once, nearest first."""
        met = {end: None for edge in self.edges for end in (edge.target, edge.entity)}
        return [one for one in met if one != self.start]


def rests_on(records: Records, actor: Actor, start: Ref, *, most: int = MOST) -> Graph:
    """What ``start`` (without a version: as it is now) was computed from. Raises NotFound, Gone, NoSuchVersion."""
    start = _placed(records, actor, start)
    graph, seen, queue = Graph(start), {start}, deque([start])
    while queue:
        one = queue.popleft()
        for edge in _backward(records, actor, one):
            if len(graph.edges) >= most:
                graph.complete = False
                return graph
            graph.edges.append(edge)
            if edge.entity not in seen:
                seen.add(edge.entity)
                queue.append(edge.entity)
    return graph


def computed_from(records: Records, actor: Actor, start: Ref, *, most: int = MOST) -> Graph:
    """What was computed from ``start``: from that version, or without one from any version of it."""
    if start.version:
        records.vread(actor, start.type, start.id, start.version)
    graph, seen, queue = Graph(start), {start}, deque([start])
    while queue:
        one = queue.popleft()
        for edge in _forward(records, actor, one, exactly=one == start):
            if len(graph.edges) >= most:
                graph.complete = False
                return graph
            graph.edges.append(edge)
            if edge.target not in seen:
                seen.add(edge.target)
                queue.append(edge.target)
    return graph


def citing(records: Records, actor: Actor, one: Ref) -> Iterator[tuple[Ref, Resource]]:
    """The Provenances that have any version of ``one`` among their entities."""
    return found(records, actor, "Provenance", ("entity", one.name))


def citing_any(records: Records, actor: Actor, many: Iterable[Ref]) -> Iterator[tuple[Ref, Resource]]:
    """`citing` of many, in few searches; a Provenance that cites several of them may come several times."""
    return _any(records, actor, "entity", many)


def about_any(records: Records, actor: Actor, many: Iterable[Ref]) -> Iterator[tuple[Ref, Resource]]:
    """`about` of many, in few searches; a Provenance about several of them may come several times."""
    return _any(records, actor, "target", many)


def _any(
    records: Records, actor: Actor, parameter: str, many: Iterable[Ref]
) -> Iterator[tuple[Ref, Resource]]:
    names = [one.name for one in many]
    for start in range(0, len(names), AT_ONCE):
        yield from found(records, actor, "Provenance", (parameter, ",".join(names[start : start + AT_ONCE])))


def about(records: Records, actor: Actor, one: Ref) -> list[tuple[Ref, Resource]]:
    """The Provenances that have any version of ``one`` among their targets."""
    return list(found(records, actor, "Provenance", ("target", one.name)))


def _placed(records: Records, actor: Actor, start: Ref) -> Ref:
    if start.version:
        records.vread(actor, start.type, start.id, start.version)
        return start
    stored = records.read(actor, start.type, start.id)
    return Ref(start.type, start.id, stored.version)


def _backward(records: Records, actor: Actor, one: Ref) -> Iterator[Edge]:
    found_ = about(records, actor, one)
    versions = {t.version for _, body in found_ for t in targets_in(body) if t.bare == one.bare}
    at = max((v for v in versions if not one.version or v <= one.version), default=None)
    for place, body in found_:
        for target in targets_in(body):
            if target.bare != one.bare or target.version not in (at, 0):
                continue
            for role, entity, _ in entities_in(body):
                if entity != one:
                    yield Edge(one, entity, role, place, activity_of(body))


def _forward(records: Records, actor: Actor, one: Ref, *, exactly: bool) -> Iterator[Edge]:
    for place, body in citing(records, actor, one):
        for role, entity, _ in entities_in(body):
            if entity.bare != one.bare or not _cites(entity.version, one.version, exactly):
                continue
            for target in targets_in(body):
                if target.bare != one.bare or target.version > entity.version:
                    yield Edge(target, entity, role, place, activity_of(body))


def _cites(cited: int, version: int, exactly: bool) -> bool:
    if not cited or not version:
        return True
    return cited == version if exactly else cited >= version

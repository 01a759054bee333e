"""What a written SearchParameter changes of its tenant's rules, in the transaction that writes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from xinglin.kernel.clock import now_us
from xinglin.kernel.database import Connection
from xinglin.records.bodies import decompress
from xinglin.records.custom import repository
from xinglin.records.custom.definition import definitions
from xinglin.records.custom.errors import BadDefinition, CodeTaken, TooManyOwn
from xinglin.records.custom.model import OwnParameter
from xinglin.records.index.rows import IDENTIFIER
from xinglin.records.repository import count_live, sampled
from xinglin.standards.fhir.parse import parse, stored
from xinglin.standards.fhir.search.known import FIRST_OWN

if TYPE_CHECKING:
    from xinglin.records.writing import Version
    from xinglin.standards.fhir.r4.parameters import SearchParameter

MOST: Final = IDENTIFIER
"""Numbers of a tenant: those of `IDENTIFIER` and `OF_TYPE` rows lie above them."""


def follow(connection: Connection, tenant: int, versions: Sequence[Version]) -> int | None:
    """Note the SearchParameters among ``versions``; the new generation where the rules are other ones than before.

    A definition that changes is another one, under another number: what it is found by has to be made anew. Raises
    BadDefinition, CodeTaken, TooManyOwn.
    """
    wanted = {
        version.id: definitions(parse(version.body)) if version.body is not None else []
        for version in versions
        if version.type == "SearchParameter"
    }
    return _note(connection, tenant, wanted)


def adopt(connection: Connection, tenant: int) -> int | None:
    """Note SearchParameters that came in by another way: with a restore, or before there were these tables.

    What cannot be searched by stays what it was, a resource and no more. The new generation where there was anything.
    """
    generation, after = None, (-1, 0)
    while batch := sampled(connection, tenant, "SearchParameter", 1, after, 500):
        after = (batch[-1][4], batch[-1][0])
        for _, frame, *_ in batch:
            resource: Any = stored(decompress(frame))
            try:
                generation = _note(connection, tenant, {resource.id: definitions(resource)}) or generation
            except (BadDefinition, CodeTaken):
                continue
    return generation


def _note(connection: Connection, tenant: int, wanted: dict[str, list[SearchParameter]]) -> int | None:
    live = {one.number: one for one in repository.parameters(connection, tenant) if one.live}
    held = {one.resource for one in live.values()}
    if not any(found or id_ in held for id_, found in wanted.items()):
        return None
    repository.lock(connection, tenant)
    everything = repository.parameters(connection, tenant)
    live = {one.number: one for one in everything if one.live}
    there = {(one.resource, _rule(one.parameter)): one for one in live.values()}
    kept = {(id_, _rule(one)) for id_, found in wanted.items() for one in found}
    going = [one for key, one in there.items() if one.resource in wanted and key not in kept]
    coming = [(id_, one) for id_, found in wanted.items() for one in found if (id_, _rule(one)) not in there]
    if not going and not coming:
        return None
    taken = {
        (one.parameter.base, one.parameter.name): one.resource for one in live.values() if one not in going
    }
    at_us = now_us()
    generation = repository.next_generation(connection, tenant, at_us)
    for one in going:
        repository.retire(connection, tenant, one.number, generation, at_us)
    number = max((one.number for one in everything), default=FIRST_OWN - 1)
    for id_, parameter in coming:
        number += 1
        if number >= FIRST_OWN + MOST:
            raise TooManyOwn("records.custom-too-many", limit=MOST)
        holder = taken.setdefault((parameter.base, parameter.name), id_)
        if holder != id_:
            raise CodeTaken(
                "records.custom-code-taken",
                expression="SearchParameter.code",
                code=parameter.name,
                base=parameter.base,
                id=holder,
            )
        total = count_live(connection, tenant, parameter.base)
        new = OwnParameter(
            tenant,
            parameter._replace(number=number),
            id_,
            "building",
            generation,
            None,
            at_us,
            0,
            total,
            None,
        )
        repository.add(connection, tenant, new)
    return generation


def _rule(parameter: SearchParameter) -> tuple[object, ...]:
    return parameter._replace(number=0, url="", single=False)

"""Which extraction made a resource's index rows, as one number to be stored beside it.

A record whose stored number differs from `index_signature` of its type must be reindexed: a parameter, the way its rows are
drawn, a name's readings or a unit's table has changed since.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import version

from xinglin.records.index.rows import INDEX_VERSION
from xinglin.records.index.source import write
from xinglin.standards import surnames
from xinglin.standards.fhir.r4.compartments import PATIENT_COMPARTMENT
from xinglin.standards.fhir.r4.parameters import parameters_of
from xinglin.standards.han import HAN_VERSION
from xinglin.standards.ucum import table


@cache
def index_signature(type: str, zone: str = "UTC", own: str = "") -> int:
    """The present signature of a resource type's index rows: 31 bits of a digest, INDEX_VERSION included.

    Types without names of people do not depend on readings, those without quantities not on units, those without dates
    not on the ``zone`` in which a date is a day. ``own``: digest of the tenant's own parameters of the type.

    >>> 0 <= index_signature("Patient") < 2**31
    True
    """
    parameters = parameters_of(type)
    owners = PATIENT_COMPARTMENT.get(type, ())
    written = write(type, frozenset(owners))
    parts = [
        str(INDEX_VERSION),
        written.source,
        repr([parameters[name] for name in sorted(parameters)]),
        repr(owners),
    ]
    if "name(" in written.source or "family(" in written.source or "given(" in written.source:
        parts += [str(HAN_VERSION), _readings()]
    if "quantity" in written.source or "sampled(" in written.source:
        parts.append(_units())
    if zone != "UTC" and ("interval(" in written.source or written.left):
        parts.append(zone)
    if own:
        parts += ["own", own] if zone == "UTC" else ["own", own, zone]
    digest = hashlib.blake2b("\0".join(parts).encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") >> 1


@cache
def _readings() -> str:
    return repr((sorted(surnames.SINGLE.items()), sorted(surnames.COMPOUND.items()), version("pypinyin")))


@cache
def _units() -> str:
    return repr({name: value for name, value in vars(table).items() if name.isupper()})

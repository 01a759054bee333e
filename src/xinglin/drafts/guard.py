"""The guard in the write path: nobody makes a draft final, or brings a closed one back, past a decision.

It looks at each new version of a type that can be a draft, in the transaction that writes it, and refuses

- a version of an open draft that is open no more, or says something else, or has lost the machine's label;
- a version that puts a rejected, superseded or withdrawn draft to use again.

Labels, tags and narrative may be added to an open draft, any may be deleted, and a result that a clinician stands for may be
changed like any other resource. A record that is opened without its guard (a restore, a program of one's own on `Records`)
writes as it likes; `bypass` finds what it did in the change feed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from xinglin.drafts.errors import Guarded
from xinglin.drafts.exact import loads
from xinglin.drafts.parts import AIAST, ASSERTED_BY, STATE, Ref
from xinglin.drafts.provenance import proposal_id
from xinglin.drafts.states import CLOSED, FORMS, difference, is_open, is_withdrawn, tag_of
from xinglin.drafts.writing import is_ours
from xinglin.kernel.database import Connection
from xinglin.records.bodies import decompress
from xinglin.records.repository import LIVE, rid_of

if TYPE_CHECKING:
    from xinglin.records.service import Records
    from xinglin.records.writing import Version

_MARK = STATE.encode()


def attach(records: Records) -> None:
    """Let ``records`` refuse, from now on, what is said above; once, however often it is called."""
    followed = records.ledger.followed
    for type_ in FORMS:
        before = followed.get(type_)
        if not isinstance(before, _Guard):
            followed[type_] = _Guard(type_, before)


class _Guard:
    """Follows the versions of one type, after whoever followed them before."""

    def __init__(self, type_: str, before: Any) -> None:
        self._type = type_
        self._before = before

    def __call__(self, connection: Connection, tenant: int, versions: Sequence[Version]) -> None:
        if not is_ours():
            for version in versions:  # of a batch, all are given to the follower of each type that it has
                if version.type == self._type:
                    _look(connection, tenant, version)
        if self._before is not None:
            self._before(connection, tenant, versions)


def _look(connection: Connection, tenant: int, version: Version) -> None:
    current = version.current
    if current is None or current.state != LIVE or current.body is None or version.body is None:
        return
    there = decompress(current.body)
    if _MARK not in there:
        return
    before = loads(there)
    key = _refusal(before, loads(version.body))
    one = Ref(version.type, version.id)
    if key and rid_of(connection, tenant, "Provenance", proposal_id(one)) is not None:
        raise Guarded(key, reference=one.name)


def _refusal(before: dict[str, Any], after: dict[str, Any]) -> str:
    if is_open(before):
        still = is_open(after) and _is_labelled(after) and not difference(before, after)
        return "" if still else "drafts.guarded-open"
    if tag_of(before, STATE) in CLOSED and is_withdrawn(before) and not is_withdrawn(after):
        return "drafts.guarded-closed"
    return ""


def _is_labelled(resource: dict[str, Any]) -> bool:
    labels = (resource.get("meta") or {}).get("security", ())
    return any(one.get("system") == ASSERTED_BY and one.get("code") == AIAST for one in labels)

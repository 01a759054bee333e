"""How the parts of this package write: checked bodies, Provenances, the closing of a draft."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC
from typing import Any, Final

from xinglin.drafts.exact import dumps
from xinglin.drafts.parts import Draft, Model, Reason, Ref
from xinglin.drafts.provenance import Resource, concept, device, device_id, of_supersession
from xinglin.drafts.states import in_state
from xinglin.kernel.clock import now
from xinglin.records.transaction import Transaction
from xinglin.standards.fhir.errors import Invalid

_OURS: Final = ContextVar("drafts_writing", default=False)


def is_ours() -> bool:
    """Whether what is being written, in this thread, is a decision or a retraction rather than a direct write."""
    return _OURS.get()


@contextmanager
def _ours() -> Iterator[None]:
    there = _OURS.set(True)
    try:
        yield
    finally:
        _OURS.reset(there)


def instant_now() -> str:
    """The present as a FHIR instant."""
    return now().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def checked(resource: dict[str, Any]) -> bytes:
    """A resource as JSON that has passed tiers 1 and 2. Raises Invalid."""
    from xinglin.standards.fhir.parse import parse_minified
    from xinglin.standards.fhir.validate import tier2

    parsed, small = parse_minified(dumps(resource))
    findings = tier2(parsed)
    if any(finding.is_error for finding in findings):
        raise Invalid(findings)
    return small


def put(transaction: Transaction, resource: Resource, *, if_match: int | None = None) -> Ref:
    """Write one resource; where it is now."""
    with _ours():
        stored = transaction.update(
            resource["resourceType"], resource["id"], dumps(resource), if_match=if_match
        )
    return Ref(stored.type, stored.id, stored.version)


def ensure(transaction: Transaction, model: Model) -> None:
    """The model's Device, made where it is not there yet."""
    if transaction.read("Device", device_id(model)) is None:
        body = dumps(device(model))
        transaction.update("Device", device_id(model), body, skip_unchanged=True)


def put_all(transaction: Transaction, resources: Sequence[tuple[Resource, int | None]]) -> list[Ref]:
    """`put` of many different resources, each with the version that it must have (None: any)."""
    updates = [(body["resourceType"], body["id"], dumps(body), if_match) for body, if_match in resources]
    with _ours():
        return [Ref(one.type, one.id, one.version) for one in transaction.update_all(updates)]


def closed(resource: Resource, reason: Reason) -> Resource:
    """An open draft as it is once something newer, or a retraction, has closed it."""
    found = in_state(resource, "superseded")
    return {**found, "statusReason": concept(reason)} if found["resourceType"] == "Task" else found


def close(transaction: Transaction, draft: Draft, by: Model, reason: Reason, cause: Ref | None = None) -> Ref:
    """Supersede an open draft, with the reason. Raises VersionConflict where somebody decided meanwhile."""
    ensure(transaction, by)
    after = put(transaction, closed(draft.resource, reason), if_match=draft.ref.version)
    put(transaction, of_supersession(after, draft.ref, by, reason, cause, instant_now()))
    return after

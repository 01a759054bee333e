"""How the parts of this package write: checked bodies, Provenances, the closing of a draft."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from xinglin.drafts.exact import dumps
from xinglin.drafts.parts import Draft, Model, Reason, Ref
from xinglin.drafts.provenance import Resource, concept, device, device_id, of_supersession
from xinglin.drafts.states import in_state
from xinglin.kernel.clock import now
from xinglin.records.transaction import Transaction
from xinglin.standards.fhir.errors import Invalid


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
    stored = transaction.update(resource["resourceType"], resource["id"], dumps(resource), if_match=if_match)
    return Ref(stored.type, stored.id, stored.version)


def ensure(transaction: Transaction, model: Model) -> None:
    """The model's Device, made where it is not there yet."""
    if transaction.read("Device", device_id(model)) is None:
        body = dumps(device(model))
        transaction.update("Device", device_id(model), body, skip_unchanged=True)


def close(transaction: Transaction, draft: Draft, by: Model, reason: Reason, cause: Ref | None = None) -> Ref:
    """Supersede an open draft, with the reason. Raises VersionConflict where somebody decided meanwhile."""
    closed = in_state(draft.resource, "superseded")
    if draft.ref.type == "Task":
        closed["statusReason"] = concept(reason)
    ensure(transaction, by)
    after = put(transaction, closed, if_match=draft.ref.version)
    put(transaction, of_supersession(after, draft.ref, by, reason, cause, instant_now()))
    return after

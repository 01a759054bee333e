"""Review requests: the Task by which a retraction asks a clinician to look again at what they accepted.

A Task rather than a Flag: it is addressed to one person, stays until that person is done, and may be counted.
"""

from __future__ import annotations

from typing import Final

from xinglin.drafts.parts import RETRACTION, Reason, Ref
from xinglin.drafts.provenance import Resource, concept
from xinglin.drafts.reading import current_in
from xinglin.drafts.states import subject_of, tags_of
from xinglin.drafts.writing import instant_now, put
from xinglin.kernel.ids import stable_id
from xinglin.records.transaction import Transaction

REVIEW: Final = "review"


def review_id(result: Ref, cause: Ref, cause_version: int) -> str:
    """One request for each result and change of what it rests on, however often the change is met."""
    return stable_id("retraction-review", result.name, cause.name, str(cause_version))


def review(
    result: Ref, resource: Resource, cause: Ref, owner: Resource | None, reason: Reason, id_: str
) -> Resource:
    """The Task: look again at ``result``, because of ``cause``; without ``owner``, whoever is responsible."""
    task: Resource = {
        "resourceType": "Task",
        "id": id_,
        "meta": {"tag": [{"system": RETRACTION, "code": REVIEW}]},
        "status": "requested",
        "intent": "order",
        "priority": "urgent",
        "code": {"coding": [{"system": RETRACTION, "code": REVIEW}], "text": "Review after retraction"},
        "focus": {"reference": str(result)},
        "authoredOn": instant_now(),
        "reasonCode": concept(reason),
        "reasonReference": {"reference": str(cause)},
    }
    if owner is not None:
        task["owner"] = owner
    subject = subject_of(resource)
    if subject:
        task["for"] = {"reference": subject}
    return task


def is_review(resource: Resource) -> bool:
    """Whether a Task is one of these."""
    return any(tag.get("system") == RETRACTION and tag.get("code") == REVIEW for tag in tags_of(resource))


def finish_reviews(transaction: Transaction, tasks: list[Resource]) -> None:
    """Complete review requests that are still open."""
    for task in tasks:
        there = current_in(transaction, Ref("Task", task["id"]))
        if there is not None and there[1].get("status") == "requested" and is_review(there[1]):
            put(transaction, {**there[1], "status": "completed"}, if_match=there[0].version)

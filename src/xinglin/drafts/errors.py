"""Errors of drafts.

XinglinError
 └─ DraftError                422
     ├─ NotADraft             404  not-found      the resource is there, but no machine proposed it
     ├─ NotDraftable          422  not-supported  the type has no preliminary state
     ├─ BadProposal           422  invalid        what is proposed, or its inputs, cannot be a draft
     ├─ InputChanged          409  conflict       an input is not what it was: compute again
     ├─ Decided               409  conflict       already accepted, rejected or superseded
     ├─ Altered               409  conflict       a hand has changed the open draft: look at it as it is now
     ├─ Guarded               409  business-rule  a direct write may not do what is for a decision to do
     ├─ BadDecision           422  invalid        the decision itself cannot be taken so
     └─ NotAClinician         403  forbidden      software never accepts
"""

from __future__ import annotations

from typing import ClassVar

from xinglin.kernel.errors import XinglinError


class DraftError(XinglinError):
    """Nothing was changed."""

    status: ClassVar[int] = 422
    issue: ClassVar[str] = "invalid"


class NotADraft(DraftError):
    """The resource was not proposed by a machine."""

    status: ClassVar[int] = 404
    issue: ClassVar[str] = "not-found"


class NotDraftable(DraftError):
    """Resources of this type have no state that says that they are preliminary."""

    issue: ClassVar[str] = "not-supported"


class BadProposal(DraftError):
    """What is proposed cannot be a draft."""


class InputChanged(DraftError):
    """An input was corrected, withdrawn or moved since it was read."""

    status: ClassVar[int] = 409
    issue: ClassVar[str] = "conflict"


class Decided(DraftError):
    """Somebody, or something, has decided on the draft already."""

    status: ClassVar[int] = 409
    issue: ClassVar[str] = "conflict"


class Altered(DraftError):
    """The draft is not what was proposed, and the decision does not say which version was seen."""

    status: ClassVar[int] = 409
    issue: ClassVar[str] = "conflict"


class Guarded(DraftError):
    """A direct write would make a draft final, change it, or bring a closed one back."""

    status: ClassVar[int] = 409
    issue: ClassVar[str] = "business-rule"


class BadDecision(DraftError):
    """The decision cannot be taken in this form."""


class NotAClinician(DraftError):
    """Only a person responsible for care decides on drafts."""

    status: ClassVar[int] = 403
    issue: ClassVar[str] = "forbidden"

"""Machine results as reviewed drafts: propose, accept, amend, reject, supersede; what rests on what; retraction.

>>> from xinglin.drafts import Drafts, Input, Model, Proposal, Reason
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xinglin.drafts.parts import Draft, Input, Model, Proposal, Reason
    from xinglin.drafts.service import Drafts

__all__ = ["Draft", "Drafts", "Input", "Model", "Proposal", "Reason"]


def __getattr__(name: str) -> Any:
    # Loaded when asked for: listing what is installed (capability.py) must not load the record.
    if name == "Drafts":
        from xinglin.drafts.service import Drafts

        return Drafts
    if name in __all__:
        from xinglin.drafts import parts

        return getattr(parts, name)
    raise AttributeError(name)

"""Machine results as reviewed drafts: propose, accept, amend, reject, supersede; what rests on what; retraction.

>>> from xinglin.drafts import Drafts, Input, Model, Proposal, Reason
"""

from xinglin.drafts.parts import Draft, Input, Model, Proposal, Reason
from xinglin.drafts.service import Drafts

__all__ = ["Draft", "Drafts", "Input", "Model", "Proposal", "Reason"]

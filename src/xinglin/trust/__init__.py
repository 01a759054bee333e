"""Who asks, for what purpose, and what they may see. Today the seam: the local system actor may see its whole tenant."""

from xinglin.trust.actor import Actor, local_system
from xinglin.trust.policy import Predicate, scope

__all__ = ["Actor", "Predicate", "local_system", "scope"]

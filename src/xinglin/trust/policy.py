"""What an actor may see, as ONE typed predicate that the repository compiles to SQL.

Today there is one answer: everything of the actor's own tenant. Roles, compartments, consent and labels come as further
fields of Predicate; whoever compiles it must then handle them, because ``records`` matches on its type.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from xinglin.trust.actor import Actor

Interaction = Literal["read", "search", "history", "write", "delete", "export"]


@dataclass(frozen=True, slots=True)
class Predicate:
    """Rows of ``tenant``; ``everything`` says that no further condition holds on them."""

    tenant: int
    everything: bool = True


def scope(actor: Actor, interaction: Interaction, resource_type: str | None = None) -> Predicate:
    """The rows on which ``actor`` may perform ``interaction`` (``resource_type`` None: of any type)."""
    return Predicate(tenant=actor.tenant)

"""The one who asks: every call into the record carries an Actor and, in it, the purpose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DEFAULT_TENANT = 1

Purpose = Literal["TREAT", "HOPERAT", "HRESCH", "PATRQT", "HSYSADMIN"]  # v3-PurposeOfUse codes


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks, in which tenant, for what purpose.

    ``tenant`` is the number of the organisation whose record is open (1 is the first); two tenants never see each
    other's rows even where their ids are equal.
    """

    id: str
    tenant: int = DEFAULT_TENANT
    purpose: Purpose = "TREAT"
    kind: Literal["system", "practitioner", "patient", "service"] = "system"


def local_system(tenant: int = DEFAULT_TENANT) -> Actor:
    """The person at this machine's own keyboard, who may do everything in one tenant."""
    return Actor(id="local-system", tenant=tenant, purpose="HOPERAT")

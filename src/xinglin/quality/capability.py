"""What quality gives to the house: the rule of units in the change feed."""

from __future__ import annotations

from typing import Final

from xinglin.kernel.capability import Capability

CAPABILITY: Final = Capability(name="quality", consumers="xinglin.quality.consumers:consumers")

"""What the applications themselves add: jobs, consumers and addresses that need more than one floor."""

from __future__ import annotations

from typing import Final

from xinglin.kernel.capability import Capability

CAPABILITY: Final = Capability(
    name="apps", routes="xinglin.apps.api.routes:routes", jobs="xinglin.apps.jobs:kinds"
)

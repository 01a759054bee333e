"""A lease in the record: of several processes one at a time does a thing, and another one may once that one is gone."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from xinglin.apps.backup import repository
from xinglin.kernel.clock import now_us
from xinglin.kernel.database import Full
from xinglin.records import repository as records_repository
from xinglin.records.service import Records

LEASE_S: Final = 25.0
LOOK_EVERY_S: Final = 0.2


class Lease:
    """The lease under ``key``, for one holder: it lasts ``lasts_s``, and is held on by asking now and then."""

    def __init__(self, records: Records, key: str, lasts_s: float = LEASE_S) -> None:
        self._records = records
        self._key = key
        self._lasts_s = lasts_s
        self._owner = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._until = 0.0

    def held(self) -> bool:
        """Take the lease, or hold it on; False where another has it."""
        return self._renewed(self._take)

    def still(self) -> bool:
        """Hold the lease on; False where another has, or has had, it meanwhile."""
        return self._renewed(self._keep)

    def _renewed(self, unit: Callable[[Any], bool]) -> bool:
        began = time.monotonic()
        if began < self._until - self._lasts_s / 2:
            return True
        try:
            if self._others_until_us() or not self._records.database.write(unit):
                return False
        except Full:
            pass  # a full disk must not keep the record from being backed up
        self._until = began + self._lasts_s
        return True

    def wait(self, check: Callable[[], None]) -> bool:
        """Wait for the lease; False once its holder has shown that it is alive. ``check`` may raise to end the waiting."""
        first_us = 0
        while not self.held():
            until_us = self._others_until_us()
            if first_us and until_us and until_us != first_us:
                return False
            first_us = first_us or until_us
            check()
            time.sleep(LOOK_EVERY_S)
        return True

    def give_back(self) -> None:
        """Let the next one have it at once."""

        def unit(connection: Any) -> None:
            if self._read(connection).get("owner") == self._owner:
                repository.delete_meta(connection, self._key)

        self._until = 0.0
        self._records.database.write(unit)

    def _take(self, connection: Any) -> bool:
        if self._bound_until_us(connection):
            return False
        return self._written(connection)

    def _keep(self, connection: Any) -> bool:
        return self._read(connection).get("owner") == self._owner and self._written(connection)

    def _written(self, connection: Any) -> bool:
        mine = {"owner": self._owner, "until_us": now_us() + int(self._lasts_s * 1e6)}
        repository.set_meta(connection, self._key, msgspec.json.encode(mine).decode())
        return True

    def _others_until_us(self) -> int:
        """Until when another holder has it; 0: nobody else does."""
        with self._records.database.read() as connection:
            return self._bound_until_us(connection)

    def _bound_until_us(self, connection: Any) -> int:
        held = self._read(connection)
        if not held or held["owner"] == self._owner:
            return 0
        left_us = held["until_us"] - now_us()
        # Longer than any lasts: the clock was put back, and nobody need wait until it is there again.
        return int(held["until_us"]) if 0 < left_us <= LEASE_S * 1e6 else 0

    def _read(self, connection: Any) -> dict[str, Any]:
        text = records_repository.meta(connection, self._key)
        found: dict[str, Any] = msgspec.json.decode(text) if text else {}
        return found

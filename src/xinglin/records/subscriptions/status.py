"""The status and error that a Subscription shows: requested, active, error (failing, tried again), off (given up, or ended).

Source: HL7 FHIR R4, valueset-subscription-status.html.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from xinglin.kernel.errors import XinglinError
from xinglin.kernel.log import logger
from xinglin.records.subscriptions import definition, repository
from xinglin.records.subscriptions.repository import Key
from xinglin.trust import local_system

if TYPE_CHECKING:
    from xinglin.kernel.database import Database
    from xinglin.records.service import Records
    from xinglin.records.transaction import Transaction

CLEARED_AT_ONCE: Final = 2000
"""A subscriber that was dead for a day may leave a hundred thousand: no writer waits until all of them are gone."""


def set_status(
    records: Records, key: Key, status: str, error: str | None, *, only: tuple[str, ...] = definition.LIVE
) -> None:
    """Write ``status`` and ``error`` of a Subscription, where its status is one of ``only``."""
    tenant, id_ = key

    def work(transaction: Transaction) -> None:
        there = transaction.read("Subscription", id_)
        if there is None:
            return
        resource = msgspec.json.decode(there.body, type=dict[str, msgspec.Raw])
        before = msgspec.json.decode(resource["status"], type=str)
        if before not in only:
            return
        resource["status"] = msgspec.Raw(msgspec.json.encode(status))
        resource.pop("error", None)
        resource.pop("_error", None)
        if error is not None:
            resource["error"] = msgspec.Raw(msgspec.json.encode(error))
        body = msgspec.json.encode(resource)
        if body != there.body:
            transaction.patch("Subscription", id_, lambda _: body)

    try:
        records.transact(local_system(tenant), work)
    except XinglinError as failure:
        if failure.status in (503, 507):
            raise
        # What R4 or the site's own parameters no longer allow cannot be written; it is told in the log.
        logger("subscriptions").warning("status", subscription=id_, kind=type(failure).__name__)


def switch_off(records: Records, key: Key, error: str) -> None:
    """Give a Subscription up, for the reason ``error``; what waits for its subscriber is dropped."""
    set_status(records, key, "off", error)
    database = records.database
    clear(database, key, database.write(lambda c: repository.forget(c, key, secrets=False)))


def clear(database: Database, key: Key, upto: int) -> None:
    """Drop what waits for a subscriber up to a position, a part at a time."""
    while upto and database.write(lambda c: repository.clear(c, key, upto, CLEARED_AT_ONCE)):
        pass

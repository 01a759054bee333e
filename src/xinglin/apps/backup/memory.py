"""What a record keeps in itself of its backups: which record it is, and how they went."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from xinglin.apps.backup import repository
from xinglin.kernel.database import open_database
from xinglin.kernel.ids import new_id
from xinglin.records import repository as records_repository
from xinglin.records.schema import schema_version
from xinglin.records.service import Records


def identity(records: Records) -> tuple[str, str]:
    """Which record this is, and in which of its lives: the second is another one after each restore."""

    def unit(connection: Any) -> tuple[str, str]:
        found = []
        for key in ("record_id", "epoch"):
            value = records_repository.meta(connection, key)
            if value is None:
                value = new_id()
                repository.set_meta(connection, key, value)
            found.append(value)
        return found[0], found[1]

    with records.database.read() as connection:
        there = [records_repository.meta(connection, key) for key in ("record_id", "epoch")]
    if there[0] is not None and there[1] is not None:
        return there[0], there[1]
    return records.database.write(unit)


def own_key(key: str, store: str) -> str:
    """The key under which something is kept of one store: a backup made by hand to another one changes nothing of it."""
    return f"{key}_{hashlib.sha256(store.encode()).hexdigest()[:16]}"


def remembered_of(records: Records, key: str, store: str, epoch: str) -> dict[str, Any] | None:
    """What is kept of ``store`` in this life of the record."""
    for one in (own_key(key, store), key):  # the second as programs before this one kept it
        found = remembered(records, one)
        if found is not None and (found["store"], found["epoch"]) == (store, epoch):
            return found
    return None


def remember(records: Records, key: str, value: dict[str, Any]) -> None:
    """Note in the record itself how a backup, an archive or a rehearsal went, for `xinglin doctor`."""
    text = msgspec.json.encode(value).decode()
    records.database.write(lambda connection: repository.set_meta(connection, key, text))


def remembered(records: Records, key: str) -> dict[str, Any] | None:
    """What `remember` noted last."""
    with records.database.read() as connection:
        text = records_repository.meta(connection, key)
    return None if text is None else msgspec.json.decode(text, type=dict[str, Any])


def zone_of(url: str) -> str | None:
    """The time zone of the record in a database; None: there is no record. Raises XinglinError where it cannot be asked."""
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).is_file():
        return None
    with open_database(url) as database, database.read() as connection:
        if not schema_version(connection):
            return None
        found = records_repository.tenants(connection).get(1)
        return found[1] if found else None

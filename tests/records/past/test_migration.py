"""A database of the first release gets what the time machine needs, from the bodies in its history."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eras import built

from xinglin.records.past import schema


def test_the_links_of_history_are_filled_in_as_they_would_have_been_kept(
    database_url: str, tmp_path: Path
) -> None:
    records, eras = built(database_url, tmp_path, 11, "Asia/Shanghai", eras=3, base_url="")

    def links(connection: Any) -> list[list[tuple[int, ...]]]:
        return [
            sorted(tuple(row) for row in connection.execute(f"SELECT {columns} FROM {table}").fetchall())
            for table, columns in (
                ("history_patient", "tenant, patient, rid, version"),
                ("history_reference", "tenant, target, rid, version"),
            )
        ]

    with records.reading() as connection:
        kept = links(connection)

    def anew(connection: Any) -> None:
        for name in ("history_patient", "history_reference"):
            connection.execute(f"DROP TABLE {name}")
        connection.execute("DROP INDEX history_by_patient")
        schema.create(connection)

    records.database.write(anew)
    with records.reading() as connection:
        assert links(connection) == kept
    assert len(kept[0]) > 3
    assert len(kept[1]) > 50
    records.close()
    for era in eras:
        era.then.close()

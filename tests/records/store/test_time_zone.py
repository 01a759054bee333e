"""One time zone for rows and questions: the record's own, whatever the settings say; on both databases."""

from __future__ import annotations

import pytest

from xinglin.apps.backend import Embedded
from xinglin.jobs import Worker
from xinglin.kernel.database import open_database
from xinglin.kernel.settings import Settings
from xinglin.records.jobs import kinds
from xinglin.records.reindexing import count_stale
from xinglin.records.service import Records
from xinglin.records.site import Site
from xinglin.trust import local_system

HERE = local_system()
PATIENT = b'{"resourceType":"Patient","id":"p","birthDate":"1950-03-02"}'
CONDITION = (
    b'{"resourceType":"Condition","id":"c","subject":{"reference":"Patient/p"},"onsetDateTime":"2020-05-06"}'
)


def opened(url: str, zone: str) -> Records:
    return Records(open_database(url, durable=False), Settings(database=url, time_zone=zone))


def both_found(records: Records) -> bool:
    backend = Embedded(records, records.settings)
    return all(
        len(backend.page(kind, [pair], None).matches) == 1
        for kind, pair in (
            ("Patient", ("birthdate", "1950-03-02")),
            ("Patient", ("birthdate", "ge1950-03-02")),
            ("Condition", ("onset-date", "2020-05-06")),
            ("Condition", ("onset-date", "le2020-05-06")),
        )
    )


@pytest.mark.parametrize("zones", [("UTC", "Asia/Shanghai"), ("Asia/Shanghai", "UTC")])
def test_dates_are_found_after_the_setting_has_changed_and_after_the_record_has(
    database_url: str, zones: tuple[str, str]
) -> None:
    before, after = zones
    records = opened(database_url, before)
    assert records.zone() == before
    records.load(HERE, [PATIENT, CONDITION]).run()
    assert both_found(records)
    records.close()

    records = opened(database_url, after)
    assert records.zone() == before  # the record keeps the zone it was made in ...
    assert both_found(records)
    records.set_tenant(1, "default", after)  # ... until it is asked to change
    assert records.zone() == after
    assert count_stale(records, HERE) == {}
    assert both_found(records)
    with records.database.read() as connection:
        hours = {row[0] // 3_600_000_000 % 24 for row in connection.execute("SELECT low FROM ix_date")}
    assert hours == ({16} if after == "Asia/Shanghai" else {0})
    records.close()

    records = opened(database_url, before)
    assert records.zone() == after
    assert both_found(records)
    records.close()


def test_what_a_process_wrote_before_it_learnt_of_the_change_is_stale_and_renewed(database_url: str) -> None:
    import time

    first, second = opened(database_url, "UTC"), opened(database_url, "UTC")
    try:
        first.update(HERE, "Patient", "q", PATIENT.replace(b'"p"', b'"q"'))
        second.set_tenant(1, "default", "Asia/Shanghai")
        first.load(HERE, [PATIENT, CONDITION]).run()
        assert count_stale(second, HERE) == {"Condition": 1, "Patient": 1}
        site = Site(second, Settings())
        first.keep_up()
        deadline = time.monotonic() + 30
        while not site.queue.list(states=("queued",)):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        Worker(site.queue, kinds(site)).run_pending()
        assert count_stale(second, HERE) == {}
        assert first.zone() == "Asia/Shanghai"
        first.delete(HERE, "Patient", "q")
        assert both_found(first)
        assert both_found(second)
    finally:
        first.close()
        second.close()

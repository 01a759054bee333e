"""Small records to follow: patients, and observations of them."""

from __future__ import annotations

from xinglin.kernel.settings import Settings
from xinglin.records.feed import Consumer, Consumers
from xinglin.records.service import Records
from xinglin.records.site import Site
from xinglin.records.stored import Change, Stored
from xinglin.trust import local_system

HERE = local_system()


def add_patient(records: Records, id_: str) -> None:
    records.update(HERE, "Patient", id_, b'{"resourceType":"Patient","id":"%s"}' % id_.encode())


def observation(patient: str | None, value: int = 0) -> bytes:
    subject = f'"subject":{{"reference":"Patient/{patient}"}},' if patient else ""
    return (
        f'{{"resourceType":"Observation","status":"final",{subject}'
        f'"code":{{"coding":[{{"system":"http://loinc.org","code":"4548-4"}}]}},"valueInteger":{value}}}'
    ).encode()


def observe(records: Records, patient: str | None, value: int = 0) -> Stored:
    return records.create(HERE, "Observation", observation(patient, value))


def site(records: Records) -> Site:
    return Site(records, Settings())


def consumers(records: Records, *given: Consumer, lease_s: float = 5.0) -> Consumers:
    return Consumers(site(records), given, lease_s=lease_s)


def names(changes: list[Change]) -> list[tuple[str, str, int]]:
    return [(change.type, change.id, change.version) for change in changes]

"""What cannot be kept up is refused when it is written, and header values are kept out of the record."""

from __future__ import annotations

import json
from ipaddress import ip_address
from typing import Any

import pytest
from subscriber import HERE, shown, subscribe, subscription

from xinglin.kernel.errors import XinglinError
from xinglin.kernel.settings import Settings
from xinglin.records.service import Records
from xinglin.records.subscriptions import repository
from xinglin.records.subscriptions.endpoints import allowed, resolved
from xinglin.records.subscriptions.errors import Undelivered

HOOK = "https://subscriber.example/in"


@pytest.mark.parametrize(
    ("criteria", "changes"),
    [
        ("", {}),
        ("Nonsense?x=1", {}),
        ("http://elsewhere/Observation?code=1", {}),
        ("Observation?nonsense=1", {}),
        ("Observation?date=yesterday", {}),
        ("Observation?_sort=date", {}),
        ("Observation?_count=5", {}),
        ("Observation?_include=Observation:subject", {}),
        ("Observation?_text=pain", {}),
        ("Observation?_lastUpdated=gt2020", {}),
        ("Observation?subject:Patient._lastUpdated=gt2020", {}),
        ("Observation", {"channel": {"type": "email"}}),
        ("Observation", {"channel": {"endpoint": "subscriber/in"}}),
        ("Observation", {"channel": {"endpoint": "ftp://subscriber.example/in"}}),
        ("Observation", {"channel": {"endpoint": "http://user:secret@subscriber.example/"}}),
        ("Observation", {"channel": {"endpoint": "http://[::1"}}),
        ("Observation", {"channel": {"endpoint": "http://a b/"}}),
        ("Observation", {"channel": {"payload": "application/fhir+xml"}}),
        ("Observation", {"channel": {"header": ["no colon"]}}),
        ("Observation", {"channel": {"header": ["Host: inside"]}}),
        ("Observation", {"channel": {"header": ["X-A: 1\r\nX-B: 2"]}}),
        ("Observation", {"channel": {"header": ["X-A: 1", "x-a: 2"]}}),
    ],
)
def test_what_cannot_be_kept_up_is_refused_and_says_where(
    small: Records, criteria: str, changes: dict[str, Any]
) -> None:
    with pytest.raises(XinglinError) as caught:
        subscribe(small, criteria, HOOK, **changes)
    assert 400 <= caught.value.status < 500
    assert str(caught.value.expression).startswith("Subscription.")
    assert len(caught.value.say("zh")) > 10
    assert small.count(HERE) == {}


def test_one_that_is_off_is_taken_as_it_is(small: Records) -> None:
    subscribe(small, "Observation?_sort=date", HOOK, status="off")


def test_header_values_are_in_no_version_of_the_resource(records: Records) -> None:
    made = subscribe(
        records, "Observation", HOOK, channel={"header": ["Authorization: Bearer s3cret", "X-A: b"]}
    )
    assert b"s3cret" not in made.body
    assert shown(records, made.id)["channel"]["header"] == ["Authorization: ***", "X-A: ***"]
    key = (1, made.id)

    def kept() -> dict[str, str]:
        with records.database.read() as connection:
            return repository.secrets(connection, key)

    assert kept() == {"authorization": "Bearer s3cret", "x-a": "b"}
    # What was read can be written back: *** leaves the value, another one takes its place, none drops it.
    body = shown(records, made.id)
    body["channel"]["header"] = ["Authorization: ***", "X-A: c"]
    records.update(HERE, "Subscription", made.id, json.dumps(body).encode())
    assert kept() == {"authorization": "Bearer s3cret", "x-a": "c"}
    body["channel"]["header"] = ["X-A: ***"]
    records.update(HERE, "Subscription", made.id, json.dumps(body).encode())
    assert kept() == {"x-a": "c"}
    with records.database.read() as connection:
        rows = connection.execute("SELECT count(*) FROM history WHERE type = 'Subscription'").fetchone()
    assert rows == (2,)
    for version in (1, 2, 3):
        assert b"s3cret" not in records.vread(HERE, "Subscription", made.id, version).body


def test_an_import_never_stores_header_values(small: Records) -> None:
    body = subscription("Observation", HOOK, channel={"header": ["Authorization: s3cret"]}) | {"id": "s"}
    small.load(HERE, [json.dumps(body).encode()]).run()
    assert shown(small, "s")["channel"]["header"] == ["Authorization: ***"]


def test_masking_leaves_everything_else_as_it_was(small: Records) -> None:
    body = subscription("Observation", HOOK, channel={"header": ["X-A: 1"]})
    body["extension"] = [{"url": "http://a/b", "valueDecimal": 1}]
    text = json.dumps(body).replace('"valueDecimal": 1', '"valueDecimal": 1.10')
    made = small.create(HERE, "Subscription", text.encode())
    assert b'"valueDecimal":1.10' in made.body


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("93.184.216.34", (True, True, True)),
        ("10.1.2.3", (True, False, True)),
        ("192.168.1.1", (True, False, True)),
        ("fd12::1", (True, False, True)),
        ("127.0.0.1", (False, False, True)),
        ("::1", (False, False, True)),
        ("::ffff:127.0.0.1", (False, False, True)),
        ("169.254.169.254", (False, False, False)),
        ("::ffff:169.254.169.254", (False, False, False)),
        ("100.100.100.200", (False, False, False)),
        ("fd00:ec2::254", (False, False, False)),
        ("fe80::1", (False, False, False)),
        ("64:ff9b::a9fe:a9fe", (False, False, False)),
        ("64:ff9b::7f00:1", (False, False, True)),
        ("64:ff9b:1::a9fe:a9fe", (False, False, False)),
        ("64:ff9b::5db8:d822", (True, True, True)),
        ("2001:0:a9fe:a9fe::1", (False, False, False)),
        ("2002:a9fe:a9fe::1", (False, False, False)),
        ("0.1.2.3", (False, False, False)),
        ("224.0.0.1", (False, False, False)),
        ("0.0.0.0", (False, False, False)),
        ("255.255.255.255", (False, False, False)),
    ],
)
def test_where_notifications_may_go(address: str, expected: tuple[bool, bool, bool]) -> None:
    by_default = Settings()
    public = Settings(subscription_private=False)
    open_ = Settings(subscription_loopback=True)
    found = tuple(allowed(ip_address(address), each) for each in (by_default, public, open_))
    assert found == expected


def test_a_name_that_leads_to_this_machine_is_refused_when_it_is_used() -> None:
    with pytest.raises(Undelivered, match="not sent to that address"):
        resolved("localhost", 80, Settings())
    assert resolved("localhost", 80, Settings(subscription_loopback=True)) in ("127.0.0.1", "::1")

"""A small record for the tests of bulk export and import, and what an export's files hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from xinglin.records.bulk.exporter import State
from xinglin.records.service import Records
from xinglin.trust import Actor


def observation(number: int, patient: int, code: str = "a", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": f"o{number}",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "subject": {"reference": f"Patient/p{patient}"},
        **more,
    }


def patient(number: int, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": f"p{number}", "gender": "female", **more}


def group(id_: str, members: list[str], inactive: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "resourceType": "Group",
        "id": id_,
        "type": "person",
        "actual": True,
        "member": [
            {"entity": {"reference": name}, **({"inactive": True} if name in inactive else {})}
            for name in members
        ],
    }


def put(records: Records, actor: Actor, *resources: dict[str, Any]) -> None:
    for resource in resources:
        records.update(actor, resource["resourceType"], resource["id"], json.dumps(resource).encode())


def load_world(records: Records, actor: Actor) -> None:
    """10 patients with 4 observations each, an appointment of two of them, a practitioner, an organization, a group."""
    resources = [
        *(patient(n) for n in range(10)),
        *(observation(n, n % 10, "ab"[n % 4 == 0]) for n in range(40)),
        {
            "resourceType": "Appointment",
            "id": "both",
            "status": "booked",
            "participant": [
                {"actor": {"reference": "Patient/p1"}, "status": "accepted"},
                {"actor": {"reference": "Patient/p2"}, "status": "accepted"},
            ],
        },
        {"resourceType": "Practitioner", "id": "dr", "name": [{"text": "line\nend 张\u2028伟"}]},
        {"resourceType": "Organization", "id": "ward", "name": "Ward"},
        group("g", ["Patient/p1", "Patient/p2", "Patient/p3"], inactive=("Patient/p3",)),
    ]
    done = records.load(actor, (json.dumps(each).encode() for each in resources)).run()
    assert not done.rejected


class Exported:
    """The files of one export."""

    def __init__(self, state: State, folder: Path) -> None:
        self.state = state
        self.folder = folder

    def lines(self, name: str) -> list[bytes]:
        text = (self.folder / name).read_bytes()
        assert text.endswith(b"\n")
        return text[:-1].split(b"\n")

    @property
    def bodies(self) -> dict[str, dict[str, Any]]:
        """Every resource by ``Type/id``; none may stand twice."""
        found: dict[str, dict[str, Any]] = {}
        for file in self.state.output:
            lines = self.lines(file.name)
            assert len(lines) == file.count
            assert (self.folder / file.name).stat().st_size == file.bytes
            for line in lines:
                resource = json.loads(line)
                assert resource["resourceType"] == file.type
                name = f"{resource['resourceType']}/{resource['id']}"
                assert name not in found, f"{name} stands twice"
                found[name] = resource
        return found

    @property
    def names(self) -> set[str]:
        return set(self.bodies)

    @property
    def deleted(self) -> set[str]:
        found: list[str] = []
        for file in self.state.deleted:
            for line in self.lines(file.name):
                bundle = json.loads(line)
                assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "transaction")
                (entry,) = bundle["entry"]
                assert entry["request"]["method"] == "DELETE"
                found.append(entry["request"]["url"])
        assert len(found) == len(set(found))
        return set(found)

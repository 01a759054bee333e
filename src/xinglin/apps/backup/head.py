"""The head of an archive: how far it was written, kept apart from it, so that a segment missing behind all others shows.

``1/heads/EPOCH.json``. It is written after what it names and before the record notes that; so the archive reaches at least as
far as its head says, or something was taken from it. Where none is, as in an archive of an earlier release, nothing is known.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from xinglin.apps.backup.errors import Damaged, Sealed
from xinglin.apps.backup.form import NO_JSON
from xinglin.apps.backup.place import Place
from xinglin.kernel.blobs import NoSuchBlob

HEADS: Final = "1/heads/"


class Head(msgspec.Struct):
    """The last position archived and when, and the number of the last list of files. ``mac`` seals all the rest."""

    record: str
    epoch: str
    position: int = 0
    at_us: int = 0
    lists: int = 0
    salt: str = ""
    mac: str = ""


def head_path(epoch: str) -> str:
    """Where the head of an epoch lies."""
    return f"{HEADS}{epoch}.json"


def read_head(place: Place, epoch: str) -> Head | None:
    """The head of an epoch; None: there is none. Raises Damaged, Sealed."""
    path = head_path(epoch)
    try:
        text = place.blobs.read(path)
    except NoSuchBlob:
        return None
    try:
        head = msgspec.json.decode(text, type=Head)
    except NO_JSON as error:
        raise Damaged("apps.backup-head-damaged", part=path) from error
    if head.epoch != epoch or head.mac != _mac(place, head):
        raise Damaged("apps.backup-head-damaged", part=path)
    return head


def put_head(place: Place, record: str, epoch: str, **values: Any) -> None:
    """Let the head say what is further of ``position`` (with ``at_us``) and ``lists``; it never goes back."""
    try:
        before = read_head(place, epoch)
    except (Damaged, Sealed):
        before = None  # damaged, or under a key that is lost: what is written now is what is known
    head = before or Head(record, epoch)
    further = {
        name: value for name, value in values.items() if name != "at_us" and value > getattr(head, name)
    }
    if not further:
        return
    if "position" in further and "at_us" in values:
        further["at_us"] = values["at_us"]
    after = msgspec.structs.replace(head, salt=place.keys.new_salt(), **further)
    after.mac = _mac(place, after)
    place.blobs.put(head_path(epoch), [msgspec.json.encode(after)])


def _mac(place: Place, head: Head) -> str:
    text = msgspec.json.encode(msgspec.structs.replace(head, mac=""), order="sorted")
    return place.keys.mac(head.salt, b"head\0" + text)

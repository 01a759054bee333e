"""Which patient a row means, and how what it says joins what the record knows already.

A row finds its patient by identifier in the record; only where nobody has it a new, random id is given. A table of
patients corrects the record; a table of results or diagnoses adds what is missing and contradicts nothing: where its
name, sex or birth date is another's, the row is rejected, for it may be the wrong patient's.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import msgspec

from xinglin.ingest.cells import plain
from xinglin.ingest.errors import RowError
from xinglin.ingest.rows import Identifier
from xinglin.ingest.sink import Sink
from xinglin.kernel.ids import new_id, stable_id

Resource = dict[str, Any]

REMEMBERED = 100_000  # identifiers and resources held in memory for one table
_UNIONS = {"identifier": ("system", "value"), "telecom": ("system", "value"), "extension": ("url",)}
_encode = msgspec.json.Encoder(decimal_format="number").encode


class People:
    """Patients and encounters of one table on their way into a sink.

    ``columns``: the headers of the table's columns by FHIRPath, for the sentences.
    """

    def __init__(self, sink: Sink, *, corrects: bool, columns: dict[str, str] | None = None) -> None:
        self._columns = columns or {}
        self._sink = sink
        self._corrects = corrects
        self._ids: dict[Identifier, str] = {}
        self._known: dict[tuple[str, str], Resource | None] = {}
        self._stated: dict[str, Resource] = {}
        self._seen: dict[int, int] = {}

    def identify(self, identifiers: list[Identifier]) -> str:
        """The id of the patient who has these identifiers, a new one where nobody has. Raises RowError for two."""
        ids = {found for identifier in identifiers if (found := self._find(identifier))}
        if len(ids) > 1:
            raise RowError("ingest.row-two-patients", expression="Patient.identifier")
        id_ = ids.pop() if ids else new_id()
        if len(self._ids) > REMEMBERED:
            self._ids.clear()
        self._ids.update(dict.fromkeys(identifiers, id_))
        return id_

    def _find(self, identifier: Identifier) -> str | None:
        if identifier in self._ids:
            return self._ids[identifier]
        token = "|".join(_escaped(part) for part in identifier)
        found = self._sink.find("Patient", "identifier=" + quote(token, safe=""))
        if len(found) > 1:
            raise RowError("ingest.row-two-patients", expression="Patient.identifier")
        return found[0] if found else None

    def join(self, resources: list[Resource]) -> list[bytes]:
        """A row's resources as bodies to write, joined with what the record has. Raises RowError for a contradiction."""
        bodies = []
        for resource in resources:
            kind, id_ = resource["resourceType"], resource["id"]
            if kind in ("Patient", "Encounter"):
                joined = self._joined(kind, id_, resource)
                if joined is not None:
                    bodies.append(joined)
            else:
                bodies.append(_encode({**resource, "id": self._own_id(kind, id_, resource)}))
        return bodies

    def _joined(self, kind: str, id_: str, said: Resource) -> bytes | None:
        """The body to write; None where the row adds nothing to what was written before."""
        key = (kind, id_)
        first = key not in self._known
        if first:
            body = self._sink.read(kind, id_)
            if len(self._known) > REMEMBERED:
                self._known.clear()
            self._known[key] = _without_version(body) if body else None
        known = self._known[key]
        if kind == "Patient":
            if self._corrects:
                _agree(self._stated.setdefault(id_, said), said, "ingest.row-contradicts", self._columns)
                if len(self._stated) > REMEMBERED:
                    self._stated.clear()
            elif known is not None:
                _agree(known, said, "ingest.row-other-patient", self._columns)
        joined = merged(known, said, corrects=self._corrects or kind == "Encounter")
        if joined == known and not first:
            return None
        self._known[key] = joined
        return _encode(joined)

    def _own_id(self, kind: str, id_: str, resource: Resource) -> str:
        """The id under which a row's resource is written.

        Rows of one item on one day, without a time, are as many measurements: the second is given an id of its own, the
        same at each import. At one and the same time they contradict each other: raises RowError.
        """
        content = hash(_encode({key: value for key, value in resource.items() if key != "id"}))
        if len(self._seen) > 10 * REMEMBERED:  # rows that belong together stand near each other
            self._seen.clear()
        own, number = id_, 1
        while self._seen.setdefault(hash((kind, own)), content) != content:
            if "T" in str(resource.get("effectiveDateTime") or resource.get("authoredOn") or ""):
                raise RowError("ingest.row-twice", expression=kind)
            number += 1
            own = stable_id(id_, str(number))
        return own


def _without_version(body: bytes) -> Resource:
    """A body as it was sent: versionId and lastUpdated are the store's."""
    resource: Resource = json.loads(body, parse_float=Decimal)
    meta = {k: v for k, v in resource.pop("meta", {}).items() if k not in ("versionId", "lastUpdated")}
    return {**resource, "meta": meta} if meta else resource


def _escaped(part: str) -> str:
    """A part of a token in a search: the characters that part values are escaped (R4 search.html#escaping)."""
    for character in "\\,$|":
        part = part.replace(character, "\\" + character)
    return part


def merged(known: Resource | None, said: Resource, *, corrects: bool) -> Resource:
    """``known`` with what ``said`` adds; elements that both have are ``said``'s only where it ``corrects``.

    Identifiers, telephone numbers and extensions are joined, never lost.

    >>> merged({"gender": "male", "birthDate": "1949"}, {"gender": "female", "active": True}, corrects=False)
    {'gender': 'male', 'birthDate': '1949', 'active': True}
    """
    if known is None:
        return said
    joined = {key: value for key, value in known.items() if key != "meta"}
    meta = {
        key: value for key, value in known.get("meta", {}).items() if key not in ("versionId", "lastUpdated")
    }
    if meta:
        joined["meta"] = meta
    for key, value in said.items():
        if key in _UNIONS:
            names = _UNIONS[key]
            held = list(joined.get(key, []))
            places = {tuple(item.get(name) for name in names): at for at, item in enumerate(held)}
            for item in value:
                at = places.get(tuple(item.get(name) for name in names))
                if at is None:
                    held.append(item)
                elif corrects and key == "extension":
                    held[at] = item
            joined[key] = held
        elif key == "name" and key in joined:
            if corrects and not _same_name(joined, said):
                joined[key] = value
        elif key == "period" and key in joined:
            joined[key] = {**joined[key], **value}
        elif key not in joined or corrects:
            joined[key] = value
    return joined


def _agree(known: Resource, said: Resource, key: str, columns: dict[str, str]) -> None:
    """Raises RowError where name, sex or birth date of two Patients contradict each other."""
    sexes = [one.get("gender") for one in (known, said)]
    if set(sexes) == {"male", "female"}:
        raise RowError(key, expression="Patient.gender", column=columns.get("Patient.gender", "–"))
    births = [str(one.get("birthDate") or "") for one in (known, said)]
    if all(births) and not (births[0].startswith(births[1]) or births[1].startswith(births[0])):
        raise RowError(key, expression="Patient.birthDate", column=columns.get("Patient.birthDate", "–"))
    if not _same_name(known, said):
        raise RowError(key, expression="Patient.name", column=columns.get("Patient.name", "–"))


def _same_name(known: Resource, said: Resource) -> bool:
    """Whether any names of the two may be one person's: 张伟 and 张伟, "Smith, John" and John A. Smith."""
    ours, theirs = _names(known), _names(said)
    return not ours or not theirs or any(a <= b or b <= a for a in ours for b in theirs)


def _names(patient: Resource) -> list[set[str]]:
    found = []
    for name in patient.get("name", []):
        parts = [name.get("family") or "", *(name.get("given") or [])]
        text = plain(name.get("text") or "")
        if text and not text.isascii():
            found.append({text.casefold().replace(" ", "")})
        elif text:
            found.append(set(text.casefold().replace(",", " ").split()))
        if any(parts):
            joined = "".join(parts)
            found.append(
                {joined.casefold()} if not joined.isascii() else set(" ".join(parts).casefold().split())
            )
    return found

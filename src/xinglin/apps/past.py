"""The record as it was, from Python: ``record.as_of("2021-03-01")``. It can be read and searched, never written."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, Any

from xinglin.apps.backend import loads
from xinglin.apps.errors import AppError
from xinglin.apps.notebook import Resource, Search, everything, pairs_of, parts

if TYPE_CHECKING:
    from xinglin.apps.backend import Backend


class RecordAsOf:
    """A record as of an instant, in this process or on a server; see `Record.as_of`.

    What it gives carries tags in ``meta.tag`` that say so, and `Record.save` refuses to write it back.
    """

    def __init__(self, backend: Backend, known: str | date | None, valid: str | date | None) -> None:
        if known is None and valid is None:
            raise AppError("apps.as-of-nothing")
        self._backend = backend
        texts = ("_known", known), ("_valid", valid)
        self._pairs = [(name, _text(value)) for name, value in texts if value is not None]

    def read(self, reference: str) -> Resource:
        """The resource at ``Type/id`` as it was. Raises XinglinError where it was not there yet, or deleted."""
        kind, id_ = parts(reference)
        return Resource(loads(self._backend.get(f"{kind}/{id_}", self._pairs)))

    def search(self, resource_type: str, /, **parameters: Any) -> Search:
        """A search within one patient: ``search("Observation", patient="1", code="4548-4")``; see `Record.search`."""
        return Search(self._backend, resource_type, [*pairs_of(parameters), *self._pairs])

    def everything(self, patient: str, **parameters: Any) -> Iterator[Resource]:
        """The whole record of a patient as it was; see `Record.everything`."""
        return everything(self._backend, patient, [*pairs_of(parameters), *self._pairs])

    def __repr__(self) -> str:
        asked = " ".join(f"{name.lstrip('_')} {value}" for name, value in self._pairs)
        return f"<Record {asked} at {self._backend.name}>"


def _text(value: str | date) -> str:
    """As FHIR writes it; a datetime without zone is read in the record's."""
    return value if isinstance(value, str) else value.isoformat()

"""Drafts of an open record, from wherever it was opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xinglin.apps.backend import Backend, Embedded
from xinglin.apps.errors import AppError

if TYPE_CHECKING:
    from xinglin.drafts.own import OwnDrafts


def own(backend: Backend, patient: str | None) -> OwnDrafts:
    """Drafts, for the person at this machine. Raises AppError where the record is on a server."""
    from xinglin.drafts.own import OwnDrafts
    from xinglin.trust import local_system

    if not isinstance(backend, Embedded):
        raise AppError("apps.drafts-remote", address=backend.name)
    return OwnDrafts(backend.records, local_system(), patient)

"""Bundles into a sink: a transaction as a whole or not at all, the entries of the others one by one."""

from __future__ import annotations

from collections.abc import Iterator

from xinglin.ingest.documents import Entry, conditional_links, dangling, places_of, relinked
from xinglin.ingest.errors import RowError
from xinglin.ingest.report import Reason, reasons
from xinglin.ingest.sink import Sink
from xinglin.kernel.errors import XinglinError
from xinglin.records.loader import Progress


def take_transaction(sink: Sink, entries: list[Entry], *, last: bool) -> Progress | list[Reason] | None:
    """Take a transaction whole: the counts; or why nothing of it was taken; or None, where it refers by a condition to
    something that may still come and this is not its ``last`` chance.
    """
    problems = [reason for entry in entries if entry.problem for reason in reasons(entry.problem)]
    if problems:
        return problems
    try:
        for entry in entries:
            _settle(sink, entry)
        places = places_of(entries)
        missing = _conditions(sink, entries, places)
    except XinglinError as error:
        return reasons(error)
    if missing:
        if not last:
            return None
        return [
            Reason("ingest.condition-unmet", {"type": link.partition("?")[0]}, f"{entry.place}")
            for entry, link in missing
        ]
    written = [entry for entry in entries if not entry.delete and not entry.existing]
    if repeated := _repeated(entries):
        return [Reason("ingest.entry-twice", {"type": repeated.type}, repeated.place)]
    bodies = []
    for entry in written:
        bodies.append(body := relinked(entry, places))
        entry.resource = b""  # a large transaction is held once, not twice
        if dangling(body):
            problems.append(Reason("ingest.link-dangling", {}, entry.place))
    if problems:
        return problems
    progress = sink.together(bodies, [(entry.type, entry.id) for entry in entries if entry.delete])
    for entry in entries if not progress.rejected else ():
        if entry.existing:
            progress.count(entry.type, 0, 0, 1)
            progress.unchanged += 1
    return _placed(written, progress) if progress.rejected else progress


def _settle(sink: Sink, entry: Entry) -> None:
    """Let an entry with a condition be the resource that meets it."""
    if entry.match is None:
        return
    found = sink.find(entry.type, entry.match)
    if len(found) > 1:
        raise RowError("ingest.condition-several", expression=entry.place, type=entry.type)
    if found:
        entry.id = found[0]
        entry.existing = entry.create_only


def _conditions(sink: Sink, entries: list[Entry], places: dict[str, str]) -> list[tuple[Entry, str]]:
    """Resolve conditional references into ``places``; those that nothing meets. Raises RowError where several do."""
    missing = []
    for entry in entries:
        for link in sorted(conditional_links(entry.resource)):
            if link in places:
                continue
            kind, _, condition = link.partition("?")
            found = sink.find(kind, condition)
            if len(found) > 1:
                raise RowError("ingest.condition-several", expression=entry.place, type=kind)
            if found:
                places[link] = f"{kind}/{found[0]}"
            else:
                missing.append((entry, link))
    return missing


def _repeated(entries: list[Entry]) -> Entry | None:
    seen: set[tuple[str, str]] = set()
    for entry in entries:
        name = (entry.type, entry.id)
        if name in seen and not entry.existing:
            return entry
        seen.add(name)
    return None


def _placed(entries: list[Entry], progress: Progress) -> list[Reason]:
    """The reasons of a refused transaction, their places counted from the bundle."""
    found = []
    for reject in progress.rejected:
        entry = entries[reject.line - 1]
        for reason in reasons(reject.error):
            inner = (reason.expression or "").partition(".")[2]
            place = f"{entry.place}.{inner}" if inner else entry.place
            found.append(Reason(reason.key, reason.values, place))
    return found


def one_by_one(
    sink: Sink, entries: list[Entry], elsewhere: dict[str, str] | None = None
) -> Iterator[tuple[Entry, bytes | XinglinError]]:
    """Each entry with its body ready to write, or the error why not; entries that need no writing are left out.

    ``elsewhere`` says where fullUrls go that are not among ``entries`` but in the same bundle.
    """
    ready: list[Entry] = []
    failed: dict[int, XinglinError] = {}
    for at, entry in enumerate(entries):
        try:
            if entry.problem:
                raise entry.problem
            if entry.delete:
                raise RowError("ingest.entry-delete", expression=entry.place)
            _settle(sink, entry)
            ready.append(entry)
        except XinglinError as error:
            failed[at] = error
    places = (elsewhere or {}) | places_of(ready)
    for at, entry in enumerate(entries):
        if at in failed:
            yield entry, failed[at]
        elif not entry.existing:
            yield entry, relinked(entry, places)

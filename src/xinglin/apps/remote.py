"""A record on a running server, over HTTP with the standard library only; the same interface as an open one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import Request, urlopen

import msgspec

from xinglin.apps.backend import Batch, Pairs, chunks, loads
from xinglin.apps.errors import AppError, RemoteError
from xinglin.ingest.sink import Name, Sink
from xinglin.records.loader import Progress, Rejected

TIMEOUT_S = 60.0
_JSON = "application/fhir+json"
_BATCH = 100  # resources of one batch of an import


class Remote:
    """The record behind ``url``: a server's address, with or without its ``/fhir``."""

    def __init__(self, url: str, language: str = "en") -> None:
        self._language = language
        self._open = True
        base = url.rstrip("/")
        self.base = base if urlsplit(base).path not in ("", "/") else f"{base}/fhir"
        self.name = self.base

    def ask(
        self, method: str, url: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes, dict[str, str]]:
        """Status, body and headers of an exchange. Raises RemoteError with what the server says is wrong."""
        if not self._open:
            raise AppError("apps.record-closed")
        asked = {
            "Accept": _JSON,
            "Accept-Language": self._language,
            **({"Content-Type": _JSON} if body is not None else {}),
            **(headers or {}),
        }
        request = Request(url, data=body, headers=asked, method=method)  # noqa: S310 http and https only
        try:
            with urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310
                return response.status, response.read(), {k.lower(): v for k, v in response.headers.items()}
        except HTTPError as error:
            with error:
                raise _refused(error.code, error.read()) from None
        except (URLError, TimeoutError, ConnectionError) as error:
            raise RemoteError("apps.remote-unreachable", url=self.base) from error

    def page(self, resource_type: str | None, pairs: Pairs, cursor: str | None) -> Batch:
        """See Backend."""
        url = cursor or f"{self.base}/{quote(resource_type or '')}?{urlencode(list(pairs))}"
        if not url.startswith(self.base):
            raise RemoteError("apps.remote-elsewhere", url=self.base)
        return batch_of(self.ask("GET", url, headers={"Prefer": "handling=strict"})[1])

    def get(self, path: str, pairs: Pairs) -> bytes:
        """See Backend."""
        url = f"{self.base}/{quote(path, safe='/$')}?{urlencode(list(pairs))}"
        return self.ask("GET", url, headers={"Prefer": "handling=strict"})[1]

    def read(self, resource_type: str, id_: str, version: str | None = None) -> bytes:
        """See Backend."""
        url = f"{self.base}/{quote(resource_type)}/{quote(id_)}"
        return self.ask("GET", f"{url}/_history/{quote(version)}" if version is not None else url)[1]

    def save(self, resource_type: str, id_: str | None, body: bytes, version: str | None = None) -> bytes:
        """See Backend."""
        headers = {"Prefer": "return=representation"}
        if version is not None:
            headers["If-Match"] = f'W/"{version}"'
        if id_ is None:
            return self.ask("POST", f"{self.base}/{quote(resource_type)}", body, headers)[1]
        return self.ask("PUT", f"{self.base}/{quote(resource_type)}/{quote(id_)}", body, headers)[1]

    def delete(self, resource_type: str, id_: str) -> None:
        """See Backend."""
        self.ask("DELETE", f"{self.base}/{quote(resource_type)}/{quote(id_)}")

    def history(self, resource_type: str, id_: str) -> Iterator[tuple[str, str, bytes]]:
        """See Backend."""
        url: str | None = f"{self.base}/{quote(resource_type)}/{quote(id_)}/_history"
        while url and url.startswith(self.base):
            bundle = msgspec.json.decode(self.ask("GET", url)[1], type=_Bundle)
            for entry in bundle.entry:
                resource = bytes(entry.resource)
                version = (entry.response.etag or "").strip('W/"')
                yield version, entry.response.lastModified or "", resource
            url = next((link.url for link in bundle.link if link.relation == "next"), None)

    def sink(self, *, invariants: bool = False) -> Sink:
        """See Backend."""
        return RemoteSink(self)

    def close(self) -> None:
        """See Backend."""
        self._open = False


class RemoteSink:
    """An import into a server: batches of a hundred, compared first so that what is unchanged stays unchanged."""

    def __init__(self, remote: Remote) -> None:
        self.database = remote.base
        self.invariants = True  # a server checks them on every write
        self._remote = remote

    def load(self, lines: Iterable[bytes], *, line: int = 1, offset: int = 0) -> Iterator[Progress]:
        """See Sink."""

        def numbered() -> Iterator[tuple[int, int, bytes]]:
            at = offset
            for number, body in enumerate(lines, line):
                yield number, at, body
                at += len(body)

        for part in chunks(numbered(), _BATCH):
            number, at, last = part[-1]
            progress = Progress(number, at + len(last))
            ready: list[tuple[int, int, bytes, Name]] = []
            for number, at, body in part:
                if not body.strip():
                    continue
                try:
                    ready.append((number, at, body, _name(body)))
                except RemoteError as error:
                    progress.rejected.append(Rejected(number, at, body, error))
            self._put(ready, progress)
            progress.rejected.sort(key=lambda reject: reject.line)
            progress.rejections = len(progress.rejected)
            yield progress

    def _put(self, ready: list[tuple[int, int, bytes, Name]], progress: Progress) -> None:
        before = self._current([name for *_, name in ready])
        changed = []
        for number, at, body, name in ready:
            if name in before and _same(body, before[name]):
                progress.count(name[0], 0, 0, 1)
                progress.unchanged += 1
            else:
                changed.append((number, at, body, name))
        answers = self._bundle("batch", [_put_entry(name, body) for _, _, body, name in changed])
        for (number, at, body, name), answer in zip(changed, answers, strict=True):
            status = (answer.response.status or "")[:3]
            if not status.startswith("2"):
                error = _refused(int(status or 0), bytes(answer.response.outcome))
                progress.rejected.append(Rejected(number, at, body, error))
                continue
            new = name not in before
            progress.count(name[0], int(new), int(not new), 0)
            progress.taken += new
            progress.updated += not new

    def _current(self, names: Sequence[Name]) -> dict[Name, bytes]:
        """The bodies that the server has of these resources."""
        entries = [
            _entry(b'"request":{"method":"GET","url":"%s/%s"}' % (k.encode(), i.encode())) for k, i in names
        ]
        answers = self._bundle("batch", entries)
        return {
            name: bytes(answer.resource)
            for name, answer in zip(names, answers, strict=True)
            if (answer.response.status or "").startswith("2")
        }

    def _bundle(self, kind: str, entries: list[bytes]) -> list[_Entry]:
        if not entries:
            return []
        body = b'{"resourceType":"Bundle","type":"%s","entry":[%s]}' % (kind.encode(), b",".join(entries))
        answer = msgspec.json.decode(self._remote.ask("POST", self._remote.base, body)[1], type=_Bundle)
        if len(answer.entry) != len(entries):
            raise RemoteError("apps.remote-broken", url=self._remote.base)
        return answer.entry

    def together(self, bodies: Sequence[bytes], deletions: Sequence[Name] = ()) -> Progress:
        """See Sink."""
        names = [_name(body) for body in bodies]
        before = self._current(names)
        progress = Progress()
        entries = []
        for name, body in zip(names, bodies, strict=True):
            if name in before and _same(body, before[name]):
                progress.count(name[0], 0, 0, 1)
                progress.unchanged += 1
                continue
            entries.append(_put_entry(name, body))
            progress.count(name[0], int(name not in before), int(name in before), 0)
        for kind, id_ in deletions:
            url = f"{kind}/{id_}".encode()
            entries.append(_entry(b'"request":{"method":"DELETE","url":"%s"}' % url))
            progress.count(kind, 0, 1, 0)
        try:
            self._bundle("transaction", entries)
        except RemoteError as error:
            if not 400 <= error.answered < 500:
                raise
            return Progress(rejected=[Rejected(1, 0, b"", error)], rejections=1)
        return progress

    def find(self, resource_type: str, condition: str) -> list[str]:
        """See Sink."""
        url = f"{self._remote.base}/{quote(resource_type)}?{condition}&_count=2"
        bundle = msgspec.json.decode(
            self._remote.ask("GET", url, headers={"Prefer": "handling=strict"})[1], type=_Bundle
        )
        return [
            _name(bytes(entry.resource))[1] for entry in bundle.entry if entry.search.mode in (None, "match")
        ]

    def read(self, resource_type: str, id_: str) -> bytes | None:
        """See Sink."""
        try:
            return self._remote.read(resource_type, id_)
        except RemoteError as error:
            if error.answered in (404, 410):
                return None
            raise


class _Search(msgspec.Struct, frozen=True):
    mode: str | None = None


class _Response(msgspec.Struct, frozen=True):
    status: str | None = None
    etag: str | None = None
    lastModified: str | None = None  # noqa: N815
    outcome: msgspec.Raw = msgspec.Raw(b"")


class _Entry(msgspec.Struct):
    resource: msgspec.Raw = msgspec.Raw(b"")
    search: _Search = _Search()
    response: _Response = _Response()


class _Link(msgspec.Struct):
    relation: str
    url: str


class _Bundle(msgspec.Struct):
    entry: list[_Entry] = []
    link: list[_Link] = []
    total: int | None = None


def batch_of(body: bytes) -> Batch:
    """A searchset as a page; ``next`` is the whole address of the page that follows."""
    bundle = msgspec.json.decode(body, type=_Bundle)
    entries = [(entry.search.mode or "match", bytes(entry.resource)) for entry in bundle.entry]
    return Batch(
        matches=[resource for mode, resource in entries if mode == "match"],
        included=[resource for mode, resource in entries if mode == "include"],
        next=next((link.url for link in bundle.link if link.relation == "next"), None),
        total=bundle.total,
    )


class _Head(msgspec.Struct):
    resourceType: str  # noqa: N815
    id: str


def _name(body: bytes) -> Name:
    """Type and id of a body. Raises RemoteError where it has none that an address can be made of."""
    try:
        head = msgspec.json.decode(body, type=_Head)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RemoteError("apps.remote-no-id") from error
    if not (head.resourceType.isalpha() and head.id.replace("-", "").replace(".", "").isalnum()):
        raise RemoteError("apps.remote-no-id")
    return head.resourceType, head.id


def _entry(request: bytes, resource: bytes = b"") -> bytes:
    return b"{" + (b'"resource":' + resource.strip() + b"," if resource else b"") + request + b"}"


def _put_entry(name: Name, body: bytes) -> bytes:
    return _entry(b'"request":{"method":"PUT","url":"%s/%s"}' % (name[0].encode(), name[1].encode()), body)


def _same(ours: bytes, theirs: bytes) -> bool:
    """Whether two bodies say the same but for what the store adds; numbers are compared by their digits."""
    return bool(_without_version(ours) == _without_version(theirs))


def _without_version(body: bytes) -> Any:
    resource = json.loads(body, parse_float=str, parse_int=str)
    meta = {k: v for k, v in resource.pop("meta", {}).items() if k not in ("versionId", "lastUpdated")}
    return (resource, meta)


def _refused(status: int, body: bytes) -> RemoteError:
    """What the server's OperationOutcome says, first errors first."""
    said = ""
    try:
        issues = loads(body).get("issue", [])
        grave = [issue for issue in issues if issue.get("severity") in ("error", "fatal")] or issues
        said = " ".join(
            str(issue.get("diagnostics") or issue.get("details", {}).get("text") or issue.get("code"))
            for issue in grave[:5]
        )
    except (ValueError, AttributeError, RecursionError):
        pass
    if not said:
        return RemoteError("apps.remote-refused", answered=status, http=status)
    return RemoteError("apps.remote-said", answered=status, said=said, http=status)

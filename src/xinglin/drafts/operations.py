"""FHIR operations on drafts: ``$accept``, ``$amend``, ``$reject``; on any resource ``$rests-on``, ``$computed-from``.

Decisions take a Parameters body: ``note`` (string), ``version`` (positiveInt, or the header If-Match); for ``$amend``
``resource`` (the whole content) or any number of ``set`` (parts ``path`` and ``value``, strings); for ``$reject`` ``code`` and
``text``. They answer with the resource as it is then. Graphs answer with a searchset: what was met in the versions named
(``match``), and the Provenances between (``include``).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from xinglin.drafts.errors import BadDecision
from xinglin.drafts.exact import loads
from xinglin.drafts.graph import Graph
from xinglin.drafts.parts import Draft, Ref
from xinglin.drafts.service import Drafts
from xinglin.kernel.clock import now
from xinglin.records.errors import RecordError
from xinglin.records.rest.bundles import bundle_bytes
from xinglin.records.rest.conditional import instant_text, version_of
from xinglin.records.rest.edge import PRIVATE, Edge, json_answer, one_value, only_known, version_headers
from xinglin.records.rest.errors import Malformed
from xinglin.records.rest.exchange import Answer, Request
from xinglin.records.rest.negotiate import check_sent
from xinglin.records.stored import ANY_VERSION

if TYPE_CHECKING:
    from xinglin.trust import Actor


def accept(edge: Edge, request: Request, type_: str, id_: str) -> Answer:
    """``POST [type]/[id]/$accept``."""
    sent = _Sent(request, "note")
    done = Drafts(edge.records).accept(
        request.actor, f"{type_}/{id_}", version=sent.version, note=sent.text("note")
    )
    return _done(edge, request, done)


def amend(edge: Edge, request: Request, type_: str, id_: str) -> Answer:
    """``POST [type]/[id]/$amend``."""
    sent = _Sent(request, "note", "resource", "set")
    whole = sent.named.get("resource", {}).get("resource")
    content = whole or sent.values
    if not isinstance(content, dict) or not content or (whole and sent.values):
        raise BadDecision("drafts.amend-content")
    done = Drafts(edge.records).amend(
        request.actor, f"{type_}/{id_}", content, version=sent.version, note=sent.text("note")
    )
    return _done(edge, request, done)


def reject(edge: Edge, request: Request, type_: str, id_: str) -> Answer:
    """``POST [type]/[id]/$reject``."""
    sent = _Sent(request, "code", "text")
    done = Drafts(edge.records).reject(
        request.actor, f"{type_}/{id_}", sent.text("code"), sent.text("text"), version=sent.version
    )
    return _done(edge, request, done)


def rests_on(edge: Edge, request: Request, type_: str, id_: str) -> Answer:
    """``GET [type]/[id]/$rests-on?version=``: what it was computed from."""
    return _graph(edge, request, type_, id_, Drafts(edge.records).rests_on)


def computed_from(edge: Edge, request: Request, type_: str, id_: str) -> Answer:
    """``GET [type]/[id]/$computed-from?version=``: what was computed from it."""
    return _graph(edge, request, type_, id_, Drafts(edge.records).computed_from)


class _Sent:
    """The Parameters of a decision: those of ``known`` and ``version``, each once, but for ``set``. Raises Malformed."""

    def __init__(self, request: Request, *known: str) -> None:
        only_known(request.pairs, (), strict=True)
        self.named: dict[str, dict[str, Any]] = {}
        self.values: dict[str, str] = {}
        if request.body:
            check_sent(request.headers.get("content-type"))
            try:
                body = loads(request.body)
                assert body["resourceType"] == "Parameters"
                for one in body.get("parameter", []):
                    self._take(one, (*known, "version"))
            except (ValueError, KeyError, TypeError, AttributeError, AssertionError, RecursionError) as error:
                raise Malformed("records.rest-parameters") from error
        tag = version_of(request.headers.get("if-match"))
        self.version = None if tag == ANY_VERSION else tag
        given = next((v for k, v in self.named.get("version", {}).items() if k.startswith("value")), None)
        if given is not None:
            if not re.fullmatch("[1-9][0-9]{0,17}", str(given), re.ASCII):
                raise Malformed("records.rest-parameters")
            if self.version not in (None, int(given)):
                raise BadDecision("drafts.two-versions")
            self.version = int(given)

    def _take(self, one: dict[str, Any], known: tuple[str, ...]) -> None:
        # What is not understood is refused: a clinician's words or changes must not be dropped on the way.
        name = str(one["name"])
        if name not in known:
            raise BadDecision("drafts.unknown-parameter", name=name[:40], known=", ".join(sorted(known)))
        if name == "set":
            parts = {str(part["name"]): part["valueString"] for part in one["part"]}
            path, value = parts["path"], parts["value"]
            assert len(one["part"]) == 2
            assert isinstance(path, str)
            assert isinstance(value, str)
            assert path not in self.values
            self.values[path] = value
            return
        if name in self.named:
            raise BadDecision("drafts.repeated-parameter", name=name)
        self.named[name] = one

    def text(self, name: str) -> str:
        """A parameter that is a string or a code, "" where it is not there."""
        found = next((v for k, v in self.named.get(name, {}).items() if k.startswith("value")), "")
        if not isinstance(found, str):
            raise Malformed("records.rest-parameters")
        return found


def _done(edge: Edge, request: Request, draft: Draft) -> Answer:
    stored = edge.records.vread(request.actor, draft.ref.type, draft.ref.id, draft.ref.version)
    return json_answer(request, stored.body, headers=[*version_headers(stored), PRIVATE], stored=stored)


def _graph(edge: Edge, request: Request, type_: str, id_: str, find: Callable[[Actor, str], Graph]) -> Answer:
    only_known(request.pairs, ("version",), strict=True)
    version = one_value(request.pairs, "version")
    if version is not None and not (version.isascii() and version.isdigit() and version[0] != "0"):
        raise BadDecision("drafts.version-form", given=version[:20])
    graph = find(request.actor, f"{type_}/{id_}" + (f"/_history/{version}" if version else ""))
    entries = [_entry(edge, request, one, b"match") for one in graph.nodes()]
    between = dict.fromkeys(edge_.provenance for edge_ in graph.edges)
    entries += [_entry(edge, request, one, b"include") for one in between]
    if not graph.complete:
        entries.append(_more(request))
    body = bundle_bytes("searchset", [one for one in entries if one], updated=instant_text(now()))
    return json_answer(request, body, headers=[PRIVATE])


def _entry(edge: Edge, request: Request, one: Ref, mode: bytes) -> bytes:
    records, actor = edge.records, request.actor
    try:
        if one.version:
            body = records.vread(actor, one.type, one.id, one.version).body
        else:
            body = records.read(actor, one.type, one.id).body
    except RecordError:  # deleted, or in another system: the Provenance still names it
        return b""
    url = f"{request.base}/{one.name}".encode()
    return b'{"fullUrl":"%s","resource":%s,"search":{"mode":"%s"}}' % (url, body, mode)


def _more(request: Request) -> bytes:
    from xinglin.kernel.language import say
    from xinglin.records.rest.outcome import Issue, outcome

    issue = Issue("warning", "too-costly", say("drafts.graph-bound", request.language))
    return b'{"resource":%s,"search":{"mode":"outcome"}}' % outcome([issue])

"""``/fhir`` as an ASGI application: bytes in, one `Request`; one `Answer`, bytes out. No web framework in between.

A read by id takes a shorter way (`_quick`): nothing is built that such a request does not need. What is short runs on the
event loop, since handing it to a thread costs more than doing it; bundles and long searches run in threads; writes wait for
the writer without holding any.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import re
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from time import perf_counter
from typing import Any
from urllib.parse import unquote_plus, unquote_to_bytes

from xinglin.apps.api.guard import Guard
from xinglin.apps.api.observing import Observing, interaction
from xinglin.apps.api.protocol import Cycle
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.language import Language, choose
from xinglin.kernel.log import REQUEST, logger
from xinglin.kernel.settings import Settings
from xinglin.records.api import LIGHT_BODY_BYTES, Api, OverBudget
from xinglin.records.rest.errors import Malformed, TooLarge, TooSlow, UnsupportedMedia
from xinglin.records.rest.exchange import Answer, Header, Pending, Request
from xinglin.records.rest.negotiate import FORM, check_nesting, check_sent, flag, preferences, wanted
from xinglin.records.rest.outcome import Issue, outcome
from xinglin.trust import Actor

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PREFIX = b"/fhir"
GZIP_FROM_BYTES = 1400
"""Below one network packet compression gains nothing."""
GZIP_APART_BYTES = 128 * 1024
"""Above it (a millisecond or two) a body is packed in a thread."""
ADDRESS_MOST_BYTES = 32 * 1024
BODY_WITHIN_S = 120
"""How long a client may take to send a body: 10 MiB at 0.7 Mbit/s."""
HEADERS_MOST_BYTES = 64 * 1024
QUICK_FROM = re.compile(rb"/fhir/([A-Z][A-Za-z]{2,60})/([A-Za-z0-9\-.]{1,64})")
_PLAIN_ACCEPT = {b"*/*", b"application/fhir+json", b"application/fhir+json, */*"}
# Headers that change nothing about a read; with any other the long way is taken.
_SILENT = {
    b"user-agent",
    b"connection",
    b"accept-encoding",
    b"accept-language",
    b"content-type",
    b"cache-control",
    b"pragma",
    b"content-length",
}
_ALWAYS: list[Header] = [(b"x-content-type-options", b"nosniff")]


class Endpoint:
    """See the module.

    ``api``: what answers. ``actor``: who everyone is until there is sign-in. ``observing``: notes every request.
    """

    def __init__(
        self, api: Api, settings: Settings, guard: Guard, actor: Actor, observing: Observing | None = None
    ) -> None:
        self._api = api
        self._observing = observing or Observing(actor)
        self._settings = settings
        self._guard = guard
        self._actor = actor
        self._threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="rest")

    def close(self) -> None:
        """Let the threads go; what runs is finished."""
        self._threads.shutdown(wait=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "GET" and not scope["query_string"]:
            match = QUICK_FROM.fullmatch(scope["raw_path"])
            if match is not None and await self._quick(match, scope, send):
                return
        await self._whole(scope, receive, send)

    async def _quick(self, match: re.Match[bytes], scope: Scope, send: Send) -> bool:
        """Answer a plain read by id; False where anything about it is not plain."""
        began = perf_counter()
        known = False
        for name, value in scope["headers"]:
            if name in _SILENT:
                continue
            if name == b"host":
                known = self._guard.base(value, scope["scheme"]) is not None
            elif name != b"accept" or value not in _PLAIN_ACCEPT:
                return False
        if not known:
            return False
        found = self._api.quick(self._actor, match[1].decode(), match[2].decode())
        if found is None:
            return False
        headers, body = found
        headers.append((b"x-request-id", self._observing.read(began)))
        await _respond(send, 200, headers, body)
        return True

    async def _whole(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = perf_counter()
        headers: dict[str, str] = {}
        size = 0
        for name, value in scope["headers"]:
            size += len(name) + len(value)
            key, text = name.decode("latin-1"), value.decode("latin-1")
            headers[key] = f"{headers[key]}, {text}" if key in headers else text
        request_id = self._observing.request_id(headers.get("x-request-id", ""))
        REQUEST.set(request_id)
        language = self._language(headers.get("accept-language"))
        try:
            if size > HEADERS_MOST_BYTES:
                answer = plainly(431, "too-long", "rest-headers-long", language, most=HEADERS_MOST_BYTES)
            elif len(scope["raw_path"]) + len(scope["query_string"]) > ADDRESS_MOST_BYTES:
                answer = plainly(414, "too-long", "rest-address-long", language, most=ADDRESS_MOST_BYTES)
            else:
                answer = await self._answer(scope, headers, receive, language)
        except _Gone:
            return
        except XinglinError as error:
            answer = self._api.refuse(error, language)
            if error.status >= 500:
                logger("api").warning("refused", request=request_id, key=error.key, status=error.status)
        except Exception as error:
            # The last net: the client learns an id to quote, the log where it happened, neither any patient's data.
            kind = type(error).__name__
            logger("api").error("unexpected", request=request_id, kind=kind, place=_place(error))
            answer = plainly(500, "exception", "rest-unexpected", language, request=request_id)
        await self._send(scope, headers, answer, request_id, send)
        kind = interaction(scope["method"], scope["path"][len(PREFIX) :])
        self._observing.done(kind, answer.status, perf_counter() - began, request_id)

    def _language(self, accept: str | None) -> Language:
        if accept or self._settings.language == "auto":
            return _chosen(accept)
        return "zh" if self._settings.language == "zh" else "en"

    async def _answer(
        self, scope: Scope, headers: dict[str, str], receive: Receive, language: Language
    ) -> Answer:
        host = next((value for name, value in scope["headers"] if name == b"host"), b"")
        base = self._guard.base(host, scope["scheme"])
        if base is None:
            return plainly(421, "security", "rest-host", language)
        if self._guard.foreign(host, headers.get("origin"), headers.get("sec-fetch-site")):
            return plainly(403, "security", "rest-foreign", language)
        method: str = scope["method"]
        body = await self._body(headers, receive) if method not in ("GET", "HEAD") else b""
        if "json" in headers.get("content-type", "json"):
            if len(body) <= LIGHT_BODY_BYTES:
                check_nesting(body, self._settings.nesting_limit)
            else:
                loop = asyncio.get_running_loop()
                await loop.run_in_executor(self._threads, check_nesting, body, self._settings.nesting_limit)
        request = self._request(scope, headers, body, base + PREFIX.decode(), language)
        api = self._api
        answer: Answer | Pending | None = None
        if api.light(request):
            with contextlib.suppress(OverBudget):
                answer = api.answer(request, inline=True)
        if answer is None:
            # With this task's context: a job enqueued there carries the request's id.
            run = contextvars.copy_context().run
            answer = await asyncio.get_running_loop().run_in_executor(self._threads, run, api.answer, request)
        if isinstance(answer, Pending):
            answer = answer.finish(await asyncio.wrap_future(answer.submit()))
        if request.pretty and answer.body and _is_json(answer):
            import msgspec

            return Answer(answer.status, answer.headers, msgspec.json.format(answer.body, indent=2))
        return answer

    def _request(
        self, scope: Scope, headers: dict[str, str], body: bytes, base: str, language: Language
    ) -> Request:
        raw = scope["raw_path"][len(PREFIX) :]
        path = tuple(_text(unquote_to_bytes(part)) for part in raw.split(b"/") if part)
        pairs = _pairs(scope["query_string"])
        if path and path[-1] == "_search" and scope["method"] == "POST":
            if body:
                check_sent(headers.get("content-type"), taken=(FORM,))
                pairs += _pairs(body)
                scope = {**scope, "query_string": scope["query_string"] + b"&" + body}
            body = b""
        format_: str | None = None
        pretty = False
        kept = []
        for name, value in pairs:
            if name == "_format":
                format_ = value
            elif name == "_pretty":
                pretty = flag(name, value)
            else:
                kept.append((name, value))
        content_type, raw_accepted = _wanted(headers.get("accept"), format_)
        return Request(
            method=scope["method"],
            path=path,
            actor=self._actor,
            base=base,
            pairs=tuple(kept),
            headers=headers,
            body=body,
            language=language,
            prefer=preferences(headers.get("prefer")),
            content_type=content_type,
            pretty=pretty,
            raw_accepted=raw_accepted,
            query=scope["query_string"].decode("ascii", "replace") if len(kept) == len(pairs) else None,
        )

    async def _body(self, headers: dict[str, str], receive: Receive) -> bytes:
        """The whole request body, unpacked. Raises TooLarge over the limit, packed or unpacked."""
        most = self._settings.body_limit_bytes
        length = headers.get("content-length", "")
        if length.isdigit() and (len(length) > 15 or int(length) > most):
            raise TooLarge("records.rest-body-limit", most=most)
        try:
            async with asyncio.timeout(BODY_WITHIN_S):
                body = await _received(receive, most)
        except TimeoutError:
            raise TooSlow("records.rest-body-slow", seconds=BODY_WITHIN_S) from None
        packing = headers.get("content-encoding", "identity").strip().lower()
        if packing in ("identity", "") or not body:
            return body
        if packing not in ("gzip", "x-gzip"):
            raise UnsupportedMedia("records.rest-encoding", encoding=packing[:40])
        unpacker = zlib.decompressobj(31)
        try:
            body = unpacker.decompress(body, most + 1)
        except zlib.error as error:
            raise Malformed("records.rest-gzip") from error
        if len(body) > most:
            raise TooLarge("records.rest-body-limit", most=most)
        if not unpacker.eof:
            raise Malformed("records.rest-gzip")
        return body

    async def _send(
        self, scope: Scope, asked: dict[str, str], answer: Answer, request_id: str, send: Send
    ) -> None:
        body = answer.body
        headers = answer.headers + _ALWAYS
        if len(body) >= GZIP_FROM_BYTES and _takes_gzip(asked.get("accept-encoding", "")):
            if len(body) > GZIP_APART_BYTES:
                body = await asyncio.get_running_loop().run_in_executor(self._threads, _packed, body)
            else:
                body = _packed(body)
            headers = [*headers, (b"content-encoding", b"gzip"), (b"vary", b"accept-encoding")]
        if answer.status not in (204, 304):
            headers = [*headers, (b"content-length", b"%d" % len(body))]
        headers = [*headers, (b"x-request-id", request_id.encode())]
        if scope["method"] == "HEAD" or answer.status in (204, 304):
            body = b""
        await _respond(send, answer.status, headers, body)


async def _respond(send: Send, status: int, headers: list[Header], body: bytes) -> None:
    """The whole response: in one write where the server's own protocol offers it, else as ASGI has it."""
    cycle = getattr(send, "__self__", None)
    if isinstance(cycle, Cycle) and cycle.respond(status, headers, body):
        return
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


_chosen = lru_cache(256)(choose)
_wanted = lru_cache(256)(wanted)


class _Gone(Exception):
    """The client went away before its request was whole."""


async def _received(receive: Receive, most: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            raise TooLarge("records.rest-body-limit", most=most)
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)


def _pairs(query: bytes) -> list[tuple[str, str]]:
    """Name and value pairs of a query string or form; empty values kept, so that they can be refused by name.

    >>> _pairs(b"a=1&b=%E5%BC%A0+x&c")
    [('a', '1'), ('b', '张 x'), ('c', '')]
    """
    if not query:
        return []
    found = []
    for part in query.decode("utf-8", "replace").split("&"):
        if part:
            name, _, value = part.partition("=")
            found.append((_decoded(name), _decoded(value)))
    return found


def _decoded(text: str) -> str:
    if "%" in text or "+" in text:
        return unquote_plus(text, errors="replace")
    return text


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _packed(body: bytes) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    return packer.compress(body) + packer.flush()


@lru_cache(256)
def _takes_gzip(accept: str) -> bool:
    for part in accept.lower().split(","):
        name, _, quality = part.partition(";")
        if name.strip() in ("gzip", "*") and quality.strip().replace(" ", "") not in (
            "q=0",
            "q=0.0",
            "q=0.00",
        ):
            return True
    return False


def _is_json(answer: Answer) -> bool:
    return any(name == b"content-type" and b"json" in value for name, value in answer.headers)


def plainly(status: int, code: str, key: str, language: Language, **values: object) -> Answer:
    """An OperationOutcome of one error, its sentence ``records.key``."""
    from xinglin.kernel.language import say
    from xinglin.records.rest.exchange import FHIR_JSON

    issue = Issue("error", code, say(f"records.{key}", language, **values))
    return Answer(status, [(b"content-type", FHIR_JSON)], outcome([issue]))


def _place(error: BaseException) -> str:
    """Where an exception arose, as ``module.py:line``, without its text, which may quote a resource."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "unknown"
    return f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"

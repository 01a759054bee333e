"""The feed as server-sent events, and Subscriptions over a web socket, from a real server."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from xinglin.apps.api.app import create_app
from xinglin.apps.api.server import listen, uvicorn_server
from xinglin.kernel.settings import Settings
from xinglin.records.consumers import consumers as of_record
from xinglin.records.feed import Consumers
from xinglin.records.service import open_records
from xinglin.records.site import Site

BASIC = {"resourceType": "Basic", "code": {"coding": [{"code": "x"}]}}
SOCKET = {
    "resourceType": "Subscription", "status": "requested", "reason": "test", "criteria": "Basic?code=x",
    "channel": {"type": "websocket"},
}  # fmt: skip


class Server:
    """A server and, as a worker would, its consumers."""

    def __init__(self, url: str) -> None:
        settings = Settings(subscription_loopback=True)
        self.records = open_records(url, settings)
        self.app = create_app(self.records, settings)
        up = threading.Event()
        listener = listen("127.0.0.1", 0)
        self.server = uvicorn_server(self.app, up.set)
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [listener]})
        self.thread.start()
        assert up.wait(20)
        site = Site(self.records, settings)
        self.consumers = Consumers(site, of_record(site)).start()
        self.address = f"127.0.0.1:{listener.getsockname()[1]}"
        self.http = httpx.Client(base_url=f"http://{self.address}", timeout=30)

    def post(self, resource: dict[str, Any]) -> dict[str, Any]:
        answer = self.http.post(f"/fhir/{resource['resourceType']}", json=resource)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def socket(self, **more: Any) -> ClientConnection:
        return connect(f"ws://{self.address}/api/websocket", **more)

    def stop(self) -> float:
        began = time.monotonic()
        self.server.should_exit = True
        self.thread.join(20)
        return time.monotonic() - began

    def close(self) -> None:
        self.stop()
        self.http.close()
        self.consumers.close()
        self.app.close()
        self.records.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(f"sqlite:///{tmp_path_factory.mktemp('feed')}/x.db")
    yield made
    made.close()


@contextmanager
def listening(server: Server, query: str = "", **headers: str) -> Iterator[queue.Queue[dict[str, str]]]:
    """Events as they come, each a mapping of its fields; ends when the block does."""
    found: queue.Queue[dict[str, str]] = queue.Queue()
    with httpx.Client(timeout=20) as client:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        with client.stream("GET", f"http://{server.address}/api/feed{query}", headers=sent) as answer:
            assert answer.status_code == 200, answer.read()
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = answer.iter_lines()
            assert next(lines).startswith(":")

            def read() -> None:
                event: dict[str, str] = {}
                try:
                    for line in lines:
                        if not line:
                            if event:
                                found.put(event)
                            event = {}
                        elif not line.startswith(":"):
                            name, _, value = line.partition(": ")
                            event[name] = value
                except httpx.HTTPError:
                    pass
                found.put({"event": "end"})

            thread = threading.Thread(target=read, daemon=True)
            thread.start()
            yield found


def test_changes_come_as_events_with_ids_only(server: Server) -> None:
    with listening(server) as events:
        made = server.post({**BASIC, "subject": {"reference": "Patient/secret-name"}})
        event = events.get(timeout=5)
    assert event["event"] == "change"
    data = json.loads(event["data"])
    assert str(data["position"]) == event["id"]
    assert (data["type"], data["id"], data["version"], data["method"]) == ("Basic", made["id"], 1, "POST")
    assert set(data) == {"position", "at", "type", "id", "version", "method", "patient"}


def test_who_asks_for_the_epoch_is_told_it_first(server: Server) -> None:
    made = server.post(BASIC)
    page = server.http.get("/api/feed/page?after=0&limit=10000").json()
    before = page["position"] - 1
    with listening(server, f"?after={before}&epoch=") as events:
        hello = events.get(timeout=5)
        assert (hello["event"], "id" in hello) == ("hello", False)
        assert json.loads(hello["data"]) == {"epoch": page["epoch"], "position": before}
        assert json.loads(events.get(timeout=5)["data"])["id"] == made["id"]
    assert server.http.get("/api/feed/page?after=0&epoch=another").status_code == 200, "nothing was read yet"


def test_one_goes_on_behind_the_last_event_id(server: Server) -> None:
    with listening(server) as events:
        ids = [server.post(BASIC)["id"] for _ in range(3)]
        first = events.get(timeout=5)
    with listening(server, last_event_id=first["id"]) as events:
        rest = [json.loads(events.get(timeout=5)["data"])["id"] for _ in range(2)]
    assert rest == ids[1:]
    with listening(server, f"?after={first['id']}") as events:
        assert json.loads(events.get(timeout=5)["data"])["id"] == ids[1]


def test_a_commit_of_several_changes_has_its_position_on_the_last(server: Server) -> None:
    entries = [{"resource": BASIC, "request": {"method": "POST", "url": "Basic"}} for _ in range(3)]
    with listening(server) as events:
        server.http.post("/fhir", json={"resourceType": "Bundle", "type": "transaction", "entry": entries})
        found = [events.get(timeout=5) for _ in range(3)]
    assert ["id" in event for event in found] == [False, False, True]


def test_only_the_types_asked_for_come(server: Server) -> None:
    with listening(server, "?type=Patient&type=Group") as events:
        server.post(BASIC)
        made = server.post({"resourceType": "Patient"})
        assert json.loads(events.get(timeout=5)["data"])["id"] == made["id"]


@pytest.mark.parametrize("query", ["after=x", "after=-1", "after=1e3", "after=" + "9" * 30, "type=Nonsense"])
def test_a_question_that_is_none_is_refused(server: Server, query: str) -> None:
    answer = server.http.get(f"/api/feed?{query}")
    assert answer.status_code == 400
    assert answer.json()["resourceType"] == "OperationOutcome"


def test_pages_and_consumers_can_be_asked_for(server: Server) -> None:
    last = server.http.get("/api/feed/consumers").json()["position"]
    made = server.post(BASIC)
    page = server.http.get(f"/api/feed/page?after={last}&type=Basic").json()
    assert [change["id"] for change in page["changes"]] == [made["id"]]
    assert page["position"] > last
    shown = server.http.get("/api/feed/consumers").json()["consumers"]["subscriptions"]
    assert set(shown) == {"commits", "seconds", "parked", "led", "reason"}


def test_a_slow_reader_holds_nobody_up(server: Server) -> None:
    import socket

    host, _, port = server.address.partition(":")
    with socket.create_connection((host, int(port))) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.sendall(f"GET /api/feed?after=0 HTTP/1.1\r\nHost: {server.address}\r\n\r\n".encode())
        with listening(server) as events:
            for _ in range(5):
                made = server.post(BASIC)
                assert json.loads(events.get(timeout=5)["data"])["id"] == made["id"]


def test_python_follows_a_server(server: Server) -> None:
    import xinglin as xl

    made = server.post(BASIC)
    with xl.open(f"http://{server.address}") as record:
        there = list(record.changes(0))
        assert there[-1].id == made["id"]
        following = record.changes(there[-1].position, "Basic", follow=True)
        threading.Timer(0.3, lambda: server.post(BASIC)).start()
        assert next(following).position == there[-1].position + 1


def test_a_socket_is_told_of_matches(server: Server) -> None:
    made = server.post(SOCKET)
    other = server.post({**SOCKET, "criteria": "Patient"})
    with server.socket() as socket:
        socket.send(f"bind {made['id']}")
        assert socket.recv(5) == f"bound {made['id']}"
        socket.send(f"bind {other['id']}")
        assert socket.recv(5) == f"bound {other['id']}"
        server.post({"resourceType": "Basic", "code": {"text": "no match"}})
        server.post(BASIC)
        assert socket.recv(5) == f"ping {made['id']}"
        server.post({"resourceType": "Patient"})
        assert socket.recv(5) == f"ping {other['id']}"
        server.http.delete(f"/fhir/Subscription/{other['id']}")
        assert socket.recv(5) == f"unbound {other['id']}"


def test_two_sockets_are_both_told(server: Server) -> None:
    made = server.post(SOCKET)
    with server.socket() as one, server.socket() as two:
        for socket in (one, two):
            socket.send(f"bind {made['id']}")
            assert socket.recv(5) == f"bound {made['id']}"
        server.post(BASIC)
        assert one.recv(5) == two.recv(5) == f"ping {made['id']}"


@pytest.mark.parametrize("said", ["bind", "bind ../x", "hello", "bind nobody", "", "x" * 1000])
def test_what_cannot_be_bound_is_said_and_the_socket_stays(server: Server, said: str) -> None:
    made = server.post(SOCKET)
    with server.socket() as socket:
        socket.send(said)
        assert str(socket.recv(5)).startswith("error")
        socket.send(f"bind {made['id']}")
        assert socket.recv(5) == f"bound {made['id']}"


@pytest.mark.parametrize("said", [b"bind x", b"", b"\xff\xfe\x00" * 100])
def test_a_binary_message_is_refused_and_the_socket_stays(server: Server, said: bytes) -> None:
    made = server.post(SOCKET)
    with server.socket() as socket:
        socket.send(said)
        assert str(socket.recv(5)).startswith("error")
        socket.send(f"  bind   {made['id']}  ")
        assert socket.recv(5) == f"bound {made['id']}"


def test_a_subscription_of_another_tenant_cannot_be_bound(server: Server) -> None:
    from xinglin.trust import local_system

    server.records.set_tenant(2, "second", "UTC")
    foreign = server.records.create(local_system(2), "Subscription", json.dumps(SOCKET).encode())
    with server.socket() as socket:
        socket.send(f"bind {foreign.id}")
        assert str(socket.recv(5)).startswith(f"error {foreign.id}")
        server.records.create(local_system(2), "Basic", json.dumps(BASIC).encode())
        with pytest.raises(TimeoutError):
            socket.recv(0.5)


def test_one_socket_binds_a_hundred_and_no_more(server: Server) -> None:
    made = [server.post({**SOCKET, "criteria": f"Basic?code=n{n}"})["id"] for n in range(101)]
    with server.socket() as socket:
        for id_ in made[:100]:
            socket.send(f"bind {id_}")
            assert socket.recv(5) == f"bound {id_}"
        socket.send(f"bind {made[100]}")
        assert str(socket.recv(5)).startswith("error")
        server.post({**BASIC, "code": {"coding": [{"code": "n99"}]}})
        assert socket.recv(5) == f"ping {made[99]}"
    for id_ in made:
        server.http.delete(f"/fhir/Subscription/{id_}")


def test_many_listeners_are_all_told(server: Server) -> None:
    made = server.post({**SOCKET, "criteria": "Basic?code=many"})
    with ExitStack() as stack:
        sockets = [stack.enter_context(server.socket()) for _ in range(60)]
        for socket in sockets:
            socket.send(f"bind {made['id']}")
        assert {socket.recv(10) for socket in sockets} == {f"bound {made['id']}"}
        for _ in range(2):
            server.post({**BASIC, "code": {"coding": [{"code": "many"}]}})
            assert {socket.recv(10) for socket in sockets} == {f"ping {made['id']}"}


def handshake(server: Server) -> bytes:
    return (
        f"GET /api/websocket HTTP/1.1\r\nHost: {server.address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    ).encode()


def masked(text: bytes, opcode: int = 1) -> bytes:
    return bytes([0x80 | opcode, 0x80 | len(text)]) + b"\0\0\0\0" + text


def answered(server: Server, frames: bytes) -> bytes:
    """What comes back behind the handshake, to the end."""
    import socket

    host, _, port = server.address.partition(":")
    with socket.create_connection((host, int(port)), 5) as raw:
        raw.sendall(handshake(server))
        found = b""
        while b"\r\n\r\n" not in found:
            found += raw.recv(65536)
        assert found.startswith(b"HTTP/1.1 101")
        raw.sendall(frames)
        found = found.partition(b"\r\n\r\n")[2]
        while more := raw.recv(65536):
            found += more
    return found


@pytest.mark.parametrize(
    "frames",
    [
        b"\x81\x04bind",  # not masked
        b"\xf3\x84\0\0\0\0bind",  # reserved bits and an opcode of none
        b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0x",  # 2**63 bytes
        masked(b"\xff\xfe"),  # text that is no UTF-8
        masked(b"x", 0),  # goes on with nothing
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_garbage_frames_end_their_own_socket_alone(server: Server, frames: bytes) -> None:
    made = server.post(SOCKET)
    with server.socket() as beside:
        beside.send(f"bind {made['id']}")
        assert beside.recv(5) == f"bound {made['id']}"
        assert answered(server, frames)[:1] == b"\x88"  # a close frame
        server.post(BASIC)
        assert beside.recv(5) == f"ping {made['id']}"


@pytest.mark.parametrize("given", ["x", "-1", "1.5", "9" * 30, "99999999", "1 2", "%00"])
def test_a_last_event_id_that_is_none_is_refused(server: Server, given: str) -> None:
    server.post(BASIC)
    answer = server.http.get("/api/feed?after=0", headers={"Last-Event-ID": given})
    assert answer.status_code == (409 if given == "99999999" else 400)
    assert answer.json()["resourceType"] == "OperationOutcome"


def test_followers_that_go_away_leave_nothing_behind(server: Server) -> None:
    import socket

    before = threading.active_count()
    host, _, port = server.address.partition(":")
    for _ in range(30):
        with socket.create_connection((host, int(port)), 5) as raw:
            raw.sendall(f"GET /api/feed?after=0 HTTP/1.1\r\nHost: {server.address}\r\n\r\n".encode())
            assert raw.recv(1000).startswith(b"HTTP/1.1 200")
    with listening(server) as events:
        made = server.post(BASIC)
        assert json.loads(events.get(timeout=5)["data"])["id"] == made["id"]
    assert threading.active_count() < before + 45


def test_a_rest_hook_is_not_bound(server: Server) -> None:
    made = server.post({**SOCKET, "channel": {"type": "rest-hook", "endpoint": "http://127.0.0.1:1/"}})
    with server.socket() as socket:
        socket.send(f"bind {made['id']}")
        assert str(socket.recv(5)).startswith(f"error {made['id']}")
    server.http.delete(f"/fhir/Subscription/{made['id']}")


def test_a_foreign_page_gets_no_socket(server: Server) -> None:
    from websockets.exceptions import InvalidStatus

    with pytest.raises(InvalidStatus), server.socket(origin="http://elsewhere.example"):
        pass


def test_a_message_that_is_too_long_ends_the_socket_alone(server: Server) -> None:
    with server.socket() as socket:
        socket.send("x" * 100_000)
        with pytest.raises(ConnectionClosed):
            socket.recv(5)
    assert server.http.get("/health").status_code == 200


def test_the_capability_statement_says_where_the_socket_is(server: Server) -> None:
    (rest,) = server.http.get("/fhir/metadata").json()["rest"]
    (extension,) = rest["extension"]
    assert extension == {
        "url": "http://hl7.org/fhir/StructureDefinition/capabilitystatement-websocket",
        "valueUri": f"ws://{server.address}/api/websocket",
    }


def test_the_server_stops_though_somebody_listens(tmp_path_factory: pytest.TempPathFactory) -> None:
    server = Server(f"sqlite:///{tmp_path_factory.mktemp('feed')}/x.db")
    try:
        with listening(server) as events, server.socket() as socket:
            assert server.stop() < 5
            assert events.get(timeout=5) == {"event": "end"}
            with pytest.raises(ConnectionClosed):
                socket.recv(5)
    finally:
        server.close()

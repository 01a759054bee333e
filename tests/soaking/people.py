"""Those who use the house during a soak: each a thread that works, counts, and notes what was wrong."""

from __future__ import annotations

import contextlib
import json
import random
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from soaking.house import House

SYSTEM = "urn:soak"
UNSURE = (httpx.HTTPError,)


class Person(threading.Thread):
    """A thread with a client; ``wrong`` holds what must not have happened."""

    def __init__(self, house: House, number: int, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.house = house
        self.stop = stop
        self.rng = random.Random(number)
        self.wrong: list[str] = []
        self.refused = 0
        self.waits_s: list[float] = []
        self._at = number
        self._client = httpx.Client(timeout=30)

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Until a server answers with anything but 5xx; another one is asked each time."""
        while True:
            began = time.monotonic()
            try:
                answer = self._client.request(method, f"{self.house.address(self._at)}{path}", **options)
                if answer.status_code < 500:
                    self.waits_s.append(time.monotonic() - began)
                    return answer
            except UNSURE:
                self._client.close()
                self._client = httpx.Client(timeout=30)
            self.refused += 1
            self._at += 1
            time.sleep(0.1)


class Writer(Person):
    """Puts, puts again and conditionally creates observations of its own patient; remembers every acknowledgement."""

    def __init__(self, house: House, number: int, stop: threading.Event) -> None:
        super().__init__(house, number, stop)
        self.number = number
        self.acknowledged = 0
        self._ended = threading.Event()
        self._counts: dict[str, tuple[int, int]] = {}  # id → version, count as last acknowledged
        self._versions: set[tuple[str, int]] = set()
        self._alarms: set[tuple[str, int]] = set()
        self._created: dict[str, str] = {}  # identifier → id
        self._put_before: list[str] = []

    def run(self) -> None:
        patient = {
            "resourceType": "Patient",
            "id": f"p{self.number}",
            "name": [{"family": f"Soak{self.number}"}],
        }
        self.ask("PUT", f"/fhir/Patient/p{self.number}", json=patient)
        count = 0
        while not self._ended.is_set():
            count += 1
            turn = self.rng.random()
            if turn < 0.15:
                self._create(f"c{self.number}-{count}", count)
            elif turn < 0.5 and self._put_before:
                self._put(self.rng.choice(self._put_before), count)
            else:
                self._put_before.append(f"o{self.number}-{count}")
                self._put(self._put_before[-1], count)

    def _body(self, count: int, **more: Any) -> dict[str, Any]:
        alarm = count % 10 == 0
        return {
            "resourceType": "Observation",
            **more,
            "status": "final",
            "code": {"coding": [{"system": SYSTEM, "code": "alarm" if alarm else "usual"}]},
            "subject": {"reference": f"Patient/p{self.number}"},
            "valueInteger": count,
        }

    def _put(self, id_: str, count: int) -> None:
        answer = self.ask("PUT", f"/fhir/Observation/{id_}", json=self._body(count, id=id_))
        self._note(answer, count)

    def _create(self, identifier: str, count: int) -> None:
        body = self._body(count, identifier=[{"system": SYSTEM, "value": identifier}])
        headers = {"If-None-Exist": f"identifier={SYSTEM}|{identifier}", "Prefer": "return=representation"}
        answer = self.ask("POST", "/fhir/Observation", json=body, headers=headers)
        if self._note(answer, count):
            self._created[identifier] = answer.json()["id"]

    def _note(self, answer: httpx.Response, count: int) -> bool:
        if answer.status_code not in (200, 201):
            self.wrong.append(f"write answered {answer.status_code}: {answer.text[:200]}")
            return False
        self.acknowledged += 1
        parts = answer.headers.get("location", "").split("/")
        version = int(answer.headers["etag"].strip('W/"'))
        id_ = parts[-3] if "_history" in parts else answer.json()["id"]
        self._counts[id_] = (version, count)
        self._versions.add((id_, version))
        if count % 10 == 0:
            self._alarms.add((id_, version))
        return True

    def finish(self) -> None:
        """No further write; the one under way is waited for."""
        self._ended.set()
        self.join(120)

    def versions(self) -> set[tuple[str, int]]:
        """(id, version) of each acknowledged write."""
        return set(self._versions)

    def alarms(self) -> set[tuple[str, int]]:
        """Those that the subscription asks for."""
        return set(self._alarms)

    def ids(self) -> list[str]:
        """What is surely there by now."""
        return list(self._counts)

    def verify(self) -> list[str]:
        """What was acknowledged and is not there, or there twice."""
        found = []
        there: dict[str, dict[str, Any]] = {}
        ids = list(self._counts)
        for start in range(0, len(ids), 200):
            sought = ",".join(ids[start : start + 200])
            bundle = self.ask("GET", f"/fhir/Observation?_id={sought}&_count=200").json()
            there |= {entry["resource"]["id"]: entry["resource"] for entry in bundle.get("entry", ())}
        for id_, (version, count) in self._counts.items():
            body = there.get(id_)
            if body is None:
                found.append(f"lost: Observation/{id_}")
            elif int(body["meta"]["versionId"]) < version or body["valueInteger"] < count:
                found.append(f"lost: version {version} of Observation/{id_}")
        for identifier, id_ in self._created.items():
            bundle = self.ask("GET", f"/fhir/Observation?identifier={SYSTEM}|{identifier}").json()
            ids = [entry["resource"]["id"] for entry in bundle.get("entry", ())]
            if ids != [id_]:
                found.append(f"created {len(ids)} times: {identifier}")
        return found


class Searcher(Person):
    """Asks for what the writers have written; an acknowledged resource must be found."""

    def __init__(self, house: House, number: int, stop: threading.Event, writers: list[Writer]) -> None:
        super().__init__(house, 100 + number, stop)
        self._writers = writers

    def run(self) -> None:
        while not self.stop.is_set():
            writer = self.rng.choice(self._writers)
            ids = writer.ids()
            if not ids:
                time.sleep(0.1)
                continue
            sought = self.rng.sample(ids, min(3, len(ids)))
            path = self.rng.choice(
                (
                    f"/fhir/Observation?patient=p{writer.number}&code={SYSTEM}|alarm&_sort=-_lastUpdated&_count=10",
                    f"/fhir/Observation?patient.family=soak{writer.number}&_count=5",
                    f"/fhir/Observation?_id={','.join(sought)}",
                )
            )
            answer = self.ask("GET", path)
            if answer.status_code != 200:
                self.wrong.append(f"{path} answered {answer.status_code}")
            elif "_id=" in path and len(answer.json().get("entry", ())) != len(sought):
                self.wrong.append(f"not found: one of {sought}")


class Follower(Person):
    """Follows the feed by server-sent events, going on after each break from the last position it has."""

    def __init__(self, house: House, stop: threading.Event) -> None:
        super().__init__(house, 200, stop)
        self.seen: set[tuple[str, int]] = set()
        self.again = 0

    def run(self) -> None:
        position = 0
        while not self.stop.is_set():
            try:
                for told in self._events(position):
                    if told["position"] < position:
                        self.wrong.append(f"position {told['position']} after {position}")
                    position = told["position"]
                    name = (told["id"], told["version"])
                    self.again += name in self.seen
                    self.seen.add(name)
                    if self.stop.is_set():
                        return
            except (*UNSURE, json.JSONDecodeError):
                self.refused += 1
            self._at += 1
            time.sleep(0.2)

    def _events(self, position: int) -> Iterator[dict[str, Any]]:
        address = f"{self.house.address(self._at)}/api/feed?after={position}"
        with self._client.stream("GET", address, timeout=httpx.Timeout(30, read=60)) as answer:
            for line in answer.iter_lines():
                if line.startswith("data:"):
                    told = json.loads(line[5:])
                    yield from told if isinstance(told, list) else [told]
                if self.stop.is_set():
                    return


class Subscriber:
    """A Subscription for alarms, and the server that its deliveries come to."""

    def __init__(self, house: House) -> None:
        self.delivered: set[tuple[str, int]] = set()
        self.again = 0
        seen: set[str] = set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                id_ = self.headers.get("x-request-id") or ""
                outer.again += id_ in seen
                seen.add(id_)
                outer.delivered.add((body["id"], int(body["meta"]["versionId"])))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            do_POST = do_PUT  # noqa: N815

            def log_message(self, format: str, *args: Any) -> None: ...  # noqa: A002

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        resource = {
            "resourceType": "Subscription",
            "id": "soak",
            "status": "requested",
            "reason": "soak",
            "criteria": f"Observation?code={SYSTEM}|alarm",
            "channel": {
                "type": "rest-hook",
                "endpoint": f"http://127.0.0.1:{server.server_address[1]}",
                "payload": "application/fhir+json",
            },
        }
        answer = httpx.put(f"{house.address(0)}/fhir/Subscription/soak", json=resource, timeout=30)
        answer.raise_for_status()
        until = time.monotonic() + 30
        while httpx.get(f"{house.address(0)}/fhir/Subscription/soak").json()["status"] != "active":
            if time.monotonic() > until:
                raise RuntimeError("the subscription does not become active")
            time.sleep(0.2)


class Exporter(Person):
    """Exports all observations, again and again; what was acknowledged before must be in each, and nothing twice."""

    def __init__(self, house: House, stop: threading.Event, writers: list[Writer]) -> None:
        super().__init__(house, 300, stop)
        self._writers = writers
        self.done = 0
        self.lines = 0

    def run(self) -> None:
        while not self.stop.wait(5):
            with contextlib.suppress(KeyError):
                self._export()

    def _export(self) -> None:
        before = {id_ for writer in self._writers for id_ in writer.ids()}
        headers = {"Prefer": "respond-async", "Accept": "application/fhir+json"}
        answer = self.ask("GET", "/fhir/$export?_type=Observation", headers=headers)
        if answer.status_code != 202:
            self.wrong.append(f"$export answered {answer.status_code}: {answer.text[:200]}")
            self.stop.wait(5)
            return
        place = "/" + answer.headers["content-location"].split("/", 3)[3]
        while not self.stop.is_set():
            status = self.ask("GET", place)
            if status.status_code == 200:
                self._check(status.json(), before)
                return
            if status.status_code != 202:
                self.wrong.append(f"the export ended as {status.status_code}: {status.text[:200]}")
                return
            time.sleep(0.5)

    def _check(self, manifest: dict[str, Any], before: set[str]) -> None:
        ids: list[str] = []
        for output in manifest["output"]:
            path = "/" + output["url"].split("/", 3)[3]
            text = self.ask("GET", path).text
            ids += [json.loads(line)["id"] for line in text.splitlines() if line]
        self.lines += len(ids)
        self.done += 1
        if len(set(ids)) != len(ids):
            self.wrong.append(f"an export holds {len(ids) - len(set(ids))} resources twice")
        if before - set(ids):
            self.wrong.append(f"an export lacks {len(before - set(ids))} of {len(before)} resources")

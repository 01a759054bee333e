"""What a server counts about itself, and its telling in Prometheus' text form.

Source: Prometheus text-based exposition format 0.0.4. What has to be asked of the database is asked when somebody
collects (`gauges`).
"""

from __future__ import annotations

import os
import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_PLACES: Final = len(BOUNDS_S) + 1


class Spread:
    """Durations of one interaction: how many fell below each bound, and their sum."""

    __slots__ = ("counts", "total_s")

    def __init__(self) -> None:
        self.counts = [0] * _PLACES
        self.total_s = 0.0


class Metrics:
    """Requests of this process. The event loop alone counts, so nothing is locked; whoever reads may be a count behind."""

    def __init__(self) -> None:
        self.began_s = time.time()
        self.open: dict[str, int] = {}
        """Web sockets and event streams now open, by kind."""
        self._requests: dict[tuple[str, int], int] = {}
        self._durations: dict[str, Spread] = {}
        self.reads = Spread()
        """Plain reads: most requests are, so `Observing.read` counts them there itself, in half the time."""

    def count(self, interaction: str, status: int, seconds: float) -> None:
        """One request that was answered."""
        key = (interaction, status)
        try:
            self._requests[key] += 1
            spread = self._durations[interaction]
        except KeyError:
            self._requests[key] = self._requests.get(key, 0) or 1
            spread = self._durations.setdefault(interaction, Spread())
        spread.counts[bisect_left(BOUNDS_S, seconds)] += 1
        spread.total_s += seconds

    def families(self) -> Iterator[Family]:
        """What was counted."""
        requests = Family("xinglin_http_requests_total", "counter", "Requests answered.")
        told = self._requests.copy()
        told["read", 200] = told.get(("read", 200), 0) + sum(self.reads.counts)
        for (interaction, status), count in sorted(told.items()):
            requests.add(count, interaction=interaction, status=str(status))
        yield requests
        durations = Family("xinglin_http_request_duration_seconds", "histogram", "Time to the answer.")
        for interaction, spread in sorted({"read": Spread(), **self._durations}.items()):
            counts, total_s = spread.counts, spread.total_s
            if interaction == "read":
                counts = [one + quick for one, quick in zip(counts, self.reads.counts, strict=True)]
                total_s += self.reads.total_s
            durations.spread(BOUNDS_S, counts, total_s, interaction=interaction)
        yield durations
        streams = Family("xinglin_streams_open", "gauge", "Open web sockets and event streams.")
        for kind in ("websocket", "event-stream"):
            streams.add(self.open.get(kind, 0), kind=kind)
        yield streams
        yield from self._process()

    def _process(self) -> Iterator[Family]:
        used = os.times()
        yield Family.of(
            "process_cpu_seconds_total", "counter", "CPU time used, in seconds.", used.user + used.system
        )
        yield Family.of("process_start_time_seconds", "gauge", "Start, in seconds since 1970.", self.began_s)
        resident = _resident_bytes()
        if resident is not None:
            yield Family.of("process_resident_memory_bytes", "gauge", "Memory in use.", resident)


def _resident_bytes() -> int | None:
    """Linux only; None elsewhere."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


@dataclass(slots=True)
class Family:
    """One metric with its samples."""

    name: str
    kind: str
    about: str
    lines: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, name: str, kind: str, about: str, value: float, /, **labels: str) -> Family:
        """A metric of one sample."""
        family = cls(name, kind, about)
        family.add(value, **labels)
        return family

    def add(self, value: float, /, **labels: str) -> None:
        """One sample."""
        self.lines.append(f"{self.name}{_labels(labels)} {_number(value)}")

    def spread(self, bounds: Sequence[float], counts: Sequence[int], total: float, **labels: str) -> None:
        """A histogram: ``counts`` between the bounds."""
        below = 0
        for bound, count in zip((*bounds, float("inf")), counts, strict=True):
            below += count
            le = "+Inf" if bound == float("inf") else f"{bound:g}"
            self.lines.append(f"{self.name}_bucket{_labels({**labels, 'le': le})} {below}")
        self.lines.append(f"{self.name}_sum{_labels(labels)} {_number(total)}")
        self.lines.append(f"{self.name}_count{_labels(labels)} {below}")


def exposition(families: Iterable[Family]) -> bytes:
    """All of it as Prometheus reads it.

    >>> exposition([Family.of("a_total", "counter", "So many.", 3, kind='x"y')]).decode()
    '# HELP a_total So many.\\n# TYPE a_total counter\\na_total{kind="x\\\\"y"} 3\\n'
    """
    out = []
    for family in families:
        out += [f"# HELP {family.name} {family.about}", f"# TYPE {family.name} {family.kind}", *family.lines]
    return ("\n".join(out) + "\n").encode()


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    told = (
        '{}="{}"'.format(name, value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n"))
        for name, value in labels.items()
    )
    return "{" + ",".join(told) + "}"


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.6f}".rstrip("0").rstrip(".")

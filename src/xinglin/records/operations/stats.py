"""``Observation/$stats``: statistics of one patient's measurements of a code, in one unit.

Counted are Quantity values of observations with one of the codes, and of their components. What was entered in error or
cancelled is left out, and what only a machine asserts (an open draft). A value with a comparator (< 5) or none at all is no
number: it is in ``total-count``, in nothing else.
Values in other units are converted by UCUM to that of the newest; where that cannot be, nothing is answered. A statistic for
which there are too few values comes with a dataAbsentReason: unknown is not zero.
Source: HL7 FHIR R4, observation-operation-stats.html.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from msgspec import structs

from xinglin.kernel.clock import now
from xinglin.kernel.language import say
from xinglin.records.operations.labels import only_a_machine
from xinglin.records.operations.statistics import COUNTS, STATISTICS, WITHOUT_UNIT, statistic
from xinglin.records.rest.conditional import instant_text
from xinglin.records.rest.edge import PRIVATE, Edge, json_answer, only_known, resource_types
from xinglin.records.rest.errors import BadValue, NotUnderstood, Unprocessable
from xinglin.records.rest.exchange import Answer, Request
from xinglin.records.rest.lexemes import Lexeme, dumps
from xinglin.records.rest.negotiate import flag
from xinglin.records.rest.parameters import Sent, answer, plain, sent
from xinglin.records.stored import Stored
from xinglin.standards.fhir.search.text import escaped
from xinglin.standards.fhir.temporal import read as read_date
from xinglin.standards.fhir.temporal import site_zone

UCUM = "http://unitsofmeasure.org"
CODES = "http://terminology.hl7.org/CodeSystem/observation-statistics"
_KNOWN = ("subject", "code", "system", "coding", "duration", "period", "statistic", "include", "limit")
_SINGLE = ("subject", "system", "duration", "period", "include", "limit")
_LEFT_OUT = ("entered-in-error", "cancelled")


class _Asked(NamedTuple):
    subject: str
    codings: list[tuple[str, str]]
    dates: list[tuple[str, str]]
    statistics: list[str]
    include: bool
    limit: int


class _Value(NamedTuple):
    number: Decimal | None
    unit: tuple[str, str, str]
    """System, code, and the unit as people read it."""
    source: Stored


def stats(edge: Edge, request: Request, type_: str | None, id_: str | None) -> Answer:
    """A Parameters resource with one Observation of statistics for each code, and its sources where ``include`` asks."""
    asked = _asked(request, edge.records.zone(request.actor.tenant))
    parts: list[tuple[str, str, bytes]] = []
    sources: dict[tuple[str, str], Stored] = {}
    for system, code in asked.codings:
        with edge.records.reading():
            found = list(_observations(edge, request, asked, system, code))
        values = [value for stored in found for value in _values(stored, system, code)]
        parts.append(("statistics", "resource", dumps(_answered(request, asked, (system, code), values))))
        sources |= {(value.source.type, value.source.id): value.source for value in values}
    if not sources:
        _there(edge, request, asked.subject)
    if asked.include:
        newest = list(sources.values())[: asked.limit or len(sources)]
        parts += [("source", "resource", stored.body) for stored in newest]
    return json_answer(request, answer(parts), headers=[PRIVATE])


def _asked(request: Request, zone: str) -> _Asked:
    given = sent(request)
    only_known(tuple((name, "") for name, _ in given), _KNOWN, strict=True)
    one: dict[str, Any] = {}
    for name in _SINGLE:
        found = [value for key, value in given if key == name]
        if len(found) > 1:
            raise BadValue("records.rest-repeated", expression=f"http.{name}", name=name)
        one[name] = found[0] if found else None
    subject = one["subject"]
    subject = "" if subject is None else plain("subject", subject)
    if not subject.rpartition("/")[2]:
        raise BadValue("records.operation-stats-needs", expression="http.subject", name="subject")
    if "," in subject:  # a search would take both, and mix what was measured in two persons
        raise BadValue("records.operation-stats-one", expression="http.subject")
    codings = list(dict.fromkeys(_codings(given, one["system"])))
    if not codings:
        raise BadValue("records.operation-stats-needs", expression="http.code", name="code")
    wanted = [part for key, value in given if key == "statistic" for part in str(value).split(",") if part]
    if not wanted:
        raise BadValue("records.operation-stats-needs", expression="http.statistic", name="statistic")
    unknown = next((code for code in wanted if code not in STATISTICS), None)
    if unknown is not None:
        raise NotUnderstood(
            "records.operation-stats-code",
            expression="http.statistic",
            code=unknown[:40],
            known=", ".join(STATISTICS),
        )
    include = flag("include", plain("include", one["include"] if one["include"] is not None else False))
    limit = str(one["limit"] or "0")
    if not limit.isascii() or not limit.isdigit() or len(limit) > 9:
        raise BadValue("records.operation-stats-number", expression="http.limit", name="limit")
    return _Asked(subject, codings, _dates(one, zone), list(dict.fromkeys(wanted)), include, int(limit))


def _codings(given: Sent, system: Any) -> Iterator[tuple[str, str]]:
    for name, value in given:
        if name not in ("code", "coding"):
            continue
        text = plain(name, value)
        # As in a search, several may stand behind one another with commas.
        for part in [text] if isinstance(value, dict) else text.split(","):
            first, bar, code = part.partition("|")
            if not bar:
                first, code = ("" if system is None else plain("system", system)), part
            if not code or (name == "coding" and not bar):
                raise BadValue("records.operation-stats-coding", expression=f"http.{name}", name=name)
            yield first, code


def _dates(one: dict[str, Any], zone: str) -> list[tuple[str, str]]:
    """``duration`` (hours back from now) or ``period`` as criteria on the date."""
    duration, period = one["duration"], one["period"]
    if duration is not None and period is not None:
        raise BadValue("records.operation-stats-both", expression="http.period")
    if duration is not None:
        from datetime import timedelta

        try:
            hours = float(duration)
            start = now() - timedelta(hours=hours)
        except (ValueError, OverflowError) as error:
            raise BadValue(
                "records.operation-stats-number", expression="http.duration", name="duration"
            ) from error
        if not hours > 0:
            raise BadValue("records.operation-stats-number", expression="http.duration", name="duration")
        return [("date", f"ge{instant_text(start)}"), ("date", f"le{instant_text(now())}")]
    if period is None:
        return []
    if not isinstance(period, dict):
        first, slash, last = str(period).partition("/")  # an address has no Period: start/end
        period = {name: text for name, text in (("start", first), ("end", last)) if slash and text}
    return _between(period, zone)


def _between(period: dict[str, Any], zone: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    spans = {}
    try:
        for name, prefix in (("start", "ge"), ("end", "le")):
            if name in period:
                spans[name] = read_date(plain("period", period[name]).replace(" ", "+"), site_zone(zone))
                found.append(("date", prefix + str(period[name])))
        if not found or ("start" in spans and "end" in spans and spans["start"][0] >= spans["end"][1]):
            raise ValueError
    except ValueError as error:
        raise BadValue("records.operation-stats-period", expression="http.period") from error
    return found


def _there(edge: Edge, request: Request, subject: str) -> None:
    """Raises NotFound or Gone where a subject of this record is not there: nothing measured is not the same as nobody."""
    own = f"Patient/{subject}" if "/" not in subject else subject.removeprefix(request.base + "/")
    kind, _, id_ = own.partition("/")
    if kind in resource_types() and "/" not in id_:
        edge.records.read(request.actor, kind, id_)


def _observations(edge: Edge, request: Request, asked: _Asked, system: str, code: str) -> Iterator[Stored]:
    """The observations of a code, newest first."""
    token = f"{escaped(system)}|{escaped(code)}" if system else escaped(code)
    # A relative or absolute address of a Patient, or an id alone.
    subject = asked.subject if "/" in asked.subject else f"Patient/{asked.subject}"
    pairs = (
        ("subject", subject), ("combo-code", token), *asked.dates, ("_sort", "-date"),
        ("_count", str(edge.limits.page_size_max)),
    )  # fmt: skip
    query = edge.query(request, "Observation", pairs, strict=True)
    while True:
        page = edge.records.search(request.actor, query)
        yield from (entry.stored for entry in page.entries)
        if page.next is None:
            return
        query = structs.replace(query, cursor=page.next)


def _values(stored: Stored, system: str, code: str) -> Iterator[_Value]:
    """The measurement of a code in an observation: its own value, or that of components; without a number None."""
    observation = json.loads(stored.body, parse_float=Decimal, parse_int=Decimal)
    labels = observation.get("meta", {}).get("security", [])
    if observation.get("status") in _LEFT_OUT or only_a_machine(
        (one.get("system", ""), one.get("code", "")) for one in labels
    ):
        return
    for part in (observation, *observation.get("component", [])):
        codings = part.get("code", {}).get("coding", [])
        if not any(
            str(one.get("code", "")).lower() == code.lower() and system in ("", one.get("system"))
            for one in codings
        ):
            continue
        quantity = part.get("valueQuantity") or {}
        number = quantity.get("value") if "comparator" not in quantity else None
        for kind in ("valueInteger",):
            number = part.get(kind, number)
        unit = tuple(str(quantity.get(name, "")) for name in ("system", "code", "unit"))
        yield _Value(number, unit, stored)  # type: ignore[arg-type]


def _in_one_unit(values: Sequence[_Value], code: str) -> tuple[list[Decimal], tuple[str, str, str]]:
    """The numbers in the unit of the first. Raises Unprocessable where one cannot be converted."""
    from xinglin.standards.ucum import UcumError, convert

    measured = [(value.number, value.unit) for value in values if value.number is not None]
    if not measured:
        return [], ("", "", "")
    target = measured[0][1]
    numbers = []
    for number, unit in measured:
        same = unit[:2] == target[:2] if unit[1] or target[1] else unit == target
        if same:
            numbers.append(number)
            continue
        try:
            if unit[0] != UCUM or target[0] != UCUM:
                raise UcumError("ucum")
            numbers.append(convert(number, unit[1], target[1]))
        except UcumError as error:
            raise Unprocessable(
                "records.operation-stats-units", code=code, one=_shown(target), other=_shown(unit)
            ) from error
    return numbers, target


def _shown(unit: tuple[str, str, str]) -> str:
    return (unit[1] or unit[2] or "–")[:40]


def _answered(
    request: Request, asked: _Asked, coding: tuple[str, str], values: Sequence[_Value]
) -> dict[str, Any]:
    """The Observation that tells the statistics of one code."""
    numbers, unit = _in_one_unit(values, coding[1])
    subject = asked.subject if "/" in asked.subject else f"Patient/{asked.subject}"
    code = {name: text for name, text in (("system", coding[0]), ("code", coding[1])) if text}
    made: dict[str, Any] = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [code]},
        "subject": {"reference": subject},
        **_effective(asked, values),
        "component": [_component(name, numbers, unit, len(values)) for name in asked.statistics],
    }
    without = len(values) - len(numbers)
    if without:
        made["note"] = [{"text": say("records.operation-stats-without", request.language, count=without)}]
    return made


def _component(
    name: str, numbers: Sequence[Decimal], unit: tuple[str, str, str], total: int
) -> dict[str, Any]:
    found = Decimal(total) if name == "total-count" else statistic(name, numbers)
    made: dict[str, Any] = {"code": {"coding": [{"system": CODES, "code": name}]}}
    if found is None:
        reason = {"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": "unknown"}
        made["dataAbsentReason"] = {"coding": [reason]}
        return made
    system, code, shown = ("", "", "") if name in COUNTS or name in WITHOUT_UNIT else unit
    if name == "variance" and code:
        code, shown = f"({code})2", f"({shown or code})²"
    parts = (("unit", shown or code), ("system", system if code else ""), ("code", code if system else ""))
    made["valueQuantity"] = {"value": Lexeme(f"{found:f}"), **{key: text for key, text in parts if text}}
    return made


def _effective(asked: _Asked, values: Iterable[_Value]) -> dict[str, Any]:
    """The time asked about, where one was; else from the first to the last observation is not claimed."""
    period = {{"ge": "start", "le": "end"}[text[:2]]: text[2:] for _, text in asked.dates}
    return {"effectivePeriod": period} if period else {}

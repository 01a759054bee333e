"""Rows of a mapped table as FHIR resources. Pure: a row of cells in, resources and problems out.

Unknown is not zero: an empty cell leaves its element out, an ordered test without a result is an Observation with a
data-absent-reason, and a cell that is filled but not understood is a problem, never a guess. Ids are the same for the
same row, so that a table imported again changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Mapping as Table
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any

from xinglin.ingest import clinical
from xinglin.ingest.cells import is_empty, moment, plain, resident_id, sex
from xinglin.ingest.errors import RowError
from xinglin.ingest.mapping import Mapping
from xinglin.kernel.ids import stable_id

Resource = dict[str, Any]
Identifier = tuple[str, str]  # system, value
Identify = Callable[[list[Identifier]], str]  # the id of the patient who has these identifiers

# The object identifiers of China's shared-document standard (WS/T 482)
RESIDENT_ID = "urn:oid:2.16.156.10011.1.3"
HEALTH_CARD = "urn:oid:2.16.156.10011.1.19"
NATION = "urn:xinglin:extension:ethnic-group"
_COMPOUND_SURNAMES = (
    "欧阳 司马 上官 诸葛 东方 皇甫 尉迟 公孙 慕容 令狐 长孙 宇文 司徒 夏侯 轩辕 端木 百里 呼延 南宫 东郭 公羊 澹台 "
    "太史 申屠 赫连 钟离 闻人 独孤 拓跋 纳兰 西门 第五 "
)


@dataclass(slots=True)
class Row:
    """What a row became: resources ready to write, the patient first; or the problems why it did not."""

    resources: list[Resource] = field(default_factory=list)
    problems: list[RowError] = field(default_factory=list)


class Cells:
    """The cells of one row by place; collects what is wrong instead of stopping at the first."""

    def __init__(self, row: Table[str, str], mapping: Mapping, zone: tzinfo) -> None:
        self.mapping = mapping
        self.zone = zone
        self.problems: list[RowError] = []
        self._by_place = {
            column.to: (header, row[header])
            for header, column in mapping.columns.items()
            if column and not column.item and header in row
        }
        self.wide = [
            (column, row[header])
            for header, column in mapping.columns.items()
            if column and column.item and header in row
        ]

    def raw(self, place: str) -> str:
        """The cell as it stands, empty where there is no such column."""
        return self._by_place.get(place, ("", ""))[1]

    def header(self, place: str) -> str:
        """The header of the column that goes to ``place``."""
        return self._by_place.get(place, ("", ""))[0]

    def text(self, place: str) -> str | None:
        """The cell's text, None where it says nothing."""
        cell = self.raw(place)
        return None if is_empty(cell, self.mapping.empty) else cell.strip()

    def take(self, place: str, read: Callable[[str, str], Any]) -> Any:
        """The cell read by ``read(text, column)``; None where it is empty or (with a problem noted) wrong."""
        text = self.text(place)
        if text is None:
            return None
        try:
            return read(text, self.header(place))
        except RowError as problem:
            self.problems.append(problem)
            return None

    def number(self, place: str) -> str | None:
        """The cell as an identifier: half-width, without the .0 that spreadsheets add."""
        value: str | None = self.take(place, number)
        return value

    def when(self, place: str, *, day_only: bool = False) -> str | None:
        """The cell as a FHIR date or dateTime."""
        order = self.mapping.date_order
        value: str | None = self.take(
            place, lambda text, column: moment(text, self.zone, column, order=order, day_only=day_only)
        )
        return value


def convert(row: Table[str, str], mapping: Mapping, identify: Identify, zone: tzinfo) -> Row:
    """The resources of one row.

    ``row`` maps headers to cells; ``identify`` gives the id of the patient who has any of the identifiers (it may raise
    RowError where they belong to different patients); ``zone`` is the site's time zone.
    """
    cells = Cells(row, mapping, zone)
    patient = patient_of(cells)
    if cells.problems:
        return Row(problems=cells.problems)
    identifiers = [(part["system"], part["value"]) for part in patient["identifier"]]
    try:
        patient_id = identify(identifiers)
    except RowError as problem:
        return Row(problems=[problem])
    patient["id"] = patient_id
    made = [patient]
    subject = {"reference": f"Patient/{patient_id}"}
    encounter = encounter_of(cells, patient_id, subject)
    if encounter:
        made.append(encounter)
    about = clinical.About(patient_id, subject, encounter)
    for group in mapping.groups:
        if group in clinical.MAKERS:
            made += clinical.MAKERS[group](cells, about)
    return Row(problems=cells.problems) if cells.problems else Row(resources=made)


def patient_of(cells: Cells) -> Resource:
    """The Patient of a row, without id; notes a problem where no cell identifies one."""
    resident = cells.take("patient.resident_id", resident_id)
    number, born, gender = resident or (None, None, None)
    hospital = cells.mapping.systems["hospital"]
    identifiers = [
        {"system": system, "value": value, **({"type": _identifier_type(kind)} if kind else {})}
        for system, value, kind in (
            (f"{hospital}:record-number", cells.number("patient.record_number"), "MR"),
            (RESIDENT_ID, number, "NI"),
            (f"{hospital}:inpatient-number", cells.number("patient.inpatient_number"), None),
            (f"{hospital}:outpatient-number", cells.number("patient.outpatient_number"), None),
            (HEALTH_CARD, cells.number("patient.health_card"), None),
        )
        if value
    ]
    if not identifiers and not cells.problems:
        cells.problems.append(RowError("ingest.row-no-patient", expression="Patient.identifier"))
    said_birth = cells.when("patient.birth_date", day_only=True)
    said_gender = cells.take("patient.gender", sex)
    if said_birth and born and not born.startswith(said_birth):
        cells.problems.append(_differs("patient.birth_date", "Patient.birthDate", cells))
    if said_gender in ("male", "female") and gender and said_gender != gender:
        cells.problems.append(_differs("patient.gender", "Patient.gender", cells))
    patient: Resource = {"resourceType": "Patient", "identifier": identifiers}
    name = human_name(cells)
    if name:
        patient["name"] = [name]
    if phone := cells.text("patient.phone"):
        patient["telecom"] = [{"system": "phone", "value": plain(phone)}]
    if chosen := (said_gender if said_gender not in (None, "unknown") else gender or said_gender):
        patient["gender"] = chosen
    if birth := (born or said_birth):
        patient["birthDate"] = birth
    if deceased := cells.when("patient.deceased"):
        patient["deceasedDateTime"] = deceased
    if address := cells.text("patient.address"):
        patient["address"] = [{"text": address}]
    if nation := cells.text("patient.nation"):
        patient["extension"] = [{"url": NATION, "valueString": nation}]
    return patient


def _differs(place: str, expression: str, cells: Cells) -> RowError:
    return RowError(
        "ingest.row-differs-from-id",
        expression=expression,
        column=cells.header(place),
        other=cells.header("patient.resident_id"),
    )


def _identifier_type(code: str) -> Resource:
    return {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": code}]}


def number(text: str, column: str = "") -> str:
    """A number as an identifier. Raises RowError where a spreadsheet has shortened it.

    >>> number("１２３.0"), number("A-7")
    ('123', 'A-7')
    """
    written = plain(text)
    if re.fullmatch(r"\d(?:\.\d+)?[Ee]\+\d+", written):
        raise RowError("ingest.cell-number-lost", column=column, cell=text.strip())
    return written[:-2] if written.endswith(".0") and written[:-2].isdigit() else written


def human_name(cells: Cells) -> Resource | None:
    """A HumanName; a Chinese name of two to four characters is also given as family and given name."""
    family, given = cells.text("patient.family"), cells.text("patient.given")
    text = cells.text("patient.name")
    if text is None and not (family or given):
        return None
    name: Resource = {}
    if text is None:
        han = all("\u4e00" <= character <= "\u9fff" for character in f"{family or ''}{given or ''}")
        text = f"{family or ''}{given or ''}" if han else " ".join(filter(None, (given, family)))
    elif not (family or given):
        family, given = split_name(text)
    name["text"] = text
    if family:
        name["family"] = family
    if given:
        name["given"] = given.split(" ") if given.isascii() else [given]
    return name


def split_name(text: str) -> tuple[str | None, str | None]:
    """Family and given name where the form tells them apart, else (None, None).

    >>> split_name("张伟"), split_name("欧阳娜娜"), split_name("Smith, John"), split_name("阿依古丽·买买提")
    (('张', '伟'), ('欧阳', '娜娜'), ('Smith', 'John'), (None, None))
    """
    if text.isascii():
        family, comma, given = (part.strip() for part in text.partition(","))
        return (family, given) if comma and family and given else (None, None)
    if not (2 <= len(text) <= 4 and all("\u4e00" <= character <= "\u9fff" for character in text)):
        return None, None
    surname = 2 if len(text) > 2 and f"{text[:2]} " in _COMPOUND_SURNAMES else 1
    if len(text) == 4 and surname == 1:
        return None, None
    return text[:surname], text[surname:]


_KINDS = {
    "IMP": ("住院", "inpatient", "imp", "i"),
    "AMB": ("门诊", "outpatient", "amb", "o"),
    "EMER": ("急诊", "emergency", "emer", "e"),
}
_KIND_OF = {word: code for code, words in _KINDS.items() for word in words}


def encounter_of(cells: Cells, patient_id: str, subject: Resource) -> Resource | None:
    """The Encounter of a row, where it says a visit number or a date of admission or visit; else None."""
    number = cells.number("encounter.number")
    start, end = cells.when("encounter.start"), cells.when("encounter.end")
    count = cells.number("encounter.count")
    if not number and not start:
        return None
    kind = plain(cells.text("encounter.kind") or "").casefold()
    code = _KIND_OF.get(kind)
    if code is None and not kind:
        admitted = (
            "入院" in cells.header("encounter.start") or "admi" in cells.header("encounter.start").lower()
        )
        inpatient = admitted or end or cells.text("patient.inpatient_number")
        code = "IMP" if inpatient else "AMB"
    coding = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode"}
    encounter: Resource = {
        "resourceType": "Encounter",
        "id": stable_id(patient_id, "encounter", number or "", "" if number else count or (start or "")[:10]),
        "status": "finished" if end else "unknown",
        "class": {**coding, "code": code} if code else {"display": cells.text("encounter.kind")},
        "subject": subject,
    }
    if number:
        hospital = cells.mapping.systems["hospital"]
        encounter["identifier"] = [{"system": f"{hospital}:encounter", "value": number}]
    if start or end:
        encounter["period"] = {key: value for key, value in (("start", start), ("end", end)) if value}
    if department := cells.text("encounter.department"):
        encounter["serviceProvider"] = {"display": department}
    return encounter

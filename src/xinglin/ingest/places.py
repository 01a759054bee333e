"""Where a column of a hospital's table can go, and the headers by which it is known, in Chinese and English.

A place is ``group.part``: ``patient.name``, ``observation.value``. A mapping file names places; ``propose`` finds them.
"""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files

from xinglin.ingest.cells import plain

# place: headers, folded by fold_header; the first is the place's name in Chinese
PLACES: dict[str, tuple[str, ...]] = {
    f"{group}.{part}": tuple(headers)
    for group, parts in tomllib.loads(
        files("xinglin.ingest").joinpath("places.toml").read_text(encoding="utf-8")
    ).items()
    for part, headers in parts.items()
}

OF_HEADER = {header: place for place, headers in PLACES.items() for header in headers}

GROUPS = ("patient", "encounter", "condition", "observation", "medication", "allergy")

# Measured at the bedside and named alike everywhere: a column of its own, with its LOINC code and UCUM unit
VITALS: dict[str, tuple[str, str]] = {
    "身高": ("8302-2", "cm"), "height": ("8302-2", "cm"), "体重": ("29463-7", "kg"), "weight": ("29463-7", "kg"),
    "bmi": ("39156-5", "kg/m2"), "体重指数": ("39156-5", "kg/m2"), "体温": ("8310-5", "Cel"),
    "temperature": ("8310-5", "Cel"), "脉搏": ("8867-4", "/min"), "心率": ("8867-4", "/min"),
    "heartrate": ("8867-4", "/min"), "pulse": ("8867-4", "/min"), "呼吸": ("9279-1", "/min"),
    "respiratoryrate": ("9279-1", "/min"), "收缩压": ("8480-6", "mm[Hg]"), "systolic": ("8480-6", "mm[Hg]"),
    "systolicbp": ("8480-6", "mm[Hg]"), "舒张压": ("8462-4", "mm[Hg]"), "diastolic": ("8462-4", "mm[Hg]"),
    "diastolicbp": ("8462-4", "mm[Hg]"), "血氧饱和度": ("59408-5", "%"), "spo2": ("59408-5", "%"),
}  # fmt: skip

_UNIT_IN_HEADER = re.compile(r"(.+?)\s*[((\[【](.+?)[))\]】]\s*")


def fold_header(header: str) -> str:
    """A header without case, spaces, underscores and punctuation.

    >>> fold_header("Date of Birth"), fold_header("*姓 名："), fold_header("patient_id")
    ('dateofbirth', '姓名', 'patientid')
    """
    return re.sub(r"[\s_\-*::.#/、]", "", plain(header)).casefold()


def place_of(header: str) -> str | None:
    """The place a header is known to mean, with what stands in brackets left aside; None where it is not known.

    >>> place_of("身份证号码"), place_of("出生日期(年月日)"), place_of("MRN"), place_of("备注")
    ('patient.resident_id', 'patient.birth_date', 'patient.record_number', None)
    """
    return OF_HEADER.get(fold_header(header)) or OF_HEADER.get(fold_header(split_unit(header)[0]))


def split_unit(header: str) -> tuple[str, str | None]:
    """The name and the unit in brackets of a header.

    >>> split_unit("血红蛋白（g/L）"), split_unit("结果")
    (('血红蛋白', 'g/L'), ('结果', None))
    """
    if match := _UNIT_IN_HEADER.fullmatch(plain(header)):
        return match[1], match[2]
    return plain(header), None

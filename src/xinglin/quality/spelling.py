"""Units as people, instruments and older systems write them, read as UCUM, within what a test can be measured in.

A UCUM code (with its system) that is valid counts as it stands: there ``Mg`` is a megagram. Anything else is compared, letter
case, spaces and typography apart, with the ways in which the units of that one test are written.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Any, Final

from xinglin.quality.analytes import Analyte
from xinglin.standards.ucum import is_valid

UCUM: Final = "http://unitsofmeasure.org"
SHOWN: Final = {
    "umol/L": "μmol/L", "10*9/L": "×10⁹/L", "10*12/L": "×10¹²/L", "/uL": "/μL", "mm[Hg]": "mmHg", "Cel": "℃",
    "[degF]": "℉", "m[IU]/L": "mIU/L", "1": "", "/min": "/min", "kg/m2": "kg/m²",
    "mL/min/{1.73_m2}": "mL/min/1.73m²",
}  # fmt: skip
"""UCUM codes as people write them, where that differs."""
_WRITTEN: Final = {
    "10*9/L": (
        "10e9/L",
        "10e+9/L",
        "x10e9/L",
        "G/L",
        "K/uL",
        "10*3/uL",
        "x10e3/uL",
        "Thousand/uL",
        "个×10⁹/L",
    ),
    "10*12/L": ("10e12/L", "10e+12/L", "x10e12/L", "T/L", "M/uL", "10*6/uL", "x10e6/uL", "Million/uL"),
    "/uL": ("/mm3", "/cmm", "cells/uL", "cells/mm3", "个/μL", "个/uL"),
    "mm[Hg]": ("毫米汞柱", "mm Hg"),
    "Cel": ("C", "deg C", "degC", "摄氏度", "°C"),
    "[degF]": ("F", "deg F", "degF", "华氏度", "°F"),
    "m[IU]/L": ("mU/L", "uIU/mL", "uU/mL"),
    "U/L": ("IU/L", "units/L"),
    "/min": ("次/分", "次/分钟", "bpm", "beats/min", "breaths/min", "beats/minute", "1/min", "min-1"),
    "kg": ("公斤", "千克", "kgs"),
    "g": ("克", "gram", "grams"),
    "cm": ("厘米", "公分"),
    "m": ("米",),
    "mg/dL": ("mg%", "mg/100mL"),
    "g/dL": ("g%", "g/100mL", "gm/dL"),
    "umol/L": ("mcmol/L",),
    "meq/L": ("mval/L",),
    "%": ("percent", "％"),
    "mL/min/{1.73_m2}": ("mL/min/1.73 m2", "mL/min/1.73m^2", "mL/(min·1.73m²)", "mL/min"),
    "kg/m2": ("kg/m^2", "公斤/平方米"),
    "mmol/mol": ("mmol/mol Hb",),
    "mg/mmol": ("mg/mmolCr",),
    "mg/g": ("mg/gCr", "ug/mg", "mg/g Cr"),
}


def understood(quantity: dict[str, Any], analyte: Analyte) -> str:
    """The UCUM code of a Quantity's unit, "" where nobody can tell.

    >>> from xinglin.quality.analytes import by_code
    >>> understood({"unit": "MMOL/l"}, by_code()["14771-0"][0]), understood({"unit": "F"}, by_code()["8310-5"][0])
    ('mmol/L', '[degF]')
    """
    coded = str(quantity.get("code") or "") if quantity.get("system") == UCUM else ""
    if coded and is_valid(coded):
        return coded
    for text in (coded, quantity.get("unit"), quantity.get("code")):
        if not text:
            continue
        found = _spellings(tuple(one.unit for one in analyte.readings)).get(_folded(str(text)))
        if found is not None:
            return found
        if is_valid(str(text)):
            return str(text)
    return ""


@cache
def _spellings(units: tuple[str, ...]) -> dict[str, str]:
    return {
        _folded(text): unit
        for unit in reversed(units)
        for text in (unit, SHOWN.get(unit, unit), *_WRITTEN.get(unit, ()))
        if text
    }


def _folded(text: str) -> str:
    """Without what typography and habit change.

    >>> _folded("× 10⁹/L") == _folded("10^9/l") == _folded("10*9/L"), _folded("µmol/L") == _folded("umol/L")
    (True, True)
    """
    text = unicodedata.normalize("NFKC", text).casefold().replace("μ", "u").replace("µ", "u")
    return re.sub(r"[\s×*^{}()·_]|(?<![a-z])x(?=10)", "", text)

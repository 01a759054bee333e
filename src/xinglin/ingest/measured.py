"""Laboratory cells: results with comparator and flag, reference ranges, units as UCUM.

``12.3↑``, ``<0.01``, ``阳性(+)``, ``1:80``, ``5.6 mmol/L``; ``3.9-6.1``; ``×10^9/L``. A number keeps its digits (``1.10``);
what is not a number stays the text it is, never 0. Pure functions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from xinglin.ingest.cells import is_empty, plain

_NUMBER = r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
_RESULT = re.compile(
    rf"(?P<cmp><=|>=|<|>|≤|≥|≦|≧|小于|大于)?\s*(?P<num>{_NUMBER})\s*(?P<flag>↑+|↓+|\*|(?:HH?|LL?)(?![A-Za-z/]))?\s*(?P<unit>[^\s\d].*)?"
)
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_COMPARATORS = {"≤": "<=", "≦": "<=", "≥": ">=", "≧": ">=", "小于": "<", "大于": ">"}
_FLAGS = {"↑": "H", "↑↑": "HH", "↓": "L", "↓↓": "LL", "H": "H", "HH": "HH", "L": "L", "LL": "LL", "*": "A"}
_FLAG_WORDS = {
    "H": ("高", "偏高", "升高"),
    "L": ("低", "偏低", "降低"),
    "N": ("正常", "n", "normal"),
    "A": ("异常", "a", "abnormal"),
}
_FLAG_OF = {word: code for code, words in _FLAG_WORDS.items() for word in words}
_POSITIVE = re.compile(
    r"(?:弱?阳性|(?:positive|pos)(?![a-z])).*|\(?\+{1,4}\)?|[1-4]\+", re.IGNORECASE | re.DOTALL
)
_NEGATIVE = re.compile(r"(?:阴性|(?:negative|neg)(?![a-z])).*|\(-\)", re.IGNORECASE | re.DOTALL)
_NOT_DONE = frozenset(["未做", "未查", "未检", "未测", "拒查", "not done", "not performed", "cancelled"])


@dataclass(frozen=True, slots=True)
class Result:
    """One laboratory result: a number or a text, or the reason why there is none.

    ``value`` None and ``text`` None: absent, ``absent`` is a data-absent-reason code. ``unit`` is a unit written in the
    result cell itself. ``flag`` is an ObservationInterpretation code.
    """

    value: Decimal | None = None
    comparator: str | None = None
    text: str | None = None
    unit: str | None = None
    flag: str | None = None
    absent: str | None = None


def result(cell: str, also_empty: frozenset[str] = frozenset()) -> Result:
    """The result that a cell holds.

    >>> result("12.30↑")
    Result(value=Decimal('12.30'), comparator=None, text=None, unit=None, flag='H', absent=None)
    >>> result("<0.01").comparator, result("阳性(+)").flag, result("").absent
    ('<', 'POS', 'unknown')
    """
    written = plain(cell)
    if written.casefold() in _NOT_DONE:
        return Result(absent="not-performed")
    if is_empty(written, also_empty):
        return Result(absent="unknown")
    number = written.replace(",", "") if _GROUPED.fullmatch(written) else written
    if match := _RESULT.fullmatch(number):
        unit = match["unit"]
        # 1:80, 2+, 3-5/HP, 10/20: a number goes on with something that is no unit
        if unit is None or (unit_code(unit) is not None and unit[0] not in ":+-~,"):
            sign = match["cmp"]
            return Result(
                value=Decimal(match["num"]),
                comparator=_COMPARATORS.get(sign, sign) if sign else None,
                unit=unit,
                flag=_FLAGS.get(match["flag"] or ""),
            )
    if _NEGATIVE.fullmatch(written):
        return Result(text=cell.strip(), flag="NEG")
    if _POSITIVE.fullmatch(written):
        return Result(text=cell.strip(), flag="POS")
    return Result(text=cell.strip())


def flag(cell: str) -> str | None:
    """An interpretation code for a flag column (↑, H, 偏高), or None where it says none that is known."""
    written = plain(cell)
    return _FLAGS.get(written.upper()) or _FLAG_OF.get(written.casefold())


@dataclass(frozen=True, slots=True)
class Range:
    """A reference range: bounds where they are numbers, and always the text as written."""

    text: str
    low: Decimal | None = None
    high: Decimal | None = None


_BETWEEN = re.compile(rf"({_NUMBER})\s*(?:-|~|—+|–|至|to)\s*({_NUMBER})\s*(\D.*)?")
_BELOW = re.compile(rf"(?:<=?|≤|≦|小于)\s*({_NUMBER})\s*(\D.*)?")
_ABOVE = re.compile(rf"(?:>=?|≥|≧|大于)\s*({_NUMBER})\s*(\D.*)?")


def reference_range(cell: str) -> Range | None:
    """The reference range that a cell holds; None where it is empty.

    >>> reference_range("3.9～6.1")
    Range(text='3.9～6.1', low=Decimal('3.9'), high=Decimal('6.1'))
    """
    written = plain(cell)
    if is_empty(written):
        return None
    text = cell.strip()
    if (match := _BETWEEN.fullmatch(written)) and Decimal(match[1]) <= Decimal(match[2]):
        return Range(text, Decimal(match[1]), Decimal(match[2]))
    if match := _BELOW.fullmatch(written):
        return Range(text, high=Decimal(match[1]))
    if match := _ABOVE.fullmatch(written):
        return Range(text, low=Decimal(match[1]))
    return Range(text)


# As laboratories write them, folded by _fold_unit → UCUM, case-sensitive (https://ucum.org/ucum)
_UNITS = {
    "%": "%", "‰": "[ppth]", "g/l": "g/L", "mg/l": "mg/L", "ug/l": "ug/L", "ng/l": "ng/L", "pg/l": "pg/L",
    "g/dl": "g/dL", "mg/dl": "mg/dL", "ug/dl": "ug/dL", "ng/dl": "ng/dL", "mg/ml": "mg/mL", "ug/ml": "ug/mL",
    "ng/ml": "ng/mL", "pg/ml": "pg/mL", "mol/l": "mol/L", "mmol/l": "mmol/L", "umol/l": "umol/L",
    "nmol/l": "nmol/L", "pmol/l": "pmol/L", "fmol/l": "fmol/L", "mmol/mol": "mmol/mol", "mg/g": "mg/g",
    "ug/mg": "ug/mg", "mg/mmol": "mg/mmol", "u/l": "U/L", "u/ml": "U/mL", "ku/l": "kU/L", "mu/l": "mU/L",
    "iu/l": "[IU]/L", "iu/ml": "[IU]/mL", "miu/l": "m[IU]/L", "miu/ml": "m[IU]/mL", "uiu/ml": "u[IU]/mL",
    "kiu/l": "k[IU]/L", "iu": "[IU]", "u": "U", "10^9/l": "10*9/L", "10^12/l": "10*12/L", "10^6/l": "10*6/L",
    "10^3/ul": "10*3/uL", "10^6/ul": "10*6/uL", "/ul": "/uL", "/l": "/L", "/ml": "/mL", "copies/ml": "{copies}/mL",
    "fl": "fL", "pg": "pg", "ng": "ng", "ug": "ug", "mcg": "ug", "mg": "mg", "g": "g", "kg": "kg", "ml": "mL",
    "l": "L", "dl": "dL", "ul": "uL", "mm": "mm", "cm": "cm", "m": "m", "s": "s", "sec": "s", "秒": "s",
    "min": "min", "分钟": "min", "h": "h", "小时": "h", "d": "d", "天": "d", "周": "wk", "岁": "a", "年": "a",
    "mm/h": "mm/h", "mmhg": "mm[Hg]", "kpa": "kPa", "cmh2o": "cm[H2O]", "℃": "Cel", "°c": "Cel", "c": "Cel",
    "次/分": "/min", "次/分钟": "/min", "bpm": "/min", "/min": "/min", "ml/min": "mL/min", "l/min": "L/min",
    "ml/min/1.73m2": "mL/min/{1.73_m2}", "ml/min*1.73m2": "mL/min/{1.73_m2}", "ml/(min*1.73m2)": "mL/min/{1.73_m2}",
    "kg/m2": "kg/m2", "m2": "m2", "mosm/l": "mosm/L", "mosm/kg": "mosm/kg", "mosm/kgh2o": "mosm/kg",
    "meq/l": "meq/L", "/hp": "/[HPF]", "/hpf": "/[HPF]", "个/hp": "/[HPF]", "/lp": "/[LPF]", "个/lp": "/[LPF]",
    "个/ul": "/uL", "copies": "{copies}", "ratio": "{ratio}", "比值": "{ratio}", "coi": "{COI}", "s/co": "{s_co_ratio}",
    "片": "{tablet}", "粒": "{capsule}", "支": "{ampule}", "袋": "{packet}", "滴": "[drp]", "喷": "{puff}",
    "g/24h": "g/(24.h)", "mg/24h": "mg/(24.h)", "mmol/24h": "mmol/(24.h)", "l/l": "L/L",
    "克": "g", "毫克": "mg", "微克": "ug", "毫升": "mL", "千克": "kg", "公斤": "kg", "厘米": "cm", "毫米汞柱": "mm[Hg]",
}  # fmt: skip


def unit_code(text: str) -> str | None:
    """The UCUM code for a unit as written, or None where it is not known (it then stays text).

    >>> unit_code("×10^9/L"), unit_code("μmol/L"), unit_code("分")
    ('10*9/L', 'umol/L', None)
    """
    return _UNITS.get(_fold_unit(text))


def _fold_unit(text: str) -> str:
    unit = plain(text).replace(" ", "").replace("μ", "u").replace("µ", "u").replace("·", "*").casefold()
    unit = re.sub(r"^[x×*]?10(?:\^|\*\*?|e)(?=\d)", "10^", unit)
    unit = re.sub(r"^[x×*]?10(9|12|6|3)/", r"10^\1/", unit)
    return unit.replace("²", "2").replace("㎡", "m2")

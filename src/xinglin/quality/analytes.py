"""What common results can be: for each LOINC code the readings, a unit with the range in which a living patient's value lies.

The ranges are of plausibility, not reference ranges: wide enough for what wards do see, narrow enough that a number in the
wrong unit falls outside. Where two units' ranges would overlap for everyday values, the one in use decides alone and the
other is left out. A unit that is right but unlisted must be reachable by conversion or by molar mass, or its number would
be taken for one of another unit. Sources: LOINC's own example units for the codes; molar masses in g/mol (haemoglobin's
monomer 16114; CRP 105000, as laboratories convert it); limits set by us from textbook extremes, to be reviewed at each
site. Unlisted codes are not judged.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Final


@dataclass(frozen=True, slots=True)
class Reading:
    """A unit (UCUM) in which the result is reported, and its plausible range in that unit."""

    unit: str
    low: Decimal
    high: Decimal


@dataclass(frozen=True, slots=True)
class Analyte:
    """One kind of result. ``molar_g``: grams per mole, where it is reported by mass and by amount; None elsewhere."""

    en: str
    zh: str
    readings: tuple[Reading, ...]
    molar_g: Decimal | None
    codes: dict[str, str]  # LOINC → the unit that the code's own property asks for


def _analyte(en: str, zh: str, readings: str, codes: str, molar_g: str | None = None) -> Analyte:
    """``readings``: ``unit low high; …``; ``codes``: ``LOINC unit; …``."""
    parsed = []
    for part in readings.split(";"):
        unit, low, high = part.split()
        parsed.append(Reading(unit, Decimal(low), Decimal(high)))
    named = dict(part.split() for part in codes.split(";"))
    return Analyte(en, zh, tuple(parsed), Decimal(molar_g) if molar_g else None, named)


ANALYTES: Final = (
    _analyte("Glucose", "葡萄糖", "mmol/L 0.5 60; mg/dL 9 1080",
             "14771-0 mmol/L; 14749-6 mmol/L; 15074-8 mmol/L; 2345-7 mg/dL; 2339-0 mg/dL; 1558-6 mg/dL; 41653-7 mg/dL", "180.16"),
    _analyte("Haemoglobin", "血红蛋白", "g/L 26 260; g/dL 2.6 25.9", "718-7 g/L; 20509-6 g/L", "16114"),
    _analyte("Haemoglobin A1c", "糖化血红蛋白", "% 2.5 20; mmol/mol 20.1 200", "4548-4 %; 17856-6 %; 59261-8 mmol/mol"),
    _analyte("Cholesterol", "总胆固醇", "mmol/L 0.5 30; mg/dL 31 1160", "14647-2 mmol/L; 2093-3 mg/dL", "386.65"),
    _analyte("LDL cholesterol", "低密度脂蛋白胆固醇", "mmol/L 0.1 20; mg/dL 20.1 780",
             "22748-8 mmol/L; 39469-2 mmol/L; 18262-6 mg/dL; 13457-7 mg/dL", "386.65"),
    _analyte("HDL cholesterol", "高密度脂蛋白胆固醇", "mmol/L 0.1 6; mg/dL 6.1 240", "14646-4 mmol/L; 2085-9 mg/dL", "386.65"),
    _analyte("Triglycerides", "甘油三酯", "mmol/L 0.1 40; mg/dL 40.1 8900", "14927-8 mmol/L; 2571-8 mg/dL", "885.4"),
    _analyte("Creatinine", "肌酐", "umol/L 15 3000; mg/dL 0.15 14.9", "14682-9 umol/L; 2160-0 mg/dL; 38483-4 mg/dL", "113.12"),
    _analyte("Urea", "尿素", "mmol/L 0.3 110", "22664-7 mmol/L", "60.06"),
    _analyte("Urea nitrogen", "尿素氮", "mg/dL 1 310; mmol/L 0.3 110", "3094-0 mg/dL; 6299-2 mg/dL", "28.014"),
    _analyte("Urate", "尿酸", "umol/L 35 2500; mg/dL 0.5 34.9", "14933-6 umol/L; 3084-1 mg/dL", "168.11"),
    _analyte("Sodium", "钠", "mmol/L 90 210; meq/L 90 210", "2951-2 mmol/L; 2947-0 mmol/L", "22.99"),
    _analyte("Potassium", "钾", "mmol/L 1 12; meq/L 1 12", "2823-3 mmol/L; 6298-4 mmol/L", "39.10"),
    _analyte("Chloride", "氯", "mmol/L 50 160; meq/L 50 160", "2075-0 mmol/L; 2069-3 mmol/L", "35.45"),
    _analyte("Calcium", "钙", "mmol/L 0.7 4.4; mg/dL 4.5 18", "2000-8 mmol/L; 17861-6 mg/dL; 49765-1 mg/dL", "40.08"),
    _analyte("Lactate", "乳酸", "mmol/L 0.1 40", "2524-7 mmol/L; 32693-4 mmol/L", "90.08"),
    _analyte("Alanine aminotransferase", "丙氨酸氨基转移酶", "U/L 0 20000", "1742-6 U/L"),
    _analyte("Aspartate aminotransferase", "天门冬氨酸氨基转移酶", "U/L 0 20000", "1920-8 U/L"),
    _analyte("Albumin", "白蛋白", "g/L 8 80; g/dL 0.8 7.9", "1751-7 g/L", "66430"),
    _analyte("Total protein", "总蛋白", "g/L 15.1 160; g/dL 1.5 15", "2885-2 g/L"),
    _analyte("C-reactive protein", "C反应蛋白", "mg/L 0 1000", "1988-5 mg/L; 30522-7 mg/L", "105000"),
    _analyte("Thyrotropin", "促甲状腺激素", "m[IU]/L 0 1000", "3016-3 m[IU]/L; 11580-8 m[IU]/L"),
    _analyte("NT-proBNP", "N末端B型钠尿肽原", "pg/mL 0 300000", "33762-6 pg/mL", "8457"),
    _analyte("eGFR", "估算肾小球滤过率", "mL/min/{1.73_m2} 0 250", "98979-8 mL/min/{1.73_m2}; 33914-3 mL/min/{1.73_m2}"),
    _analyte("Urine albumin/creatinine", "尿白蛋白/肌酐比值", "mg/g 0 30000; mg/mmol 0 3400", "30000-4 mg/g; 9318-7 mg/g"),
    _analyte("Leukocytes", "白细胞计数", "10*9/L 0 600; /uL 601 600000", "6690-2 10*9/L; 26464-8 10*9/L"),
    _analyte("Platelets", "血小板计数", "10*9/L 0 3500; /uL 3501 3500000", "777-3 10*9/L; 26515-7 10*9/L"),
    _analyte("Erythrocytes", "红细胞计数", "10*12/L 0.3 12", "789-8 10*12/L; 26453-1 10*12/L"),
    _analyte("Haematocrit", "红细胞压积", "% 5 80; L/L 0.05 0.8", "4544-3 %; 20570-8 %"),
    _analyte("Body weight", "体重", "kg 0.2 500; g 501 300000", "29463-7 kg; 3141-9 kg"),
    _analyte("Body height", "身高", "cm 20 260; m 0.3 2.6", "8302-2 cm; 3137-7 cm"),
    _analyte("Body mass index", "体重指数", "kg/m2 6 120", "39156-5 kg/m2"),
    _analyte("Body temperature", "体温", "Cel 20 46; [degF] 68 115", "8310-5 Cel; 8331-1 Cel"),
    _analyte("Heart rate", "心率", "/min 5 400", "8867-4 /min"),
    _analyte("Respiratory rate", "呼吸频率", "/min 1 150", "9279-1 /min"),
    _analyte("Oxygen saturation", "血氧饱和度", "% 20 100; 1 0.2 1", "59408-5 %; 2708-6 %"),
    _analyte("FEV1/FVC", "第一秒用力呼气容积占比", "% 10 110; 1 0.1 1.1", "19926-5 %"),
    _analyte("Systolic blood pressure", "收缩压", "mm[Hg] 30 330; kPa 4 29.9", "8480-6 mm[Hg]"),
    _analyte("Diastolic blood pressure", "舒张压", "mm[Hg] 19 220; kPa 1.5 18.9", "8462-4 mm[Hg]"),
)  # fmt: skip


@cache
def by_code() -> dict[str, tuple[Analyte, str]]:
    """LOINC code → the analyte, and the unit of the code's property."""
    return {code: (analyte, unit) for analyte in ANALYTES for code, unit in analyte.codes.items()}


@cache
def digest() -> str:
    """The hash of the table, which is part of the rule's identity: another table is another model."""
    return "sha256:" + hashlib.sha256(repr(ANALYTES).encode()).hexdigest()[:16]

"""What common results can be: for each LOINC code the units in use, each with two ranges.

*Possible*: what wards measure in living patients of any age, from preterm newborns on, with room for all but single case
reports. A number in it is left alone. *Usual*: where the numbers of a hospital's patients mostly lie, the ill ones too. A
number that is not possible in its unit is taken to be of another one only where it is usual there, and in that one only. So
a creatinine of 16 mg/dL (dialysis), a leukocyte count of 350/uL (agranulocytosis), an LDL of 15 mg/dL (under treatment) stay
what they are, and where two units share everyday numbers (urea in mg/dL and mmol/L, pounds and kilograms) nothing is said.

A unit that is right but unlisted must be reachable by conversion or by molar mass. Ranges do not depend on age or sex: the
rule does not know them. docs/quality.md has the table with its grounds, for a clinician to review; a test holds the two equal.
Sources: LOINC's own example units for the codes; molar masses in g/mol (haemoglobin's monomer 16114; CRP 105000, as
laboratories convert it). Unlisted codes are not judged.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Final


@dataclass(frozen=True, slots=True)
class Reading:
    """A unit (UCUM) in which the result is reported, the possible range in that unit, and the usual one within it."""

    unit: str
    low: Decimal
    high: Decimal
    usual_low: Decimal
    usual_high: Decimal

    def is_usual(self, value: Decimal) -> bool:
        """Whether a number is everyday in this unit."""
        return self.usual_low <= value <= self.usual_high


@dataclass(frozen=True, slots=True)
class Analyte:
    """One kind of result. ``molar_g``: grams per mole, where it is reported by mass and by amount; None elsewhere."""

    en: str
    zh: str
    readings: tuple[Reading, ...]
    molar_g: Decimal | None
    codes: dict[str, str]  # LOINC → the unit that the code's own property asks for


def _analyte(en: str, zh: str, readings: str, codes: str, molar_g: str | None = None) -> Analyte:
    """``readings``: ``unit low high usual_low usual_high; …``; ``codes``: ``LOINC unit; …``."""
    parsed = []
    for part in readings.split(";"):
        unit, *bounds = part.split()
        parsed.append(Reading(unit, *(Decimal(bound) for bound in bounds)))
    named = dict(part.split() for part in codes.split(";"))
    return Analyte(en, zh, tuple(parsed), Decimal(molar_g) if molar_g else None, named)


ANALYTES: Final = (
    _analyte("Glucose", "葡萄糖", "mmol/L 0.3 60 1 45; mg/dL 9 1500 35 800",
             "14771-0 mmol/L; 14749-6 mmol/L; 15074-8 mmol/L; 2345-7 mg/dL; 2339-0 mg/dL; 1558-6 mg/dL; 41653-7 mg/dL", "180.16"),
    _analyte("Haemoglobin", "血红蛋白", "g/L 20 270 30 240; g/dL 2 27 3 24", "718-7 g/L; 20509-6 g/L", "16114"),
    _analyte("Haemoglobin A1c", "糖化血红蛋白", "% 2.5 20 3.5 19; mmol/mol 15 200 18 180",
             "4548-4 %; 17856-6 %; 59261-8 mmol/mol"),
    _analyte("Cholesterol", "总胆固醇", "mmol/L 0.4 30 1.5 15; mg/dL 16 1160 50 600",
             "14647-2 mmol/L; 2093-3 mg/dL", "386.65"),
    _analyte("LDL cholesterol", "低密度脂蛋白胆固醇", "mmol/L 0 27 0.5 12; mg/dL 4 1050 20 500",
             "22748-8 mmol/L; 39469-2 mmol/L; 18262-6 mg/dL; 13457-7 mg/dL", "386.65"),
    _analyte("HDL cholesterol", "高密度脂蛋白胆固醇", "mmol/L 0 6 0.3 3.5; mg/dL 2 240 12 150",
             "14646-4 mmol/L; 2085-9 mg/dL", "386.65"),
    _analyte("Triglycerides", "甘油三酯", "mmol/L 0.1 60 0.2 30; mg/dL 10 15000 35 3000",
             "14927-8 mmol/L; 2571-8 mg/dL", "885.4"),
    _analyte("Creatinine", "肌酐", "umol/L 5 4000 20 1800; mg/dL 0.05 40 0.2 20",
             "14682-9 umol/L; 2160-0 mg/dL; 38483-4 mg/dL", "113.12"),
    _analyte("Bilirubin, total", "总胆红素", "umol/L 0 1400 2 800; mg/dL 0 80 0.1 45",
             "14631-6 umol/L; 1975-2 mg/dL", "584.66"),
    _analyte("Urea", "尿素", "mmol/L 0.2 120 1 60", "22664-7 mmol/L", "60.06"),
    _analyte("Urea nitrogen", "尿素氮", "mg/dL 0.5 335 2 170; mmol/L 0.2 120 1 60",
             "3094-0 mg/dL; 6299-2 mg/dL", "28.014"),
    _analyte("Urate", "尿酸", "umol/L 10 3000 80 1200; mg/dL 0.1 50 1 20",
             "14933-6 umol/L; 3084-1 mg/dL", "168.11"),
    _analyte("Sodium", "钠", "mmol/L 90 220 110 175; meq/L 90 220 110 175",
             "2951-2 mmol/L; 2947-0 mmol/L", "22.99"),
    _analyte("Potassium", "钾", "mmol/L 0.8 15 1.8 9; meq/L 0.8 15 1.8 9",
             "2823-3 mmol/L; 6298-4 mmol/L", "39.10"),
    _analyte("Chloride", "氯", "mmol/L 40 180 70 140; meq/L 40 180 70 140",
             "2075-0 mmol/L; 2069-3 mmol/L", "35.45"),
    _analyte("Calcium", "钙", "mmol/L 0.5 5.6 1.2 4; mg/dL 4 23 5 16",
             "2000-8 mmol/L; 17861-6 mg/dL; 49765-1 mg/dL", "40.08"),
    _analyte("Lactate", "乳酸", "mmol/L 0.1 50 0.3 30", "2524-7 mmol/L; 32693-4 mmol/L", "90.08"),
    _analyte("Alanine aminotransferase", "丙氨酸氨基转移酶", "U/L 0 40000 1 10000", "1742-6 U/L"),
    _analyte("Aspartate aminotransferase", "天门冬氨酸氨基转移酶", "U/L 0 60000 1 15000", "1920-8 U/L"),
    _analyte("Albumin", "白蛋白", "g/L 5.5 80 10 65; g/dL 0.5 8 1 6.5", "1751-7 g/L", "66430"),
    _analyte("Total protein", "总蛋白", "g/L 15 200 25 140; g/dL 1.5 20 2.5 14", "2885-2 g/L"),
    _analyte("C-reactive protein", "C反应蛋白", "mg/L 0 1000 0.1 600", "1988-5 mg/L; 30522-7 mg/L", "105000"),
    _analyte("Thyrotropin", "促甲状腺激素", "m[IU]/L 0 2000 0.01 150", "3016-3 m[IU]/L; 11580-8 m[IU]/L"),
    _analyte("Troponin I, high sensitivity", "高敏肌钙蛋白I", "ng/L 0 1000000 1 100000", "89579-7 ng/L"),
    _analyte("NT-proBNP", "N末端B型钠尿肽原", "pg/mL 0 500000 5 100000", "33762-6 pg/mL", "8457"),
    _analyte("eGFR", "估算肾小球滤过率", "mL/min/{1.73_m2} 0 300 2 180",
             "98979-8 mL/min/{1.73_m2}; 33914-3 mL/min/{1.73_m2}"),
    _analyte("Urine albumin/creatinine", "尿白蛋白/肌酐比值", "mg/g 0 50000 1 10000; mg/mmol 0 5650 0.1 1130",
             "30000-4 mg/g; 9318-7 mg/g"),
    _analyte("Leukocytes", "白细胞计数", "10*9/L 0 1000 0.5 200; /uL 10 1000000 500 200000",
             "6690-2 10*9/L; 26464-8 10*9/L"),
    _analyte("Platelets", "血小板计数", "10*9/L 0 4000 5 2000; /uL 800 4000000 5000 2000000",
             "777-3 10*9/L; 26515-7 10*9/L"),
    _analyte("Erythrocytes", "红细胞计数", "10*12/L 0.3 12 1 9; /uL 300000 12000000 1000000 9000000",
             "789-8 10*12/L; 26453-1 10*12/L"),
    _analyte("Haematocrit", "红细胞压积", "% 4 85 8 75; L/L 0.04 0.85 0.08 0.75", "4544-3 %; 20570-8 %"),
    _analyte("Body weight", "体重", "kg 0.2 650 0.4 300; g 200 650000 400 6000", "29463-7 kg; 3141-9 kg"),
    _analyte("Body height", "身高", "cm 20 280 30 230; m 0.2 2.8 0.4 2.3", "8302-2 cm; 3137-7 cm"),
    _analyte("Body mass index", "体重指数", "kg/m2 5 210 8 90", "39156-5 kg/m2"),
    _analyte("Body temperature", "体温", "Cel 10 47 30 43; [degF] 50 117 86 110", "8310-5 Cel; 8331-1 Cel"),
    _analyte("Heart rate", "心率", "/min 0 400 20 300", "8867-4 /min"),
    _analyte("Respiratory rate", "呼吸频率", "/min 0 200 4 100", "9279-1 /min"),
    _analyte("Oxygen saturation", "血氧饱和度", "% 1.5 100 40 100; 1 0.01 1 0.4 1", "59408-5 %; 2708-6 %"),
    _analyte("FEV1/FVC", "第一秒用力呼气容积占比", "% 5 110 15 105; 1 0.05 1.1 0.15 1.05", "19926-5 %"),
    _analyte("Systolic blood pressure", "收缩压", "mm[Hg] 20 370 40 280; kPa 2.7 49 5 37", "8480-6 mm[Hg]"),
    _analyte("Diastolic blood pressure", "舒张压", "mm[Hg] 5 260 20 180; kPa 0.7 35 2.7 24", "8462-4 mm[Hg]"),
    _analyte("Carbon dioxide, arterial", "动脉血二氧化碳分压", "mm[Hg] 8 250 15 150; kPa 1 33 2 20", "2019-8 mm[Hg]"),
    _analyte("Oxygen, arterial", "动脉血氧分压", "mm[Hg] 15 700 30 600; kPa 2 93 4 80", "2703-7 mm[Hg]"),
)  # fmt: skip


@cache
def by_code() -> dict[str, tuple[Analyte, str]]:
    """LOINC code → the analyte, and the unit of the code's property."""
    return {code: (analyte, unit) for analyte in ANALYTES for code, unit in analyte.codes.items()}


@cache
def digest() -> str:
    """The hash of the table, which is part of the rule's identity: another table is another model."""
    return "sha256:" + hashlib.sha256(repr(ANALYTES).encode()).hexdigest()[:16]

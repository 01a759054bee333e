"""What the demonstration hospital measures, diagnoses and prescribes: codes, names in both languages, units, ranges.

Reference ranges are those usual for adults in Chinese hospitals (WS/T 404 and 405 series where they give one). They are
for the demonstration only and are no advice.
"""

from __future__ import annotations

from dataclasses import dataclass

LOINC = "http://loinc.org"
ICD10 = "http://hl7.org/fhir/sid/icd-10"
ATC = "http://www.whocc.no/atc"
UCUM = "http://unitsofmeasure.org"
CVX = "http://hl7.org/fhir/sid/cvx"


# How a UCUM code is written for people, where that differs.
UNITS = {
    "Cel": "℃",
    "kg/m2": "kg/m²",
    "umol/L": "μmol/L",
    "10*9/L": "×10⁹/L",
    "mL/min/{1.73_m2}": "mL/min/1.73m²",
    "m[IU]/L": "mIU/L",
    "[IU]": "IU",
    "ug": "μg",
    "mm[Hg]": "mmHg",
}


@dataclass(frozen=True, slots=True)
class Test:
    """One laboratory test or vital sign. Ranges are (low, high) for women, men; None where there is no such bound."""

    key: str
    loinc: str
    en: str
    zh: str
    unit: str  # UCUM
    women: tuple[float | None, float | None]
    men: tuple[float | None, float | None]
    decimals: int
    category: str = "laboratory"


def _lab(
    key: str,
    loinc: str,
    en: str,
    zh: str,
    unit: str,
    low: float | None,
    high: float | None,
    decimals: int = 1,
) -> Test:
    return Test(key, loinc, en, zh, unit, (low, high), (low, high), decimals)


def _vital(
    key: str,
    loinc: str,
    en: str,
    zh: str,
    unit: str,
    low: float | None,
    high: float | None,
    decimals: int = 0,
) -> Test:
    return Test(key, loinc, en, zh, unit, (low, high), (low, high), decimals, "vital-signs")


TESTS = {
    test.key: test
    for test in (
        _vital("weight", "29463-7", "Body weight", "体重", "kg", None, None, 1),
        _vital("height", "8302-2", "Body height", "身高", "cm", None, None, 0),
        _vital("bmi", "39156-5", "Body mass index", "体重指数", "kg/m2", 18.5, 23.9, 1),
        _vital("pulse", "8867-4", "Heart rate", "心率", "/min", 60, 100),
        _vital("temperature", "8310-5", "Body temperature", "体温", "Cel", 36.0, 37.2, 1),
        _vital("breaths", "9279-1", "Respiratory rate", "呼吸频率", "/min", 12, 20),
        _vital("spo2", "59408-5", "Oxygen saturation by pulse oximetry", "血氧饱和度", "%", 95, 100),
        _lab(
            "glucose",
            "14771-0",
            "Fasting glucose [Moles/volume] in Serum or Plasma",
            "空腹血糖",
            "mmol/L",
            3.9,
            6.1,
        ),
        _lab("hba1c", "4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood", "糖化血红蛋白", "%", 4.0, 6.0),
        _lab(
            "chol",
            "14647-2",
            "Cholesterol [Moles/volume] in Serum or Plasma",
            "总胆固醇",
            "mmol/L",
            None,
            5.2,
            2,
        ),
        _lab(
            "ldl",
            "22748-8",
            "Cholesterol in LDL [Moles/volume] in Serum or Plasma",
            "低密度脂蛋白胆固醇",
            "mmol/L",
            None,
            3.4,
            2,
        ),
        _lab(
            "hdl",
            "14646-4",
            "Cholesterol in HDL [Moles/volume] in Serum or Plasma",
            "高密度脂蛋白胆固醇",
            "mmol/L",
            1.0,
            None,
            2,
        ),
        _lab(
            "tg",
            "14927-8",
            "Triglyceride [Moles/volume] in Serum or Plasma",
            "甘油三酯",
            "mmol/L",
            None,
            1.7,
            2,
        ),
        Test(
            "creatinine",
            "14682-9",
            "Creatinine [Moles/volume] in Serum or Plasma",
            "肌酐",
            "umol/L",
            (41, 81),
            (57, 111),
            0,
        ),
        _lab(
            "egfr",
            "98979-8",
            "Glomerular filtration rate predicted by CKD-EPI 2021",
            "估算肾小球滤过率",
            "mL/min/{1.73_m2}",
            90,
            None,
            0,
        ),
        _lab("urea", "22664-7", "Urea [Moles/volume] in Serum or Plasma", "尿素", "mmol/L", 3.1, 8.0),
        Test(
            "urate",
            "14933-6",
            "Urate [Moles/volume] in Serum or Plasma",
            "尿酸",
            "umol/L",
            (155, 357),
            (208, 428),
            0,
        ),
        _lab(
            "acr",
            "30000-4",
            "Microalbumin/Creatinine [Mass Ratio] in Urine",
            "尿白蛋白/肌酐比值",
            "mg/g",
            None,
            30,
            0,
        ),
        _lab("sodium", "2951-2", "Sodium [Moles/volume] in Serum or Plasma", "钠", "mmol/L", 137, 147, 0),
        _lab("potassium", "2823-3", "Potassium [Moles/volume] in Serum or Plasma", "钾", "mmol/L", 3.5, 5.3),
        Test(
            "alt",
            "1742-6",
            "Alanine aminotransferase [Enzymatic activity/volume] in Serum or Plasma",
            "丙氨酸氨基转移酶",
            "U/L",
            (7, 40),
            (9, 50),
            0,
        ),
        Test(
            "ast",
            "1920-8",
            "Aspartate aminotransferase [Enzymatic activity/volume] in Serum or Plasma",
            "天门冬氨酸氨基转移酶",
            "U/L",
            (13, 35),
            (15, 40),
            0,
        ),
        Test(
            "hb", "718-7", "Hemoglobin [Mass/volume] in Blood", "血红蛋白", "g/L", (115, 150), (130, 175), 0
        ),
        _lab(
            "wbc",
            "6690-2",
            "Leukocytes [#/volume] in Blood by Automated count",
            "白细胞计数",
            "10*9/L",
            3.5,
            9.5,
            2,
        ),
        _lab(
            "plt",
            "777-3",
            "Platelets [#/volume] in Blood by Automated count",
            "血小板计数",
            "10*9/L",
            125,
            350,
            0,
        ),
        _lab(
            "crp",
            "1988-5",
            "C reactive protein [Mass/volume] in Serum or Plasma",
            "C反应蛋白",
            "mg/L",
            None,
            10,
        ),
        _lab(
            "tsh",
            "3016-3",
            "Thyrotropin [Units/volume] in Serum or Plasma",
            "促甲状腺激素",
            "m[IU]/L",
            0.35,
            4.94,
            2,
        ),
        _lab(
            "bnp",
            "33762-6",
            "Natriuretic peptide.B prohormone N-Terminal [Mass/volume] in Serum or Plasma",
            "N末端B型钠尿肽原",
            "pg/mL",
            None,
            125,
            0,
        ),
        _lab(
            "troponin",
            "89579-7",
            "Troponin I.cardiac [Mass/volume] in Serum or Plasma by High sensitivity method",
            "高敏肌钙蛋白I",
            "ng/L",
            None,
            26,
            0,
        ),
        _lab("fev1", "19926-5", "FEV1/FVC", "第一秒用力呼气容积占比", "%", 70, None, 0),
    )
}

HOSPITAL_CODES = "https://xinglin.example/codes/panel"  # the hospital's own, where it has no LOINC panel

# key: (code system, code, English, Chinese, tests in it)
PANELS = {
    "lipids": (LOINC, "57698-3", "Lipid panel", "血脂四项", ("chol", "tg", "hdl", "ldl")),
    "count": (LOINC, "58410-2", "Complete blood count panel", "血常规", ("wbc", "hb", "plt")),
    "chemistry": (
        HOSPITAL_CODES,
        "chemistry",
        "Liver and kidney function",
        "肝肾功能",
        ("alt", "ast", "urea", "creatinine", "egfr", "urate"),
    ),
    "electrolytes": (HOSPITAL_CODES, "electrolytes", "Electrolytes", "电解质", ("sodium", "potassium")),
    "glucose": (HOSPITAL_CODES, "glucose", "Fasting glucose", "空腹血糖", ("glucose",)),
    "glycaemia": (HOSPITAL_CODES, "glycaemia", "Glycaemic control", "糖代谢", ("glucose", "hba1c")),
    "kidney": (
        HOSPITAL_CODES,
        "kidney",
        "Diabetic kidney screening",
        "糖尿病肾病筛查",
        ("creatinine", "egfr", "acr"),
    ),
    "thyroid": (HOSPITAL_CODES, "thyroid", "Thyrotropin", "促甲状腺激素", ("tsh",)),
    "inflammation": (HOSPITAL_CODES, "inflammation", "C reactive protein", "C反应蛋白", ("crp",)),
    "heart": (HOSPITAL_CODES, "heart", "NT-proBNP", "N末端B型钠尿肽原", ("bnp",)),
    "cardiac": (HOSPITAL_CODES, "cardiac", "High-sensitivity troponin I", "高敏肌钙蛋白I", ("troponin",)),
    "lung": (HOSPITAL_CODES, "lung", "Spirometry", "肺功能", ("fev1",)),
}


@dataclass(frozen=True, slots=True)
class Disease:
    """A diagnosis: ICD-10 code, names, and whether it stays once it has come."""

    icd: str
    en: str
    zh: str
    chronic: bool
    department: str


DISEASES = {
    "hypertension": Disease("I10", "Essential (primary) hypertension", "原发性高血压", True, "cardiology"),
    "diabetes": Disease("E11.9", "Type 2 diabetes mellitus", "2型糖尿病", True, "endocrinology"),
    "retinopathy": Disease(
        "E11.3",
        "Type 2 diabetes mellitus with ophthalmic complications",
        "2型糖尿病性视网膜病变",
        True,
        "ophthalmology",
    ),
    "nephropathy": Disease(
        "E11.2", "Type 2 diabetes mellitus with renal complications", "2型糖尿病肾病", True, "nephrology"
    ),
    "neuropathy": Disease(
        "E11.4",
        "Type 2 diabetes mellitus with neurological complications",
        "2型糖尿病周围神经病变",
        True,
        "endocrinology",
    ),
    "dyslipidaemia": Disease("E78.5", "Hyperlipidaemia, unspecified", "高脂血症", True, "cardiology"),
    "coronary": Disease(
        "I25.1", "Atherosclerotic heart disease", "冠状动脉粥样硬化性心脏病", True, "cardiology"
    ),
    "infarction": Disease(
        "I21.9", "Acute myocardial infarction, unspecified", "急性心肌梗死", False, "cardiology"
    ),
    "stroke": Disease("I63.9", "Cerebral infarction, unspecified", "脑梗死", False, "neurology"),
    "failure": Disease("I50.9", "Heart failure, unspecified", "心力衰竭", True, "cardiology"),
    "ckd": Disease("N18.3", "Chronic kidney disease, stage 3", "慢性肾脏病3期", True, "nephrology"),
    "ckd4": Disease("N18.4", "Chronic kidney disease, stage 4", "慢性肾脏病4期", True, "nephrology"),
    "copd": Disease(
        "J44.9", "Chronic obstructive pulmonary disease, unspecified", "慢性阻塞性肺疾病", True, "respiratory"
    ),
    "exacerbation": Disease(
        "J44.1",
        "Chronic obstructive pulmonary disease with acute exacerbation",
        "慢性阻塞性肺疾病急性加重",
        False,
        "respiratory",
    ),
    "asthma": Disease("J45.9", "Asthma, unspecified", "支气管哮喘", True, "respiratory"),
    "hypothyroidism": Disease(
        "E03.9", "Hypothyroidism, unspecified", "甲状腺功能减退症", True, "endocrinology"
    ),
    "gout": Disease("M10.9", "Gout, unspecified", "痛风", True, "endocrinology"),
    "cold": Disease(
        "J06.9", "Acute upper respiratory infection, unspecified", "急性上呼吸道感染", False, "general"
    ),
    "gastritis": Disease("K29.7", "Gastritis, unspecified", "胃炎", False, "general"),
    "pneumonia": Disease("J18.9", "Pneumonia, unspecified organism", "肺炎", False, "respiratory"),
    "backpain": Disease("M54.5", "Low back pain", "腰痛", False, "orthopaedics"),
    "fracture": Disease("S52.5", "Fracture of lower end of radius", "桡骨远端骨折", False, "orthopaedics"),
    "appendicitis": Disease(
        "K35.8", "Acute appendicitis, other and unspecified", "急性阑尾炎", False, "surgery"
    ),
    "otitis": Disease("H66.9", "Otitis media, unspecified", "中耳炎", False, "paediatrics"),
}


DEPARTMENTS = {
    "general": ("General medicine", "全科医学科"),
    "cardiology": ("Cardiology", "心血管内科"),
    "endocrinology": ("Endocrinology", "内分泌科"),
    "nephrology": ("Nephrology", "肾内科"),
    "respiratory": ("Respiratory medicine", "呼吸内科"),
    "neurology": ("Neurology", "神经内科"),
    "ophthalmology": ("Ophthalmology", "眼科"),
    "orthopaedics": ("Orthopaedics", "骨科"),
    "surgery": ("General surgery", "普通外科"),
    "paediatrics": ("Paediatrics", "儿科"),
    "emergency": ("Emergency", "急诊科"),
    "health": ("Health examination centre", "健康体检中心"),
}

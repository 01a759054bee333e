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


@dataclass(frozen=True, slots=True)
class Medicine:
    """A prescription as it is written: ATC code, names, dose and its wording."""

    atc: str
    en: str
    zh: str
    dose: float
    unit: str
    per_day: int
    how_en: str
    how_zh: str


MEDICINES = {
    "metformin": Medicine(
        "A10BA02",
        "Metformin 500 mg tablet",
        "盐酸二甲双胍片 0.5g",
        500,
        "mg",
        2,
        "500 mg twice daily with meals",
        "每次0.5g，每日2次，随餐口服",
    ),
    "sglt2": Medicine(
        "A10BK01",
        "Dapagliflozin 10 mg tablet",
        "达格列净片 10mg",
        10,
        "mg",
        1,
        "10 mg once daily",
        "每次10mg，每日1次，口服",
    ),
    "dpp4": Medicine(
        "A10BH05",
        "Linagliptin 5 mg tablet",
        "利格列汀片 5mg",
        5,
        "mg",
        1,
        "5 mg once daily",
        "每次5mg，每日1次，口服",
    ),
    "insulin": Medicine(
        "A10AE04",
        "Insulin glargine injection",
        "甘精胰岛素注射液",
        14,
        "[IU]",
        1,
        "14 units at bedtime, subcutaneous",
        "每次14单位，每晚睡前皮下注射",
    ),
    "amlodipine": Medicine(
        "C08CA01",
        "Amlodipine 5 mg tablet",
        "苯磺酸氨氯地平片 5mg",
        5,
        "mg",
        1,
        "5 mg once daily",
        "每次5mg，每日1次，口服",
    ),
    "valsartan": Medicine(
        "C09CA03",
        "Valsartan 80 mg capsule",
        "缬沙坦胶囊 80mg",
        80,
        "mg",
        1,
        "80 mg once daily",
        "每次80mg，每日1次，口服",
    ),
    "atorvastatin": Medicine(
        "C10AA05",
        "Atorvastatin 20 mg tablet",
        "阿托伐他汀钙片 20mg",
        20,
        "mg",
        1,
        "20 mg at night",
        "每次20mg，每晚1次，口服",
    ),
    "aspirin": Medicine(
        "B01AC06",
        "Aspirin 100 mg enteric-coated tablet",
        "阿司匹林肠溶片 100mg",
        100,
        "mg",
        1,
        "100 mg once daily",
        "每次100mg，每日1次，口服",
    ),
    "clopidogrel": Medicine(
        "B01AC04",
        "Clopidogrel 75 mg tablet",
        "硫酸氢氯吡格雷片 75mg",
        75,
        "mg",
        1,
        "75 mg once daily",
        "每次75mg，每日1次，口服",
    ),
    "metoprolol": Medicine(
        "C07AB02",
        "Metoprolol succinate 47.5 mg tablet",
        "琥珀酸美托洛尔缓释片 47.5mg",
        47.5,
        "mg",
        1,
        "47.5 mg once daily",
        "每次47.5mg，每日1次，口服",
    ),
    "tiotropium": Medicine(
        "R03BB04",
        "Tiotropium inhalation powder 18 ug",
        "噻托溴铵吸入粉雾剂 18μg",
        18,
        "ug",
        1,
        "18 ug inhaled once daily",
        "每次18μg，每日1次，吸入",
    ),
    "budesonide": Medicine(
        "R03AK07",
        "Budesonide/formoterol inhalation 160/4.5 ug",
        "布地奈德福莫特罗吸入粉雾剂",
        160,
        "ug",
        2,
        "one inhalation twice daily",
        "每次1吸，每日2次",
    ),
    "levothyroxine": Medicine(
        "H03AA01",
        "Levothyroxine 50 ug tablet",
        "左甲状腺素钠片 50μg",
        50,
        "ug",
        1,
        "50 ug once daily before breakfast",
        "每次50μg，每日1次，早餐前口服",
    ),
    "febuxostat": Medicine(
        "M04AA03",
        "Febuxostat 40 mg tablet",
        "非布司他片 40mg",
        40,
        "mg",
        1,
        "40 mg once daily",
        "每次40mg，每日1次，口服",
    ),
    "paracetamol": Medicine(
        "N02BE01",
        "Paracetamol 500 mg tablet",
        "对乙酰氨基酚片 0.5g",
        500,
        "mg",
        3,
        "500 mg up to three times daily when needed",
        "必要时每次0.5g，每日不超过3次，口服",
    ),
    "amoxicillin": Medicine(
        "J01CA04",
        "Amoxicillin 500 mg capsule",
        "阿莫西林胶囊 0.5g",
        500,
        "mg",
        3,
        "500 mg three times daily for 5 days",
        "每次0.5g，每日3次，口服，共5日",
    ),
    "levofloxacin": Medicine(
        "J01MA12",
        "Levofloxacin 500 mg tablet",
        "左氧氟沙星片 0.5g",
        500,
        "mg",
        1,
        "500 mg once daily for 7 days",
        "每次0.5g，每日1次，口服，共7日",
    ),
    "cefuroxime": Medicine(
        "J01DC02",
        "Cefuroxime axetil 250 mg tablet",
        "头孢呋辛酯片 0.25g",
        250,
        "mg",
        2,
        "250 mg twice daily for 7 days",
        "每次0.25g，每日2次，口服，共7日",
    ),
    "omeprazole": Medicine(
        "A02BC01",
        "Omeprazole 20 mg capsule",
        "奥美拉唑肠溶胶囊 20mg",
        20,
        "mg",
        1,
        "20 mg before breakfast for 14 days",
        "每次20mg，每日1次，早餐前口服，共14日",
    ),
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

ALLERGENS = {
    "penicillin": ("J01CE01", "Penicillin", "青霉素", "medication", "皮疹", "Rash"),
    "cephalosporin": ("J01DC", "Cephalosporins", "头孢菌素类", "medication", "荨麻疹", "Urticaria"),
    "sulfonamide": ("J01EB", "Sulfonamides", "磺胺类药物", "medication", "药疹", "Drug eruption"),
    "iodine": ("V08A", "Iodinated contrast media", "碘对比剂", "medication", "呼吸困难", "Dyspnoea"),
    "shrimp": (None, "Shrimp", "虾", "food", "荨麻疹", "Urticaria"),
    "peanut": (None, "Peanut", "花生", "food", "喉头水肿", "Laryngeal oedema"),
}

VACCINES = {
    "hepb": ("08", "Hepatitis B vaccine, paediatric", "乙型肝炎疫苗"),
    "bcg": ("19", "BCG vaccine", "卡介苗"),
    "polio": ("10", "Poliovirus vaccine, inactivated", "脊髓灰质炎灭活疫苗"),
    "dtap": ("20", "Diphtheria, tetanus and acellular pertussis vaccine", "百白破疫苗"),
    "mmr": ("03", "Measles, mumps and rubella vaccine", "麻腮风疫苗"),
    "flu": ("141", "Influenza vaccine, seasonal, injectable", "流感疫苗"),
    "pneumo": ("33", "Pneumococcal polysaccharide vaccine, 23 valent", "23价肺炎球菌多糖疫苗"),
}

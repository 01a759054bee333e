"""What the demonstration hospital prescribes, vaccinates with and records allergies to; doses are no advice."""

from __future__ import annotations

from dataclasses import dataclass


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

# What each medicine is given for here, the likeliest first; what is not listed was given for the visit's own reason.
INDICATIONS = {
    "metformin": ("diabetes",),
    "sglt2": ("diabetes", "failure"),
    "dpp4": ("diabetes",),
    "insulin": ("diabetes",),
    "amlodipine": ("hypertension",),
    "valsartan": ("hypertension", "nephropathy", "failure", "ckd", "ckd4"),
    "metoprolol": ("coronary", "failure", "hypertension"),
    "atorvastatin": ("dyslipidaemia", "coronary", "infarction", "stroke"),
    "aspirin": ("coronary", "infarction", "stroke"),
    "clopidogrel": ("infarction",),
    "tiotropium": ("copd",),
    "budesonide": ("asthma",),
    "levothyroxine": ("hypothyroidism",),
    "febuxostat": ("gout",),
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

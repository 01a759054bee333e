"""The notes of the demonstration hospital, as a doctor there would write them; one text per visit and language."""

from __future__ import annotations

from datetime import date

from xinglin.apps.demo.catalogue import DISEASES, TESTS, UNITS
from xinglin.apps.demo.formulary import MEDICINES
from xinglin.apps.demo.life import Visit

_COMPLAINTS = {
    "cold": ("咽痛、流涕2天", "Sore throat and runny nose for two days"),
    "backpain": ("腰痛1周", "Low back pain for one week"),
    "gastritis": ("上腹部不适5天", "Epigastric discomfort for five days"),
    "pneumonia": ("发热、咳嗽咳痰3天", "Fever and productive cough for three days"),
    "fracture": ("跌倒后左腕部肿痛2小时", "Swollen, painful left wrist two hours after a fall"),
    "appendicitis": ("转移性右下腹痛12小时", "Pain moving to the right lower abdomen for twelve hours"),
    "exacerbation": ("气促加重伴咳脓痰4天", "Worse breathlessness with purulent sputum for four days"),
    "infarction": ("持续胸骨后压榨样疼痛3小时", "Crushing retrosternal pain for three hours"),
    "stroke": ("突发右侧肢体无力2小时", "Sudden weakness of the right limbs for two hours"),
    "otitis": ("耳痛、发热1天", "Earache and fever for one day"),
    "diabetes": ("血糖升高，复诊", "Review of raised blood glucose"),
    "hypertension": ("血压升高，复诊", "Review of raised blood pressure"),
    "copd": ("活动后气促", "Breathlessness on exertion"),
    "coronary": ("活动后胸闷", "Chest tightness on exertion"),
    "failure": ("活动后气促、双下肢水肿", "Breathlessness on exertion and swollen legs"),
    "asthma": ("反复喘息、胸闷", "Recurrent wheeze and chest tightness"),
    "gout": ("右足第一跖趾关节红肿疼痛1天", "Red, swollen, painful right big toe for one day"),
    "hypothyroidism": ("乏力、怕冷", "Tiredness and intolerance of cold"),
}
# What one who is treated already comes with, month after month: no attack, no new pain.
_REVIEWS = {
    "diabetes": ("糖尿病复诊", "Review of diabetes"),
    "hypertension": ("高血压复诊", "Review of hypertension"),
    "dyslipidaemia": ("血脂异常复诊", "Review of raised lipids"),
    "copd": ("慢阻肺复诊，活动后仍有气促", "Review of COPD; still breathless on exertion"),
    "coronary": ("冠心病复诊，近期无静息胸痛", "Review of coronary disease; no chest pain at rest"),
    "failure": ("心力衰竭复诊，夜间可平卧", "Review of heart failure; lies flat at night"),
    "asthma": ("哮喘复诊，近期发作减少", "Review of asthma; fewer attacks of late"),
    "gout": ("痛风复诊，近期无关节红肿疼痛", "Review of gout; no painful joint of late"),
    "hypothyroidism": ("甲减复诊", "Review of hypothyroidism"),
}
_PLANS = {
    "transfer": (
        "首次在我院建档，既往诊断及用药已核对，继续原治疗。",
        "First visit here. Known diagnoses and medicines checked; treatment continues.",
    ),
    "found": (
        "体检发现异常，已告知本人，建议按期复诊。",
        "The examination showed abnormal results; explained, follow-up arranged.",
    ),
    "well": (
        "本次体检未见需处理的异常，建议每年复查。",
        "Nothing that needs action; next examination in a year.",
    ),
    "steady": (
        "病情平稳，继续目前治疗，三个月后复诊。",
        "Stable. Treatment unchanged; review in three months.",
    ),
    "known": (
        "已知慢性病，体检结果已告知本人，转相应专科继续随访。",
        "Known long-term illness; results explained, follow-up with the specialist.",
    ),
    "watch": (
        "血糖未达标，加强饮食、运动及用药依从性管理，三个月后复查，仍不达标则调整用药。",
        "Glucose above target. Diet, exercise and taking medicines discussed; treatment changes if still high in three months.",
    ),
    "titrate": (
        "口服药联合胰岛素仍未达标，调整胰岛素剂量，两周后复查。",
        "Above target on tablets and insulin; insulin dose adjusted, check in two weeks.",
    ),
    "step up": (
        "控制未达标，调整用药，四周后复查。",
        "Not at target. Treatment stepped up; check again in four weeks.",
    ),
    "kidney": (
        "肾功能下降（eGFR＜30），停用二甲双胍。",
        "Kidney function has fallen (eGFR < 30): metformin stopped.",
    ),
    "new": ("诊断明确，开始治疗并予健康教育。", "Diagnosis made; treatment started and explained."),
    "admitted": ("收住院治疗，经处理后好转出院。", "Admitted and treated; discharged improved."),
    "admit": (
        "病情需要，收住院进一步诊治，已向患者及家属说明。",
        "Admitted for further treatment; explained to patient and family.",
    ),
    "cast": (
        "予石膏外固定，抬高患肢，对症止痛，一周后骨科门诊复查X线。",
        "Cast applied, arm raised, something for the pain; X-ray again in the clinic in a week.",
    ),
    "pressure": (
        "血压未达标，强调低盐饮食及规律服药，四周后复测，仍高则调整用药。",
        "Blood pressure above target. Salt and taking medicines discussed; measured again in four weeks.",
    ),
    "short": ("对症治疗，如不缓解随诊。", "Symptomatic treatment; come back if it does not settle."),
    "child": (
        "生长发育同年龄儿童，按程序预防接种。",
        "Growth as expected for age; immunisations as scheduled.",
    ),
}


def _value(key: str, visit: Visit, language: int) -> str:
    if key == "pressure":
        name = ("血压", "Blood pressure")[language]
        return f"{name} {visit.values['systolic']:.0f}/{visit.values['diastolic']:.0f} mmHg"
    test = TESTS[key]
    unit = {"/min": ("次/分", "/min")[language]}.get(test.unit, UNITS.get(test.unit, test.unit))
    return f"{(test.zh, test.en.split(' [')[0])[language]} {visit.values[key]:.{test.decimals}f} {unit}"


def _complaint(visit: Visit, known: list[str], language: int) -> str:
    """Why the patient comes: an illness as it breaks out, or to be looked after with one that is known."""
    if visit.department == "health":  # what the examination finds is nothing that anybody came with
        return ("健康体检", "Health examination")[language]
    again = {*known, *(visit.reasons if visit.plan == "transfer" else ())} if visit.kind == "AMB" else set()
    said = [(_REVIEWS if r in again else _COMPLAINTS).get(r) for r in visit.reasons]
    told = ("，", ", ")[language].join(one[language] for one in said if one)
    return told or ("常规复诊", "Routine review")[language]


def note(visit: Visit, chinese: bool, known: list[str]) -> str:
    """The text of one visit's note. ``known``: diagnoses before this visit, in order."""
    n = 0 if chinese else 1
    separator = ("，", ", ")[n]
    complaint = _complaint(visit, known, n)
    past = ("、" if chinese else "; ").join((DISEASES[k].zh, DISEASES[k].en)[n] for k in known) or (
        "既往体健" if chinese else "no illness of note"
    )
    vitals = (["pressure"] if "systolic" in visit.values else []) + [
        k for k in ("pulse", "temperature", "spo2", "weight", "height") if k in visit.values
    ]
    signs = separator.join(_value(k, visit, n) for k in vitals)
    labs = separator.join(
        _value(k, visit, n)
        for k in ("glucose", "hba1c", "ldl", "creatinine", "egfr", "acr", "crp", "bnp", "troponin")
        if k in visit.values
    )
    diagnoses = ("；" if chinese else "; ").join(
        (DISEASES[k].zh, DISEASES[k].en)[n] for k in dict.fromkeys([*visit.diagnosed, *visit.reasons])
    )
    medicines = ("；" if chinese else "; ").join(
        f"{(MEDICINES[m].zh, MEDICINES[m].en)[n]}{('，', ', ')[n]}{(MEDICINES[m].how_zh, MEDICINES[m].how_en)[n]}"
        for m in visit.started
    )
    stopped = ("、" if chinese else "; ").join((MEDICINES[m].zh, MEDICINES[m].en)[n] for m in visit.stopped)
    rows = (
        ("主诉", "Complaint", complaint),
        ("既往史", "Past history", past),
        ("体格检查", "Examination", signs),
        ("辅助检查", "Results", labs),
        ("诊断", "Diagnosis", diagnoses),
        ("用药", "Prescribed", medicines),
        ("停用", "Stopped", stopped),
        ("处理", "Plan", _PLANS.get(visit.plan, _PLANS["steady"])[n]),
    )
    return "\n".join(f"{zh}：{text}" if chinese else f"{en}: {text}" for zh, en, text in rows if text)


# How a stay goes on: in the first days, then as it gets better. By the reason for it.
_COURSE = {
    "pneumonia": (
        (
            "仍有咳嗽、咳黄痰，无胸痛。双肺呼吸音粗，右下肺可闻及湿啰音。",
            "Still coughing yellow sputum, no chest pain. Crackles over the right base.",
        ),
        (
            "咳嗽、咳痰较前减轻，精神食欲好转。双肺呼吸音粗，湿啰音较前减少。",
            "Less cough and sputum, eating better. Fewer crackles.",
        ),
    ),
    "exacerbation": (
        (
            "仍气促，咳脓痰。双肺可闻及散在哮鸣音，呼气相延长。",
            "Still breathless with purulent sputum. Scattered wheeze, prolonged expiration.",
        ),
        (
            "气促明显缓解，痰量减少，可平卧。双肺哮鸣音减少。",
            "Much less breathless, less sputum, can lie flat. Less wheeze.",
        ),
    ),
    "appendicitis": (
        (
            "术后切口疼痛，可耐受。腹软，切口敷料干燥，肠鸣音减弱，未排气。",
            "Wound pain bearable. Abdomen soft, dressing dry, bowel sounds reduced, no flatus yet.",
        ),
        (
            "已排气，进半流食无不适。腹软，切口愈合良好，无红肿渗出。",
            "Passing flatus, tolerating soft food. Abdomen soft, wound healing without redness.",
        ),
    ),
    "infarction": (
        (
            "胸痛已缓解，心电监护示窦性心律，无恶性心律失常。双肺底未闻及湿啰音。",
            "Free of chest pain. Sinus rhythm on the monitor, no malignant arrhythmia. Lung bases clear.",
        ),
        (
            "无胸痛、胸闷，可床旁活动。心律齐，双下肢无水肿。",
            "No chest pain or tightness, walking at the bedside. Regular rhythm, no oedema.",
        ),
    ),
    "stroke": (
        (
            "神志清楚，言语欠流利，右侧肢体肌力3级。病情无进展。",
            "Alert, speech not fluent, power 3/5 on the right. No progression.",
        ),
        (
            "言语较前流利，右侧肢体肌力4级，已行床旁康复训练。",
            "Speech more fluent, power 4/5 on the right; rehabilitation at the bedside begun.",
        ),
    ),
    "failure": (
        (
            "仍有活动后气促，夜间可高枕卧位。双肺底少许湿啰音，双下肢轻度水肿。",
            "Breathless on exertion, sleeping propped up. Few crackles at the bases, slight oedema of the legs.",
        ),
        (
            "气促明显好转，夜间可平卧，尿量可。双肺湿啰音消失，双下肢无水肿。",
            "Much less breathless, lying flat at night, good urine output. Lungs clear, no oedema.",
        ),
    ),
}


def progress_note(reason: str, values: dict[str, float], better: bool, chinese: bool) -> str:
    """The note of a day in hospital: how the patient is, what was measured since, what is done. ``better``: the course turns."""
    n = 0 if chinese else 1
    separator = ("，", ", ")[n]
    measured = Visit(date.min, 0, "IMP", "", [], values)
    signs = separator.join(
        _value(key, measured, n)
        for key in ("pressure", "temperature", "pulse", "breaths", "spo2")
        if ("systolic" if key == "pressure" else key) in values
    )
    labs = separator.join(
        _value(key, measured, n)
        for key in ("wbc", "hb", "crp", "potassium", "creatinine", "glucose", "bnp")
        if key in values
    )
    plan = (
        (
            "病情好转，继续目前治疗，评估出院时机。",
            "Improving. Treatment unchanged; discharge to be considered.",
        )
        if better
        else (
            "继续目前治疗，密切观察生命体征变化，复查相关指标。",
            "Treatment unchanged; vital signs watched closely, blood tests repeated.",
        )
    )[n]
    rows = (
        ("病程", "Course", _COURSE[reason][better][n]),
        ("生命体征", "Vital signs", signs),
        ("辅助检查", "Results", labs),
        ("处理", "Plan", plan),
    )
    return "\n".join(f"{zh}：{text}" if chinese else f"{en}: {text}" for zh, en, text in rows if text)

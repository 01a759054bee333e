"""The body behind the numbers: how age, disease and treatment move what is measured.

Small, plain relations with named sources, so that a chart makes sense to a clinician: a treated diabetic's HbA1c falls,
the glucose agrees with it, creatinine and eGFR are the same fact twice. Not a model for research.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from random import Random


def glucose_from_hba1c(hba1c: float) -> float:
    """Mean glucose in mmol/L for an HbA1c in % (ADAG: Nathan et al. 2008, doi:10.2337/dc08-0545).

    >>> round(glucose_from_hba1c(7.0), 1)
    8.6
    """
    return 1.5944 * hba1c - 2.594


def creatinine_umol(egfr: float, age: float, female: bool) -> float:
    """Serum creatinine in µmol/L that CKD-EPI 2021 turns into ``egfr`` (mL/min/1.73 m²); inverse of :func:`egfr`."""
    kappa, alpha, sex = (0.7, -0.241, 1.012) if female else (0.9, -0.302, 1.0)
    ratio = egfr / (142 * 0.9938**age * sex)
    scaled: float = ratio ** (1 / -1.2) if ratio <= 1 else ratio ** (1 / alpha)
    return scaled * kappa * 88.42


def egfr(creatinine: float, age: float, female: bool) -> float:
    """CKD-EPI 2021 in mL/min/1.73 m² from creatinine in µmol/L (Inker et al. 2021, doi:10.1056/NEJMoa2102953).

    >>> round(egfr(88.42, 50, False))
    92
    """
    kappa, alpha, sex = (0.7, -0.241, 1.012) if female else (0.9, -0.302, 1.0)
    scaled = creatinine / 88.42 / kappa
    filtration: float = 142 * min(scaled, 1) ** alpha * max(scaled, 1) ** -1.2 * 0.9938**age * sex
    return filtration


@dataclass(slots=True)
class Body:
    """One person's state as it changes; rates are a year's."""

    rng: Random
    born: date
    female: bool
    height_cm: float
    bmi: float
    metabolic: float  # inherited tendency to diabetes and lipids, about N(0, 1)
    pressure: float  # inherited tendency to hypertension, about N(0, 1)
    smoker: bool
    adherence: float  # 0.4–1: how much of a treatment's effect arrives
    kidney: float = 0.0  # eGFR lost to disease, mL/min/1.73 m²
    burden: float = 0.0  # (HbA1c − 6.5) × years: what the complications follow
    glycaemia: float = 5.3  # untreated HbA1c, %
    habits: float = 0.0  # how diet and diligence move a diabetic's HbA1c this season, %
    has: dict[str, date] = field(default_factory=dict)  # disease → onset
    takes: dict[str, date] = field(default_factory=dict)  # medicine → since

    def age(self, day: date) -> float:
        """Age in years, with fraction."""
        return (day - self.born).days / 365.25

    def hba1c(self) -> float:
        """HbA1c in % under the present treatment."""
        lowered = 0.0
        for medicine, effect in (("metformin", 1.2), ("sglt2", 0.8), ("dpp4", 0.6)):
            if medicine in self.takes:
                lowered += effect * self.adherence
        treated = self.glycaemia - lowered
        if "insulin" in self.takes:
            treated = min(treated, 7.2 + (1 - self.adherence) * 1.5)
        return max(treated + self.habits, 5.0) if "diabetes" in self.has else self.glycaemia

    def true_egfr(self, day: date) -> float:
        """Glomerular filtration rate in mL/min/1.73 m²."""
        return max(12.0, 112 - 0.78 * max(0.0, self.age(day) - 28) - self.kidney)

    def systolic(self, day: date) -> float:
        """Resting systolic pressure in mmHg under treatment."""
        value = 110 + 0.35 * max(0.0, self.age(day) - 30) + 0.9 * (self.bmi - 22.5) + 3.0 * self.pressure
        if "hypertension" in self.has:
            value += 24
            for medicine, effect in (("amlodipine", 12), ("valsartan", 11), ("metoprolol", 6)):
                if medicine in self.takes:
                    value -= effect * self.adherence
        return max(92.0, value)

    def ldl(self, day: date) -> float:
        """LDL cholesterol in mmol/L under treatment."""
        value = 2.3 + 0.35 * self.metabolic + 0.012 * max(0.0, self.age(day) - 30) + 0.03 * (self.bmi - 23)
        if "dyslipidaemia" in self.has:
            value += 1.2
        return max(0.9, value * (1 - 0.42 * self.adherence if "atorvastatin" in self.takes else 1.0))

    def advance(self, day: date, years: float) -> None:
        """Let ``years`` pass: weight, sugar, kidney."""
        age = self.age(day)
        self.bmi += years * ((0.08 if age < 55 else -0.05) + self.rng.gauss(0, 0.25))
        self.bmi = min(max(self.bmi, 16.5), 39.0)
        if "diabetes" in self.has:
            self.habits = 0.6 * self.habits + self.rng.gauss(0, 0.35)
            self.glycaemia = min(self.glycaemia + years * (0.28 if self.glycaemia < 9.5 else 0.08), 13.0)
            self.burden += years * max(0.0, self.hba1c() - 6.5)
            protected = 0.5 if "sglt2" in self.takes or "valsartan" in self.takes else 1.0
            self.kidney += years * protected * (0.4 + 0.35 * max(0.0, self.hba1c() - 6.5))
        else:
            self.glycaemia = (
                5.15 + 0.12 * self.metabolic + 0.02 * (self.bmi - 23) + 0.006 * max(0.0, age - 40)
            )
        if "hypertension" in self.has:
            self.kidney += years * max(0.0, (self.systolic(day) - 130) * 0.03)

    def measure(
        self, tests: tuple[str, ...] | list[str], day: date, fever: float = 0.0, infection: float = 0.0
    ) -> dict[str, float]:
        """What the named tests show on that day, with biological and analytical scatter; ``fever`` in °C above normal,
        ``infection`` 0–1 moves white cells and CRP."""
        rng, age = self.rng, self.age(day)
        noise = rng.gauss
        out: dict[str, float] = {}
        hba1c = self.hba1c()
        filtration = self.true_egfr(day) * (1 + noise(0, 0.035))
        creatinine = round(creatinine_umol(filtration, age, self.female))
        kidney_low = filtration < 45
        for key in tests:
            match key:
                case "height":
                    value = self.height_cm
                case "weight":
                    value = self.bmi * (self.height_cm / 100) ** 2
                case "bmi":
                    value = self.bmi
                case "systolic":
                    value = self.systolic(day) + noise(0, 6)
                case "diastolic":
                    value = 42 + 0.29 * self.systolic(day) + noise(0, 4) - 0.12 * max(0.0, age - 60)
                case "pulse":
                    value = 74 + noise(0, 7) + 9 * fever - (8 if "metoprolol" in self.takes else 0)
                case "temperature":
                    value = 36.5 + noise(0, 0.18) + fever
                case "breaths":
                    value = 16 + noise(0, 1.2) + 2.2 * fever + (3 if "copd" in self.has else 0)
                case "spo2":
                    value = min(100, 98 + noise(0, 0.8) - 4 * infection - (3 if "copd" in self.has else 0))
                case "glucose":
                    value = max(3.6, glucose_from_hba1c(hba1c) * 0.9 + noise(0, 0.35))
                case "hba1c":
                    value = hba1c + noise(0, 0.1)
                case "ldl":
                    value = self.ldl(day) * (1 + noise(0, 0.05))
                case "hdl":
                    value = max(0.6, 1.35 - 0.08 * self.metabolic - 0.02 * (self.bmi - 23) + noise(0, 0.1))
                case "tg":
                    value = max(
                        0.4,
                        1.1
                        + 0.25 * self.metabolic
                        + 0.08 * (self.bmi - 23)
                        + 0.15 * (hba1c - 5.5)
                        + noise(0, 0.25),
                    )
                case "chol":
                    value = 0.0  # from its parts, below
                case "creatinine":
                    value = creatinine
                case "egfr":
                    value = egfr(creatinine, age, self.female)
                case "urea":
                    value = 4.6 + max(0.0, 75 - filtration) * 0.12 + noise(0, 0.6)
                case "urate":
                    value = (
                        (280 if self.female else 345)
                        + 9 * (self.bmi - 23)
                        + max(0.0, 70 - filtration) * 2
                        + noise(0, 25)
                    )
                    value += (110 if "gout" in self.has else 0) - (150 if "febuxostat" in self.takes else 0)
                case "acr":
                    value = max(
                        2.0, 8 + 14 * self.burden * (1.4 if "nephropathy" in self.has else 0.25) + noise(0, 4)
                    )
                case "sodium":
                    value = 141 + noise(0, 1.8) - 2 * infection
                case "potassium":
                    value = (
                        4.15
                        + noise(0, 0.22)
                        + (0.5 if kidney_low else 0)
                        + (0.15 if "valsartan" in self.takes else 0)
                    )
                case "alt":
                    value = max(6, 19 + 1.6 * (self.bmi - 23) + noise(0, 6))
                case "ast":
                    value = max(10, 20 + 0.6 * (self.bmi - 23) + noise(0, 4))
                case "hb":
                    value = (130 if self.female else 149) + noise(0, 6) - max(0.0, 50 - filtration) * 0.8
                case "wbc":
                    value = max(3.2, 6.1 + noise(0, 0.9) + 7 * infection + (0.7 if self.smoker else 0))
                case "plt":
                    value = 228 + noise(0, 32) + 40 * infection
                case "crp":
                    value = max(0.3, 1.8 + noise(0, 0.7) + 85 * infection)
                case "tsh":
                    value = (
                        max(0.4, 2.1 + noise(0, 0.5))
                        if "hypothyroidism" not in self.has or "levothyroxine" in self.takes
                        else 11 + noise(0, 2)
                    )
                case "bnp":
                    value = max(
                        20, 60 + noise(0, 15) + max(0.0, age - 60) * 3 + (900 if "failure" in self.has else 0)
                    )
                case "troponin":
                    value = max(2.0, 6 + noise(0, 2))
                case "fev1":
                    value = (58 if "copd" in self.has else 80) + noise(0, 2.5)
                case _:
                    raise KeyError(key)
            out[key] = value
        if "chol" in out:
            out["chol"] = sum(out[k] for k in ("ldl", "hdl") if k in out) + out.get("tg", 1.2) / 2.2
        return out

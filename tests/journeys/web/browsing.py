"""What the journeys share: Chromium, a server started as a person starts it, and the people in its record."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
STATIC = ROOT / "src" / "xinglin" / "apps" / "web" / "static"
XINGLIN = Path(sys.executable).parent / "xinglin"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--no-first-run",
]
DESKTOP = {"width": 1366, "height": 900}
PHONE = {"width": 390, "height": 844}
LOCALES = {"en": "en-GB", "zh": "zh-CN"}
START_S = 20


def chromium() -> str:
    """The path of Debian's Chromium, or skip the test with what to install."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if not found:
        pytest.skip("needs Chromium; on Debian or Ubuntu: sudo apt install chromium")
    return found


def pages() -> Path:
    """The folder of the built pages, or skip the test with how to build them."""
    if not (STATIC / "index.html").exists():
        pytest.skip("the web pages are not built; run python hatch_build.py")
    return STATIC


@dataclass
class Installation:
    """One data folder, the commands on it, and the server over it."""

    folder: Path
    process: subprocess.Popen[str] | None = None
    address: str = ""
    said: list[str] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("XINGLIN_")}
        return {**kept, "XINGLIN_DATA": str(self.folder), "XINGLIN_LANGUAGE": "en", "PYTHONUNBUFFERED": "1"}

    def run(self, *arguments: str) -> str:
        """Run one command to its end and give what it printed."""
        done = subprocess.run(
            [str(XINGLIN), *arguments],
            env=self.environment(),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, (
            f"xinglin {' '.join(arguments)}: {done.stdout[-2000:]} {done.stderr[-2000:]}"
        )
        return done.stdout

    def serve(self, port: int = 0, more: tuple[str, ...] = (), command: str = "serve") -> str:
        """Start the server and give its address once it answers."""
        process = subprocess.Popen(
            [str(XINGLIN), command, "--port", str(port), *more],
            env=self.environment(),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.process = process
        assert process.stdout is not None
        for line in process.stdout:
            self.said.append(line)
            if "http://" in line:
                self.address = "http://" + line.split("http://", 1)[1].split()[0].rstrip("/.。，,")
                return self.address
        raise AssertionError(f"the server ended without an address: {''.join(self.said)[-2000:]}")

    def stop(self) -> None:
        """Stop the server, if it runs."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(START_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.process = None

    @property
    def port(self) -> int:
        return int(self.address.rsplit(":", 1)[1])


CSV = """病案号,姓名,性别,出生日期,联系电话,检验项目,结果,单位,参考范围,检验日期
0010023,张伟,男,1964-05-03,13800010023,糖化血红蛋白,8.4,%,4.0-6.0,2023-02-11
0010023,张伟,男,1964-05-03,13800010023,糖化血红蛋白,7.10,%,4.0-6.0,2024-02-19
0010023,张伟,男,1964-05-03,13800010023,钾,4.2,mmol/L,3.5-5.3,2024-02-19
0010024,单丽华,女,1978-11-20,13800010024,血红蛋白,102,g/L,115-150,2024-03-05
0010025,欧阳娜,女,2001-01-31,13800010025,葡萄糖,5.1,mmol/L,3.9-6.1,2024-03-06
"""
"""What a Chinese laboratory exports: one row a result, the patient repeated on each. Written as GB18030."""

SCRIPT = '<script>window.hacked=1</script><img src=x onerror="window.hacked=1">'


MANY = 1300
"""More results than a chart fetches before it asks."""


def _text(words: str, kind: str = "text/plain; charset=utf-8") -> dict[str, Any]:
    return {"attachment": {"contentType": kind, "data": base64.b64encode(words.encode()).decode()}}


def odd_people() -> str:
    """NDJSON of people whose records are odd in every way that the standard allows."""
    clinical = "http://terminology.hl7.org/CodeSystem/condition-clinical"
    odd = {"reference": "Patient/odd-markup"}
    full = {"reference": "Patient/full"}
    pressure = {"coding": [{"system": "http://loinc.org", "code": "85354-9"}], "text": "血压"}
    half = {"coding": [{"system": "http://loinc.org", "code": "8480-6"}], "text": "收缩压"}
    resources: list[dict[str, Any]] = [
        {"resourceType": "Patient", "id": "odd-nameless"},
        {"resourceType": "Patient", "id": "odd-markup", "name": [{"text": SCRIPT}], "birthDate": "1990"},
        {
            "resourceType": "Patient",
            "id": "odd-rtl",
            "name": [{"text": "محمد بن عبد الله"}],
            "gender": "male",
            "birthDate": "1971-03",
            "deceasedBoolean": True,
        },
        {
            "resourceType": "Observation",
            "id": "odd-value",
            "status": "final",
            "subject": odd,
            "code": {"text": SCRIPT},
            "valueString": SCRIPT,
        },
        {
            "resourceType": "Observation",
            "id": "odd-unitless",
            "status": "final",
            "subject": odd,
            "code": {"text": "Unitless test"},
            "effectiveDateTime": "2020",
            "valueQuantity": {"value": 45},
        },
        {
            "resourceType": "Observation",
            "id": "odd-absent",
            "status": "final",
            "subject": odd,
            "code": {"text": "Absent test"},
            "dataAbsentReason": {"text": "specimen clotted"},
        },
        {
            "resourceType": "Observation",
            "id": "odd-half",
            "status": "final",
            "subject": odd,
            "code": pressure,
            "component": [{"code": half, "valueQuantity": {"value": 120, "unit": "mmHg"}}],
        },
        {
            "resourceType": "Condition",
            "id": "odd-wrong",
            "subject": odd,
            "verificationStatus": {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/condition-ver-status",
                        "code": "entered-in-error",
                    }
                ]
            },
            "code": {"text": "Entered by mistake"},
        },
        {
            "resourceType": "DocumentReference",
            "id": "odd-html",
            "status": "current",
            "subject": odd,
            "type": {"text": "Markup letter"},
            "content": [_text(SCRIPT + "<p>Dear <b>colleague</b></p>", "text/html")],
        },
        {
            "resourceType": "DocumentReference",
            "id": "odd-long",
            "status": "current",
            "subject": odd,
            "type": {"text": "Long note"},
            "content": [_text("很长的病程记录。" * 1300)],
        },
        {
            "resourceType": "Patient",
            "id": "full",
            "name": [{"text": "林小满", "family": "林", "given": ["小满"]}],
            "gender": "female",
            "birthDate": "1958-04-12",
        },
        {
            "resourceType": "AllergyIntolerance",
            "id": "full-allergy",
            "patient": full,
            "criticality": "high",
            "category": ["medication"],
            "clinicalStatus": {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical",
                        "code": "active",
                    }
                ]
            },
            "code": {"text": "青霉素", "coding": [{"display": "Penicillin"}]},
            "reaction": [{"manifestation": [{"text": "过敏性休克"}], "severity": "severe"}],
        },
        {
            "resourceType": "Condition",
            "id": "full-problem",
            "subject": full,
            "clinicalStatus": {"coding": [{"system": clinical, "code": "active"}]},
            "code": {"text": "2型糖尿病", "coding": [{"display": "Type 2 diabetes mellitus"}]},
            "onsetDateTime": "2009-06",
        },
        {
            "resourceType": "MedicationRequest",
            "id": "full-medicine",
            "subject": full,
            "status": "active",
            "intent": "order",
            "medicationCodeableConcept": {"text": "盐酸二甲双胍片 0.5 g"},
            "authoredOn": "2023-02-01",
            "dosageInstruction": [
                {
                    "timing": {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}},
                    "route": {"text": "口服"},
                    "doseAndRate": [{"doseQuantity": {"value": 0.5, "unit": "g"}}],
                }
            ],
        },
        {
            "resourceType": "DocumentReference",
            "id": "full-note",
            "status": "current",
            "subject": full,
            "type": {"text": "入院记录", "coding": [{"display": "Admission note"}]},
            "date": "2023-02-01T09:00:00+08:00",
            "author": [{"display": "王芳"}],
            "content": [_text("主诉：口渴、多饮、多尿14年。\n现病史：近1月血糖控制不佳。")],
        },
    ]
    many = {"reference": "Patient/many"}
    resources.append({"resourceType": "Patient", "id": "many", "name": [{"text": "Many Results"}]})
    resources += [
        {
            "resourceType": "Observation",
            "id": f"many-{at}",
            "status": "final",
            "subject": many,
            "code": {"text": "Counted test"},
            "effectiveDateTime": f"{2000 + at // 100}-{at % 12 + 1:02}-{at % 28 + 1:02}",
            "valueQuantity": {"value": at, "unit": "mg"},
        }
        for at in range(MANY)
    ]
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in resources)

"""A record to import into, and files to import: helpers of the import tests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from xinglin.ingest.importer import Importer
from xinglin.ingest.plan import plan
from xinglin.ingest.report import Report
from xinglin.ingest.sink import RecordSink
from xinglin.ingest.sources import Files
from xinglin.kernel.settings import Settings
from xinglin.records.service import Records, open_records
from xinglin.trust import local_system

ACTOR = local_system()
FRONT = "姓名,性别,出生日期,病案号,手机\n张伟,男,1949-12-31,A001,13800138000\n李娜,女,1960-01-02,A002,\n"
LABS = (
    "病案号,姓名,检验项目,结果,单位,采集时间\n"
    "A001,张伟,葡萄糖,12.30,mmol/L,2024-03-02 08:10\n"
    "A001,张伟,血钾,4.1,mmol/L,2024-03-02 08:10\n"
)


class House:
    """A record, and importing into it."""

    def __init__(self, records: Records, settings: Settings) -> None:
        self.records = records
        self.settings = settings

    def take(self, *paths: Path, settings: Settings | None = None) -> Report:
        settings = settings or self.settings
        files = Files(settings)
        plans = list(plan(files, paths, settings))
        return Importer(RecordSink(self.records, ACTOR), settings).run(files, plans)

    def read(self, kind: str, id_: str) -> Any:
        return json.loads(self.records.read(ACTOR, kind, id_).body, parse_float=str)

    def find(self, kind: str, condition: str) -> list[str]:
        return RecordSink(self.records, ACTOR).find(kind, condition)

    def count(self) -> dict[str, int]:
        return self.records.count(ACTOR)


def opened(url: str, tmp_path: Path) -> Iterator[House]:
    settings = Settings(data=str(tmp_path / "data"), database=url, time_zone="Asia/Shanghai", import_batch=10)
    records = open_records(url, settings)
    yield House(records, settings)
    records.close()


def patient(id_: str, **more: object) -> dict[str, object]:
    return {"resourceType": "Patient", "id": id_, **more}


def observation(id_: str, subject: str, **more: object) -> dict[str, object]:
    return {
        "resourceType": "Observation",
        "id": id_,
        "status": "final",
        "code": {"text": "x"},
        "subject": {"reference": subject},
        **more,
    }


def ndjson(path: Path, *resources: object) -> Path:
    path.write_bytes(
        b"".join((r if isinstance(r, bytes) else json.dumps(r).encode()) + b"\n" for r in resources)
    )
    return path


def bundle(path: Path, kind: str, *entries: object) -> Path:
    path.write_text(
        json.dumps({"resourceType": "Bundle", "type": kind, "entry": entries}, indent=1), encoding="utf-8"
    )
    return path


def post(resource: dict[str, object], full_url: str | None = None, **request: str) -> dict[str, object]:
    entry: dict[str, object] = {
        "resource": resource,
        "request": {"method": "POST", "url": resource["resourceType"], **request},
    }
    return entry | ({"fullUrl": full_url} if full_url else {})


def rejects(report: Report) -> list[dict[str, Any]]:
    (path,) = report.rejects
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()][1:]

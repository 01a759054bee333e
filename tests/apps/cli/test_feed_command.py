"""``xinglin feed``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from xinglin.apps.cli.main import main
from xinglin.records.service import open_records
from xinglin.trust import local_system


@pytest.fixture
def database(tmp_path: Path) -> str:
    path = str(tmp_path / "x.db")
    with open_records(f"sqlite:///{path}").database as database:
        from xinglin.records.service import Records

        records = Records(database)
        for number in range(3):
            records.update(
                local_system(), "Patient", f"p{number}", b'{"resourceType":"Patient","id":"p%d"}' % number
            )
        records.create(local_system(), "Basic", b'{"resourceType":"Basic","code":{"text":"secret"}}')
    return path


def test_it_prints_changes_as_ndjson_from_a_position_on(
    database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["feed", "--database", database]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["position"] for line in lines] == [1, 2, 3, 4]
    assert lines[0]["id"] == lines[0]["patient"] == "p0"
    assert main(["feed", "--after", "1", "--type", "Patient", "--database", database]) == 0
    text = capsys.readouterr().out
    assert [json.loads(line)["id"] for line in text.splitlines()] == ["p1", "p2"]


def test_it_shows_the_consumers(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["feed", "--consumers", "--json", "--database", database]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["position"] == 4
    assert shown["consumers"]["subscriptions"]["led"] is False
    assert main(["feed", "--consumers", "--database", database, "--language", "zh"]) == 0
    assert "无工作进程" in capsys.readouterr().out
    assert main(["feed", "--again", "subscriptions", "--database", database]) == 0
    assert "subscriptions" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--after", "x"], 2, "--after"),
        (["--type", "Pateint"], 2, "Patient"),
        (["--again", "nobody"], 1, "There are:"),
    ],
)
def test_what_cannot_be_done_is_said(
    database: str, capsys: pytest.CaptureFixture[str], words: list[str], code: int, says: str
) -> None:
    assert main(["feed", *words, "--database", database]) == code
    assert says in capsys.readouterr().err

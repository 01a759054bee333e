"""The commands as a new user types them, mistakes too, in both languages."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import pytest

from xinglin.apps.cli.grammar import COMMANDS
from xinglin.apps.cli.serving import named

XINGLIN = str(Path(sys.executable).parent / "xinglin")
PATIENTS = "姓名,性别,出生日期,病案号\n张伟,男,1949-12-31,A001\n李娜,X,1960-01-02,A002\n"


class Shell:
    """A person's shell: a home of its own, and the program in it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environ = {
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "XINGLIN_DATA": str(home / "data"),
            "LANG": "C.UTF-8",
        }

    def run(
        self, *words: str, code: int | None = 0, stdin: str | None = None, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [XINGLIN, *words], cwd=self.home, env=self.environ | environ, capture_output=True, text=True, timeout=120,
            input=stdin if stdin is not None else "", check=False,
        )  # fmt: skip
        assert "Traceback" not in done.stderr + done.stdout
        assert code is None or done.returncode == code, (
            done.returncode,
            done.stdout[-500:],
            done.stderr[-500:],
        )
        return done

    def write(self, name: str, text: str) -> Path:
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def han(text: str) -> bool:
    return bool(re.search("[一-鿿]", text))


def test_help_is_printed_in_both_languages_and_soon(shell: Shell) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = shell.run("--help")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime) < 0.3
    assert all(re.search(rf"^  {name} +\w", done.stdout, re.M) for name in COMMANDS)
    assert not han(done.stdout)
    assert han(shell.run("--help", LANG="zh_CN.UTF-8").stdout)
    assert han(shell.run("--help", "--language", "zh").stdout)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_each_command_has_help_with_all_its_options_and_an_example(shell: Shell, name: str) -> None:
    for language in ("en", "zh"):
        text = shell.run(name, "--help", "--language", language).stdout
        assert all(f"--{option.name}" in text for option in COMMANDS[name].options)
        assert f"xinglin {name}" in text
        assert han(text) == (language == "zh")


def test_help_loads_no_model_and_no_store() -> None:
    code = (
        "import sys; from xinglin.apps.cli.main import main; main(['import', '--help']);"
        "heavy = ('msgspec', 'sqlcipher3', 'starlette', 'xinglin.records', 'xinglin.standards');"
        "bad = [m for m in sys.modules if m.startswith(heavy)];"
        "sys.exit(str(bad) if bad else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["impotr", "x"], "xinglin import"),
        (["frobnicate"], "demo, serve, import"),
        (["import"], "xinglin import exports/"),
        (["search"], "'Patient?name=zw'"),
        (["serve", "--prot", "1"], "--port"),
        (["serve", "--pagesize", "1"], "--page-size"),
        (["serve", "--port"], "--port"),
        (["serve", "now"], "now"),
        (["search", "Patient?name=a", "gender=male"], "quotes"),
        (["search", "name=a"], "Patient?name=zw"),
        (["search", "Patients"], "Patient"),
        (["search", "Patient", "--format", "xml"], "ndjson"),
        (["search", "Patient", "--limit", "none"], "--limit"),
        (["config", "set", "port=1"], "xinglin.toml"),
        (["config", "list"], "show"),
        (["config", "show", "--set", "port"], "NAME=VALUE"),
        (["demo", "--patients", "-5"], "--patients"),
        (["demo", "--patients", "many"], "--patients"),
        (["demo", "--live", "--speed", "0"], "--speed"),
        (["demo", "--live", "--speed", "fast"], "--speed"),
        (["demo", "--speed", "2"], "--live"),
        (["demo", "--live", "--no-serve"], "--no-serve"),
    ],
)
def test_a_mistake_in_the_command_line_is_one_sentence_with_the_remedy(
    shell: Shell, words: list[str], says: str
) -> None:
    done = shell.run(*words, code=2)
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    assert says in done.stderr
    zh = shell.run(*words, "--language", "zh", code=2)
    assert han(zh.stderr)
    told = json.loads(shell.run(*words, "--json", code=2).stdout)
    assert says in told["error"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["config", "show", "--set", "prot=1"], "port"),
        (["config", "show", "--config", "none.toml"], "none.toml"),
        (["serve", "--port", "eighty"], "whole number"),
        (["serve", "--host", "0.0.0.0"], "127.0.0.1"),
        (["serve", "--database", "mysql://x"], "mysql"),
        (["search", "Patient"], "xinglin import PATH"),
        (["search", "Patient", "--database", "demo"], "xinglin demo"),
        (["search", "Patient", "--database", "http://127.0.0.1:9"], "No server answers"),
        (["import", "none.ndjson"], "none.ndjson"),
        (["import", ".", "--mapping", "none.toml"], "none.toml"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_with_the_remedy(
    shell: Shell, words: list[str], says: str
) -> None:
    done = shell.run(*words, code=1)
    assert len(done.stderr.strip().splitlines()) == 1
    assert says in done.stderr
    assert han(shell.run(*words, code=1, LC_ALL="zh_CN.UTF-8").stderr)
    assert says in json.loads(shell.run(*words, "--json", code=1).stdout)["error"]


def test_settings_are_shown_with_their_origin_and_without_secrets(shell: Shell) -> None:
    shell.write("xinglin.toml", 'page_size = 33\ndatabase = "postgresql://u:hidden@h/x"\n')
    told = json.loads(
        shell.run("config", "show", "--json", "--port", "9999", XINGLIN_TIME_ZONE="Asia/Shanghai").stdout
    )
    assert told["page_size"]["value"] == 33
    assert told["page_size"]["origin"].endswith("xinglin.toml")
    assert told["time_zone"]["origin"] == "XINGLIN_TIME_ZONE"
    assert (told["port"]["value"], told["port"]["origin"]) == (9999, "flag")
    table = shell.run("config").stdout
    assert "hidden" not in table + json.dumps(told)
    assert "XINGLIN_DATA" in table
    assert "命令行" in shell.run("config", "--set", "page_size=40", "--language", "zh").stdout


def test_a_table_is_shown_before_anything_is_written(shell: Shell) -> None:
    path = shell.write("病人.csv", PATIENTS)
    done = shell.run("import", str(path), code=1)
    assert "patient.record_number" in done.stdout
    assert '"resourceType":"Patient"' in done.stdout
    assert "--yes" in done.stderr
    assert not (shell.home / "data/xinglin.db").exists()
    told = json.loads(shell.run("import", str(path), "--json", code=1).stdout)
    assert told["written"] == 0
    assert told["tables"][0]["rows"][0]["resources"][0]["birthDate"] == "1949-12-31"
    shell.run("import", str(path), "--preview")
    assert not (shell.home / "data/xinglin.db").exists()


def test_a_table_is_imported_rejected_mended_and_found(shell: Shell) -> None:
    path = shell.write("病人.csv", PATIENTS)
    shell.run("import", str(path), "--save-mapping", "m.toml", code=1)
    mapping = shell.home / "m.toml"
    mapping.write_text(
        mapping.read_text(encoding="utf-8").replace('date_order = "ymd"', 'date_order = "dmy"'),
        encoding="utf-8",
    )
    done = shell.run("import", str(path), "--mapping", "m.toml", "--language", "zh", code=3)
    assert "被拒" in done.stdout
    (rejects,) = (shell.home / "data/rejects").rglob("*.ndjson")
    assert str(rejects) in done.stdout
    assert "“性别”列" in rejects.read_text(encoding="utf-8")
    rejects.write_text(rejects.read_text(encoding="utf-8").replace('"X"', '"女"'), encoding="utf-8")
    told = json.loads(shell.run("import", str(rejects), "--json").stdout)
    assert (told["taken"], told["rejected"]) == (1, 0)
    assert "李娜" in shell.run("search", "Patient?name=ln").stdout
    again = json.loads(shell.run("import", str(path), "--mapping", "m.toml", "--json", code=3).stdout)
    assert (again["taken"], again["unchanged"], again["rejected"]) == (0, 1, 1)


def test_a_mapping_for_another_table_is_not_passed_over(shell: Shell) -> None:
    path = shell.write("a.csv", PATIENTS)
    shell.write("m.toml", '[columns]\n"住院号" = "patient.inpatient_number"\n')
    done = shell.run("import", str(path), "--mapping", "m.toml", "--yes", code=1)
    assert "住院号" in done.stderr
    assert not (shell.home / "data/xinglin.db").exists()


def test_searches_are_printed_as_table_json_ndjson_and_csv(shell: Shell) -> None:
    shell.run("import", str(shell.write("a.csv", PATIENTS.replace("X", "女"))), "--yes")
    table = shell.run("search", "Patient?birthdate=lt1950").stdout
    assert "张伟" in table
    assert "李娜" not in table
    assert [
        p["gender"] for p in json.loads(shell.run("search", "Patient?_sort=birthdate", "--json").stdout)
    ] == ["male", "female"]
    lines = shell.run("search", "Patient", "--page-size", "1", "--format", "ndjson").stdout.splitlines()
    assert len([json.loads(line) for line in lines]) == 2
    assert len(shell.run("search", "Patient", "--format", "ndjson", "--limit", "1").stdout.splitlines()) == 1
    assert shell.run("search", "Patient", "--format", "csv").stdout.splitlines()[0].startswith("id,")
    assert shell.run("search", "Patient", "--count").stdout == "2\n"
    nothing = shell.run("search", "Patient?name=nobody")
    assert nothing.stdout == ""
    assert "Nothing" in nothing.stderr
    wrong = shell.run("search", "Patient?nam=x", code=1)
    assert "nam" in wrong.stderr
    assert len(wrong.stderr.splitlines()) == 1


def test_doctor_tells_of_another_time_zone_and_adopts_it(shell: Shell) -> None:
    shell.run("import", str(shell.write("a.csv", PATIENTS)), "--yes", code=3)
    there = ("--set", "time_zone=Asia/Shanghai")
    again = shell.run("import", str(shell.write("a.csv", PATIENTS)), "--yes", *there, code=3)
    assert "UTC" in again.stderr
    assert "Asia/Shanghai" in again.stderr

    def zone(*options: str) -> tuple[str, str]:
        told = json.loads(shell.run("doctor", "--json", *there, *options).stdout)
        finding = next(finding for finding in told["findings"] if finding["name"] == "time_zone")
        return finding["level"], finding["zone"]

    assert zone() == ("warning", "UTC")
    assert zone("--adopt-time-zone") == ("ok", "Asia/Shanghai")
    assert zone() == ("ok", "Asia/Shanghai")


def test_doctor_says_what_is_there_and_what_is_not(shell: Shell) -> None:
    assert "xinglin import" in shell.run("doctor").stdout
    shell.run("import", str(shell.write("a.csv", PATIENTS)), "--yes", code=3)
    told = json.loads(shell.run("doctor", "--json").stdout)
    counts = next(finding for finding in told["findings"] if finding["name"] == "counts")
    assert (counts["resources"], counts["patients"]) == (1, 1)
    assert {"version", "clock", "disk", "database", "schema", "fulltext"} <= {
        finding["name"] for finding in told["findings"]
    }
    ill = shell.run("doctor", "--host", "0.0.0.0", "--language", "zh", code=1)
    assert "0.0.0.0" in ill.stdout
    shell.write("broken.db", "this is no database, but it is long enough to be one" * 100)
    assert "broken.db" in shell.run("doctor", "--database", "broken.db", code=1).stdout


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_the_demonstration_hospital_is_made_once_served_and_searched_from_elsewhere(shell: Shell) -> None:
    port = free_port()
    command = [XINGLIN, "demo", "--patients", "2", "--port", str(port), "--json"]
    server = subprocess.Popen(command, cwd=shell.home, env=shell.environ, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        told = json.loads(server.stdout.readline())
        assert told["address"] == f"http://localhost:{port}"
        with urlopen(f"{told['address']}/fhir/Patient/p1") as answer:
            assert json.load(answer)["resourceType"] == "Patient"
        for database in (told["address"], told["fhir"], "demo"):
            assert shell.run("search", "Patient", "--count", "--database", database).stdout == "2\n"
        path = str(shell.write("a.csv", PATIENTS))
        report = json.loads(
            shell.run("import", path, "--yes", "--json", "--database", told["address"], code=3).stdout
        )
        assert (report["taken"], report["rejected"]) == (1, 1)
        report = json.loads(
            shell.run("import", path, "--yes", "--json", "--database", told["address"], code=3).stdout
        )
        assert (report["taken"], report["unchanged"]) == (0, 1)
        taken = shell.run("demo", "--port", str(port), code=1)
        assert "--port" in taken.stderr
    finally:
        server.send_signal(signal.SIGINT)
        assert server.wait(15) in (0, 130)
    start = time.monotonic()
    assert "2" in shell.run("demo", "--no-serve").stdout
    assert time.monotonic() - start < 10
    assert "--anew" in shell.run("demo", "--no-serve", "--patients", "1", code=1).stderr
    assert (
        json.loads(shell.run("demo", "--no-serve", "--patients", "1", "--anew", "--json").stdout)["patients"]
        == 1
    )


def test_an_unreadable_file_and_a_full_folder_of_nothing_are_told(shell: Shell) -> None:
    (shell.home / "inbox").mkdir()
    done = shell.run("import", "inbox")
    assert "Files: 0" in done.stdout
    shell.write("inbox/readme.md", "Read me, please.\n")
    assert "readme.md" in shell.run("import", "inbox", code=1).stdout


def test_output_into_a_closed_pipe_is_no_error(shell: Shell) -> None:
    shell.run("import", str(shell.write("a.csv", PATIENTS)), "--yes", code=3)
    for words in ("config show", "search Patient --format ndjson"):
        done = subprocess.run(
            ["/bin/sh", "-c", f"{XINGLIN} {words} | true"],
            cwd=shell.home,
            env=shell.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stderr == ""


def test_the_demonstration_hospital_is_never_mixed_with_a_record(shell: Shell) -> None:
    shell.write("xinglin.toml", 'database = "ward.db"\n')
    shell.run("import", str(shell.write("a.csv", PATIENTS)), "--yes", code=3)
    shell.run("demo", "--no-serve", "--patients", "1")
    assert shell.run("search", "Patient", "--count").stdout == "1\n"
    refused = shell.run("demo", "--no-serve", "--patients", "1", "--database", "ward.db", code=1)
    assert "--database" in refused.stderr
    assert shell.run("search", "Patient", "--count").stdout == "1\n"
    shell.run("demo", "--no-serve", "--patients", "1", "--database", "empty.db")
    assert shell.run("search", "Patient", "--count", "--database", "empty.db").stdout == "1\n"


@pytest.mark.slow
def test_result_parameters_of_a_search_are_honoured(shell: Shell) -> None:
    shell.run("import", str(shell.write("a.csv", PATIENTS.replace("X", "女"))), "--yes")
    assert shell.run("search", "Patient?_summary=count").stdout == "2\n"
    assert shell.run("search", "Patient?_count=0").stdout == "2\n"
    done = shell.run("search", "Patient?_total=accurate&_count=1", "--format", "ndjson")
    assert len(done.stdout.splitlines()) == 1
    assert "2 in all" in done.stderr
    assert "2 in all" in shell.run("search", "Patient?_total=accurate").stderr
    (one,) = json.loads(shell.run("search", "Patient?_elements=gender&_count=1", "--json").stdout)
    assert "birthDate" not in one
    shell.run("search", "Patient?_summary=count&_sort=nonsense", code=1)
    head = shell.run("search", "?_lastUpdated=gt2000").stdout.splitlines()[0].split()
    assert head.count("type") == 1


def test_an_import_of_nothing_that_is_known_says_so(shell: Shell) -> None:
    path = str(shell.write("readme.txt", "Just words.\n"))
    assert "None of this" in shell.run("import", path, code=1).stderr
    assert json.loads(shell.run("import", path, "--json", code=1).stdout)["skipped"] == 1


def test_invariants_are_checked_on_request(shell: Shell) -> None:
    path = str(
        shell.write("a.ndjson", '{"resourceType":"Patient","id":"p1","contact":[{"gender":"male"}]}\n')
    )
    assert json.loads(shell.run("import", path, "--invariants", "--json", code=3).stdout)["rejected"] == 1
    assert json.loads(shell.run("import", path, "--json").stdout)["taken"] == 1


def test_localhost_is_named_only_where_it_leads_here() -> None:
    with socket.socket() as ours:
        ours.bind(("127.0.0.1", 0))
        port = ours.getsockname()[1]
        assert named(f"http://127.0.0.1:{port}") == f"http://localhost:{port}"
        assert named(f"http://127.0.0.2:{port}") == f"http://127.0.0.2:{port}"


def test_a_killed_import_is_gone_on_with(shell: Shell) -> None:
    path = shell.home / "a.ndjson"
    name = "x" * 1500
    with open(path, "w", encoding="utf-8") as stream:
        for number in range(8000):
            gender = "mal" if number % 1000 == 0 else "male"
            stream.write(
                f'{{"resourceType":"Patient","id":"p{number}","gender":"{gender}","name":[{{"text":"{name}"}}]}}\n'
            )
    process = subprocess.Popen(
        [XINGLIN, "import", str(path), "--set", "import_batch=200"], cwd=shell.home, env=shell.environ
    )
    marks = shell.home / "data/imports"
    while process.poll() is None and not list(marks.glob("*.json")):
        time.sleep(0.01)
    process.kill()
    process.wait()
    told = json.loads(shell.run("import", str(path), "--json", code=3).stdout)
    assert told["files"][0]["resumed_line"] > 1
    assert (told["taken"] + told["unchanged"], told["rejected"]) == (7992, 8)
    assert shell.run("search", "Patient", "--count").stdout == "7992\n"
    (rejects,) = map(Path, told["rejects"])
    assert len(rejects.read_text(encoding="utf-8").splitlines()) == 9
    assert list(marks.iterdir()) == []


def test_the_doctor_ends_with_a_verdict_that_fits_what_it_found(shell: Shell) -> None:
    shell.write("one.ndjson", '{"resourceType":"Patient","id":"a"}')
    shell.run("import", "one.ndjson")
    (shell.home / "data").chmod(0o755)  # everybody may look in
    assert shell.run("doctor", "--language", "en").stdout.splitlines()[-1].startswith("Nothing is broken")
    assert shell.run("doctor", "--language", "zh").stdout.splitlines()[-1].startswith("没有故障")
    shell.run("reindex")
    found = json.loads(shell.run("doctor", "--json").stdout)
    workers = [one["message"] for one in found["findings"] if one["name"] == "workers"]
    assert not any("1" in message for message in workers)  # a command that has ended is no worker

"""Every command line of the pages is run, page by page and from top to bottom, as a reader would type it."""

from __future__ import annotations

import gzip
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
START_S = 20.0
STAYS_S = 1.0
"""How long a command that goes on until it is stopped must go on by itself."""
LINE_S = 120
CSV = "patient_id,name,sex,birth date\n1,张伟,M,1970-01-01\n2,Li Na,F,1980-02-03\n"
LABS = "patient_id,test,value,unit,date\n1,HbA1c,7.1,%,2024-02-29\n"
PATIENT = '{"resourceType":"Patient","id":"x1","name":[{"family":"张"}]}\n'
BUNDLE = (
    '{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"PUT","url":"Patient/x2"},'
    '"resource":{"resourceType":"Patient","id":"x2"}}]}\n'
)


def lines(page: Path) -> list[str]:
    """The commands in the page's shell blocks, in order; a line that ends with a backslash goes on in the next one."""
    found = []
    for block in re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        for line in re.sub(r"\\\n\s*", " ", block).splitlines():
            if re.match(r"(xinglin|curl) ", line) and not re.match(r"xinglin \w+ \| ", line):
                found.append(line)
    return found


PAGES = [page for page in sorted((ROOT / "docs").rglob("*.md")) if lines(page)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Reader:
    """A folder with what the pages speak of, and a server where they take one for granted."""

    def __init__(self, folder: Path, database: str) -> None:
        self.folder = folder
        self.port = free_port()
        self._postgres = database
        self._server: subprocess.Popen[bytes] | None = None
        self.environment = {
            **os.environ,
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "XINGLIN_DATA": str(folder / "data"),
            "XINGLIN_LANGUAGE": "en",
            "XINGLIN_TEST_TRACEBACK": "1",
            "XINGLIN_PORT": str(free_port()),
        }

    def typed(self, line: str) -> str:
        """``line`` with addresses of this machine, and a hospital of a size for a test."""
        line = re.sub(r"(localhost|127\.0\.0\.1):8080", f"127.0.0.1:{self.port}", line)
        line = re.sub(r"postgresql://[\w@./\-]+", self._postgres, line)
        line = re.sub(r"--patients \d+", "--patients 14", line)  # a thousand take their minute
        return re.sub(r"--port \d+", f"--port {free_port()}", line)

    def serve(self) -> None:
        if self._server is not None:
            return
        self._server = subprocess.Popen(
            [str(BIN / "xinglin"), "serve", "--port", str(self.port)],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.DEVNULL,
        )
        for _ in range(200):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ready", timeout=5):
                    return
            except OSError:
                time.sleep(0.1)
        raise AssertionError("the server does not answer")

    def run(self, line: str) -> str | None:
        """What went wrong, None if nothing did."""
        if "8080" in line:
            self.serve()
        words = self.typed(line)
        process = subprocess.Popen(
            ["bash", "-c", f"set -o pipefail; exec {words}" if stays(line) else f"set -o pipefail; {words}"],
            cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        if stays(line):
            assert process.stdout is not None
            # Until it says something (its address, its first event); what says nothing is given its time.
            select.select([process.stdout], [], [], START_S)
            time.sleep(STAYS_S)
            ended = process.poll() is not None
            process.send_signal(signal.SIGTERM)
        else:
            ended = False
        try:
            output, _ = process.communicate(timeout=LINE_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return f"{line}\n  does not end"
        proposed = b"Nothing was imported yet" in output  # by a mapping that the page goes on to speak of
        # 3: an import with rejects, which the page may be about
        if ended or (process.returncode not in (0, 3) and not proposed):
            return f"{line}\n  ends with {process.returncode}: {output.decode(errors='replace')[-600:]}"
        return None

    def close(self) -> None:
        if self._server is not None:
            self._server.terminate()
            self._server.wait(30)


def stays(line: str) -> bool:
    """Whether the command goes on until it is stopped."""
    if "|" in line:
        return False
    command = line.split()[1] if line.startswith("xinglin") else ""
    return (
        command in ("serve", "worker")
        or (command == "demo" and "--no-serve" not in line)
        or "--follow" in line
    )


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demonstration hospital of a few patients, as the hospital's own record and as the demo; files to import."""
    folder = tmp_path_factory.mktemp("reader")
    data = folder / "data"
    subprocess.run(
        [str(BIN / "xinglin"), "demo", "--patients", "12", "--no-serve", "--data", str(data)],
        check=True, capture_output=True,
    )  # fmt: skip
    shutil.copy(data / "demo.db", data / "xinglin.db")
    for name in ("exports", "bundles"):
        (folder / name).mkdir()
        (folder / name / "patients.ndjson").write_text(PATIENT)
    for name in ("patients.csv", "labs.csv", "检验结果.csv"):
        (folder / name).write_text(CSV if "pat" in name else LABS)
    (folder / "bundle.json").write_text(BUNDLE)
    for name in ("more.zip", "bundles.zip"):
        with zipfile.ZipFile(folder / name, "w") as archive:
            archive.writestr("patients.ndjson", PATIENT)
    (folder / "export.ndjson.gz").write_bytes(gzip.compress(PATIENT.encode()))
    book = openpyxl.Workbook()
    for row in LABS.splitlines():
        book.active.append(row.split(","))
    book.save(folder / "labs.xlsx")
    (folder / "patients.ndjson").write_text(PATIENT)
    return folder


@pytest.fixture
def reader(prepared: Path, tmp_path: Path, postgres_url: str) -> Iterator[Reader]:
    folder = tmp_path / "reader"
    shutil.copytree(prepared, folder)
    found = Reader(folder, postgres_url)
    yield found
    found.close()


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_of_the_page_does_what_it_says(page: Path, reader: Reader) -> None:
    wrong = [finding for line in lines(page) if (finding := reader.run(line))]
    assert not wrong, "\n".join(wrong)

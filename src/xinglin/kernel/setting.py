"""What one setting is: its name and type, its meaning in both languages, and the values it takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from xinglin.kernel.errors import XinglinError

PREFIX: Final = "XINGLIN_"


class SettingError(XinglinError):
    """A setting is unknown or its value is not one it takes."""

    status: ClassVar[int] = 400
    issue: ClassVar[str] = "invalid"


def setting(
    default: Any,
    en: str,
    zh: str,
    *,
    least: float | None = None,
    most: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """A field of `settings.Settings`: its default, its meaning, and the values it takes."""
    meta = {"en": en, "zh": zh, "least": least, "most": most, "choices": choices}
    if callable(default):
        return field(default_factory=default, metadata=meta)
    return field(default=default, metadata=meta)


@dataclass(frozen=True, slots=True)
class About:
    """What a setting is: its name, type (int, float, str, bool), meaning by language, default, bounds."""

    name: str
    kind: type
    meaning: dict[str, str]
    least: float | None
    most: float | None
    choices: tuple[str, ...]
    default: Any  # None: worked out on each machine

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return PREFIX + self.name.upper()

    def parse(self, value: object) -> Any:
        """``value``, from a file, the environment or a flag, as this setting's type. Raises SettingError."""
        try:
            if isinstance(value, bool) != (self.kind is bool) and not isinstance(value, str):
                raise ValueError
            if self.kind is bool and isinstance(value, str):
                return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[
                    value.lower()
                ]
            if self.kind is int and isinstance(value, float):
                raise ValueError
            if self.kind is str and not isinstance(value, str):
                raise ValueError
            parsed = self.kind(value)
        except (ValueError, KeyError, TypeError) as error:
            raise SettingError(
                f"kernel.setting-not-{self.kind.__name__}", name=self.name, value=value
            ) from error
        self.check(parsed)
        return parsed

    def check(self, value: Any) -> None:
        """Raises SettingError where ``value`` is outside the bounds."""
        if self.choices and value not in self.choices:
            raise SettingError(
                "kernel.setting-choice", name=self.name, value=value, choices=", ".join(self.choices)
            )
        if self.least is not None and value < self.least:
            raise SettingError("kernel.setting-least", name=self.name, value=value, least=f"{self.least:g}")
        if self.most is not None and value > self.most:
            raise SettingError("kernel.setting-most", name=self.name, value=value, most=f"{self.most:g}")

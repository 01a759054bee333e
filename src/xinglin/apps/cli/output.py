"""What commands print: JSON, tables that keep Chinese in columns, and a progress bar where a person watches."""

from __future__ import annotations

import json
import shutil
import sys
import time
import unicodedata
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, TextIO

WIDEST = 40


def print_json(value: Any) -> None:
    """``value`` as one JSON document; decimals keep their digits."""
    import msgspec

    text = msgspec.json.format(msgspec.json.Encoder(decimal_format="number").encode(value), indent=2)
    print(text.decode())


def plain_json(value: Any) -> str:
    """``value`` on one line, for NDJSON."""
    return json.dumps(value, ensure_ascii=False, default=str)


def width(text: str) -> int:
    """Columns that a terminal gives ``text``: a Chinese character takes two.

    >>> width("张伟 abc")
    8
    """
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def cut(text: str, most: int) -> str:
    """``text`` in at most ``most`` columns, with … where something is left out."""
    if width(text) <= most:
        return text
    kept, used = "", 0
    for character in text:
        used += width(character)
        if used > most - 1:
            break
        kept += character
    return kept + "…"


def safe(text: object) -> str:
    """A value as one line without control characters: what a record holds must not steer the terminal."""
    return "".join(c if c.isprintable() else " " for c in str(text))


def print_table(rows: Sequence[Sequence[Any]], *, widest: int = WIDEST) -> None:
    """Rows in columns, the first row the header; numbers to the right."""
    if not rows:
        return
    cells = [[cut(safe("" if cell is None else cell), widest) for cell in row] for row in rows]
    numeric = [
        all(isinstance(row[at], (int, float, Decimal)) or _is_count(row[at]) for row in rows[1:])
        and len(rows) > 1
        for at in range(len(rows[0]))
    ]
    widths = [max(width(row[at]) for row in cells) for at in range(len(cells[0]))]
    for number, row in enumerate(cells):
        parts = []
        for at, cell in enumerate(row):
            gap = " " * (widths[at] - width(cell))
            parts.append(gap + cell if numeric[at] else cell + gap)
        print("  ".join(parts).rstrip())
        if number == 0:
            print("  ".join("─" * each for each in widths))


def _is_count(cell: Any) -> bool:
    return isinstance(cell, str) and cell.replace(",", "").isdigit()


class Bar:
    """A progress bar on standard error; nothing where nobody watches."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._on = self._stream.isatty()
        self._start = time.monotonic()
        self._shown = False

    def show(self, share: float | None, text: str, *, since: float = 0.0) -> None:
        """``share`` done, from 0 to 1 (None: not known), and what is being done; ``since``: what was done at the start."""
        if not self._on:
            return
        columns = shutil.get_terminal_size().columns
        spent = time.monotonic() - self._start
        if share is None:
            head = f"[{'·' * 20}] "
        else:
            full = min(20, round(20 * share))
            own = share - since
            known = share < 1 and spent > 2 and (own > 0.02 or (own > 0 and spent > 20))
            left = f" {_clock(spent / own * (1 - share))}" if known else ""
            head = f"[{'█' * full}{'░' * (20 - full)}] {share:4.0%}{left} "
        self._stream.write("\r\x1b[K" + head + cut(safe(text), max(columns - width(head) - 1, 10)))
        self._stream.flush()
        self._shown = True

    def close(self) -> None:
        """Take the bar away."""
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._shown = False


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if minutes >= 60 else f"{minutes}:{rest:02}"

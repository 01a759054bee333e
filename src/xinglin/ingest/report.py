"""What an import did: one shape for files of every kind, for people, JSON and Python."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from xinglin.kernel.errors import XinglinError
from xinglin.kernel.language import Language, say


@dataclass(slots=True)
class Counts:
    """Resources taken (new), updated, unchanged, and rejected lines, rows or entries.

    ``repeated``: left out, since the same id stands again later in the same source.
    """

    taken: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    repeated: int = 0

    def add(self, other: Counts) -> None:
        """Add ``other`` to these."""
        self.taken += other.taken
        self.updated += other.updated
        self.unchanged += other.unchanged
        self.rejected += other.rejected
        self.repeated += other.repeated

    def as_dict(self) -> dict[str, int]:
        """As plain numbers."""
        return {
            "taken": self.taken,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "rejected": self.rejected,
            "repeated": self.repeated,
        }


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something was rejected: a sentence by its key, and the FHIRPath of the place where that is known."""

    key: str
    values: dict[str, object] = field(default_factory=dict)
    expression: str | None = None

    def say(self, language: Language) -> str:
        """The sentence in the given language."""
        return say(self.key, language, **self.values)


def reasons(error: XinglinError) -> list[Reason]:
    """Every reason in an error: all findings of an invalid resource, otherwise the error itself.

    >>> reasons(XinglinError("kernel.done"))
    [Reason(key='kernel.done', values={}, expression=None)]
    """
    findings = getattr(error, "findings", None)
    if findings:
        errors = [finding for finding in findings if finding.is_error] or findings
        return [Reason(f.message_key, dict(f.values), f.expression or None) for f in errors]
    return [Reason(error.key, dict(error.values), error.expression)]


@dataclass(slots=True)
class FileReport:
    """One file, member or sheet.

    ``kind`` as `recognise` names it, or the type of a bundle. ``types`` counts by resource type; "?" is for rejects that
    do not say what they are. ``problem`` why the file as a whole was not taken; it then counts as one reject.
    ``skipped`` it is of a kind that holds no records, such as a picture. ``resumed_line`` the line from which an import
    that was interrupted went on.
    """

    name: str
    kind: str = ""
    types: dict[str, Counts] = field(default_factory=dict)
    problem: Reason | None = None
    skipped: bool = False
    rejects: str | None = None
    resumed_line: int | None = None

    def of(self, resource_type: str) -> Counts:
        """The counts of one resource type."""
        return self.types.setdefault(resource_type, Counts())

    @property
    def totals(self) -> Counts:
        """The counts of all types together."""
        return _sum(self.types.values())

    def as_dict(self, language: Language) -> dict[str, Any]:
        """As JSON."""
        return {
            "name": self.name,
            "kind": self.kind,
            **self.totals.as_dict(),
            "types": {name: counts.as_dict() for name, counts in sorted(self.types.items())},
            "problem": self.problem.say(language) if self.problem else None,
            "skipped": self.skipped,
            "rejects": self.rejects,
            "resumed_line": self.resumed_line,
        }


@dataclass(slots=True)
class Report:
    """All files of one import, in the order they were taken, and how long it took.

    ``interrupted`` it ended before its end, by the person or by ``failure`` (``error`` is that failure itself); the same
    import again goes on.
    """

    files: list[FileReport] = field(default_factory=list)
    elapsed_s: float = 0.0
    interrupted: bool = False
    failure: Reason | None = None
    error: XinglinError | None = field(default=None, compare=False, repr=False)

    @property
    def totals(self) -> Counts:
        """The counts of all files together."""
        return _sum(counts for file in self.files for counts in file.types.values())

    @property
    def types(self) -> dict[str, Counts]:
        """The counts by resource type."""
        sums: dict[str, Counts] = {}
        for file in self.files:
            for name, counts in file.types.items():
                sums.setdefault(name, Counts()).add(counts)
        return dict(sorted(sums.items()))

    @property
    def skipped(self) -> int:
        """How many files are of no kind that holds records."""
        return sum(file.skipped for file in self.files)

    @property
    def nothing(self) -> bool:
        """Whether there are files, and none holds anything that is imported."""
        return bool(self.files) and all(file.skipped for file in self.files)

    @property
    def rejects(self) -> list[str]:
        """The files that keep what was rejected."""
        return [file.rejects for file in self.files if file.rejects]

    def as_dict(self, language: Language = "en") -> dict[str, Any]:
        """As JSON: the totals, by type, and each file."""
        return {
            **self.totals.as_dict(),
            "skipped": self.skipped,
            "types": {name: counts.as_dict() for name, counts in self.types.items()},
            "files": [file.as_dict(language) for file in self.files],
            "rejects": self.rejects,
            "elapsed_s": round(self.elapsed_s, 3),
            "interrupted": self.interrupted,
            "failure": self.failure.say(language) if self.failure else None,
        }

    def as_rows(self, language: Language = "en") -> list[list[str]]:
        """As a table: a header row, a row for each type, and their sum."""
        names = ["type", "taken", "updated", "unchanged", "rejected"]
        names += ["repeated"] if self.totals.repeated else []
        rows = [[say(f"ingest.report-{name}", language) for name in names]]
        sums = [*self.types.items(), (say("ingest.report-all", language), self.totals)]
        rows += [[name, *(f"{counts.as_dict()[each]:,}" for each in names[1:])] for name, counts in sums]
        return rows

    def _repr_html_(self) -> str:
        from html import escape

        header, *rows = self.as_rows()
        cells = "".join(f"<th>{escape(cell)}</th>" for cell in header)
        lines = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
        )
        return f"<table><tr>{cells}</tr>{lines}</table>"


def _sum(all_counts: Any) -> Counts:
    total = Counts()
    for counts in all_counts:
        total.add(counts)
    return total

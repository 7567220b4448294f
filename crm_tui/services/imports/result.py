"""What an import came to, and how far it is."""

from __future__ import annotations

from dataclasses import dataclass, field

from crm_tui.services.imports.rows import Rows

PROBLEMS = 1000
"""How many problems a result names; the store has the others."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A row that was rejected, or something in it that could not be read; row 0 is none of them."""

    row: int
    reason: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import has come: records dealt with, and bytes read, of how many."""

    records: int
    position: int
    size: int


@dataclass(slots=True)
class ImportResult:
    """What an import did, or would do when it was a dry run (`batch` is None then).

    `sites` and `unmatched` count the sites of an old store, with a business and without one.
    `problems` names the first of `problem_count`.
    """

    file_name: str
    format: str
    batch: int | None = None
    created: int = 0
    merged: int = 0
    skipped: int = 0
    rejected: int = 0
    unmatched: int = 0
    sites: int = 0
    problems: list[Problem] = field(default_factory=list)
    problem_count: int = 0
    cancelled: bool = False

    @property
    def seen(self) -> int:
        """How many businesses the file held, as far as it was read."""
        return self.created + self.merged + self.skipped + self.rejected

    def count(self, rows: Rows) -> None:
        """Add what became of some records."""
        for line in rows.report:
            name = line["action"].value
            setattr(self, name, getattr(self, name) + 1)
        self.unmatched += len(rows.unmatched)
        self.sites += len(rows.sites)
        for row, reason in rows.problems:
            self.add_problem(row, reason)

    def add_problem(self, row: int, reason: str) -> None:
        """Note a problem, by name while there are few."""
        self.problem_count += 1
        if len(self.problems) < PROBLEMS:
            self.problems.append(Problem(row, reason))

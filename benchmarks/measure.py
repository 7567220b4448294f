"""What a benchmark reports: a value, what it must reach, and whether it does."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """Whether a measure reaches what it must."""

    PASS = "pass"
    MISS = "MISS"
    NONE = ""


@dataclass(frozen=True, slots=True)
class Measure:
    """One line of the table.

    Args:
        what: what was measured.
        at: under which circumstances.
        value: the median, or what `what` says; None where it could not be measured.
        unit: of value and limit: "s", "ms", "MB", "bytes", "rows/s", …
        limit: what must be reached; None where nothing is asked.
        at_least: the limit is a floor, not a ceiling.
        note: what else is to be known, such as the other percentile or why there is no value.
    """

    what: str
    at: str
    value: float | None
    unit: str
    limit: float | None = None
    at_least: bool = False
    note: str = ""

    @property
    def verdict(self) -> Verdict:
        """Pass or miss, where there is a value and a limit."""
        if self.value is None or self.limit is None:
            return Verdict.NONE
        reached = self.value >= self.limit if self.at_least else self.value <= self.limit
        return Verdict.PASS if reached else Verdict.MISS

    def cells(self) -> tuple[str, str, str, str, str, str]:
        """The line as text: what, at, measured, must reach, verdict, note."""
        limit = ""
        if self.limit is not None:
            limit = f"{'≥' if self.at_least else '≤'} {number(self.limit)} {self.unit}"
        value = "not measured" if self.value is None else f"{number(self.value)} {self.unit}"
        return self.what, self.at, value, limit, self.verdict.value, self.note


HEADINGS = ("what", "at", "measured", "must reach", "", "note")


def number(value: float) -> str:
    """Three digits that mean something, thousands separated: 0.284, 12.3, 4,120."""
    if value == 0 or abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def median(values: Sequence[float]) -> float:
    """The middle value."""
    return statistics.median(values)


def percentile(values: Sequence[float], percent: int) -> float:
    """The smallest value that so many percent of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def table(measures: Sequence[Measure]) -> str:
    """The measures as a Markdown table whose columns line up."""
    rows = [HEADINGS, *(measure.cells() for measure in measures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    rows.insert(1, tuple("-" * width for width in widths))  # type: ignore[arg-type]
    lines = (
        " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "\n".join(f"| {line} |" for line in lines)

"""What reading a file line by line came to, and which of its lines could not be used."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

_NAMED = 1_000
"""Problems that are told one by one."""


class Problem(NamedTuple):
    """A line of a file that could not be used, counted from 1, and why."""

    line: int
    reason: str


@dataclass(slots=True)
class LinesRead:
    """Lines of a file that were read, without the header and empty ones.

    Attributes:
        seen: lines with something in them.
        added: what is in the store now and was not.
        known: what was there already.
        rejected: lines that could not be used; the first thousand are in `problems`.
    """

    seen: int = 0
    added: int = 0
    known: int = 0
    rejected: int = 0
    problems: list[Problem] = field(default_factory=list)

    def reject(self, line: int, reason: str) -> None:
        """Note that a line could not be used."""
        self.rejected += 1
        if len(self.problems) < _NAMED:
            self.problems.append(Problem(line, reason))

"""Where things of different heights stand under each other, worked out only as far as needed."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable


class Heights:
    """Where each entry starts, in lines: exact as far down as was asked for, estimated below.

    Args:
        count: How many entries there are.
        measure: The height of the entry at a position, at least 1.
    """

    def __init__(self, count: int, measure: Callable[[int], int]) -> None:
        self.count = count
        self._measure = measure
        self._tops = array("L", [0])

    def grow(self, *, entries: int = 0, lines: int = 0) -> None:
        """Measure on until so many entries and so many lines are exact, or all are."""
        tops, measure = self._tops, self._measure
        top, known, entries = tops[-1], len(tops) - 1, min(entries, self.count)
        while known < entries or (top < lines and known < self.count):
            top += measure(known)
            tops.append(top)
            known += 1

    def top(self, entry: int) -> int:
        """The first line of an entry; `top(count)` is the line after the last one."""
        self.grow(entries=entry)
        return self._tops[entry]

    def at(self, line: int) -> int | None:
        """The entry that covers a line, None below the last one."""
        self.grow(lines=line + 1)
        return bisect_right(self._tops, line) - 1 if line < self._tops[-1] else None

    def total(self) -> int:
        """The lines of all entries, those not measured yet at the average of the others."""
        known = len(self._tops) - 1
        average = self._tops[-1] / known if known else 1
        return self._tops[-1] + round((self.count - known) * average)

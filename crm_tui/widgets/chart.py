"""A chart in a terminal: columns over time, to an eighth of a cell, in whatever room there is.

Blocks are in every font that terminals use, and become bars where there are letters only.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rich.cells import cell_len
from textual.content import Content
from textual.widget import Widget

from crm_tui.widgets.facts import styled
from crm_tui.widgets.look import Role

_EIGHTHS = " ▁▂▃▄▅▆▇"
_FULL = "█"
_GAP = 2
"""Cells between the numbers at the left and the columns."""

_MOST_LINES = 16
"""Lines of a chart, where there is room for more: higher columns say no more."""

_WIDEST = 6
"""Cells of a column, where there are few."""


class Chart(NamedTuple):
    """Values over time.

    Attributes:
        labels: The time of each value, as it is said below.
        values: None of them below zero.
        adds: Whether several values make one by their sum (customers won), or by the last of them
            (what is earned in a month).
        unit: What the values are, after the highest of them.
    """

    labels: tuple[str, ...]
    values: tuple[float, ...]
    adds: bool = False
    unit: str = ""


class ChartArea(Widget):
    """Draws one chart; `show` says which."""

    DEFAULT_CSS = """
    ChartArea { height: 1fr; padding: 1 3; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._chart: Chart | None = None

    def show(self, chart: Chart | None) -> None:
        """Draw another chart, or none; repaints only where it differs."""
        if chart != self._chart:
            self._chart = chart
            self.refresh()

    def render(self) -> Content:
        """The chart in the room there is."""
        if self._chart is None:
            return Content("")
        lines = draw(self._chart, self.size.width, min(self.size.height, _MOST_LINES))
        return Content("\n").join(lines)


def draw(chart: Chart, width: int, height: int) -> list[Content]:
    """The lines of a chart: numbers at the left, columns, times below; none without room."""
    rows = height - 1
    if rows < 1 or not chart.values:
        return []
    left = 0
    while True:
        room = width - left
        if room < 1:
            return []
        labels, values = _gathered(chart, room)
        top = nice_top(max(values))
        marks = _marks(top, rows, chart.unit)
        needed = max(cell_len(words) for words in marks.values()) + _GAP
        if needed <= left:
            break
        left = needed  # numbers take room, and sums get longer
    each, gap = _column_width(len(values), room)
    lines = [
        styled(marks.get(row, "").rjust(left - _GAP) + " " * _GAP, Role.QUIET)
        + styled(
            _row([value / top * rows for value in values], rows - row - 1, each, gap), Role.QUIET
        )
        for row in range(rows)
    ]
    times = _times(labels, each + gap, room)
    return [*lines, styled(" " * left + times, Role.QUIET)]


def _marks(top: float, rows: int, unit: str) -> dict[int, str]:
    """What stands at the left, by line."""
    marks = {rows - 1: "0"} if rows > 1 else {}
    if rows >= 5 and rows % 2:
        marks[rows // 2] = _number(top / 2)
    return {0: f"{_number(top)} {unit}".rstrip(), **marks}


def nice_top(highest: float) -> float:
    """The number at the top: the next of 1, 2, 2.5, 5 and 10 times a power of ten."""
    if highest <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(highest))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if highest <= step * power * (1 + 1e-9))


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.2g}"


def _gathered(chart: Chart, room: int) -> tuple[Sequence[str], Sequence[float]]:
    """As many values as there are cells: where there are more, several are one."""
    by = math.ceil(len(chart.values) / room)
    if by == 1:
        return chart.labels, chart.values
    # The newest group is a whole one: it is looked at most.
    begin = len(chart.values) % by
    starts = [0] * bool(begin) + list(range(begin, len(chart.values), by))
    ends = [*starts[1:], len(chart.values)]
    groups = [chart.values[start:end] for start, end in zip(starts, ends, strict=True)]
    values = [sum(group) if chart.adds else group[-1] for group in groups]
    return [chart.labels[start] for start in starts], values


def _column_width(number: int, room: int) -> tuple[int, int]:
    """The cells of a column, and of the gap after it."""
    step = room // number
    return (1, 0) if step < 2 else (min(step - 1, _WIDEST), 1)


def _row(heights: Sequence[float], row: int, each: int, gap: int) -> str:
    """The cells of one line, counted from below; what is not nothing is seen."""

    def cells() -> Iterator[str]:
        for height in heights:
            filled = max(round(height * 8), 1 if height > 0 else 0) - row * 8
            shape = _FULL if filled >= 8 else _EIGHTHS[max(filled, 0)]
            yield shape * each + " " * gap

    return "".join(cells())


def _times(labels: Sequence[str], step: int, room: int) -> str:
    """The times below their columns, as many as there is room for; the last always."""
    line = ""
    longest = max(map(cell_len, labels))
    every = max(math.ceil((longest + _GAP) / step), 1)
    last = len(labels) - 1
    for place in range(last % every, last + 1, every):
        at = min(place * step, room - cell_len(labels[place]))
        if at >= len(line) + (_GAP if line else 0):
            line = line.ljust(at) + labels[place]
    return line

"""Charts as SVG within a page: shapes alone, as wide as there is room; their words are the page's.

A drawing is stretched to its place, so nothing in it may have a shape of its own: words, dots and
round corners would be stretched too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from crm_tui.services.figures.calendar import Step
from crm_tui.services.figures.series import Point, Series, SeriesName
from crm_tui.services.report import words

if TYPE_CHECKING:
    from markupsafe import Markup

_WIDTH, _HEIGHT = 1000, 240
_TICKS = (1, 2, 5)
_LABELS = 4


@dataclass(frozen=True, slots=True)
class Chart:
    """A series as it is drawn.

    Attributes:
        title: what it is.
        drawing: the SVG.
        ticks: the values of the lines across, the highest first, each with its height in percent.
        labels: what stands below, from left to right.
        whole: what stands at the end, or how many it were in all.
    """

    title: str
    drawing: Markup
    ticks: Sequence[tuple[str, float]]
    labels: Sequence[str]
    whole: str


def chart(series: Series) -> Chart:
    """A line of what stands, columns of what happened."""
    from markupsafe import Markup  # noqa: PLC0415 - comes with jinja2, which starts slowly

    values = [Fraction(point.value) for point in series.points]
    step = _step(max(values, default=Fraction()))
    top = step * max(1, -(-max(values, default=Fraction()) // step))
    lines = [step * n for n in range(int(top / step) + 1)]
    draw = _line if series.name is SeriesName.MRR else _columns
    across = "".join(
        f'<line class="grid" x1="0" x2="{_WIDTH}" y1="{_y(each, top)}" y2="{_y(each, top)}"/>'
        for each in lines
    )
    drawing = (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{words.title(series.name)}">{across}{draw(series, values, top)}</svg>'
    )
    return Chart(
        title=f"{words.title(series.name)} by {series.step}",
        drawing=Markup(drawing),  # noqa: S704 - numbers and days of our own alone
        ticks=[(_tick(each), float(100 * each / top)) for each in reversed(lines)],
        labels=_labels(series.points, series.step),
        whole=_whole(series),
    )


def _whole(series: Series) -> str:
    if series.name is SeriesName.MRR:
        return f"at the end {_said(series, series.points[-1])}"
    return f"{sum(point.value for point in series.points):,} in all"


def _line(series: Series, values: Sequence[Fraction], top: Fraction) -> str:
    """What stood at the end of each part, as an area with a line on it."""
    last = len(values) - 1
    places = [_WIDTH * at / last if last else 0 for at in range(len(values))]
    path = [f"{place:.1f} {_y(each, top)}" for place, each in zip(places, values, strict=True)]
    if not last:
        path.append(f"{_WIDTH} {_y(values[0], top)}")
    line = " L".join(path)
    area = f'<path class="area" d="M0 {_HEIGHT} L{line} L{_WIDTH} {_HEIGHT} Z"/>'
    return f'{area}<path class="line" d="M{line}"/>{_hints(series)}'


def _columns(series: Series, values: Sequence[Fraction], top: Fraction) -> str:
    """What happened in each part, as a column."""
    wide = _WIDTH / len(values)
    return "".join(
        f'<rect class="column" x="{wide * at + wide * 0.12:.1f}" y="{_y(each, top)}" '
        f'width="{wide * 0.76:.1f}" height="{_HEIGHT - _y(each, top):.1f}">'
        f"<title>{_hint(series, point)}</title></rect>"
        for at, (each, point) in enumerate(zip(values, series.points, strict=True))
    )


def _hints(series: Series) -> str:
    """Fields that cannot be seen, which say the value beneath the pointer."""
    wide = _WIDTH / len(series.points)
    return "".join(
        f'<rect class="hint" x="{wide * at:.1f}" y="0" width="{wide:.1f}" height="{_HEIGHT}">'
        f"<title>{_hint(series, point)}</title></rect>"
        for at, point in enumerate(series.points)
    )


def _hint(series: Series, point: Point) -> str:
    return f"{_label(point, series.step)}: {_said(series, point)}"


def _said(series: Series, point: Point) -> str:
    if series.currency and isinstance(point.value, Decimal):
        return words.amount(point.value, series.currency)
    return f"{point.value:,}"


def _y(value: Fraction, top: Fraction) -> float:
    return round(_HEIGHT - float(value / top) * _HEIGHT, 1)


def _step(most: Fraction) -> Fraction:
    """A round number of which two to five reach the top."""
    size = Fraction(1)
    while size * 10 * 5 < most:
        size *= 10
    return next((size * tick for tick in (*_TICKS, 10) if size * tick * 4 >= most), size * 10)


def _tick(value: Fraction) -> str:
    amount = int(value)
    if amount >= 1_000_000 and amount % 100_000 == 0:
        return f"{amount / 1_000_000:g}M"
    return f"{amount / 1_000:g}k" if amount >= 10_000 else f"{amount:,}"


def _labels(points: Sequence[Point], step: Step) -> list[str]:
    """A few days below, spread from the first to the last."""
    if len(points) <= _LABELS:
        return [_label(each, step) for each in points]
    last = len(points) - 1
    return [_label(points[last * n // (_LABELS - 1)], step) for n in range(_LABELS)]


def _label(point: Point, step: Step) -> str:
    """What a part is called: "22 Nov", or "Nov 2026"; a week by its Monday."""
    day = words.day(point.day)
    return day.partition(" ")[2] if step is Step.MONTH else day.rpartition(" ")[0]

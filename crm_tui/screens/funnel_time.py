"""How it went over time: cohorts by the week leads were found in, and charts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

from crm_tui.screens.funnel_sheet import Behind, Line, Sheet, Table, column, percent
from crm_tui.widgets.chart import Chart
from crm_tui.widgets.columns import Cell, Column
from crm_tui.widgets.look import Role

if TYPE_CHECKING:
    from crm_tui.db.engine import Database
    from crm_tui.services.figures.base import Scope
    from crm_tui.services.figures.cohorts import Cohort
    from crm_tui.services.figures.series import Series

_NO_WEEKS = "No leads were found in this time."
_NO_CHARTS = "Nothing was sent or earned in this time."

_SERIES = {"mrr": "MRR", "new_customers": "New customers", "sends": "Messages sent"}
_BEHIND = {"mrr": "mrr", "new_customers": "cac", "sends": "messages_sent"}
"""The figure whose records are behind a chart."""


async def read_cohorts(db: Database, scope: Scope) -> Sheet:
    """The weeks of the period, the latest first."""
    from crm_tui.services.figures.cohorts import cohorts

    async with db.read() as session:
        return cohorts_sheet(await cohorts(session, scope))


def cohorts_sheet(weeks: Sequence[Cohort]) -> Sheet:
    """Weeks as lines, each with how many of its leads bought."""
    from crm_tui.services.figures.cohorts import RULE

    lines = [
        Line(
            number,
            (
                Cell(each.name, Role.STRONG),
                Cell(f"{each.week.day} {each.week:%b %Y}", Role.QUIET),
                Cell(f"{each.leads:,}"),
                *(cell for bought in each.bought for cell in _bought(bought, each.leads)),
            ),
            behind=Behind(query=_week_query(each.week), leads=each.leads),
        )
        for number, each in enumerate(reversed(weeks), 1)
    ]
    names = ("week", "begins", "leads", "within_7_days", "within_30_days", "within_90_days")
    rows = [(each.name, each.week.isoformat(), each.leads, *each.bought) for each in weeks]
    return Sheet(
        lambda _: _COHORTS, lines, {"cohorts": Table(names, rows)}, nothing=_NO_WEEKS, rule=RULE
    )


def _bought(bought: int | None, leads: int) -> tuple[Cell, Cell]:
    if bought is None:
        return Cell(""), Cell("")
    share = percent(bought / leads) if bought else ""
    return Cell(f"{bought:,}", Role.TEXT if bought else Role.QUIET), Cell(share, Role.QUIET)


def _week_query(monday: date) -> str:
    sunday = monday + timedelta(days=6)
    return f"captured>={monday.isoformat()} captured<={sunday.isoformat()}"


_COHORTS: tuple[Column[Line], ...] = (
    column(0, "week", "Week", 8),
    column(1, "begins", "From", 11, rank=5),
    column(2, "leads", "Leads", 9, right=True, rank=1),
    column(3, "within_7", "7 days", 8, right=True, rank=2),
    column(4, "share_7", "", 5, right=True, rank=4),
    column(5, "within_30", "30 days", 8, right=True, rank=2),
    column(6, "share_30", "", 5, right=True, rank=4),
    column(7, "within_90", "90 days", 8, right=True, rank=2),
    column(8, "share_90", "", 5, right=True, rank=4),
)


# Charts


async def read_charts(db: Database, scope: Scope) -> Sheet:
    """What is told over time: MRR in each currency, new customers, messages."""
    from crm_tui.services.figures.series import SeriesName, series

    async with db.read() as session:
        found = [each for name in SeriesName for each in await series(session, scope, name)]
    return charts_sheet(found)


def charts_sheet(found: Sequence[Series]) -> Sheet:
    """A line for each chart; the one under the cursor is drawn."""
    from crm_tui.services.figures.series import RULES

    lines = []
    for number, each in enumerate(found, 1):
        values = tuple(float(point.value) for point in each.points)
        adds = each.currency is None
        unit = each.currency or ""
        title = f"{_SERIES[each.name]} {unit}".rstrip()
        told = sum(values) if adds else values[-1]
        highest = max(range(len(values)), key=values.__getitem__)
        lines.append(
            Line(
                number,
                (
                    Cell(title, Role.STRONG),
                    Cell(_value(told, adds=adds)),
                    Cell("in all" if adds else "at the end", Role.QUIET),
                    Cell(_value(values[highest], adds=adds)),
                    Cell(_label(each.points[highest].day, each.step), Role.QUIET),
                    Cell(f"by {each.step}", Role.QUIET),
                ),
                about=RULES[each.name],
                behind=Behind(_BEHIND[each.name], each.currency),
                chart=Chart(
                    tuple(_label(point.day, each.step) for point in each.points), values, adds, unit
                ),
            )
        )
    rows = [
        (each.name, each.currency, each.step, point.day.isoformat(), point.value)
        for each in found
        for point in each.points
    ]
    names = ("series", "currency", "step", "begins", "value")
    return Sheet(lambda _: _CHARTS, lines, {"series": Table(names, rows)}, nothing=_NO_CHARTS)


def _value(value: float, *, adds: bool) -> str:
    return f"{value:,.0f}" if adds else f"{value:,.2f}"


def _label(day: date, step: str) -> str:
    return f"{day:%b %Y}" if step == "month" else f"{day.day} {day:%b}"


_CHARTS: tuple[Column[Line], ...] = (
    column(0, "name", "Over time", 18, widest=24),
    column(1, "told", "", 12, right=True, rank=1),
    column(2, "of", "", 10, rank=2),
    column(3, "highest", "Highest", 12, right=True, rank=3),
    column(4, "when", "", 8, rank=4),
    column(5, "step", "", 8, rank=5),
)

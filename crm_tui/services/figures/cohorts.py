"""Cohorts: of the leads captured in a week, how many bought within 7, 30 and 90 days."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import ColumnElement, Integer, Text, func, select, type_coerce

from crm_tui.db.engine import ReadSession
from crm_tui.db.models import Business
from crm_tui.services.figures import among
from crm_tui.services.figures.base import Scope
from crm_tui.services.figures.calendar import Parts, Step, day_of, read
from crm_tui.services.figures.sales import ever_bought

SPANS = (7, 30, 90)
"""Within how many days of the capture they bought."""

RULE = (
    "Leads by the week in which they were captured (Monday to Sunday), and how many of them made "
    "their first payment within 7, 30 and 90 days of it. A column is empty until every lead of the "
    "week has had that many days."
)


@dataclass(frozen=True, slots=True)
class Cohort:
    """The leads captured in a week, which begins with this Monday; None is too early to say."""

    week: date
    leads: int
    within_7: int | None
    within_30: int | None
    within_90: int | None

    @property
    def name(self) -> str:
        """The week as ISO 8601 has it: "2026-W47"."""
        year, week, _ = self.week.isocalendar()
        return f"{year}-W{week:02}"

    @property
    def bought(self) -> tuple[int | None, int | None, int | None]:
        """How many bought, by `SPANS`."""
        return self.within_7, self.within_30, self.within_90


async def cohorts(session: ReadSession, scope: Scope) -> list[Cohort]:
    """The weeks of the period in which leads were captured, the earliest first."""
    zone, now = scope.standpoint.zone, scope.standpoint.now
    # One by one, so that an index finds each.
    earliest = select(func.min(Business.captured_at)).where(*among.leads(scope))
    latest = select(func.max(Business.captured_at)).where(*among.leads(scope))
    first, last = await session.scalar(earliest), await session.scalar(latest)
    if first is None or last is None:
        return []
    weeks = Parts(day_of(first, zone), day_of(last, zone), Step.WEEK, zone)
    rough = weeks.rough(Business.captured_at)
    counts = select(rough, func.count()).where(*among.leads(scope)).group_by(rough)
    leads: Counter[date] = Counter()
    for hour, count in await session.execute(counts):
        leads[weeks.days[weeks.at(read(hour))]] += count
    firsts = ever_bought(scope)
    within = (func.sum((firsts.c.paid_at <= _later(span)).cast(Integer)) for span in SPANS)
    buyers = (
        select(rough, *within)
        .join(firsts, firsts.c.business_id == Business.id)
        .where(*among.leads(scope))
        .group_by(rough)
    )
    bought: Counter[tuple[date, int]] = Counter()
    for hour, *counted in await session.execute(buyers):
        week = weeks.days[weeks.at(read(hour))]
        bought.update({(week, span): count for span, count in zip(SPANS, counted, strict=True)})
    found = []
    for week, (_, end) in zip(weeks.days, weeks.spans, strict=True):
        if not leads[week]:
            continue
        told = (bought[week, span] if end + timedelta(days=span) <= now else None for span in SPANS)
        found.append(Cohort(week, leads[week], *told))
    return found


def _later(days: int) -> ColumnElement[str]:
    """So many days after the capture, to the microsecond, as times are stored."""
    captured = type_coerce(Business.captured_at, Text)
    to_the_second = func.strftime("%Y-%m-%dT%H:%M:%S", captured, f"+{days} days")
    return to_the_second.concat(func.substr(captured, len("2026-11-22T14:02:00") + 1))

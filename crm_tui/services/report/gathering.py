"""All that a report tells, asked for at one moment."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from crm_tui.db.engine import Database
from crm_tui.errors import Cancelled
from crm_tui.services.figures.asking import before
from crm_tui.services.figures.attribution import Attributed, attribution
from crm_tui.services.figures.base import Figure, Scope, StageCount
from crm_tui.services.figures.by_group import OfCampaign, OfSource, by_campaign, by_source
from crm_tui.services.figures.cohorts import Cohort, cohorts
from crm_tui.services.figures.funnel import funnel
from crm_tui.services.figures.kpis import kpis
from crm_tui.services.figures.series import Series, SeriesName, series

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was told of a scope; `earlier` are the figures of the period before, where there is one."""

    scope: Scope
    stages: Sequence[StageCount]
    figures: Sequence[Figure]
    earlier: Sequence[Figure]
    series: Mapping[SeriesName, Sequence[Series]]
    cohorts: Sequence[Cohort]
    campaigns: Sequence[OfCampaign]
    sources: Sequence[OfSource]
    attribution: Sequence[Attributed]


async def gather(
    db: Database,
    scope: Scope,
    *,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Report:
    """Ask for everything, of one state of the store.

    Args:
        db: the store.
        scope: what it is told of.
        progress: is told how many parts are counted, and how many there are.
        cancelled: is asked after each part whether to stop.

    Raises:
        StoreError: the store cannot be read.
        Cancelled: it was stopped.
    """
    past = before(scope)
    done, total = 0, 6 + len(SeriesName) + (past is not None)

    async def part(counted: Awaitable[T]) -> T:
        nonlocal done
        found = await counted
        if cancelled():
            raise Cancelled("The report was stopped; no file was written.")
        done += 1
        progress(done, total)
        return found

    progress(done, total)
    async with db.read() as session:
        return Report(
            scope=scope,
            stages=await part(funnel(session, scope)),
            figures=await part(kpis(session, scope)),
            earlier=[] if past is None else await part(kpis(session, past)),
            series={name: await part(series(session, scope, name)) for name in SeriesName},
            cohorts=await part(cohorts(session, scope)),
            attribution=(attributed := await part(attribution(session, scope))),
            campaigns=await part(by_campaign(session, scope, attributed)),
            sources=await part(by_source(session, scope)),
        )

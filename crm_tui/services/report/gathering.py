"""All that a report tells, asked for at one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crm_tui.db.engine import Database
from crm_tui.services.figures.asking import before
from crm_tui.services.figures.attribution import Attributed, attribution
from crm_tui.services.figures.base import Figure, Scope, StageCount
from crm_tui.services.figures.by_group import OfCampaign, OfSource, by_campaign, by_source
from crm_tui.services.figures.cohorts import Cohort, cohorts
from crm_tui.services.figures.funnel import funnel
from crm_tui.services.figures.kpis import kpis
from crm_tui.services.figures.series import Series, SeriesName, series


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


async def gather(db: Database, scope: Scope) -> Report:
    """Ask for everything, of one state of the store.

    Raises:
        StoreError: the store cannot be read.
    """
    past = before(scope)
    async with db.read() as session:
        return Report(
            scope=scope,
            stages=await funnel(session, scope),
            figures=await kpis(session, scope),
            earlier=[] if past is None else await kpis(session, past),
            series={name: await series(session, scope, name) for name in SeriesName},
            cohorts=await cohorts(session, scope),
            campaigns=await by_campaign(session, scope),
            sources=await by_source(session, scope),
            attribution=await attribution(session, scope),
        )

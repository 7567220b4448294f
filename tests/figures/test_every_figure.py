"""The funnel and every figure are what plain Python makes of the same history."""

from __future__ import annotations

import asyncio
import shutil
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import Phase, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy import select

from crm_tui.config import MoneySettings
from crm_tui.db.engine import Database
from crm_tui.db.models import Business
from crm_tui.services.figures import behind, told
from crm_tui.services.figures.base import Figure, Period, Scope, StageCount
from crm_tui.services.figures.funnel import funnel
from crm_tui.services.figures.kpis import FORMULAS, kpis
from crm_tui.services.filters import Standpoint, parse
from crm_tui.vocabulary import Mode, Stage
from tests.figures import acts
from tests.figures.by_force import MARGIN, PRICES, Facts, Oracle

BEGIN = acts.BEGIN
_moments = st.none() | st.integers(0, 270 * 2).map(lambda half: BEGIN + timedelta(hours=12 * half))
periods = st.tuples(_moments, _moments).filter(
    lambda ends: ends[0] is None or ends[0] < (ends[1] or acts.NOW)
)
zones = st.sampled_from(["UTC", "America/New_York", "Asia/Kathmandu"])
thresholds = st.sampled_from([20, 40, 60])
filters = st.sampled_from(["", "", "source:maps"])


def every_figure_of_any_history(count: int) -> Any:
    """The test, on so many histories."""

    @given(acts.histories(), periods, zones, thresholds, filters)
    @examples(max_examples=count, phases=[Phase.explicit, Phase.reuse, Phase.generate])
    def test(
        empty_store: Path,
        history: tuple[list[datetime], list[acts.Act]],
        period: tuple[datetime | None, datetime | None],
        zone: str,
        threshold: int,
        query: str,
    ) -> None:
        at = Standpoint(acts.NOW, ZoneInfo(zone), threshold, Mode.LIVE)
        margin = MoneySettings(currency="USD", gross_margin=float(MARGIN))
        where = parse(query) if query else None
        scope = Scope(Period(*period), where, query, at, Mode.LIVE, margin, PRICES)
        with TemporaryDirectory() as folder:
            store = Path(shutil.copy(empty_store, folder))
            asyncio.run(_compare(store, history, scope))

    return test


test_every_figure_of_any_history = every_figure_of_any_history(12)
test_every_figure_of_a_thousand_histories = pytest.mark.timeout(7200)(
    pytest.mark.long(every_figure_of_any_history(1_000))
)


async def _compare(
    store: Path, history: tuple[list[datetime], list[acts.Act]], scope: Scope
) -> None:
    db = Database(store)
    try:
        done = await acts.do(db, *history)
        async with db.read() as session:
            rows = await session.execute(
                select(Business.id, Business.qualification_score, Business.source_folded)
            )
            facts = {
                done.ids.index(number): Facts(
                    score >= scope.standpoint.threshold, not scope.query or source == "maps"
                )
                for number, score, source in rows
            }
            stages, figures = await funnel(session, scope), await kpis(session, scope)
            records = {
                name: await behind.behind(session, scope, name) for name in (*FORMULAS, *_STAGES)
            }
        side_by_side = await told.told(db, scope)
        again = await told.told(db, scope)
    finally:
        await db.close()
    zone = scope.standpoint.zone
    assert isinstance(zone, ZoneInfo)
    period = scope.period
    oracle = Oracle(done, facts, period.since, period.until, scope.where is not None, zone)
    _check_stages(oracle, stages)
    _check_figures(oracle, figures)
    assert (list(side_by_side.stages), list(side_by_side.figures)) == (stages, figures)
    assert again is side_by_side
    _check_records(stages, figures, records)


_STAGES = tuple(f"stage:{stage}" for stage in Stage)


def _check_stages(oracle: Oracle, found: list[StageCount]) -> None:
    counts = oracle.stages()
    assert [(each.stage, each.count) for each in found] == list(zip(Stage, counts, strict=True))
    for at, each in enumerate(found):
        before = counts[at - 1] if at else 0
        assert each.rate_from_previous == (each.count / before if before else None)
        assert each.rate_from_first == (each.count / counts[0] if counts[0] else None)


def _check_figures(oracle: Oracle, found: list[Figure]) -> None:
    expected = oracle.figures()
    assert {(each.name, each.currency) for each in found} == set(expected)
    assert list(dict.fromkeys(each.name for each in found)) == list(FORMULAS)
    for each in found:
        wanted = expected[each.name, each.currency]
        assert _same(each.value, wanted[0]), each
        assert _same(each.numerator, wanted[1]), each
        assert _same(each.denominator, wanted[2]), each
        assert each.formula == FORMULAS[each.name]
        assert each.note or each.value is not None, each


def _same(found: Any, wanted: Any) -> bool:
    """Equal: amounts to the last digit, shares as the nearest number there is."""
    if isinstance(wanted, Fraction):
        return bool(found == pytest.approx(float(wanted), rel=1e-12))
    if isinstance(wanted, Decimal):
        return isinstance(found, Decimal) and str(found) == str(wanted)
    return bool(found == wanted)


_COUNTED = {
    "qualification_rate", "site_generation_rate", "lead_to_customer", "messages_sent", "open_rate",
    "click_rate", "reply_rate", "churn_rate",
}  # fmt: skip


def _check_records(
    stages: list[StageCount], figures: list[Figure], records: dict[str, list[Any]]
) -> None:
    """There are as many records behind what is counted as are counted."""
    for stage in stages:
        assert len(records[f"stage:{stage.stage}"]) == stage.count
    for each in figures:
        parts = [record.part for record in records[each.name]]
        above = sum(part in {"numerator", "both"} for part in parts)
        below = sum(part in {"denominator", "both"} for part in parts)
        if each.name in _COUNTED:
            measured = not each.note.startswith("not measured")
            assert above == each.numerator, each
            assert below == (each.denominator or 0) or not measured, each
        elif each.name == "cac" or each.name.startswith("time_to_purchase"):
            assert below == each.denominator, each

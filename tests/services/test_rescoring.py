from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from crm_tui.config import ScoreSettings, ScoreWeights
from crm_tui.db.engine import Database
from crm_tui.services import lead_rows, rescoring
from crm_tui.services.lead_query import LeadQuery

if TYPE_CHECKING:
    from tests.conftest import AddLead


async def score_of(db: Database) -> int:
    async with db.read() as session:
        return (await lead_rows.first_rows(session, LeadQuery(), limit=1))[0].score


async def test_other_weights_score_every_lead_again_once(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    await add_lead("Joe", phone="518-871-1647")
    await rescoring.refresh(db, ScoreSettings(), now=now)
    only_phones = ScoreSettings(weights=ScoreWeights(0, 0, 0, 0, 0, 1, 0, 0))
    assert await rescoring.would_change(db, only_phones, now=now) == 1
    async with db.read() as session:
        assert await rescoring.outdated(session, only_phones)
    assert await rescoring.refresh(db, only_phones, now=now) == 1
    assert await score_of(db) == 100
    assert await rescoring.refresh(db, only_phones, now=now) == 0
    async with db.read() as session:
        assert not await rescoring.outdated(session, only_phones)


async def test_a_lead_loses_its_freshness_as_days_pass(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    await add_lead("Joe", phone="518-871-1647")
    await rescoring.refresh(db, ScoreSettings(), now=now)
    fresh = await score_of(db)
    assert await rescoring.refresh(db, ScoreSettings(), now=now + timedelta(days=20)) == 0
    assert await rescoring.refresh(db, ScoreSettings(), now=now + timedelta(days=40)) == 1
    assert await rescoring.refresh(db, ScoreSettings(), now=now + timedelta(days=200)) == 1
    assert await score_of(db) == fresh - 5


async def test_an_empty_store_is_never_outdated(db: Database) -> None:
    async with db.read() as session:
        assert not await rescoring.outdated(session, ScoreSettings())

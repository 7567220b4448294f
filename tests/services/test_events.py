from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy import select

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Business, Event
from crm_tui.services import activity, events, leads, statuses, timeline, voiding
from crm_tui.vocabulary import CallOutcome, ContactStatus, EventKind

if TYPE_CHECKING:
    from tests.conftest import AddLead

VOIDS = st.lists(st.lists(st.integers(0, 20), min_size=1, max_size=3), min_size=1, max_size=8)


@given(VOIDS)
@examples(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_whatever_is_voided_and_voided_again_what_follows_is_what_the_voids_add_up_to(
    empty_store: Path,
    tmp_path_factory: pytest.TempPathFactory,
    now: datetime,
    voids: list[list[int]],
) -> None:
    path = tmp_path_factory.mktemp("voids") / "crm.db"
    shutil.copy(empty_store, path)
    db = Database(path)
    try:
        async with db.write() as session:
            lead = await leads.add(session, {"name": "Ada"}, settings=Settings(), now=now)
            keys = [
                await timeline.log_call(session, lead, CallOutcome.NO_ANSWER, now=now),
                await timeline.add_note(session, lead, "hello", now=now),
                await timeline.set_status(session, lead, ContactStatus.OPENED, now=now),
            ]
            for number, picks in enumerate(voids, start=1):
                named = sorted({keys[pick % len(keys)] for pick in picks})
                at = now + timedelta(minutes=number)
                keys.append(await voiding.void(session, lead, named, why="undo", now=at))
                await _is_consistent(session, lead)
    finally:
        await db.close()


async def _is_consistent(session: Any, lead: int) -> None:
    rows = await session.execute(select(Event.key, Event.kind, Event.data, Event.is_voided))
    stored = {key: (kind, data, voided) for key, kind, data, voided in rows}
    out = statuses.taken_out(
        {k: data["voids"] for k, (kind, data, _) in stored.items() if kind is EventKind.VOIDED}
    )
    assert {key for key, (_, _, voided) in stored.items() if voided} == out
    folded = await statuses.fold(session, [lead])
    assert await statuses.differing(session, folded) == {}
    seen = await session.scalar(select(Business.last_activity))
    await activity.renew_activity(session, [lead])
    assert await session.scalar(select(Business.last_activity)) == seen
    await activity.mark_voided(session, [lead])
    again = await session.scalars(select(Event.key).where(Event.is_voided.is_(True)))
    assert set(again) == out


async def test_what_is_told_of_many_is_the_last_activity_of_those_it_is_newest_for(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    ada, bea = await add_lead("Ada"), await add_lead("Bea")
    later = now + timedelta(hours=1)
    async with db.write() as session:
        await timeline.log_call(session, ada, CallOutcome.TALKED, now=later)
        await events.tell(session, [ada, bea], EventKind.ARCHIVED, "archived", now=now)
        await events.tell(session, [ada, bea], EventKind.TAGGED, "tagged vip", now=later)
        found = await session.execute(
            select(Business.last_activity, Business.last_activity_at).order_by(Business.id)
        )
        assert [tuple(row) for row in found] == [("call: talked", later), ("archived", now)]

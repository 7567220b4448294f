from __future__ import annotations

from array import array
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Business, Task
from crm_tui.errors import NotFound
from crm_tui.services import calling, leads, never, points, tasks, timeline, undo
from crm_tui.services.calling import Logged, Round
from crm_tui.services.leads import LeadPage
from crm_tui.vocabulary import CallOutcome, ContactKind, ContactStatus, Outcome
from tests.conftest import AddLead

NEW_YORK = ZoneInfo("America/New_York")


async def _log(
    db: Database,
    lead: int,
    outcome: CallOutcome,
    now: datetime,
    *,
    follow_up_at: datetime | None = None,
    at: datetime | None = None,
) -> Logged:
    async with undo.action(db, "call", now=now) as session:
        return await calling.log(
            session, lead, outcome, follow_up_at=follow_up_at, at=at, now=now, zone=UTC
        )


async def _page(db: Database, lead: int, settings: Settings, now: datetime) -> LeadPage:
    async with db.read() as session:
        return await leads.page(session, lead, settings=settings, now=now)


async def _second_phone(db: Database, lead: int, number: str, now: datetime) -> None:
    async with db.write() as session:
        await points.add(session, lead, ContactKind.PHONE, number, now=now)


async def _open_follow_ups(db: Database) -> list[tuple[str, datetime]]:
    async with db.read() as session:
        return [(task.what, task.due_at) for task in await tasks.listed(session)]


async def test_a_call_sets_the_follow_up_that_was_agreed(
    db: Database, add_lead: AddLead, settings: Settings, now: datetime
) -> None:
    lead = await add_lead("Joe", phone="518-871-1647")
    tomorrow = now + timedelta(days=1)
    logged = await _log(db, lead, CallOutcome.LATER, now, follow_up_at=tomorrow)
    assert logged.follow_up is not None
    assert await _open_follow_ups(db) == [("call back", tomorrow)]
    business = (await _page(db, lead, settings, now)).business
    assert (business["outcome"], business["contact_status"]) == (
        Outcome.LATER,
        ContactStatus.REPLIED,
    )


async def test_a_call_settles_the_follow_ups_that_were_for_it_and_no_others(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Joe", phone="518-871-1647")
    tonight, next_week = now + timedelta(hours=9), now + timedelta(days=7)
    async with db.write() as session:
        due = await tasks.add(session, lead, "Call back", now - timedelta(days=1), now=now)
        today = await tasks.add(session, lead, "call about the price", tonight, now=now)
        await tasks.add(session, lead, "send the contract", tonight, now=now)
        await tasks.add(session, lead, "call back", next_week, now=now)
    logged = await _log(db, lead, CallOutcome.NO_ANSWER, now)
    assert set(logged.settled) == {due, today}
    assert await _open_follow_ups(db) == [("send the contract", tonight), ("call back", next_week)]


async def test_a_wrong_number_is_marked_and_the_next_one_takes_its_place(
    db: Database, add_lead: AddLead, settings: Settings, now: datetime
) -> None:
    lead = await add_lead("Joe", phone="518-871-1647")
    await _second_phone(db, lead, "+15188711648", now)
    logged = await _log(db, lead, CallOutcome.WRONG_NUMBER, now)
    assert logged.next_phone == "+15188711648"
    page = await _page(db, lead, settings, now)
    assert page.business["phone"] == "+15188711648"
    assert {point.value: str(point.state) for point in page.points} == {
        "+15188711647": "invalid",
        "+15188711648": "unknown",
    }
    assert (await _log(db, lead, CallOutcome.WRONG_NUMBER, now)).next_phone is None
    assert (await _page(db, lead, settings, now)).business["phone"] == "+15188711648"


async def test_correcting_a_wrong_number_brings_that_number_back(
    db: Database, add_lead: AddLead, settings: Settings, now: datetime
) -> None:
    lead = await add_lead("Joe", phone="518-871-1647")
    await _second_phone(db, lead, "+15188711648", now)
    await _log(db, lead, CallOutcome.WRONG_NUMBER, now)
    async with db.write() as session:
        (call,) = [e for e in await timeline.entries(session, lead) if e.kind == "call"]
        await timeline.correct(session, call.id, text="", outcome=CallOutcome.TALKED, now=now)
    page = await _page(db, lead, settings, now)
    assert page.business["phone"] == "+15188711647"
    assert {str(point.state) for point in page.points} == {"unknown"}


async def test_a_no_does_not_lose_who_has_bought(
    db: Database, add_lead: AddLead, settings: Settings, now: datetime
) -> None:
    lead = await add_lead("Joe", phone="518-871-1647")
    async with db.write() as session:
        business = await session.get_one(Business, lead)
        business.outcome = Outcome.WON
    await _log(db, lead, CallOutcome.NO, now)
    assert (await _page(db, lead, settings, now)).business["outcome"] is Outcome.WON


@pytest.mark.parametrize("outcome", CallOutcome)
async def test_a_call_is_one_entry_of_undo_with_all_that_came_of_it(
    db: Database, add_lead: AddLead, settings: Settings, now: datetime, outcome: CallOutcome
) -> None:
    lead = await add_lead("Joe", phone="518-871-1647")
    await _second_phone(db, lead, "+15188711648", now)
    async with db.write() as session:
        await tasks.add(session, lead, "call", now, now=now)
    before = await _page(db, lead, settings, now)
    await _log(db, lead, outcome, now, follow_up_at=now + timedelta(days=1))
    undone = await undo.undo(db, settings=settings, now=now)
    assert undone is not None
    assert undone.left == []
    assert await _page(db, lead, settings, now) == before


async def test_a_call_to_nobody_is_refused(db: Database, now: datetime) -> None:
    with pytest.raises(NotFound):
        await _log(db, 7, CallOutcome.TALKED, now)


# The round


async def _round(db: Database, ids: list[int], now: datetime) -> Round:
    return await calling.round_of(db, array("q", ids), now=now, zone=NEW_YORK)


@pytest.mark.parametrize("few", [0, 100])
async def test_a_round_leaves_out_who_cannot_or_must_not_be_called(
    db: Database, add_lead: AddLead, now: datetime, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(calling, "_FEW", few)
    best = await add_lead("Best", phone="518-871-1647")
    silent = await add_lead("No phone")
    barred = await add_lead("Barred", phone="518-871-1648")
    wrong = await add_lead("Wrong", phone="518-871-1649")
    last = await add_lead("Last", phone="518-871-1650")
    other = await add_lead("One of two is wrong", phone="518-871-1651")
    async with db.write() as session:
        await never.never(session, [barred], "competitor", now=now)
        await points.add(session, other, ContactKind.PHONE, "+15188711652", now=now)
    for lead in (wrong, other):
        await _log(db, lead, CallOutcome.WRONG_NUMBER, now)
    found = await _round(db, [last, wrong, barred, other, silent, best], now)
    assert list(found.ids) == [last, other, best]
    assert list((await _round(db, [], now)).ids) == []


async def test_called_today_is_since_the_operators_midnight_and_not_what_was_undone(
    db: Database, add_lead: AddLead, settings: Settings, now: datetime
) -> None:
    # 09:30 UTC is 04:30 in New York: its day is four and a half hours old.
    early, late, undone = [
        await add_lead(name, phone=f"518-871-164{n}") for n, name in enumerate("abc")
    ]
    await _log(db, early, CallOutcome.NO_ANSWER, now, at=now - timedelta(hours=5))
    await _log(db, late, CallOutcome.NO_ANSWER, now, at=now - timedelta(hours=4))
    await _log(db, undone, CallOutcome.NO_ANSWER, now)
    await undo.undo(db, settings=settings, now=now)
    found = await _round(db, [early, late, undone], now)
    assert (found.done, found.left) == ({late}, 2)


def test_a_round_goes_on_past_those_called_today_and_back_to_them() -> None:
    found = Round(array("q", [5, 3, 8, 1]), {3, 8})
    assert found.following(None) == 5
    assert found.following(5) == 1
    assert found.following(1) is None
    assert found.following(1, by=-1) == 8
    assert found.following(5, by=-1) is None
    assert found.place(8) == 3
    assert found.following(99) == 5, "one that has left the list begins again at the top"


async def test_no_follow_up_is_set_where_none_was_agreed(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Joe", phone="518-871-1647")
    await _log(db, lead, CallOutcome.TALKED, now)
    async with db.read() as session:
        assert (await session.scalars(select(Task.id))).all() == []

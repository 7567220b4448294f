from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

from crm_tui.db.engine import Database
from crm_tui.db.models import ContactPoint
from crm_tui.services import lead_rows, tags, tasks, timeline
from crm_tui.services.filters import QueryError
from crm_tui.services.lead_query import LeadQuery, Sort
from crm_tui.vocabulary import CallOutcome, ContactState
from tests.conftest import AddLead


@pytest.mark.parametrize(
    "text", ["", "plumb", "city:queens", "city:queens plumb", "-has:email", "x"]
)
@pytest.mark.parametrize("sort", [None, Sort("city")])
async def test_the_first_rows_are_the_beginning_of_the_order_however_they_are_found(
    db: Database,
    add_lead: AddLead,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    sort: Sort | None,
) -> None:
    for number in range(24):
        trade = "Plumbing" if number % 3 else "Roofing"
        email = f"{number}@x.example" if number % 2 else ""
        await add_lead(f"{trade} {number}", city="Queens" if number % 4 else "Bronx", email=email)
    query = LeadQuery(text, sort)
    orders = []
    for few in (1, 1_000):
        monkeypatch.setattr(lead_rows, "_FEW", few)
        monkeypatch.setattr(lead_rows, "_SOME", few)
        order = list(await lead_rows.order(db, query))
        orders.append(order)
        for best in (1, 8, 1_000):
            monkeypatch.setattr(lead_rows, "_BEST", best)
            assert list(await lead_rows.order(db, query)) == order
            async with db.read() as session:
                rows = await lead_rows.first_rows(session, query, limit=5)
                assert await lead_rows.count(session, query) == len(order)
            assert [row.id for row in rows] == order[:5]
    assert orders[0] == orders[1]


def test_a_filter_that_cannot_be_read_is_refused_before_anything_is_asked() -> None:
    with pytest.raises(QueryError, match="column 8"):
        LeadQuery("score>=abc")


@pytest.mark.parametrize("column", ["called", "follow_up", "tags", "email_state"])
@pytest.mark.parametrize("descending", [False, True])
async def test_leads_with_a_looked_up_value_come_in_its_order_and_the_others_after_them(
    db: Database, add_lead: AddLead, now: datetime, column: str, descending: bool
) -> None:
    ids = [await add_lead(f"Lead {n}", email=f"a{n}@plumbing-{n}.com") for n in range(6)]
    async with db.write() as session:
        for days, lead in enumerate((ids[4], ids[1], ids[3])):
            at = now - timedelta(days=days)
            await timeline.log_call(session, lead, CallOutcome.NO_ANSWER, at=at, now=now)
            await tasks.add(session, lead, "call", now + timedelta(days=9 - days), now=now)
            await tags.add(session, [lead], f"{9 - days}", now=now)
            state = (ContactState.SOFT_BOUNCED, ContactState.OK, ContactState.BOUNCED)[days]
            await session.execute(
                update(ContactPoint).where(ContactPoint.business_id == lead).values(state=state)
            )
    query = LeadQuery(sort=Sort(column, descending=descending))
    in_order = [ids[4], ids[1], ids[3]]  # of the states: soft_bounced, ok, bounced
    expected = in_order if descending else in_order[::-1]
    others = [lead for lead in ids if lead not in in_order]
    assert list(await lead_rows.order(db, query)) == expected + others
    async with db.read() as session:
        for limit in (1, 2, 3, 4, 6):
            rows = await lead_rows.first_rows(session, query, limit=limit)
            assert [row.id for row in rows] == (expected + others)[:limit]

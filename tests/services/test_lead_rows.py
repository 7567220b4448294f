from __future__ import annotations

import pytest
from sqlalchemy import select

from crm_tui.db.engine import Database
from crm_tui.db.models import Business
from crm_tui.services import lead_rows
from crm_tui.services.lead_rows import LeadQuery
from tests.conftest import AddLead


@pytest.mark.parametrize("words", ["", "plumb", "queens plumb", "nobody"])
async def test_walking_the_order_finds_what_sorting_the_found_ones_does(
    db: Database, add_lead: AddLead, words: str
) -> None:
    for number in range(30):
        trade = "Plumbing" if number % 3 else "Roofing"
        email = f"{number}@x.example" if number % 2 else ""
        await add_lead(f"{trade} {number}", city="Queens" if number % 4 else "Bronx", email=email)
    query = LeadQuery(words)
    async with db.read() as session:
        walked, sorted_ = [
            (
                await session.scalars(
                    select(Business.id).where(*query.condition(walk=walk)).order_by(*query.order())
                )
            ).all()
            for walk in (True, False)
        ]
    assert walked == sorted_


async def test_the_first_rows_are_the_beginning_of_the_order_however_many_are_found(
    db: Database, add_lead: AddLead, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        await add_lead(f"Plumbing {number}", city="Queens" if number % 4 else "Bronx")
    query = LeadQuery("plumb")
    order = await lead_rows.order(db, query)
    for many in (1, 12, 13):
        monkeypatch.setattr(lead_rows, "_MANY", many)
        async with db.read() as session:
            rows = await lead_rows.first_rows(session, query, limit=5)
        assert [row.id for row in rows] == list(order[:5])

from __future__ import annotations

import pytest

from crm_tui.db.engine import Database
from crm_tui.services import lead_rows
from crm_tui.services.filters import QueryError
from crm_tui.services.lead_rows import LeadQuery, Sort
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

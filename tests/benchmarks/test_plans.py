"""How SQLite goes about the orders of the lead list, which decides what a million leads cost."""

from __future__ import annotations

import pytest

from crm_tui.db.engine import Database
from crm_tui.services import lead_rows
from crm_tui.services.lead_query import SORT_COLUMNS, LeadQuery, Sort


async def plan(db: Database, query: LeadQuery) -> str:
    async with db.read() as session:
        statement = await lead_rows.ids(session, query)
        connection = await session.connection()
        compiled = statement.compile(
            dialect=connection.dialect, compile_kwargs={"render_postcompile": True}
        )
        values = compiled.construct_params()
        bound = tuple(values[name] for name in compiled.positiontup or ())
        steps = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", bound)
        return "; ".join(str(step.detail) for step in steps)


async def test_best_first_is_read_from_the_index_alone(db: Database) -> None:
    assert await plan(db, LeadQuery()) == "SCAN business USING INDEX ix_business_order"


LOOKED_UP = {"tags", "follow_up", "called", "email_state"}


@pytest.mark.parametrize("column", sorted({*SORT_COLUMNS} - {"score", "id"} - LOOKED_UP))
async def test_any_other_order_reads_the_table_once_and_sorts(db: Database, column: str) -> None:
    expected = "SCAN business; USE TEMP B-TREE FOR ORDER BY"
    for descending in (False, True):
        assert await plan(db, LeadQuery(sort=Sort(column, descending=descending))) == expected


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("miller", "SEARCH business USING INTEGER PRIMARY KEY (rowid=?)"),
        ("tag:vip", "SEARCH business USING INTEGER PRIMARY KEY (rowid=?)"),
        ("region:ny", "SEARCH business USING INDEX ix_business_region_folded (region_folded=?)"),
        ("city:queens", "SEARCH business USING INDEX ix_business_city_folded (city_folded=?)"),
        (
            "category:plumb*",
            "SEARCH business USING INDEX ix_business_category_folded (category_folded>? AND",
        ),
        (
            "status:opened,clicked",
            "SEARCH business USING INDEX ix_business_funnel (contact_status=?)",
        ),
        ("-city:queens", "SCAN business"),
        ("has:email", "SCAN business"),
    ],
)
@pytest.mark.parametrize("sort", [None, Sort("email")])
async def test_a_few_leads_are_found_by_an_index_in_any_order(
    db: Database, text: str, step: str, sort: Sort | None
) -> None:
    assert (await plan(db, LeadQuery(text, sort))).startswith(step)


async def test_what_many_leads_have_is_looked_for_in_all_of_them(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lead_rows, "_SOME", 0)
    assert (await plan(db, LeadQuery("city:queens"))).startswith("SCAN business;")

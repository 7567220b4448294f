"""How SQLite goes about the orders of the lead list, which decides what a million leads cost."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.dialects import sqlite

from crm_tui.db.models import Business
from crm_tui.services.lead_rows import SORT_COLUMNS, LeadQuery, Sort


def plan(store: Path, query: LeadQuery) -> str:
    statement = select(Business.id).where(*query.condition()).order_by(*query.order())
    compiled = statement.compile(dialect=sqlite.dialect())
    parameters = tuple(compiled.params[name] for name in compiled.positiontup or ())
    with closing(sqlite3.connect(store)) as connection:
        steps = connection.execute(f"EXPLAIN QUERY PLAN {compiled}", parameters).fetchall()
    return "; ".join(step[3] for step in steps)


def test_best_first_is_read_from_the_index_alone(store_path: Path) -> None:
    assert plan(store_path, LeadQuery()) == "SCAN business USING INDEX ix_business_order"


@pytest.mark.parametrize("column", sorted(set(SORT_COLUMNS) - {"score", "id"}))
def test_any_other_order_reads_the_table_once_and_sorts(store_path: Path, column: str) -> None:
    expected = "SCAN business; USE TEMP B-TREE FOR ORDER BY"
    for descending in (False, True):
        assert plan(store_path, LeadQuery(sort=Sort(column, descending=descending))) == expected


def test_what_was_found_is_looked_up_by_its_id(store_path: Path) -> None:
    query = LeadQuery("miller", Sort("city"))
    assert plan(store_path, query).startswith("SEARCH business USING INTEGER PRIMARY KEY (rowid=?)")

"""The real lists, imported whole; and any number of rows in the same memory."""

from __future__ import annotations

import tracemalloc
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Business, ContactPoint, Event
from crm_tui.services import doctor
from crm_tui.services.imports import chunks
from crm_tui.services.imports.result import ImportResult
from crm_tui.services.imports.run import import_file
from crm_tui.services.lead_query import LeadQuery
from crm_tui.services.lead_rows import order
from crm_tui.vocabulary import ContactKind, ContactState, EventKind
from tests.imports.conftest import as_csv

# Seven places of the Cyprus list are in it twice.
LISTS = {
    "outscraper_plumbers_ny.csv": (250, 0, 0, 0),
    "gmaps_scraper_cyprus.csv": (118, 0, 7, 0),
    "places_text_search_page.json": (20, 0, 0, 0),
}


def counts(result: ImportResult) -> tuple[int, int, int, int]:
    return result.created, result.merged, result.skipped, result.rejected


@pytest.mark.parametrize("name", LISTS)
async def test_a_real_list_is_imported_once(
    db: Database, real_lists: Path, settings: Settings, now: datetime, name: str
) -> None:
    path = real_lists / name
    rehearsed = await import_file(db, path, settings=settings, now=now, dry_run=True)
    first = await import_file(db, path, settings=settings, now=now)
    assert counts(rehearsed) == counts(first) == LISTS[name]
    async with db.read() as session:
        events = await session.scalar(select(func.count()).select_from(Event))
        points = await session.scalar(select(func.count()).select_from(ContactPoint))
    again = await import_file(db, path, settings=settings, now=now)
    assert counts(again) == (0, 0, first.seen, 0)
    async with db.read() as session:
        assert await session.scalar(select(func.count()).select_from(Event)) == events
        assert await session.scalar(select(func.count()).select_from(ContactPoint)) == points


async def test_all_real_lists_together_make_a_sound_store(
    db: Database, real_lists: Path, settings: Settings, now: datetime
) -> None:
    for name in LISTS:
        await import_file(db, real_lists / name, settings=settings, now=now)
    report = await doctor.examine(db.path, settings=settings, now=now)
    assert report.ok, report.findings
    async with db.read() as session:
        captured = await session.scalar(
            select(func.count()).select_from(Event).where(Event.kind == EventKind.CAPTURED)
        )
        leads = await session.scalar(select(func.count()).select_from(Business))
        phones = await session.scalars(
            select(ContactPoint.value).where(
                ContactPoint.kind == ContactKind.PHONE, ContactPoint.state != ContactState.INVALID
            )
        )
        assert all(phone.startswith("+") for phone in phones)
    assert captured == leads == 388


async def test_leads_without_a_site_of_their_own_rank_above_equal_ones_with_one(
    db: Database, settings: Settings, now: datetime, tmp_path: Path
) -> None:
    path = tmp_path / "two.csv"
    row = {"Category": "Plumber", "Rating": "4.5", "Reviews": "90", "City": "Albany"}
    path.write_text(
        as_csv([
            row | {"Company": "A", "Phone": "518-871-1647", "Website": "acme-plumbing.com"},
            row | {"Company": "B", "Phone": "518-871-1648", "Website": "facebook.com/b-plumbing"},
        ])
    )  # fmt: skip
    await import_file(db, path, settings=settings, now=now)
    assert list(await order(db, LeadQuery())) == [2, 1]


async def test_memory_does_not_grow_with_the_file(
    db: Database,
    settings: Settings,
    now: datetime,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for bound in ("_FIRST", "_FEWEST", "_MOST"):  # else a quicker machine takes larger chunks
        monkeypatch.setattr(chunks, bound, 200)

    async def peak(rows: int, first: int) -> int:
        path = tmp_path / "long.csv"
        path.write_text(
            as_csv(
                [
                    {
                        "Company": f"Lead {i}",
                        "Phone": f"518 {200 + i // 10_000} {i % 10_000:04}",
                        "Notes": "x" * 500,
                        "Rating": "odd",
                    }
                    for i in range(first, first + rows)
                ]
            )
        )
        tracemalloc.start()
        await import_file(db, path, settings=settings, now=now)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    await peak(500, 0)  # what is loaded and cached once
    one = await peak(1500, 1_000)
    four = await peak(6000, 10_000)
    assert four < 1.5 * one

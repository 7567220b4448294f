"""What was exported and imported into an empty store is what it was."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import update

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Business
from crm_tui.services import export, lead_rows, shelving, tags, timeline
from crm_tui.services.export import ExportFormat
from crm_tui.services.imports.run import import_file
from crm_tui.services.lead_query import LeadQuery
from crm_tui.vocabulary import CallOutcome, ContactStatus

if TYPE_CHECKING:
    from tests.conftest import AddLead

ALL = LeadQuery("is:archived or -is:archived")


@pytest.fixture
async def other_db(empty_store: Path, tmp_path: Path) -> AsyncIterator[Database]:
    """A second, empty store."""
    path = await asyncio.to_thread(shutil.copy, empty_store, tmp_path / "other.db")
    database = Database(Path(path))
    yield database
    await database.close()


async def documents(db: Database, folder: Path, now: datetime) -> list[dict[str, Any]]:
    """Every lead as the export says it, without what a store gives anew."""
    target = folder / "seen.json"
    await export.export_leads(db, ALL, form="json", target=target, now=now)
    leads: list[dict[str, Any]] = json.loads(await asyncio.to_thread(target.read_text))["leads"]
    for lead in leads:
        lead["points"].sort(key=lambda point: (point["kind"], point["value"]))
    return sorted(leads, key=lambda lead: str(lead["key"]))


@pytest.mark.parametrize("form", ["csv", "json"])
async def test_a_store_comes_out_of_its_export_as_it_was(
    db: Database,
    other_db: Database,
    add_lead: AddLead,
    settings: Settings,
    form: ExportFormat,
    tmp_path: Path,
    now: datetime,
) -> None:
    fields = {
        "city": "Albany",
        "country": "US",
        "email": "joe@ace.example",
        "website": "ace.example",
    }
    ace = await add_lead('=Ace "Sons"', phone="518-555-0100", category="Plumber", **fields)
    await add_lead("'t Hoekje", phone="+357 97 754374", country="CY")
    async with db.write() as session:
        await timeline.add_note(session, ace, "First\nnote", at=now - timedelta(days=3), now=now)
        await timeline.add_note(session, ace, "+Second", at=now - timedelta(days=2), now=now)
        at = now - timedelta(days=1)
        await timeline.log_call(session, ace, CallOutcome.TALKED, note="Call again", at=at, now=now)
        await timeline.log_call(session, ace, CallOutcome.NO, at=at + timedelta(hours=1), now=now)
        # What is set by hand overrules the calls, here as there.
        await timeline.set_status(session, ace, ContactStatus.OPENED, now=now)
        await tags.add(session, [ace], "vip, hot", now=now)
        await shelving.archive(session, [ace], now=now)
        await session.execute(
            update(Business)
            .where(Business.id == ace)
            .values(
                custom={"a": [1, "x"]},
                hours={"mon": [["22:00", "02:00"]]},
                rating=4.5,
                do_not_contact=True,
                do_not_contact_reason="asked us to stop",
            )
        )
    target = tmp_path / f"leads.{form}"
    await export.export_leads(db, ALL, form=form, target=target, now=now)
    result = await import_file(other_db, target, settings=settings, now=now)
    assert (result.format, result.created, result.problems) == ("crm-tui", 2, [])
    assert await documents(other_db, tmp_path, now) == await documents(db, tmp_path, now)
    async with other_db.read() as session:
        assert await lead_rows.count(session, LeadQuery("is:archived again has:call")) == 1
    again = await import_file(other_db, target, settings=settings, now=now)
    assert (again.created, again.merged, again.skipped, again.rejected) == (0, 0, 2, 0)
    own = await import_file(db, target, settings=settings, now=now)
    assert (own.created, own.merged, own.skipped, own.rejected) == (0, 0, 2, 0)


@pytest.mark.parametrize("form", ["csv", "json"])
@pytest.mark.parametrize(
    "name",
    ["outscraper_plumbers_ny.csv", "gmaps_scraper_cyprus.csv", "places_text_search_page.json"],
)
async def test_the_real_lists_come_out_of_an_export_as_they_were(
    db: Database,
    other_db: Database,
    settings: Settings,
    real_lists: Path,
    name: str,
    form: ExportFormat,
    tmp_path: Path,
    now: datetime,
) -> None:
    first = await import_file(db, real_lists / name, settings=settings, now=now)
    target = tmp_path / f"leads.{form}"
    await export.export_leads(db, ALL, form=form, target=target, now=now)
    second = await import_file(other_db, target, settings=settings, now=now)
    assert second.created == first.created
    assert await documents(other_db, tmp_path, now) == await documents(db, tmp_path, now)

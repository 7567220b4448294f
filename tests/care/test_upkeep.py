from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select, update

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Business, ImportBatch
from crm_tui.services import backup, timeline, undo
from crm_tui.services.upkeep import tend


async def test_a_start_makes_the_backup_of_the_day_once(
    leads: Database, settings: Settings, config: Path, now: datetime
) -> None:
    for hours in (0, 5):
        at = now + timedelta(hours=hours)
        assert await tend(leads, settings=settings, config_path=config, now=at) == []
    (made,) = backup.existing(leads.path)
    assert made.kind is backup.Kind.WEEKLY


async def test_a_start_takes_back_what_dead_processes_left(
    leads: Database, settings: Settings, config: Path, now: datetime
) -> None:
    async with leads.write() as session:
        session.add(ImportBatch(file_name="a.csv", format="csv", owner="gone", started_at=now))
        await session.execute(update(Business).where(Business.id == 1).values(building_by="gone"))
    said = await tend(leads, settings=settings, config_path=config, now=now)
    assert said == [
        "1 import had been cut off and was taken back.",
        "The builds of 1 site had been cut off.",
    ]
    async with leads.read() as session:
        assert await session.scalar(select(ImportBatch.state)) == "undone"
        assert list(await session.scalars(select(Business.building_by).distinct())) == [None]


async def test_a_start_scores_again_what_has_aged(
    leads: Database, settings: Settings, config: Path, now: datetime
) -> None:
    await tend(leads, settings=settings, config_path=config, now=now)
    before = scores(leads.path)
    await tend(leads, settings=settings, config_path=config, now=now + timedelta(days=31))
    assert all(after < old for after, old in zip(scores(leads.path), before, strict=True))


async def test_a_start_forgets_what_is_too_old_to_be_undone(
    leads: Database, settings: Settings, config: Path, now: datetime
) -> None:
    for number in range(undo.KEPT + 2):
        async with undo.action(leads, f"note {number}", now=now) as session:
            await timeline.add_note(session, 1, "hello", now=now)
    await tend(leads, settings=settings, config_path=config, now=now)
    async with leads.read() as session:
        lines = await undo.entries(session, limit=undo.KEPT * 2)
    assert (len(lines), lines[-1].words) == (undo.KEPT, "note 2")


async def test_a_backup_that_fails_is_said_and_the_rest_is_done(
    leads: Database, settings: Settings, config: Path, now: datetime
) -> None:
    async with leads.write() as session:
        await session.execute(update(Business).where(Business.id == 1).values(building_by="gone"))
    backup.folder_of(leads.path).write_text("in the way")
    said = await tend(leads, settings=settings, config_path=config, now=now)
    assert said[0].startswith("Today's backup could not be made. The folder")
    assert said[1] == "The builds of 1 site had been cut off."


def scores(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        return [row[0] for row in connection.execute("SELECT qualification_score FROM business")]

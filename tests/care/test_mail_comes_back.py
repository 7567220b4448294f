"""Campaigns and mails in a backup, and that what brings them back sends nothing by itself."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from crm_tui.config import Settings
from crm_tui.config.sections import EmailSettings, SenderSettings, SendingSettings
from crm_tui.db.engine import Database
from crm_tui.services.backup import make_backup
from crm_tui.services.mailing import Report
from crm_tui.services.restore import restore
from crm_tui.services.sending import standing
from crm_tui.worker import Worker
from tests.queue_rows import add_campaign

if TYPE_CHECKING:
    from tests.conftest import AddLead, Cli

SETTINGS = Settings(
    sender=SenderSettings(name="Ada", email="ada@sender.example", postal_address="1 Main St"),
    email=EmailSettings(provider="outbox"),
    sending=SendingSettings(quiet_hours="", weekdays_only=False),
)
TABLES = ("campaign", "campaign_step", "campaign_exclusion", "message", "suppression")


def rows(path: Path) -> dict[str, list[Any]]:
    with closing(sqlite3.connect(path)) as connection:
        return {
            table: connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()
            for table in TABLES
        }


async def once(path: Path, now: datetime) -> Report:
    db = Database(path)
    try:
        return await Worker(db, SETTINGS, environment={}, now=lambda: now).once()
    finally:
        await db.close()


def mails(path: Path) -> int:
    return len(list((path.parent / f"{path.name}.outbox").glob("*.eml")))


@pytest.fixture
async def campaign(db: Database, add_lead: AddLead, now: datetime) -> Path:
    """The path of a store with a campaign that is due, and somebody barred."""
    ids = [
        await add_lead(name, email=f"{name.lower()}@heating.com") for name in ("Ada", "Bo", "Cy")
    ]
    await add_campaign(db, ids, now=now, steps=2)
    async with db.write() as session:
        connection = await session.connection()
        await connection.exec_driver_sql(
            "INSERT INTO suppression (kind, value, reason, created_at)"
            " VALUES ('email', 'joe@acme.example', 'asked', '2026-11-01T00:00:00.000000Z')"
        )
        await connection.exec_driver_sql(
            "INSERT INTO campaign_exclusion VALUES (1, 1, 'no address')"
        )
    await db.close()
    return db.path


async def test_a_restored_store_has_all_mails_and_sends_none_until_it_is_let_go(
    campaign: Path, now: datetime, tmp_path: Path
) -> None:
    made = await asyncio.to_thread(
        make_backup, campaign, tmp_path / "b.db", config_path=None, now=now
    )
    before = rows(campaign)
    assert (await once(campaign, now)).sent == 3
    assert rows(campaign) != before
    await asyncio.to_thread(restore, made, campaign, now=now)
    assert rows(campaign) == before
    report = await once(campaign, now)
    assert (report.sent, report.stopped) == (0, "restored from a backup")
    assert mails(campaign) == 3
    db = Database(campaign)
    async with db.write() as session:
        await standing.let_go(session, standing.home_of(campaign))
    await db.close()
    assert (await once(campaign, now)).sent == 3


async def test_a_copied_store_sends_nothing_and_the_first_goes_on(
    campaign: Path, now: datetime, tmp_path: Path
) -> None:
    assert (await once(campaign, now)).sent == 3
    (tmp_path / "elsewhere").mkdir()
    copied = Path(shutil.copy(campaign, tmp_path / "elsewhere"))
    report = await once(copied, now)
    assert "copied" in report.stopped
    assert not (await once(campaign, now)).stopped


def test_the_commands_say_that_sending_is_stopped(cli: Cli, campaign: Path, tmp_path: Path) -> None:
    assert cli("backup", str(tmp_path / "b.db")).code == 0
    assert cli("restore", str(tmp_path / "b.db")).code == 0
    ran = cli("worker", "--once", "--json")
    assert (ran.code, ran.json["sent"]) == (1, 0)
    assert "Sending is stopped: restored from a backup." in ran.err
    found = cli("doctor", "--json").json["findings"]
    assert [each["check"] for each in found] == ["sending_stopped"]
    assert cli("worker", "--let-go", "--yes").code == 0
    assert cli("doctor", "--json").json["findings"] == []
    assert rows(campaign)["message"]

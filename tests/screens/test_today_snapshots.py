"""How Today and setting a follow-up look; a changed picture is shown in snapshot_report.html."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, update

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import ContactPoint, Site, Unmatched
from crm_tui.services import events, leads, outcomes, tasks, timeline
from crm_tui.services.events import NewEvent
from crm_tui.vocabulary import (
    CallOutcome,
    ContactState,
    ContactStatus,
    EventKind,
    Outcome,
    UnmatchedKind,
)
from tests.conftest import NOW
from tests.screens.looks import Look, SnapCompare, in_every_look, pressed

HOUR = timedelta(hours=1)
NAMES = (
    "Woodhaven Plumbing & Heating",
    "Tavella Hair",
    "Café Olé of the Seven Seas and All the Islands",
    "Smith & Daughters",
    "Old Mill Garage",
    "Harbour Dental",
)
FOLLOW_UPS = (
    (0, "call back", -50),
    (1, "ask for Ann, she decides", -3),
    (2, "send the link again, with the photos of the terrace they asked for", 5),
)
ANSWERS = (
    (3, "Wants to know who owns the domain afterwards. Told Joan: you do.", 2),
    (4, "In a hurry but friendly: send it, I will look on Sunday.", 70),
    (0, "", 24 * 20),
)


@pytest.fixture(autouse=True)
def _machine_in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The hours in the pictures are the same wherever they are taken."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def store(store_path: Path, settings: Settings) -> Path:
    """Something of every kind."""

    async def fill() -> None:
        db = Database(store_path)
        async with db.write() as session:
            ids = [
                await leads.add(session, {"name": name}, settings=settings, now=NOW - 700 * HOUR)
                for name in NAMES
            ]
            for lead, what, hours in FOLLOW_UPS:
                await tasks.add(session, ids[lead], what, NOW + hours * HOUR, now=NOW - 99 * HOUR)
            for lead, note, hours in ANSWERS:
                await timeline.log_call(
                    session, ids[lead], CallOutcome.TALKED, note=note, now=NOW - hours * HOUR
                )
            await leads.edit(
                session, ids[5], {"email": "desk@harbour.example"}, settings=settings, now=NOW
            )
            await session.execute(
                update(ContactPoint).values(state=ContactState.BOUNCED, state_reason="no such box")
            )
            failed = NewEvent(
                ids[5],
                EventKind.SITE_FAILED,
                NOW - HOUR,
                "the site could not be built",
                "you",
                body="the disk was full",
            )
            await events.record(session, failed, now=NOW)
            session.add(
                Unmatched(
                    key="old",
                    kind=UnmatchedKind.SITE,
                    title="Ace Plumbing",
                    reason="its business 17 is not in the old store",
                    created_at=NOW - 30 * HOUR,
                    payload={"slug": "ace", "html": "<h1>Ace</h1>"},
                )
            )
            for lead, slug, taken_down in ((1, "tavella", False), (4, "old-mill", True)):
                site = {
                    "business_id": ids[lead],
                    "slug": slug,
                    "theme": "beauty",
                    "content_hash": "new",
                    "published_hash": "new" if taken_down else None,
                    "publish_problem": "rsync failed: no route to host (exit status 255)",
                    "created_at": NOW - 90 * HOUR,
                    "built_at": NOW - 90 * HOUR,
                    "html": "<p>",
                }
                await session.execute(insert(Site).values(site))
            wrote = NewEvent(
                ids[2],
                EventKind.REPLIED,
                NOW - 4 * HOUR,
                "answer: Opening hours",
                "mailbox",
                moves_to=ContactStatus.REPLIED,
                body="We close at 4 on Saturdays now.",
                data={"subject": "Opening hours"},
            )
            await outcomes.set_outcome(session, [ids[2]], Outcome.WON, now=NOW - 90 * HOUR)
            await events.record(session, wrote, now=NOW)
        await db.close()

    asyncio.run(fill())
    return store_path


@in_every_look
def test_today_looks_as_agreed(look: Look, store: Path, snap_compare: SnapCompare) -> None:
    assert look.compare(snap_compare, store, run_before=pressed("2", "j"))


@in_every_look
def test_putting_off_looks_as_agreed(look: Look, store: Path, snap_compare: SnapCompare) -> None:
    run = pressed("2", "z", *"mon 14:30")
    assert look.compare(snap_compare, store, run_before=run)


def test_today_in_the_light_theme_looks_as_agreed(store: Path, snap_compare: SnapCompare) -> None:
    run = pressed("2", "G")
    assert Look(120, 40).compare(snap_compare, store, run_before=run, theme="light")


def test_an_empty_today_looks_as_agreed(store_path: Path, snap_compare: SnapCompare) -> None:
    assert Look(80, 24).compare(snap_compare, store_path, run_before=pressed("2"))

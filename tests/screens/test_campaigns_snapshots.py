"""How campaigns, their ledgers, the wizard and the worker's log look."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from crm_tui.app import CrmApp
from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.services import leads
from crm_tui.services.campaigns import running
from crm_tui.services.sending import worker_log
from crm_tui.vocabulary import MessageState
from tests.conftest import NOW
from tests.screens.looks import Look, RunBefore, SnapCompare, in_every_look
from tests.screens.mailings import (
    OFFER,
    SETTINGS,
    TWO_STEPS,
    add_campaign,
    add_draft,
    mark,
    step,
)
from tests.screens.settling import press, settle

NAMES = (
    "Ada Plumbing",
    "Bo Roofing & Sons of the Upper East Side and Harlem",
    "Café Olé",
    "Dee Drains",
    "Eve Electric",
    "Fay Flowers",
)


@pytest.fixture
def store(store_path: Path, settings: Settings) -> Path:
    """A campaign that runs with mails of every fate, one that is paused, one not started."""
    fill(store_path, with_campaigns(settings))
    return store_path


def fill(path: Path, work: Callable[[Database], Awaitable[None]]) -> None:
    async def run() -> None:
        db = Database(path)
        await work(db)
        await db.close()

    asyncio.run(run())


def with_campaigns(settings: Settings) -> Callable[[Database], Awaitable[None]]:
    async def work(db: Database) -> None:
        async with db.write() as session:
            ids = [
                await leads.add(
                    session,
                    {"name": name, "city": "Queens", "email": f"jo@lead-{number}.com"},
                    settings=settings,
                    now=NOW,
                )
                for number, name in enumerate(NAMES, start=1)
            ]
            silent = await leads.add(session, {"name": "Gus Glass"}, settings=settings, now=NOW)
        campaign = await add_campaign(db, [*ids[:5], silent])
        hours = timedelta(hours=1)
        await mark(db, campaign, ids[0], state=MessageState.SENT, replied_at=NOW - hours)
        await mark(db, campaign, ids[1], state=MessageState.SENT, bounced_at=NOW - hours)
        await mark(
            db, campaign, ids[2], state=MessageState.FAILED, reason="no such user", due_at=None
        )
        await mark(db, campaign, ids[3], due_at=None, reason="its site is not published")
        await mark(
            db,
            campaign,
            ids[4],
            state=MessageState.UNCERTAIN,
            reason="it may have been sent or not: sending was cut off",
            due_at=None,
        )
        paused = await add_campaign(db, ids[5:], name="Flowers", steps=[step()])
        async with db.write() as session:
            await running.pause(session, paused, now=NOW)
            await worker_log.add(
                session, "2 mails sent, 1 refused.", is_problem=False, now=NOW - hours
            )
            await worker_log.add(
                session, "mail.example.org cannot be reached.", is_problem=True, now=NOW
            )
        await add_draft(db, [], name="For the spring")

    return work


def pressed(*keys: str) -> RunBefore:
    """Press keys as somebody who has set up an account of mails in a folder."""

    async def run(pilot: Pilot[None]) -> None:
        await settle(pilot)
        assert isinstance(pilot.app, CrmApp)
        pilot.app.settings = SETTINGS
        await press(pilot, keys)

    return run


@pytest.fixture(autouse=True)
def _nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crm_tui.app._MAIL_AFTER", 3600.0)


@in_every_look
@pytest.mark.parametrize(
    "keys",
    [
        ("3",),
        ("3", "enter"),
        ("3", "enter", "o"),
        ("3", "enter", "a"),
        ("3", "X"),
        (":", *"worker log", "enter"),
    ],
    ids=["list", "ledger", "left-out", "adding", "cancel", "worker-log"],
)
def test_campaigns_look_as_agreed(
    look: Look, keys: tuple[str, ...], store: Path, snap_compare: SnapCompare
) -> None:
    assert look.compare(snap_compare, store, run_before=pressed(*keys))


@in_every_look
@pytest.mark.parametrize(
    "pages", range(5), ids=["audience", "message", "preview", "when", "review"]
)
def test_the_wizard_looks_as_agreed(
    look: Look, pages: int, store_path: Path, settings: Settings, snap_compare: SnapCompare
) -> None:
    async def work(db: Database) -> None:
        async with db.write() as session:
            ids = [
                await leads.add(
                    session,
                    {"name": name, "city": "Queens", "email": f"jo@lead-{number}.com"},
                    settings=settings,
                    now=NOW,
                )
                for number, name in enumerate(NAMES, start=1)
            ]
            ids.append(await leads.add(session, {"name": "Gus Glass"}, settings=settings, now=NOW))
        await add_draft(db, ids)

    fill(store_path, work)
    keys = ("3", "enter", *["enter"] * pages)
    assert look.compare(snap_compare, store_path, run_before=pressed(*keys))


@pytest.mark.parametrize("look", [Look(80, 24), Look(160, 50)], ids=str)
@pytest.mark.parametrize(
    "keys", [("3", "enter"), ("3", "G", "enter", "enter")], ids=["page", "wizard"]
)
def test_two_texts_look_as_agreed(
    look: Look,
    keys: tuple[str, ...],
    store_path: Path,
    settings: Settings,
    snap_compare: SnapCompare,
) -> None:
    async def work(db: Database) -> None:
        async with db.write() as session:
            ids = [
                await leads.add(
                    session,
                    {"name": name, "email": f"jo@lead-{number}.com"},
                    settings=settings,
                    now=NOW,
                )
                for number, name in enumerate(NAMES, start=1)
            ]
        second = step(OFFER.replace("A website", "See a website"), name="other")
        steps = [TWO_STEPS[0].with_text("b", second), TWO_STEPS[1]]
        campaign = await add_campaign(db, ids, steps=steps)
        hour = timedelta(hours=1)
        for number, lead in enumerate(ids):
            facts: dict[str, Any] = {"opened_at": NOW - hour} if number in {0, 1, 3} else {}
            facts |= {"replied_at": NOW} if number == 1 else {}
            facts |= {"machine_opened_at": NOW - hour, "provider": "mailgun", "delivered_at": NOW}
            facts |= {"state": MessageState.SENT, "variant": "ab"[number % 2]}
            await mark(db, campaign, lead, **facts)
        await add_draft(db, ids, name="For the spring", steps=steps)

    fill(store_path, work)
    assert look.compare(snap_compare, store_path, run_before=pressed(*keys))


@in_every_look
def test_no_campaigns_look_as_agreed(
    look: Look, store_path: Path, snap_compare: SnapCompare
) -> None:
    assert look.compare(snap_compare, store_path, run_before=pressed("3"))

"""How the lead screen looks; a changed picture is shown in snapshot_report.html."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from textual.pilot import Pilot

from crm_tui.app import CrmApp
from crm_tui.config import OperatorSettings, Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Site, Task
from crm_tui.screens.lead import LeadScreen
from crm_tui.services import events, leads, timeline
from crm_tui.services.events import NewEvent
from crm_tui.vocabulary import CallOutcome, ContactStatus, EventKind
from tests.screens.settling import press, settle

NOW = datetime(2026, 11, 22, 14, 2, tzinfo=UTC)
SIZES = ((80, 24), (120, 40))
REPLY = """Hi,

looks nice. What does it cost to put it online? We had a site once, but the man who made it moved away.

Marco"""


@pytest.fixture
def settings() -> Settings:
    return Settings(operator=OperatorSettings(timezone="UTC"))


@pytest.fixture
def store(store_path: Path, settings: Settings) -> Path:
    """One lead with a history of everything a timeline can show."""

    async def fill() -> None:
        db = Database(store_path)
        async with db.write() as session:
            fields = {
                "name": "Woodhaven Plumbing & Heating",
                "category": "Plumber",
                "street": "104-10 Rockaway Boulevard",
                "city": "Ozone Park",
                "region": "NY",
                "postal_code": "11417",
                "country": "US",
                "phone": "718 555 0142",
                "email": "office@woodhaven.example",
                "timezone": "America/New_York",
            }
            captured = NOW - timedelta(days=400)
            lead = await leads.add(
                session, fields, settings=settings, now=captured, source="outscraper"
            )
            await events.record(session, *(_past(lead)), now=NOW)
            await timeline.log_call(
                session, lead, CallOutcome.NO_ANSWER, at=NOW - timedelta(days=9), now=NOW
            )
            await timeline.add_note(
                session,
                lead,
                "The nephew does websites. Ask for Marco, not for the office, and not before nine.",
                at=NOW - timedelta(days=9),
                now=NOW,
            )
            await timeline.log_call(
                session,
                lead,
                CallOutcome.TALKED,
                note="Wants to see it on Monday with his wife.",
                at=NOW - timedelta(hours=3),
                now=NOW,
            )
            session.add_all(_work(lead))
        await db.close()

    asyncio.run(fill())
    return store_path


def _past(lead: int) -> list[NewEvent]:
    def ago(days: float) -> datetime:
        return NOW - timedelta(days=days)

    return [
        NewEvent(lead, EventKind.SITE_BUILT, ago(19), "site built", "you"),
        NewEvent(
            lead,
            EventKind.EMAIL_SENT,
            ago(12),
            "mail sent: A website for Woodhaven",
            "brevo",
            moves_to=ContactStatus.EMAILED,
        ),
        NewEvent(lead, EventKind.OPENED, ago(12), "opened the mail", "brevo", by_machine=True),
        NewEvent(
            lead,
            EventKind.OPENED,
            ago(2.1),
            "opened the mail",
            "brevo",
            moves_to=ContactStatus.OPENED,
        ),
        NewEvent(
            lead,
            EventKind.REPLIED,
            ago(2),
            "answered: Re: A website for Woodhaven",
            "brevo",
            moves_to=ContactStatus.REPLIED,
            body=REPLY,
        ),
    ]


def _work(lead: int) -> list[object]:
    return [
        Task(
            business_id=lead,
            what="Call back about the price",
            due_at=NOW - timedelta(hours=1),
            created_at=NOW,
        ),
        Task(
            business_id=lead,
            what="Send the invoice",
            due_at=NOW + timedelta(days=5),
            created_at=NOW,
        ),
        Site(
            business_id=lead,
            slug="woodhaven-plumbing-heating",
            theme="trades",
            content_hash="",
            created_at=NOW - timedelta(days=19),
            built_at=NOW - timedelta(days=19),
            html="",
            out_of_date=True,
        ),
    ]


class List:
    """A list of three, on its first lead."""

    def step(self, by: int) -> int | None:
        return None if by < 0 else 1

    def place(self) -> tuple[int, int]:
        return 1, 3


def opened(*keys: str, theme: str = "dark") -> Callable[[Pilot[None]], object]:
    """Open the lead, then press keys."""

    async def run(pilot: Pilot[None]) -> None:
        await settle(pilot)
        pilot.app.theme = theme
        await pilot.app.push_screen(LeadScreen(1, neighbours=List()))
        await settle(pilot)
        await press(pilot, keys)

    return run


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize(
    "keys",
    [(), ("p",), ("n",), ("a",), ("s",), ("e",), ("j", "enter"), ("/",)],
    ids=["lead", "facts", "note", "call", "status", "edit", "entry", "kinds"],
)
def test_the_lead_screen_looks_as_agreed(
    store: Path,
    settings: Settings,
    snap_compare: Callable[..., bool],
    keys: tuple[str, ...],
    size: tuple[int, int],
) -> None:
    app = CrmApp(store, settings, now=lambda: NOW)
    assert snap_compare(app, terminal_size=size, run_before=opened(*keys))


def test_the_light_theme_looks_as_agreed(
    store: Path, settings: Settings, snap_compare: Callable[..., bool]
) -> None:
    app = CrmApp(store, settings, now=lambda: NOW)
    run = opened("n", theme="light")
    assert snap_compare(app, terminal_size=(120, 40), run_before=run)

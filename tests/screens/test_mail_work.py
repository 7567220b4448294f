"""The worker while the app runs: when it works, what the top line says of it, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import select
from textual.pilot import Pilot
from textual.widgets import Static

from crm_tui.app import CrmApp
from crm_tui.config import ProviderSettings, Settings, SmtpSettings
from crm_tui.db.engine import Database, beside
from crm_tui.db.locks import held
from crm_tui.db.models import Message, SyncCursor
from crm_tui.screens.dialogs import Confirm
from crm_tui.screens.mail_work import GROUP
from crm_tui.screens.worker_log import WorkerLogScreen
from crm_tui.services.sending import standing, worker_log
from crm_tui.vocabulary import MessageState
from tests.conftest import NOW, AddLead
from tests.screens.mailings import SETTINGS, add_campaign, step
from tests.screens.settling import press, settle
from tests.terminal_session import Terminal

Started = Callable[..., AbstractAsyncContextManager[tuple[CrmApp, Pilot[None]]]]


@pytest.fixture
def started(store_path: Path, monkeypatch: pytest.MonkeyPatch) -> Started:
    """Starts the app, which begins with the mail at once."""
    monkeypatch.setattr("crm_tui.app._MAIL_AFTER", 0.01)
    monkeypatch.setattr("crm_tui.screens.mail_work._AGAIN", 0.01)

    @asynccontextmanager
    async def start(
        settings: Settings = SETTINGS, *, throw_away: bool = False
    ) -> AsyncIterator[tuple[CrmApp, Pilot[None]]]:
        app = CrmApp(store_path, settings, now=lambda: NOW, throw_away=throw_away)
        async with app.run_test(size=(120, 30)) as pilot:
            await settle(pilot)
            yield app, pilot

    return start


async def until(pilot: Pilot[None], happened: Callable[[], bool]) -> None:
    """Wait for something the worker does."""
    async with asyncio.timeout(90):
        while not happened():
            await pilot.pause(0.01)


async def states(db: Database) -> list[MessageState]:
    async with db.read() as session:
        return list(await session.scalars(select(Message.state).order_by(Message.id)))


def at_work(app: CrmApp) -> bool:
    return any(worker.group == GROUP and not worker.is_finished for worker in app.workers)


async def test_without_an_account_nobody_works_and_the_top_line_names_the_store(
    started: Started,
) -> None:
    async with started(Settings()) as (app, _):
        assert not at_work(app)
        assert app.status()[0] == "crm.db"


async def test_mails_go_while_the_app_runs(
    db: Database, add_lead: AddLead, started: Started
) -> None:
    lead = await add_lead("Ada Plumbing", email="jo@ada-plumbing.com")
    await add_campaign(db, [lead], steps=[step()])
    outbox = beside(db.path, "outbox")
    async with started() as (app, pilot):
        await until(pilot, lambda: app.status()[0] == "0 queued")
        assert len(list(outbox.glob("*.eml"))) == 1
        assert await states(db) == [MessageState.SENT]


async def test_the_queue_of_a_store_without_an_account_is_named(
    db: Database, add_lead: AddLead, started: Started
) -> None:
    lead = await add_lead("Ada Plumbing", email="jo@ada-plumbing.com")
    await add_campaign(db, [lead])
    async with started(Settings()) as (app, _):
        assert app.status()[0] == "▲ no mailbox set · 2 queued"
        assert not at_work(app)


async def test_a_provider_that_cannot_be_polled_is_named(db: Database, started: Started) -> None:
    cursor = {
        "account": "AC1",
        "stream": "events",
        "cursor": {},
        "problem": "The token is refused.",
    }
    async with db.write() as session:
        session.add(SyncCursor(provider="twilio", failed_at=NOW, **cursor))
    async with started() as (app, _):
        assert app.status()[0].startswith("▲ Twilio fails since")


async def test_stripe_that_fails_is_named_without_an_account_for_mail(
    db: Database, started: Started
) -> None:
    """Who only takes money has to know, too."""
    async with db.write() as session:
        session.add(
            SyncCursor(
                provider="stripe",
                account="test",
                stream="events",
                cursor={},
                problem="Stripe cannot be reached.",
                failed_at=NOW,
            )
        )
    async with started(Settings()) as (app, _):
        assert app.status()[0].startswith("▲ Stripe fails since")


async def test_other_settings_at_the_very_start_leave_one_worker(
    db: Database, started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with started(Settings()) as (app, pilot):
        app.settings, app.mail_work = SETTINGS, app._mail_of(SETTINGS)
        looked, look = asyncio.Event(), app.mail_work.look

        async def tell(db: Database) -> None:
            await look(db)
            looked.set()

        monkeypatch.setattr(app.mail_work, "look", tell)
        begun = asyncio.create_task(app.mail_work.begin(db, is_invented=False))
        await looked.wait()
        await app.use_settings(SETTINGS)  # while it is loaded, and not at work yet
        await begun
        await until(pilot, lambda: app.mail_work.is_at_work)
        assert sum(worker.group == GROUP for worker in app.workers) == 1
        assert not app.mail_work.elsewhere


async def test_another_worker_is_named_and_relieved_when_it_is_gone(
    db: Database, started: Started
) -> None:
    with held(db.path, "worker"):
        async with started() as (app, pilot):
            await until(pilot, lambda: app.status()[0].startswith("worker elsewhere"))
            assert "Another worker is at work" in app.mail_work.elsewhere
            await press(pilot, ("q",))
            assert app.return_code == 0
    async with started() as (app, pilot):
        await until(pilot, lambda: app.mail_work.is_at_work)
        assert app.status()[0] == "0 queued"


async def test_quitting_names_the_mail_that_waits(
    db: Database, add_lead: AddLead, started: Started
) -> None:
    lead = await add_lead("Ada Plumbing", email="jo@ada-plumbing.com")
    await add_campaign(db, [lead])
    async with started() as (app, pilot):
        await until(pilot, lambda: "1 queued" in app.status()[0])
        await press(pilot, ("q",))
        assert isinstance(app.screen, Confirm)
        assert "1 mail waits to be sent" in str(app.screen.query_one(Static).render())
        await press(pilot, ("escape", "q", "enter"))
        assert app.return_code == 0
        assert not at_work(app)


async def test_a_stopped_store_says_so_and_is_let_go_in_the_worker_log(
    db: Database, started: Started
) -> None:
    async with db.write() as session:
        await standing.stop(session, "it was restored from a backup")
        await worker_log.add(session, "1 mails sent, 0 refused.", is_problem=False, now=NOW)
    async with started() as (app, pilot):
        assert app.status()[0] == "▲ sending stopped: it was restored from a backup"
        await press(pilot, (":", *"worker log", "enter"))
        assert isinstance(app.screen, WorkerLogScreen)
        said = str(app.screen.query_one("#worker-standing", Static).render())
        assert "Sending is stopped: it was restored from a backup." in said
        assert "1 mails sent" in app.screen._table.render_line(1).text
        await press(pilot, ("S", "left", "enter"))
        assert app.status()[0] == "0 queued"
        await press(pilot, ("S", "enter"))
        assert app.status()[0] == "▲ sending stopped: you stopped it"


async def test_a_demo_never_sends_through_a_real_account(
    db: Database, add_lead: AddLead, started: Started
) -> None:
    lead = await add_lead("Ada Plumbing", email="jo@ada-plumbing.com")
    await add_campaign(db, [lead])
    smtp = ProviderSettings(smtp=SmtpSettings(host="127.0.0.1"))
    settings = Settings(sender=SETTINGS.sender, providers=smtp)
    async with started(settings, throw_away=True) as (app, _):
        assert not at_work(app)


async def test_what_goes_wrong_is_shown_once_and_it_is_tried_again(
    db: Database, started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0

    async def run(_worker: object) -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise RuntimeError("the disk is gone")

    monkeypatch.setattr("crm_tui.worker.Worker.run", run)
    shown: list[Exception] = []
    async with started() as (app, pilot):
        app.mail_work._show_error = shown.append
        await until(pilot, lambda: tries == 3)
    assert len(shown) <= 1


@pytest.mark.pty
def test_nothing_is_painted_while_the_worker_has_nothing_to_do(
    store_path: Path, tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        '[sender]\nname = "A"\nemail = "a@example.org"\n[email]\nprovider = "outbox"\n'
    )
    args = ["-m", "crm_tui", "--db", str(store_path), "--config", str(config)]
    with Terminal(args) as terminal:
        terminal.until(lambda text: "0 queued" in text)
        terminal.press("3")
        assert terminal.rests(5.0)

"""Rounds over all streams: none holds up another, and what came in at a provider is read at once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Event
from crm_tui.providers.events import Asked, Cursor, Page, RawMail
from crm_tui.services.inbox.collecting import keep_mails
from crm_tui.services.mailing import Mailing, Report
from crm_tui.services.polling import rounds
from crm_tui.services.polling.rounds import Rounds
from crm_tui.vocabulary import EventKind
from tests.conftest import NOW
from tests.money.scripted import Till, record
from tests.money.telling import payment
from tests.polling.scripted import Scripted, raw
from tests.polling.sent import SETTINGS, reader, sent_campaign


@dataclass
class Hanging(Scripted):
    """A stream whose provider takes the question and never answers."""

    ended: bool = False
    hangs: asyncio.Event = field(default_factory=asyncio.Event)

    async def fetch_events(self, cursor: Cursor, asked: Asked) -> Page:
        """Nothing, for ever."""
        self.asked.append(cursor)
        self.hangs.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended = True
        raise AssertionError


def of_streams(
    db: Database, streams: list[Scripted], monkeypatch: pytest.MonkeyPatch
) -> tuple[Rounds, asyncio.Event]:
    """Rounds over these, an hour after each other."""
    named = {each.name: each for each in streams}

    async def known(*_asked: Any, **_facts: Any) -> Any:
        return named

    monkeypatch.setattr(rounds, "streams_of", known)
    monkeypatch.setattr(rounds, "_PATIENCE", 0.05)
    hours = iter(range(1_000))
    stopping = asyncio.Event()

    def clock() -> datetime:
        return NOW + timedelta(hours=next(hours))

    return Rounds(db, SETTINGS, {}, clock, lambda: None, stopping), stopping


async def test_a_provider_that_hangs_holds_up_no_other(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging, other = Hanging(name="hangs"), Scripted(name="answers", again=True)
    going, _ = of_streams(db, [hanging, other], monkeypatch)

    async def until_polled(times: int) -> None:
        while len(other.asked) < times:
            await going.due(Report())

    async with going:
        await asyncio.wait_for(until_polled(3), 60)
        assert len(hanging.asked) == 1
        assert not hanging.ended
    assert hanging.ended


async def test_rounds_that_are_stopped_wait_for_nobody(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging = Hanging()
    going, stopping = of_streams(db, [hanging], monkeypatch)

    async def at_work() -> None:
        async with going:
            await going.once(Report())

    task = asyncio.create_task(at_work())
    await asyncio.wait_for(hanging.hangs.wait(), 60)
    stopping.set()
    await asyncio.wait_for(task, 60)
    assert hanging.ended


async def test_what_a_payment_provider_told_is_counted_by_itself(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = NOW - timedelta(hours=2)
    (name,) = await sent_campaign(db, 1, at=sent)
    opened = raw("e1", "opened", sent + timedelta(minutes=5), name)
    going, _ = of_streams(db, [Scripted([opened])], monkeypatch)

    async def till(*_asked: Any, **_facts: Any) -> Any:
        return {"till": Till([record(payment("evt_1")), record(payment("evt_2"))])}

    monkeypatch.setattr(rounds, "money_streams_of", till)
    report = Report()
    async with going:
        await going.once(report)
    assert (report.polled, report.payments) == (3, 2)


async def test_an_answer_that_came_in_at_a_provider_is_told_with_the_next_pass(
    db: Database,
) -> None:
    await sent_campaign(db, 1, at=NOW - timedelta(hours=2))
    answer = EmailMessage()
    answer["From"], answer["To"] = "ann@elsewhere.example", "anna@sender.example"
    answer["Message-ID"], answer["Subject"] = "<a1@acme.example>", "Re: Hello"
    answer["In-Reply-To"] = "<mailgun-1-1@sender.example>"
    answer.set_content("Yes, please call me.")
    assert await keep_mails(db, [RawMail(answer.as_bytes(), NOW)], reader()) == 1
    mailing = Mailing(
        db,
        msgspec.convert({}, Settings),
        environment={},
        now=lambda: NOW,
        changed=lambda: None,
        stopping=asyncio.Event(),
    )
    report = Report()
    await mailing.run("nobody", report, spread=True, poll=False)
    assert report.applied == 1
    async with db.read() as session:
        replied = select(Event.summary).where(Event.kind == EventKind.REPLIED)
        assert await session.scalar(replied) is not None

"""Leads with numbers, settings that send text messages, and a provider that notes what it got."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from crm_tui.config import Settings
from crm_tui.config.sections import ProviderSettings, SmsSettings, TwilioSettings
from crm_tui.db.engine import Database
from crm_tui.db.models import Event, Message
from crm_tui.providers.base import OutgoingSms, ProviderError, Sent
from crm_tui.services import consent, leads, mailing
from crm_tui.services.campaigns.steps import Step, step_of
from crm_tui.services.mailing import Mailing, Report
from crm_tui.services.templating.files import Kind, read_template
from crm_tui.vocabulary import EventKind
from tests.campaigns.making import settings_to_send

OURS = "+17185550100"
HELLO = (
    "---\ndescription: hello\n---\n"
    "Hello {{ business.name }}, {{ sender.name }} here. {{ unsubscribe }}\n"
)


def a_text(source: str = HELLO, *, delay: str | None = None, name: str = "text") -> Step:
    """A step that is a text message."""
    return step_of(read_template(source, name=name, kind=Kind.SMS), delay=delay)


def settings_to_text(*, per_hour: int = 0, per_day: int = 0, **sending: Any) -> Settings:
    """Everything that text messages ask for, mail into the outbox."""
    twilio = TwilioSettings(account_sid="AC" + "0" * 32, from_number=OURS)
    return replace(
        settings_to_send(**sending),
        sms=SmsSettings(provider="twilio", per_hour=per_hour, per_day=per_day),
        providers=ProviderSettings(twilio=twilio),
    )


async def add_called(db: Database, number: int, now: datetime, **fields: str) -> list[int]:
    """Leads with a number of their own each, and no address: +17185550201 and so on."""
    added = []
    for each in range(1, number + 1):
        typed = {"name": f"Plumber {each}", "phone": f"+171855502{each:02}"} | fields
        async with db.write() as session:
            added.append(await leads.add(session, typed, settings=Settings(), now=now))
    return added


async def agree(db: Database, business_ids: list[int], now: datetime) -> None:
    """Have leads agree to text messages."""
    async with db.write() as session:
        await consent.give(session, business_ids, "asked for it on the phone", now=now)


@dataclass
class FakeSender:
    """Takes text messages, or answers what it is told to."""

    sent: list[OutgoingSms] = field(default_factory=list)
    answers: list[ProviderError] = field(default_factory=list)
    unanswered: int = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        return None

    async def send(self, sms: OutgoingSms) -> Sent:
        """Take it."""
        if self.answers:
            raise self.answers.pop(0)
        self.sent.append(sms)
        return Sent(sms.key, f"SM{len(self.sent)}", "queued")

    def give_up(self) -> None:
        """Nothing is on its way."""


@dataclass
class Desk:
    """A store and settings; what is sent is sent anew in each pass, and nothing is read."""

    db: Database
    settings: Settings
    provider: FakeSender

    async def at(self, now: datetime) -> Report:
        """One pass at that time."""
        report = Report()
        mailing = Mailing(
            self.db,
            self.settings,
            environment={},
            now=lambda: now,
            changed=lambda: None,
            stopping=asyncio.Event(),
        )
        await mailing.run("this-sender", report, spread=False, poll=False, insist=False)
        return report


def a_desk(db: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk whose text messages go to a fake provider."""
    provider = FakeSender()

    @asynccontextmanager
    async def opened(*_args: object, **_more: object) -> AsyncIterator[FakeSender]:
        yield provider

    monkeypatch.setattr(mailing, "open_sms_sender", opened)
    return Desk(db, settings, provider)


async def told(db: Database, lead: int) -> list[tuple[EventKind, str]]:
    """A lead's timeline, without its capture."""
    async with db.read() as session:
        rows = await session.execute(
            select(Event.kind, Event.summary)
            .where(Event.business_id == lead, Event.kind != EventKind.CAPTURED)
            .order_by(Event.id)
        )
        return [(kind, summary) for kind, summary in rows]


async def rows(db: Database, *columns: Any) -> list[tuple[Any, ...]]:
    """Columns of the messages, in the order of their ids."""
    async with db.read() as session:
        found = await session.execute(select(*columns).select_from(Message).order_by(Message.id))
        return [tuple(row) for row in found]

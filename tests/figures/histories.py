"""Small histories of leads, messages, money and spend, made up and written into a real store."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from hypothesis import strategies as st
from sqlalchemy import insert

from crm_tui.config import MoneySettings
from crm_tui.db.engine import Database, ReadSession
from crm_tui.db.models import (
    Business,
    Campaign,
    CampaignStep,
    Dispute,
    Message,
    Payment,
    Refund,
    Spend,
    Subscription,
    SubscriptionChange,
)
from crm_tui.db.types import Base
from crm_tui.services.figures.base import Period, Scope
from crm_tui.services.filters import Standpoint
from crm_tui.vocabulary import (
    CampaignState,
    DisputeState,
    Interval,
    MessageState,
    Mode,
    PaymentState,
    RefundState,
    SubscriptionState,
)

T = TypeVar("T")

BEGIN = datetime(2026, 6, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
PRICES = {"smtp": Fraction("0.015"), "mailgun": Fraction("0.001")}
CAMPAIGNS = {1: "Autumn", 2: "Winter"}
SOURCES = ("Maps", "List")


@dataclass(frozen=True)
class Lead:
    id: int
    captured_at: datetime
    source: str


@dataclass(frozen=True)
class Mail:
    lead: int
    campaign: int | None
    at: datetime
    sent: bool
    bounced: bool
    provider: str
    opened: bool
    replied: bool
    cost: int | None


@dataclass(frozen=True)
class Paid:
    lead: int
    at: datetime
    amount: int
    currency: str
    mode: Mode
    state: PaymentState
    refunds: tuple[tuple[int, RefundState], ...]
    disputes: tuple[tuple[int, DisputeState], ...]

    @property
    def counts(self) -> bool:
        return self.mode is not Mode.TEST and self.state is PaymentState.SUCCEEDED

    @property
    def net(self) -> int:
        back = sum(amount for amount, state in self.refunds if state is RefundState.SUCCEEDED)
        lost = sum(amount for amount, state in self.disputes if state is DisputeState.LOST)
        return max(self.amount - back - lost, 0)


@dataclass(frozen=True)
class Change:
    at: datetime
    state: SubscriptionState
    amount: int
    currency: str
    interval: Interval


@dataclass(frozen=True)
class Subscribed:
    lead: int
    mode: Mode
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Spent:
    day: date
    amount: int
    currency: str
    campaign: int | None
    source: str | None


@dataclass(frozen=True)
class History:
    leads: tuple[Lead, ...] = ()
    mails: tuple[Mail, ...] = ()
    paid: tuple[Paid, ...] = ()
    subscribed: tuple[Subscribed, ...] = ()
    spent: tuple[Spent, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    zone: str = "UTC"

    @property
    def tz(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    def holds(self, at: datetime) -> bool:
        """Whether a moment lies in the period."""
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)

    def scope(self) -> Scope:
        return Scope(
            Period(self.since, self.until),
            None,
            "",
            Standpoint(NOW, self.tz, 60, Mode.LIVE),
            Mode.LIVE,
            MoneySettings(currency="USD"),
            PRICES,
        )


_MOMENTS = st.integers(0, 150 * 24 * 4).map(lambda quarter: BEGIN + timedelta(minutes=15 * quarter))
_CURRENCIES = st.sampled_from(["USD", "JPY"])


@st.composite
def histories(draw: st.DrawFn) -> History:
    """A history of one to four leads, with as much of everything that something comes of it."""
    count = draw(st.integers(1, 4))
    numbers = st.integers(1, count)
    leads = tuple(
        Lead(number, draw(_MOMENTS), draw(st.sampled_from(SOURCES)))
        for number in range(1, count + 1)
    )
    mails = st.builds(
        Mail,
        lead=numbers,
        campaign=st.sampled_from([None, 1, 2]),
        at=_MOMENTS,
        sent=st.sampled_from([True, True, True, False]),
        bounced=st.sampled_from([False, False, True]),
        provider=st.sampled_from(["smtp", "mailgun", "twilio"]),
        opened=st.booleans(),
        replied=st.booleans(),
        cost=st.sampled_from([None, None, 7_900, 15_800]),
    )
    amounts = st.integers(1, 20_000)
    paid = st.builds(
        Paid,
        lead=numbers,
        at=_MOMENTS,
        amount=amounts,
        currency=_CURRENCIES,
        mode=st.sampled_from([Mode.MANUAL, Mode.LIVE, Mode.TEST]),
        state=st.sampled_from([PaymentState.SUCCEEDED] * 3 + [PaymentState.FAILED]),
        refunds=st.lists(st.tuples(amounts, st.sampled_from(RefundState)), max_size=2).map(tuple),
        disputes=st.lists(st.tuples(amounts, st.sampled_from(DisputeState)), max_size=1).map(tuple),
    )
    changes = st.builds(
        Change,
        at=_MOMENTS,
        state=st.sampled_from(SubscriptionState),
        amount=amounts,
        currency=_CURRENCIES,
        interval=st.sampled_from([Interval.MONTH, Interval.YEAR, Interval.WEEK]),
    )
    subscribed = st.builds(
        Subscribed,
        lead=numbers,
        mode=st.sampled_from([Mode.LIVE, Mode.MANUAL, Mode.TEST]),
        changes=st.lists(changes, min_size=1, max_size=4, unique_by=lambda each: each.at).map(
            tuple
        ),
    )
    spent = st.builds(
        Spent,
        day=_MOMENTS.map(datetime.date),
        amount=amounts,
        currency=_CURRENCIES,
        campaign=st.sampled_from([None, 1, 2]),
        source=st.sampled_from([None, "maps", "Leaflets"]),
    ).map(lambda each: each if each.campaign is None else replace(each, source=None))
    since = draw(st.none() | _MOMENTS)
    until = draw(st.none() | _MOMENTS.filter(lambda at: since is None or at > since))
    return History(
        leads,
        tuple(draw(st.lists(mails, min_size=2 * count, max_size=5 * count))),
        tuple(draw(st.lists(paid, min_size=1, max_size=2 * count))),
        tuple(draw(st.lists(subscribed, max_size=3))),
        tuple(draw(st.lists(spent, max_size=4))),
        since,
        until,
        draw(st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"])),
    )


def told(
    empty_store: Path, folder: Path, history: History, ask: Callable[[ReadSession], Awaitable[T]]
) -> T:
    """What a figure tells of a history, in a store of its own."""
    path = folder / "history.db"
    for each in folder.glob("history.db*"):
        each.unlink()
    shutil.copy(empty_store, path)

    async def run() -> T:
        db = Database(path)
        try:
            await write(db, history)
            async with db.read() as session:
                return await ask(session)
        finally:
            await db.close()

    return asyncio.run(run())


async def write(db: Database, history: History) -> None:
    """Write a history into a store."""
    rows: dict[type[Base], list[dict[str, Any]]] = {
        Business: [_business(lead) for lead in history.leads],
        Campaign: [_campaign(number, name) for number, name in CAMPAIGNS.items()],
        CampaignStep: [_step(number) for number in CAMPAIGNS],
        Message: [_message(number, mail) for number, mail in enumerate(history.mails, 1)],
        Payment: [_payment(number, paid) for number, paid in enumerate(history.paid, 1)],
        Refund: [
            each for number, paid in enumerate(history.paid, 1) for each in _back(number, paid)
        ],
        Dispute: [
            each for number, paid in enumerate(history.paid, 1) for each in _lost(number, paid)
        ],
        Subscription: [_subscription(*each) for each in enumerate(history.subscribed, 1)],
        SubscriptionChange: [
            each for both in enumerate(history.subscribed, 1) for each in _changes(*both)
        ],
        Spend: [_spend(number, spent) for number, spent in enumerate(history.spent, 1)],
    }
    async with db.write() as session:
        for model, values in rows.items():
            if values:
                await session.execute(insert(model), values)


def _business(lead: Lead) -> dict[str, Any]:
    return {
        "id": lead.id,
        "key": f"lead-{lead.id}",
        "name": f"Lead {lead.id}",
        "sort_name": f"lead {lead.id}",
        "source": lead.source,
        "source_folded": lead.source.lower(),
        "created_at": lead.captured_at,
        "captured_at": lead.captured_at,
        "updated_at": lead.captured_at,
    }


def _campaign(number: int, name: str) -> dict[str, Any]:
    return {
        "id": number,
        "key": f"campaign-{number}",
        "name": name,
        "name_folded": name.lower(),
        "state": CampaignState.RUNNING,
        "audience": {"query": ""},
        "created_at": BEGIN,
        "updated_at": BEGIN,
    }


def _step(number: int) -> dict[str, Any]:
    return {"id": number, "campaign_id": number, "position": 1, "template": "t", "source": "s"}


def _message(number: int, mail: Mail) -> dict[str, Any]:
    return {
        "key": f"message-{number}",
        "business_id": mail.lead,
        "origin_id": 1_000 + number,
        "campaign_id": mail.campaign,
        "step_id": mail.campaign,
        "address": f"a{number}@b.example",
        "message_id": f"<{number}@b.example>",
        "token": f"token-{number}",
        "state": MessageState.SENT if mail.sent else MessageState.FAILED,
        "reason": None if mail.sent else "refused",
        "provider": mail.provider,
        "created_at": mail.at,
        "sent_at": mail.at if mail.sent else None,
        "bounced_at": mail.at if mail.bounced else None,
        "opened_at": mail.at if mail.opened else None,
        "replied_at": mail.at if mail.replied else None,
        "body": "text",
        "cost": mail.cost,
        "currency": None if mail.cost is None else "USD",
    }


def _payment(number: int, paid: Paid) -> dict[str, Any]:
    succeeded = paid.state is PaymentState.SUCCEEDED
    return {
        "id": number,
        "key": f"payment-{number}",
        "business_id": paid.lead,
        "provider": "manual" if paid.mode is Mode.MANUAL else "stripe",
        "mode": paid.mode,
        "method": "card",
        "state": paid.state,
        "amount": paid.amount,
        "currency": paid.currency,
        "created_at": paid.at,
        "paid_at": paid.at if succeeded else None,
        "failed_at": None if succeeded else paid.at,
    }


def _back(number: int, paid: Paid) -> list[dict[str, Any]]:
    return [
        {
            "key": f"refund-{number}-{place}",
            "payment_id": number,
            "amount": amount,
            "state": state,
            "refunded_at": paid.at + timedelta(days=3),
        }
        for place, (amount, state) in enumerate(paid.refunds)
    ]


def _lost(number: int, paid: Paid) -> list[dict[str, Any]]:
    return [
        {
            "key": f"dispute-{number}-{place}",
            "payment_id": number,
            "amount": amount,
            "state": state,
            "opened_at": paid.at,
            "closed_at": None if state is DisputeState.OPEN else paid.at,
        }
        for place, (amount, state) in enumerate(paid.disputes)
    ]


def _subscription(number: int, subscribed: Subscribed) -> dict[str, Any]:
    last = max(subscribed.changes, key=lambda each: each.at)
    return {
        "id": number,
        "key": f"subscription-{number}",
        "business_id": subscribed.lead,
        "provider": "manual",
        "mode": subscribed.mode,
        "state": last.state,
        "amount": last.amount,
        "currency": last.currency,
        "interval": last.interval,
        "started_at": min(each.at for each in subscribed.changes),
        "ended_at": last.at if last.state is SubscriptionState.ENDED else None,
    }


def _changes(number: int, subscribed: Subscribed) -> list[dict[str, Any]]:
    return [
        {
            "key": f"change-{number}-{place}",
            "subscription_id": number,
            "occurred_at": change.at,
            "state": change.state,
            "amount": change.amount,
            "currency": change.currency,
            "interval": change.interval,
        }
        for place, change in enumerate(subscribed.changes)
    ]


def _spend(number: int, spent: Spent) -> dict[str, Any]:
    return {
        "key": f"spend-{number}",
        "spent_on": spent.day,
        "kind": "ads",
        "amount": spent.amount,
        "currency": spent.currency,
        "campaign_id": spent.campaign,
        "source": spent.source,
        "source_folded": None if spent.source is None else spent.source.lower(),
        "created_at": BEGIN,
    }

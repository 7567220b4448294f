"""What invented leads were sent, and what they paid, as rows of the store's tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from benchmarks import invented
from benchmarks.invented import Happening, Lead
from crm_tui.vocabulary import (
    Channel,
    EventKind,
    Interval,
    MessageState,
    Mode,
    PaymentState,
    SubscriptionState,
)

Row = tuple[object, ...]

COLUMNS = {
    "message": (
        "id", "key", "business_id", "origin_id", "channel", "address", "message_id", "token", "state",
        "provider", "created_at", "sent_at", "delivered_at", "opened_at", "clicked_at",
        "machine_opened_at", "replied_at", "subject", "body", "segments", "cost", "currency",
    ),
    "customer": ("business_id", "name", "created_at"),
    "subscription": (
        "id", "key", "business_id", "provider", "mode", "state", "amount", "currency", "interval",
        "started_at", "ended_at",
    ),
    "subscription_change": (
        "key", "subscription_id", "occurred_at", "state", "amount", "currency", "interval",
    ),
    "payment": (
        "key", "business_id", "provider", "mode", "subscription_id", "method", "state", "amount",
        "currency", "is_renewal", "created_at", "paid_at",
    ),
}  # fmt: skip
"""The columns that are written, in the order of the rows; all others have their default."""

_PER_LEAD = 10
"""Messages of a lead have numbers from ten times its own on."""
_BODY = "Hello, we made a website for you. Look at it here, and tell us what you think. " * 4
_MARKS = {EventKind.OPENED: "opened", EventKind.CLICKED: "clicked", EventKind.REPLIED: "replied"}
_PLANS = (
    (4_900, "USD", Interval.MONTH),
    (4_900, "USD", Interval.MONTH),
    (9_900, "USD", Interval.MONTH),
    (49_000, "USD", Interval.YEAR),
    (4_500, "EUR", Interval.MONTH),
    (6_000, "JPY", Interval.MONTH),
)


@dataclass(slots=True)
class Sent:
    """A message that went to a lead, and when what came of it first did."""

    number: int
    happening: Happening
    times: dict[str, datetime] = field(default_factory=dict)


def sent_to(lead: Lead, happenings: list[Happening]) -> list[Sent]:
    """The messages of a history: each with the opens, clicks and answers after it."""
    found: list[Sent] = []
    for happening in happenings:
        if happening.kind in {EventKind.EMAIL_SENT, EventKind.SMS_SENT}:
            found.append(Sent(lead.id * _PER_LEAD + len(found), happening))
            happening.message_id = found[-1].number
        elif happening.kind in _MARKS and found:
            mark = _MARKS[happening.kind]
            if happening.by_machine:
                mark = f"machine_{mark}"
            found[-1].times.setdefault(mark, happening.at)
            happening.message_id = found[-1].number
    return found


def messages(lead: Lead, happenings: list[Happening], random: Random) -> Iterator[Row]:
    """The rows of the messages that went to a lead."""
    for sent in sent_to(lead, happenings):
        by_mail = sent.happening.kind is EventKind.EMAIL_SENT
        provider = "twilio"
        if by_mail:
            provider = "smtp" if random.random() < 0.2 else "mailgun"
        at = sent.happening.at
        told = None if provider == "smtp" else at + timedelta(seconds=4)
        name = f"{sent.number:012x}"
        address = lead.email or f"info@{lead.domain}"
        yield (
            sent.number, f"message-{name}", lead.id, lead.id,
            (Channel.EMAIL if by_mail else Channel.SMS).value,
            address if by_mail else f"+1201555{lead.id % 10_000:04}", f"<{name}@bench.example>", name,
            MessageState.SENT.value, provider, _stamp(at), _stamp(at), _stamp(told),
            *(_stamp(sent.times.get(mark)) for mark in ("opened", "clicked", "machine_opened", "replied")),
            "A website for you" if by_mail else None, _BODY, None if by_mail else 1,
            None if by_mail else 7_900, None if by_mail else "USD",
        )  # fmt: skip


def money(lead: Lead, happenings: list[Happening], random: Random) -> Iterator[tuple[str, Row]]:
    """The rows of what a lead paid, each with its table."""
    bought = next((h for h in happenings if h.kind is EventKind.PURCHASED), None)
    if bought is None:
        return
    yield "customer", (lead.id, lead.name, _stamp(bought.at))
    amount, currency, interval = _PLANS[int(random.random() * len(_PLANS))]
    subscribed = random.random() < 0.6
    subscription = lead.id if subscribed else None
    if subscribed:
        yield from _subscription(lead, bought.at, (amount, currency, interval), random)
    for number in range(1 + int(random.random() * 3 if subscribed else 0)):
        at = bought.at + timedelta(days=30 * number)
        if number and at >= invented.NOW:
            break
        yield (
            "payment",
            (
                f"payment-{lead.id}-{number}", lead.id, "stripe", Mode.LIVE.value, subscription,
                "card", PaymentState.SUCCEEDED.value, amount, currency, int(number > 0), _stamp(at),
                _stamp(at),
            ),
        )  # fmt: skip


def _subscription(
    lead: Lead, began: datetime, terms: tuple[int, str, Interval], random: Random
) -> Iterator[tuple[str, Row]]:
    """A subscription that goes on, or ended, or costs more by now."""
    amount, currency, interval = terms
    changes = [(began, SubscriptionState.ACTIVE, amount)]
    fate = random.random()
    later = began + (invented.NOW - began) * random.random()
    if fate < 0.2:
        changes.append((later, SubscriptionState.ENDED, amount))
    elif fate < 0.3:
        changes.append((later, SubscriptionState.ACTIVE, 2 * amount))
    elif fate < 0.35:
        changes.append((later, SubscriptionState.PAUSED, amount))
    at, state, amount = changes[-1]
    ended = at if state is SubscriptionState.ENDED else None
    key = f"subscription-{lead.id}"
    yield (
        "subscription",
        (
            lead.id, key, lead.id, "stripe", Mode.LIVE.value, state.value, amount, currency,
            interval.value, _stamp(began), _stamp(ended),
        ),
    )  # fmt: skip
    for number, (at, state, amount) in enumerate(changes):
        yield (
            "subscription_change",
            (f"{key}-{number}", lead.id, _stamp(at), state.value, amount, currency, interval.value),
        )


def _stamp(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="microseconds")[:26] + "Z"

"""Money in today's list: what came, what did not, what ends, and what a bank took back.

A line is gone when its payment or subscription is not in that state any more, or when the operator
said that it is dealt with: that is an event of the lead, which undo takes back. One that fails
again, or has another day, is a new line.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, Text, cast, func, literal, select
from sqlalchemy.orm import aliased

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import Business, Dispute, Event, Payment, Plan, Subscription
from crm_tui.errors import NotFound
from crm_tui.money import amount_words
from crm_tui.services import events
from crm_tui.services.events import OPERATOR, NewEvent
from crm_tui.services.today_answers import is_word
from crm_tui.vocabulary import (
    DisputeState,
    EventKind,
    Interval,
    Mode,
    PaymentState,
    SubscriptionState,
)

SOON = timedelta(days=14)
"""How long before its end a subscription is told of."""

NEW = timedelta(days=60)
"""For how long a payment is new that nobody has said a word about."""

_EARNING = [each for each in SubscriptionState if each.earns]


class About(StrEnum):
    """What a line is about; stored with the event that says it is dealt with."""

    PAID = "paid"
    FAILED = "failed"
    ENDING = "ending"
    OVERDUE = "overdue"
    DISPUTED = "disputed"


class MoneyLine(NamedTuple):
    """One line: its record, the lead, when it happened or is due, and what it is about."""

    record: int
    lead: int
    name: str
    at: datetime | None
    what: str


def order(about: About, *, due_by: datetime, modes: Collection[Mode]) -> Select[Any]:
    """The records of the lines about one thing, in the order to deal with them."""
    chosen = _chosen(about)
    if about is About.PAID:
        chosen = chosen.where(Payment.paid_at > due_by - NEW)
        chosen = chosen.order_by(Payment.paid_at.desc(), Payment.id.desc())
    elif about is About.FAILED:
        chosen = chosen.order_by(Payment.failed_at.desc(), Payment.id.desc())
    elif about is About.ENDING:
        chosen = chosen.where(Subscription.cancel_at <= due_by + SOON)
        chosen = chosen.order_by(Subscription.cancel_at, Subscription.id)
    elif about is About.OVERDUE:
        chosen = chosen.where(Subscription.current_period_end <= due_by)
        chosen = chosen.order_by(Subscription.current_period_end, Subscription.id)
    else:
        chosen = chosen.order_by(Dispute.due_by.is_(None), Dispute.due_by, Dispute.id)
    return chosen.where(_owner(about).mode.in_(list(modes)))


def _owner(about: About) -> Any:
    """What a line belongs to: it knows whose it is, and which money."""
    return Subscription if about in {About.ENDING, About.OVERDUE} else Payment


def _chosen(about: About) -> Select[Any]:
    """The records that want to be dealt with, as far as no time tells."""
    record, where = _WANTING[about]
    query = select(record).select_from(record.class_)
    if about is About.DISPUTED:
        query = query.join(Payment, Payment.id == Dispute.payment_id)
    lead = _owner(about).business_id
    return query.join(Business, Business.id == lead).where(*where, ~_dealt(about, lead))


def _made_good() -> ColumnElement[bool]:
    """That what failed came later: for the same subscription, or of the same lead where there is none."""
    later = aliased(Payment)
    return (
        select(later.id)
        .where(
            later.business_id == Payment.business_id,
            later.subscription_id.is_not_distinct_from(Payment.subscription_id),
            later.paid_at >= func.coalesce(Payment.failed_at, Payment.created_at),
        )
        .exists()
    )


def _has_ended() -> ColumnElement[bool]:
    return (
        select(Subscription.id)
        .where(
            Subscription.id == Payment.subscription_id,
            Subscription.state == SubscriptionState.ENDED,
        )
        .exists()
    )


_AT_HAND = Business.archived_at.is_(None)
_WANTING: dict[About, tuple[Any, tuple[ColumnElement[bool], ...]]] = {
    About.PAID: (
        Payment.id,
        (
            Payment.paid_at.is_not(None),
            Payment.is_renewal.is_(False),
            Payment.mode != Mode.MANUAL,
        ),
    ),
    About.FAILED: (
        Payment.id,
        (
            is_word(Payment.__table__.c.state, PaymentState.FAILED),
            _AT_HAND,
            ~_made_good(),
            ~_has_ended(),
        ),
    ),
    About.ENDING: (
        Subscription.id,
        (
            Subscription.cancel_at.is_not(None),
            Subscription.state != SubscriptionState.ENDED,
            _AT_HAND,
        ),
    ),
    About.OVERDUE: (
        Subscription.id,
        (
            Subscription.mode == Mode.MANUAL,
            Subscription.state.in_(_EARNING),
            Subscription.current_period_end.is_not(None),
            _AT_HAND,
        ),
    ),
    About.DISPUTED: (Dispute.id, (is_word(Dispute.__table__.c.state, DisputeState.OPEN),)),
}
_MARKS: dict[About, ColumnElement[str]] = {
    About.PAID: cast(Payment.id, Text),
    About.FAILED: cast(Payment.id, Text).concat("/").concat(cast(Payment.attempts, Text)),
    About.ENDING: cast(Subscription.id, Text)
    .concat("/")
    .concat(func.substr(cast(Subscription.cancel_at, Text), 1, 10)),
    About.OVERDUE: cast(Subscription.id, Text)
    .concat("/")
    .concat(func.substr(cast(Subscription.current_period_end, Text), 1, 10)),
    About.DISPUTED: cast(Dispute.id, Text),
}
"""What tells one thing to deal with from the next of the same record."""


def _dealt(about: About, lead: Any) -> ColumnElement[bool]:
    """That the operator said it is dealt with."""
    return (
        select(Event.id)
        .where(
            Event.business_id == lead,
            Event.kind == EventKind.TASK_DONE,
            Event.is_voided.is_(False),
            func.json_extract(Event.data, "$.money") == literal(f"{about}/").concat(_MARKS[about]),
        )
        .exists()
    )


# What stands in the lines


async def lines(
    session: ReadSession, about: About, ids: Sequence[int], *, zone: tzinfo | None = UTC
) -> list[MoneyLine]:
    """The lines of these records, in no particular order; those that are gone are left out.

    Days are those of the zone; None is the machine's own.
    """
    if not ids:
        return []
    if about in {About.PAID, About.FAILED}:
        return await _payments(session, about, ids, zone)
    if about is About.DISPUTED:
        return await _disputes(session, ids, zone)
    return await _subscriptions(session, about, ids, zone)


async def _payments(
    session: ReadSession, about: About, ids: Sequence[int], zone: tzinfo | None
) -> list[MoneyLine]:
    rows = await session.execute(
        _chosen(about)
        .outerjoin(Plan, Plan.id == Payment.plan_id)
        .where(Payment.id.in_(ids))
        .with_only_columns(
            Payment.id,
            Payment.business_id,
            Business.name,
            func.coalesce(Payment.paid_at, Payment.failed_at, Payment.created_at, type_=_TIME),
            Payment.amount,
            Payment.currency,
            Plan.name,
            Payment.failure,
            Payment.attempts,
            Payment.next_attempt_at,
        )
    )
    found = []
    for record, lead, name, at, amount, currency, plan, failure, attempts, again in rows:
        words = amount_words(amount, currency) + (f" for {plan}" if plan else "")
        if about is About.FAILED:
            tried = f", tried {attempts} times" if attempts > 1 else ""
            later = f"; tried again {_day(again, zone)}" if again else ""
            words = f"{words}: {failure or 'not paid'}{tried}{later}"
        found.append(MoneyLine(record, lead, name, at, words))
    return found


_TIME = Payment.paid_at.type


async def _subscriptions(
    session: ReadSession, about: About, ids: Sequence[int], zone: tzinfo | None
) -> list[MoneyLine]:
    rows = await session.execute(
        _chosen(about)
        .outerjoin(Plan, Plan.id == Subscription.plan_id)
        .where(Subscription.id.in_(ids))
        .with_only_columns(
            Subscription.id,
            Subscription.business_id,
            Business.name,
            Subscription.cancel_at,
            Subscription.current_period_end,
            Subscription.amount,
            Subscription.currency,
            Subscription.interval,
            Subscription.interval_count,
            Plan.name,
        )
    )
    found = []
    for record, lead, name, ends, due, amount, currency, interval, count, plan in rows:
        words = f"{plan}, " if plan else ""
        words += f"{amount_words(amount, currency)} {_often(interval, count)}"
        at, word = (ends, "ends") if about is About.ENDING else (due, "paid until")
        found.append(MoneyLine(record, lead, name, at, f"{word} {_day(at, zone)}: {words}"))
    return found


async def _disputes(
    session: ReadSession, ids: Sequence[int], zone: tzinfo | None
) -> list[MoneyLine]:
    rows = await session.execute(
        _chosen(About.DISPUTED)
        .where(Dispute.id.in_(ids))
        .with_only_columns(
            Dispute.id,
            Payment.business_id,
            Business.name,
            Dispute.opened_at,
            Dispute.due_by,
            Dispute.amount,
            Payment.currency,
            Dispute.reason,
        )
    )
    return [
        MoneyLine(
            record,
            lead,
            name,
            due or opened,
            f"{amount_words(amount, currency)}{f', {reason}' if reason else ''}: "
            + (
                f"answer it at the provider by {_day(due, zone)}"
                if due
                else "it cannot be answered"
            ),
        )
        for record, lead, name, opened, due, amount, currency, reason in rows
    ]


def _often(interval: Interval, count: int) -> str:
    return f"a {interval}" if count == 1 else f"each {count} {interval}s"


def _day(at: datetime | None, zone: tzinfo | None) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d}" if at else ""


# Dealing with them


_DONE = {
    About.PAID: "new payment seen",
    About.FAILED: "failed payment dealt with",
    About.ENDING: "end of the subscription dealt with",
    About.OVERDUE: "overdue payment let be",
    About.DISPUTED: "dispute dealt with",
}


async def deal_with(session: WriteSession, about: About, record: int, *, now: datetime) -> None:
    """Be done with a line.

    Raises:
        NotFound: there is none any more.
    """
    record_id, _ = _WANTING[about]
    row = (
        await session.execute(
            _chosen(about)
            .where(record_id == record)
            .with_only_columns(
                _owner(about).business_id,
                literal(f"{about}/").concat(_MARKS[about]).label("mark"),
            )
        )
    ).first()
    if row is None:
        raise NotFound("This was dealt with already.")
    event = NewEvent(
        row.business_id,
        EventKind.TASK_DONE,
        now,
        _DONE[about],
        OPERATOR,
        data={"money": row.mark},
    )
    await events.record(session, event, now=now)

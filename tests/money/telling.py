"""What providers tell of money, made up for tests, and what the store holds after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select

from crm_tui.db.engine import Database
from crm_tui.db.models import Customer, Dispute, Event, Payment, Refund, Subscription
from crm_tui.providers.money import (
    DisputeTold,
    MoneyEvent,
    MoneyKind,
    Payer,
    PaymentTold,
    RefundTold,
    SubscriptionTold,
)
from crm_tui.services.money.telling import tell
from crm_tui.vocabulary import (
    DisputeState,
    EventKind,
    Interval,
    Mode,
    PaymentState,
    RefundState,
    SubscriptionState,
)

T0 = datetime(2026, 11, 3, 12, 0, tzinfo=UTC)
JANE = Payer(
    reference="",
    ids=("cus_1",),
    name="Jane Doe",
    email="jane@woodhaven.example",
    address={"city": "Ozone Park"},
    country="us",
)


def at(hours: float = 0, *, days: float = 0) -> datetime:
    """A time after the beginning."""
    return T0 + timedelta(days=days, hours=hours)


def payment(
    name: str,
    when: datetime = T0,
    *,
    state: PaymentState = PaymentState.SUCCEEDED,
    amount: int = 4900,
    currency: str = "USD",
    payer: Payer = JANE,
    pays_link: str | None = None,
    **told: Any,
) -> MoneyEvent:
    """A payment, paid unless it says otherwise."""
    names = {"payment_intent", "invoice", "session", "charge"}
    if not names & told.keys():
        told["payment_intent"] = f"pi_{name}"
    return MoneyEvent(
        name=name,
        kind=MoneyKind.PAYMENT,
        occurred_at=when,
        live=False,
        payer=payer,
        payment=PaymentTold(state=state, amount=amount, currency=currency, at=when, **told),
        pays_link=pays_link,
    )


def failed(name: str, when: datetime = T0, **told: Any) -> MoneyEvent:
    """A payment that failed."""
    return payment(name, when, state=PaymentState.FAILED, **told)


def refund(
    name: str,
    amount: int,
    when: datetime,
    *,
    of: MoneyEvent,
    state: RefundState = RefundState.SUCCEEDED,
    refund_id: str = "",
) -> MoneyEvent:
    """Money of a payment that went back."""
    told = RefundTold(id=refund_id or f"re_{name}", amount=amount, state=state, at=when)
    return replace(of, name=name, kind=MoneyKind.REFUND, occurred_at=when, refund=told)


def dispute(
    name: str,
    when: datetime,
    *,
    of: MoneyEvent,
    state: DisputeState = DisputeState.OPEN,
    closed_at: datetime | None = None,
) -> MoneyEvent:
    """A payment taken back by the payer's bank."""
    assert of.payment is not None
    told = DisputeTold(
        id="dp_1",
        amount=of.payment.amount,
        state=state,
        opened_at=at(days=20),
        closed_at=closed_at,
        due_by=at(days=30),
        reason="fraudulent",
    )
    return replace(of, name=name, kind=MoneyKind.DISPUTE, occurred_at=when, dispute=told)


def subscription(
    name: str,
    when: datetime,
    state: SubscriptionState = SubscriptionState.ACTIVE,
    *,
    amount: int = 4900,
    interval: Interval = Interval.MONTH,
    cancel_at: datetime | None = None,
    ended_at: datetime | None = None,
    subscription_id: str = "sub_1",
    payer: Payer = JANE,
) -> MoneyEvent:
    """What a subscription is from a time on."""
    told = SubscriptionTold(
        id=subscription_id,
        state=state,
        amount=amount,
        currency="USD",
        interval=interval,
        started_at=T0,
        cancel_at=cancel_at,
        ended_at=ended_at,
    )
    return MoneyEvent(
        name=name,
        kind=MoneyKind.SUBSCRIPTION,
        occurred_at=when,
        live=False,
        payer=payer,
        subscription=told,
    )


async def tell_all(
    db: Database,
    business_id: int,
    events: Sequence[MoneyEvent],
    *,
    now: datetime,
    mode: Mode = Mode.TEST,
) -> list[bool]:
    """Tell a lead's money, each in a transaction of its own."""
    new = []
    for each in events:
        async with db.write() as session:
            new.append(
                await tell(
                    session,
                    business_id,
                    each,
                    provider="stripe",
                    mode=mode,
                    source="stripe",
                    now=now,
                )
            )
    return new


MONEY = (
    EventKind.PAYMENT_PENDING,
    EventKind.PAYMENT_SUCCEEDED,
    EventKind.PAYMENT_FAILED,
    EventKind.REFUNDED,
    EventKind.DISPUTED,
    EventKind.DISPUTE_CLOSED,
    EventKind.SUBSCRIPTION_STARTED,
    EventKind.SUBSCRIPTION_UPDATED,
    EventKind.SUBSCRIPTION_PAUSED,
    EventKind.SUBSCRIPTION_RESUMED,
    EventKind.SUBSCRIPTION_CANCELED,
)


async def told_of(db: Database, business_id: int) -> list[str]:
    """What the timeline says of a lead's money, the oldest first."""
    async with db.read() as session:
        rows = await session.scalars(
            select(Event.summary)
            .where(
                Event.business_id == business_id,
                Event.kind.in_(MONEY),
                Event.is_voided.is_(False),
            )
            .order_by(Event.occurred_at, Event.summary)
        )
        return list(rows)


async def rows_of(db: Database, *models: type[Any]) -> dict[str, list[dict[str, Any]]]:
    """All that the store holds of money, without the numbers of rows."""
    found: dict[str, list[dict[str, Any]]] = {}
    async with db.read() as session:
        for model in models or (Payment, Refund, Dispute, Subscription, Customer):
            rows = await session.execute(select(model.__table__))
            found[model.__tablename__] = sorted(
                ({n: v for n, v in row.items() if n != "id"} for row in rows.mappings()),
                key=str,
            )
    return found


async def the_payment(db: Database) -> Payment:
    """The only payment there is."""
    async with db.read() as session:
        return (await session.scalars(select(Payment))).one()

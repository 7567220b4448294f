"""What the invented customers pay: care plans by card and by transfer, one refund, one card that fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple

from sqlalchemy import insert

from crm_tui.db.engine import Database
from crm_tui.db.models import PlanPrice
from crm_tui.providers.money import (
    MoneyEvent,
    MoneyKind,
    Payer,
    PaymentTold,
    RefundTold,
    SubscriptionTold,
)
from crm_tui.services import spending
from crm_tui.services.money import by_hand, plans, telling
from crm_tui.services.money.plans import PlanRow
from crm_tui.services.spending import NewSpend
from crm_tui.vocabulary import Interval, Mode, PaymentState, RefundState, SubscriptionState

_STRIPE = "stripe"
_MONTH = timedelta(days=30)


class Bought(NamedTuple):
    """A lead that bought, and when (aware UTC)."""

    lead: int
    at: datetime


class _Payment(NamedTuple):
    """A payment by card: of which subscription, the how many-eth, and when."""

    subscription: str
    number: int
    at: datetime


async def fill_money(
    db: Database, bought: Sequence[Bought], random: Random, *, now: datetime
) -> None:
    """Write what leads paid, in the order it came, and what was spent to win them.

    Args:
        db: the demo's store.
        bought: who bought, and when.
        random: the demo's random numbers.
        now: aware UTC; nothing happens after it.
    """
    await _Selling(db, random, now).sell(bought)
    await _spend(db, now)


@dataclass(slots=True)
class _Selling:
    db: Database
    random: Random
    now: datetime
    _care: list[PlanRow] = field(default_factory=list)

    async def sell(self, bought: Sequence[Bought]) -> None:
        """Tell of all payments."""
        once = await self._offer()
        for number, (lead, at) in enumerate(sorted(bought, key=lambda each: each.at)):
            if number % 4 == 1:
                await self._by_transfer(lead, at, once)
            else:
                await self._by_card(lead, at, number, self._care[number % 3 == 2])

    async def _offer(self) -> PlanRow:
        """The plans: two for which one pays again and again, and one for which one pays once."""
        began = self.now - timedelta(days=70)
        offers = (
            ("Website care", 49_00, Interval.MONTH, 99_00),
            ("Website care, a year", 490_00, Interval.YEAR, 0),
            ("Website, as it is", 890_00, Interval.ONCE, 0),
        )
        async with self.db.write() as session:
            for name, amount, interval, fee in offers:
                await plans.add(
                    session,
                    name,
                    amount=amount,
                    currency="USD",
                    interval=interval,
                    setup_fee=fee,
                    now=began,
                )
            care, year, once = [await plans.named(session, name) for name, *_ in offers]
            for plan in (care, year):
                names = {"product_id": f"prod_demo{plan.id}", "price_id": _price(plan)}
                await session.execute(
                    insert(PlanPrice).values(
                        plan_id=plan.id, provider=_STRIPE, mode=Mode.LIVE, **names
                    )
                )
        self._care = [care, year]
        return once

    async def _by_transfer(self, lead: int, at: datetime, plan: PlanRow) -> None:
        async with self.db.write() as session:
            await by_hand.pay(
                session,
                lead,
                plan.amount,
                plan.currency,
                plan=plan,
                paid_at=at,
                method="bank",
                now=at,
            )

    async def _by_card(self, lead: int, at: datetime, number: int, plan: PlanRow) -> None:
        """A subscription, and its payments until now; the last of one fails, one is refunded."""
        name = f"sub_demo{number}"
        every = _MONTH if plan.interval is Interval.MONTH else 12 * _MONTH
        await self._tell(lead, _subscription(name, plan, at, at + every))
        paid_at, count = at, 0
        while paid_at <= self.now:
            fails = number == 0 and paid_at + every > self.now and count > 0
            amount = plan.amount + (plan.setup_fee if count == 0 else 0)
            payment = _Payment(name, count, paid_at)
            await self._tell(lead, _payment(payment, amount, plan, failed=fails))
            if fails:
                late = SubscriptionState.PAST_DUE
                await self._tell(lead, _subscription(name, plan, at, paid_at, late))
            paid_at, count = paid_at + every, count + 1
        if number == 3 and count:
            back_at = min(at + timedelta(days=2), self.now)
            await self._tell(lead, _refund(_Payment(name, 0, back_at), plan.setup_fee or 20_00))

    async def _tell(self, lead: int, event: MoneyEvent) -> None:
        async with self.db.write() as session:
            await telling.tell(
                session,
                lead,
                event,
                provider=_STRIPE,
                mode=Mode.LIVE,
                source=_STRIPE,
                now=event.occurred_at,
            )


def _price(plan: PlanRow) -> str:
    return f"price_demo{plan.id}"


def _subscription(
    name: str,
    plan: PlanRow,
    began: datetime,
    until: datetime,
    state: SubscriptionState = SubscriptionState.ACTIVE,
) -> MoneyEvent:
    at = began if state is SubscriptionState.ACTIVE else until
    told = SubscriptionTold(
        id=name,
        state=state,
        amount=plan.amount,
        currency=plan.currency,
        interval=plan.interval,
        price=_price(plan),
        started_at=began,
        current_period_end=until,
    )
    return MoneyEvent(
        name=f"evt_{name}_{state}",
        kind=MoneyKind.SUBSCRIPTION,
        occurred_at=at,
        live=True,
        payer=Payer(ids=(name,)),
        subscription=told,
    )


def _payment(payment: _Payment, amount: int, plan: PlanRow, *, failed: bool) -> MoneyEvent:
    named = f"{payment.subscription}_{payment.number}"
    told = PaymentTold(
        state=PaymentState.FAILED if failed else PaymentState.SUCCEEDED,
        amount=amount,
        currency=plan.currency,
        at=payment.at,
        payment_intent=f"pi_{named}",
        subscription=payment.subscription,
        renewal=payment.number > 0,
        price=_price(plan),
        fee=None if failed else round(amount * 0.029) + 30,
        failure="Your card was declined." if failed else "",
        attempts=1 if failed else 0,
        next_attempt_at=payment.at + timedelta(days=5) if failed else None,
        invoice_number=f"DEMO-{payment.subscription[-2:].strip('o')}-{payment.number + 1:04}",
    )
    return MoneyEvent(
        name=f"evt_pi_{named}",
        kind=MoneyKind.PAYMENT,
        occurred_at=payment.at,
        live=True,
        payer=Payer(ids=(payment.subscription, f"pi_{named}")),
        payment=told,
    )


def _refund(payment: _Payment, amount: int) -> MoneyEvent:
    named = f"{payment.subscription}_{payment.number}"
    return MoneyEvent(
        name=f"evt_re_{named}",
        kind=MoneyKind.REFUND,
        occurred_at=payment.at,
        live=True,
        payer=Payer(ids=(f"pi_{named}",)),
        refund=RefundTold(
            id=f"re_{named}", amount=amount, state=RefundState.SUCCEEDED, at=payment.at
        ),
    )


async def _spend(db: Database, now: datetime) -> None:
    """Two months of what it costs to find and win customers."""
    for ago, kind, amount, note in (
        (58, "data", 39_00, "lists of local businesses"),
        (52, "ads", 120_00, "search ads"),
        (28, "data", 39_00, "lists of local businesses"),
        (21, "ads", 90_00, "search ads"),
        (9, "tools", 12_00, "domain and mailbox"),
    ):
        at = now - timedelta(days=ago)
        spent = NewSpend(spent_on=at.date(), amount=amount, currency="USD", kind=kind, note=note)
        async with db.write() as session:
            await spending.add(session, spent, now=at)

"""What tests of payment links share: a provider that makes them, plans, and payments that came."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from crm_tui.db.engine import Database
from crm_tui.db.models import Payment
from crm_tui.providers.money import MadeLink, Prices
from crm_tui.services.money import links, plans
from crm_tui.services.money.links import Made
from crm_tui.vocabulary import Interval, Mode, PaymentState


@dataclass
class Till:
    """A payment provider that keeps what it was asked by the key it was asked under, as Stripe does.

    Attributes:
        breaks: what goes wrong, by the name of what is asked, before or after it was done.
    """

    prices: dict[str, tuple[object, ...]] = field(default_factory=dict)
    pages: dict[str, tuple[object, ...]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    breaks: dict[str, Exception] = field(default_factory=dict)
    breaks_after: dict[str, Exception] = field(default_factory=dict)

    def _ask(self, name: str) -> None:
        self.asked.append(name)
        if error := self.breaks.pop(name, None):
            raise error

    def _answer(self, name: str) -> None:
        if error := self.breaks_after.pop(name, None):
            raise error

    async def make_prices(
        self,
        name: str,
        amount: int,
        currency: str,
        interval: Interval,
        setup_fee: int,
        *,
        key: str,
    ) -> Prices:
        self._ask("prices")
        terms = (name, amount, currency, interval, setup_fee)
        assert self.prices.setdefault(key, terms) == terms
        self._answer("prices")
        number = list(self.prices).index(key) + 1
        setup = f"price_setup_{number}" if setup_fee else None
        return Prices(product=f"prod_{number}", price=f"price_{number}", setup_price=setup)

    async def make_link(
        self, prices: Prices, *, key: str, reference: str, email: str | None, plan: str
    ) -> MadeLink:
        self._ask("link")
        terms = (prices, reference, plan)
        assert self.pages.setdefault(key, terms) == terms
        self._answer("link")
        number = list(self.pages).index(key) + 1
        return MadeLink(id=f"plink_{number}", url=f"https://buy.example.com/{number}")

    async def close_link(self, link: str) -> None:
        self._ask("close")
        self.closed.append(link)


async def add_plan(
    db: Database,
    now: datetime,
    name: str = "Care",
    amount: int = 4900,
    *,
    interval: Interval = Interval.MONTH,
    setup_fee: int = 0,
) -> int:
    """A plan in US dollars."""
    async with db.write() as session:
        return await plans.add(session, name, amount, "USD", interval, setup_fee=setup_fee, now=now)


async def make(db: Database, lead: int, plan: int, now: datetime, till: Till | None = None) -> Made:
    """The link of a lead for a plan."""
    return await links.make(
        db,
        lead,
        plan,
        payments=till or Till(),
        mode=Mode.TEST,
        clock=lambda: now,
    )


async def pay(
    db: Database,
    lead: int,
    at: datetime,
    *,
    state: PaymentState = PaymentState.SUCCEEDED,
    **more: object,
) -> int:
    """A payment of a lead that came, or should have; only its row."""
    paid = state is PaymentState.SUCCEEDED
    row = {
        "key": f"payment of {lead} at {at}",
        "business_id": lead,
        "provider": "stripe",
        "mode": Mode.TEST,
        "method": "card",
        "state": state,
        "amount": 4900,
        "currency": "USD",
        "created_at": at,
        "paid_at": at if paid else None,
        "failed_at": at if state is PaymentState.FAILED else None,
        **more,
    }
    async with db.write() as session:
        payment = Payment(**row)
        session.add(payment)
        await session.flush()
        return payment.id

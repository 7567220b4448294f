"""Payment links: a page of the payment provider for one lead and one plan, made once.

The row is there first, and its key goes along with what the provider is asked (as Idempotency-Key):
whoever goes on with what was cut off gets the same page. The provider is asked outside of every
transaction. Which of its links is a lead's own is told by `offered`.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Select, select, update
from sqlalchemy.dialects.sqlite import insert

from crm_tui.db.engine import Database, ReadSession, WriteSession
from crm_tui.db.models import Business, PaymentLink, Plan, PlanPrice
from crm_tui.errors import BadInput, NotFound
from crm_tui.providers.base import Refused, Unsendable
from crm_tui.providers.money import MadeLink, Prices
from crm_tui.providers.stripe_make import link_address
from crm_tui.services import events
from crm_tui.services.events import OPERATOR, NewEvent
from crm_tui.services.leads import require
from crm_tui.services.money import plans
from crm_tui.services.money.offered import STANDING
from crm_tui.services.money.plans import PlanRow
from crm_tui.vocabulary import EventKind, Interval, LinkState, Mode

STRIPE, BANK = "stripe", "bank"


class Payments(Protocol):
    """What a payment provider has to do for us; every method may raise a ProviderError."""

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
        """Have a plan be known there; amounts in minor units."""
        ...

    async def make_link(
        self, prices: Prices, *, key: str, reference: str, email: str | None, plan: str
    ) -> MadeLink:
        """Make a page to pay at, once for each key."""
        ...

    async def close_link(self, link: str) -> None:
        """Have nobody pay at a page any more."""
        ...


@dataclass(frozen=True, slots=True)
class LinkRow:
    """A way to pay. `url` is None of bank details, and while it is being made."""

    id: int
    business_id: int
    business: str
    plan_id: int
    plan: str
    amount: int
    setup_fee: int
    currency: str
    interval: Interval
    provider: str
    mode: Mode
    state: LinkState
    reference: str
    url: str | None
    created_at: datetime
    closed_at: datetime | None

    @property
    def first(self) -> int:
        """What the first payment comes to, in minor units."""
        return self.amount + self.setup_fee


@dataclass(frozen=True, slots=True)
class Made:
    """A link; `new` says whether it was made just now."""

    link: LinkRow
    new: bool


@dataclass(frozen=True, slots=True)
class _Begun:
    id: int
    key: str
    reference: str
    email: str | None
    plan: PlanRow
    is_open: bool


async def make(
    db: Database,
    business_id: int,
    plan_id: int,
    *,
    payments: Payments,
    mode: Mode,
    clock: Callable[[], datetime],
) -> Made:
    """The link of a lead for a plan: found where there is one, else made; not undoable.

    Args:
        db: the store.
        business_id: the lead.
        plan_id: the plan.
        payments: the provider.
        mode: whose money: the provider's real or play money.
        clock: tells the time, aware UTC.

    Raises:
        NotFound: there is no such lead or plan.
        BadInput: the plan is in the archive, or the link was closed while it was made.
        ProviderError: the provider did not make it; asking again goes on where it was.
    """
    async with db.write(durable=True) as session:
        begun = await _begin(session, business_id, plan_id, mode, now=clock())
    if begun.is_open:
        return Made(await _one(db, begun.id), new=False)
    prices = await _prices(db, begun.plan, mode, payments)
    try:
        made = await payments.make_link(
            prices,
            key=begun.key,
            reference=begun.reference,
            email=begun.email,
            plan=begun.plan.name,
        )
    except (Refused, Unsendable):
        # It will not be made as it is: the next one is asked for under another key.
        async with db.write() as session:
            await close(session, [begun.id], now=clock())
        raise
    url = link_address(made.url, begun.reference, begun.email or "")
    async with db.write(durable=True) as session:
        stands = await _open(session, begun, made, url, now=clock())
    if not stands:
        await payments.close_link(made.id)
        raise BadInput(f"The link for {begun.plan.name} was closed while it was made.")
    return Made(await _one(db, begun.id), new=True)


async def _begin(
    session: WriteSession, business_id: int, plan_id: int, mode: Mode, *, now: datetime
) -> _Begun:
    """The row of a link, begun if it is not there."""
    await require(session, business_id)
    plan = await plans.required(session, plan_id)
    lead = (
        await session.execute(
            select(Business.key, Business.email).where(Business.id == business_id)
        )
    ).one()
    row = await standing(session, business_id, plan_id, STRIPE, mode)
    if row is None:
        if plan.archived_at is not None:
            raise BadInput(f"The plan {plan.name} is in the archive; nothing new is sold by it.")
        row = PaymentLink(
            key=uuid.uuid4().hex,
            business_id=business_id,
            origin_id=business_id,
            plan_id=plan_id,
            provider=STRIPE,
            mode=mode,
            state=LinkState.CREATING,
            reference=lead.key,
            created_at=now,
        )
        session.add(row)
        await session.flush()
    return _Begun(
        row.id, row.key, row.reference, lead.email, plan, is_open=row.state is LinkState.OPEN
    )


async def standing(
    session: ReadSession, business_id: int, plan_id: int, provider: str, mode: Mode
) -> PaymentLink | None:
    """The way to pay that a lead was offered for a plan, and that was not closed."""
    found = await session.scalars(
        select(PaymentLink)
        .where(
            PaymentLink.business_id == business_id,
            PaymentLink.plan_id == plan_id,
            PaymentLink.provider == provider,
            PaymentLink.mode == mode,
            PaymentLink.state.in_(STANDING),
        )
        .order_by(PaymentLink.id.desc())
        .limit(1)
    )
    return found.first()


async def _prices(db: Database, plan: PlanRow, mode: Mode, payments: Payments) -> Prices:
    """What a plan is called at the provider; it is made known there once."""
    kept = select(PlanPrice.product_id, PlanPrice.price_id, PlanPrice.setup_price_id).where(
        PlanPrice.plan_id == plan.id, PlanPrice.provider == STRIPE, PlanPrice.mode == mode
    )
    async with db.read() as session:
        row = (await session.execute(kept)).first()
    if row is not None:
        return Prices(product=row.product_id, price=row.price_id, setup_price=row.setup_price_id)
    made = await payments.make_prices(
        plan.name,
        plan.amount,
        plan.currency,
        plan.interval,
        plan.setup_fee,
        key=_price_key(plan, mode),
    )
    async with db.write(durable=True) as session:
        await session.execute(
            insert(PlanPrice)
            .values(
                plan_id=plan.id,
                provider=STRIPE,
                mode=mode,
                product_id=made.product,
                price_id=made.price,
                setup_price_id=made.setup_price,
            )
            .on_conflict_do_nothing()
        )
        row = (await session.execute(kept)).one()
    return Prices(product=row.product_id, price=row.price_id, setup_price=row.setup_price_id)


def _price_key(plan: PlanRow, mode: Mode) -> str:
    """By what the provider knows a repetition; two stores with one account have other plans."""
    terms = (plan.id, plan.name, plan.amount, plan.currency, plan.interval, plan.setup_fee)
    said = "|".join(map(str, (*terms, plan.created_at.isoformat(), mode)))
    return f"plan-{hashlib.sha256(said.encode()).hexdigest()[:32]}"


async def _open(
    session: WriteSession, begun: _Begun, made: MadeLink, url: str, *, now: datetime
) -> bool:
    """Write where a link is; returns whether it stands."""
    link = await session.get(PaymentLink, begun.id)
    if link is None or link.state not in STANDING:
        return False
    if link.state is LinkState.CREATING:
        link.state, link.provider_id, link.url = LinkState.OPEN, made.id, url
        await session.flush()
        plan = begun.plan
        await tell(session, link, f"payment link made: {plan.name}, {plan.price}", now=now)
    return True


async def tell(session: WriteSession, link: PaymentLink, words: str, *, now: datetime) -> None:
    """Have a lead's timeline say that it was asked to pay."""
    event = NewEvent(
        link.business_id,
        EventKind.PAYMENT_ASKED,
        now,
        words,
        OPERATOR,
        key=f"payment-asked-{link.key}",
        body=link.url,
        data={"link": link.id, "reference": link.reference},
    )
    await events.record(session, event, now=now)


async def close(
    session: WriteSession,
    link_ids: Sequence[int],
    *,
    now: datetime,
    state: LinkState = LinkState.CLOSED,
) -> int:
    """Have links not stand any more here; returns how many did."""
    closed = await session.execute(
        update(PaymentLink)
        .where(PaymentLink.id.in_(link_ids), PaymentLink.state.in_(STANDING))
        .values(state=state, closed_at=now)
        .returning(PaymentLink.id)
        .execution_options(synchronize_session=None)
    )
    return len(closed.all())


# Reading


async def row(session: ReadSession, link_id: int) -> LinkRow | None:
    """A way to pay by its number; None where there is none."""
    found = (await session.execute(_rows().where(PaymentLink.id == link_id))).first()
    return None if found is None else LinkRow(*found)


async def _one(db: Database, link_id: int) -> LinkRow:
    async with db.read() as session:
        found = await row(session, link_id)
    if found is None:
        raise NotFound("Its lead was erased meanwhile.")
    return found


async def listed(
    session: ReadSession, *, business_id: int | None = None, standing_only: bool = False
) -> list[LinkRow]:
    """Ways to pay that leads were offered, the newest first; all, or those of one lead."""
    query = _rows().order_by(PaymentLink.id.desc())
    if business_id is not None:
        query = query.where(PaymentLink.business_id == business_id)
    if standing_only:
        query = query.where(PaymentLink.state.in_(STANDING))
    return [LinkRow(*row) for row in await session.execute(query)]


def _rows() -> Select[*tuple[Any, ...]]:
    return (
        select(
            PaymentLink.id,
            PaymentLink.business_id,
            Business.name,
            PaymentLink.plan_id,
            Plan.name,
            Plan.amount,
            Plan.setup_fee,
            Plan.currency,
            Plan.interval,
            PaymentLink.provider,
            PaymentLink.mode,
            PaymentLink.state,
            PaymentLink.reference,
            PaymentLink.url,
            PaymentLink.created_at,
            PaymentLink.closed_at,
        )
        .join(Business, Business.id == PaymentLink.business_id)
        .join(Plan, Plan.id == PaymentLink.plan_id)
    )

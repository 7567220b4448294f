"""What follows when a lead buys: it is won, its site sold, it is a customer, and campaigns let it be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import Business, Customer, Event, Payment, Site
from crm_tui.services import activity, events, statuses
from crm_tui.services.events import NewEvent
from crm_tui.services.money import lines
from crm_tui.services.money.customers import typed_columns
from crm_tui.services.money.folding import PAYER
from crm_tui.services.sending.stopping import Stop, stop_all
from crm_tui.vocabulary import EventKind, Mode, Outcome, SiteStatus

BOUGHT = "they bought"
_FOLLOWS, _INSTEAD = ":bought-", ":instead"
"""What keys of lines hold that follow from a payment, and how those end that do so only now."""


async def bought(
    session: WriteSession, row: Payment, *, source: str, now: datetime, instead: bool = False
) -> None:
    """Do what follows from a payment that succeeded.

    A renewal changes nothing more of a lead that bought before. With `instead` it follows from this
    payment only as an earlier one was taken back.
    """
    if row.is_renewal and not await _is_first(session, row):
        return
    news = [
        *await _win(session, row, source, now),
        *await _bring_back(session, row, source, now),
        *await _sell(session, row, source),
    ]
    await session.flush()
    if news:
        if instead:
            news = [replace(each, key=f"{each.key}{_INSTEAD}") for each in news]
        keys = await events.record(session, *news, now=now)
        if instead:
            await lines.bring_back(session, row.business_id, keys, now=now)
        await activity.renew_activity(session, [row.business_id])
        await statuses.refold(session, [row.business_id])
    await stop_all(session, [Stop(row.business_id, BOUGHT)], now=now)


async def still_bought(
    session: WriteSession,
    business_id: int,
    *,
    after: int,
    customer_id: int | None,
    was_won_by_it: bool,
    now: datetime,
) -> None:
    """Do again what follows from the payments of a lead, as some of them are its own no more.

    Args:
        session: the transaction.
        business_id: the lead.
        after: the last of those; what came before it had had its effect by then.
        customer_id: the customer record that went with it, which comes back under its number.
        was_won_by_it: whether the outcome was taken back with it; else what it is now is what
            somebody said since, and stays.
        now: aware UTC.
    """
    paid = await _paid(session, business_id)
    if not paid:
        await _unwin(session, business_id, now=now)
        return
    await keep_customer(session, paid[-1], customer_id=customer_id)
    lead = await session.get_one(Business, business_id, populate_existing=True)
    if was_won_by_it or lead.outcome is Outcome.WON:
        await _buy_instead(session, [row for row in paid if row.id > after], now=now)


async def _buy_instead(session: WriteSession, paid: Sequence[Payment], *, now: datetime) -> None:
    for row in paid:
        source = events.OPERATOR if row.mode is Mode.MANUAL else row.provider
        await bought(session, row, source=source, now=now, instead=True)


async def bought_first(session: WriteSession, business_id: int, *, now: datetime) -> None:
    """Have the lines of a lead say no more that later payments did what an earlier one does again.

    Where none did, as the first one is still gone, what came back does it in its place.
    """
    lead = await session.get_one(Business, business_id, populate_existing=True)
    paid = await _paid(session, business_id)
    if lead.outcome is Outcome.OPEN and paid:
        await keep_customer(session, paid[-1])
        await _buy_instead(session, paid, now=now)
        return
    stale = [each.key for each in await _followed(session, business_id)]
    instead = [each for each in stale if each.endswith(_INSTEAD)]
    await lines.take_out(session, business_id, instead, now=now)


async def not_bought(session: WriteSession, row: Payment, *, source: str, now: datetime) -> None:
    """Take back what followed for a lead from a payment that turned out to be another lead's.

    What the operator said of the lead since stays, and a lead that paid otherwise has bought all
    the same. Nobody brings back what campaigns let be.

    Args:
        session: the transaction.
        row: the payment as it was, which is gone.
        source: who told.
        now: aware UTC.
    """
    if row.paid_at is None:
        return
    business_id = row.business_id
    if paid := await _paid(session, business_id):
        await keep_customer(session, paid[-1])
        return
    words, outcome = "what was paid turned out to be another lead's", {}
    before = await _unwin(session, business_id, now=now)
    if before is not None:
        words = f"outcome set back to {before.replace('_', ' ')}: {words}"
        outcome = {"outcome": before, "before": Outcome.WON}
    kind = EventKind.OUTCOME_SET if outcome else EventKind.EDITED
    key = f"{row.provider}:{row.mode.value}:not-bought-{row.id}"
    corrected = NewEvent(business_id, kind, now, words, source, key=key, data=outcome)
    await events.record(session, corrected, now=now)


async def _unwin(session: WriteSession, business_id: int, *, now: datetime) -> Outcome | None:
    """Take back what followed from payments of a lead that has none any more.

    Returns:
        The outcome it has again; None where it stays, as somebody said what it is since.
    """
    followed = await _followed(session, business_id)
    lead = await session.get_one(Business, business_id, populate_existing=True)
    before = await _before_winning(session, business_id) if lead.outcome is Outcome.WON else None
    if before is not None:
        lead.outcome = before
    await _unsell(session, [each.site_id for each in followed if each.site_id is not None])
    stale = [each.key for each in followed if each.kind is not EventKind.UNARCHIVED]
    await lines.take_out(session, business_id, stale, now=now)
    if not await typed_columns(session, business_id):
        await session.execute(delete(Customer).where(Customer.business_id == business_id))
    await session.flush()
    await statuses.refold(session, [business_id])
    return before


async def _followed(session: ReadSession, business_id: int) -> list[Event]:
    """The lines of a lead that say what followed from its payments."""
    found = await session.scalars(
        select(Event).where(
            Event.business_id == business_id,
            Event.kind.in_((EventKind.OUTCOME_SET, EventKind.SITE_SOLD, EventKind.UNARCHIVED)),
            func.instr(Event.key, _FOLLOWS) > 0,
            Event.is_voided.is_(False),
        )
    )
    return list(found)


async def _before_winning(session: ReadSession, business_id: int) -> Outcome | None:
    """The outcome of a lead before a payment won it; None where somebody said what it is since."""
    said = await session.scalar(
        select(Event)
        .where(
            Event.business_id == business_id,
            Event.kind == EventKind.OUTCOME_SET,
            Event.is_voided.is_(False),
        )
        .order_by(Event.id.desc())
        .limit(1)
    )
    return Outcome(said.data["before"]) if said is not None and _FOLLOWS in said.key else None


async def _unsell(session: WriteSession, site_ids: Sequence[int]) -> None:
    """Have sites that payments bought be what they were."""
    found = await session.scalars(
        select(Site)
        .where(Site.id.in_(site_ids), Site.status == SiteStatus.SOLD)
        .execution_options(populate_existing=True)
    )
    for site in found.all():
        site.status = SiteStatus.PUBLISHED if site.published_url else SiteStatus.PREVIEW
    await session.flush()


async def keep_customer(
    session: WriteSession,
    row: Payment,
    *,
    tax_id: str | None = None,
    customer_id: int | None = None,
) -> Customer | None:
    """Have the business be a customer if it paid, known by what its latest payments tell of it.

    What the operator wrote of it stays. A record that is made anew gets `customer_id`, if any.
    """
    paid = await _paid(session, row.business_id)
    customer = await session.scalar(
        select(Customer)
        .where(Customer.business_id == row.business_id)
        .execution_options(populate_existing=True)
    )
    if not paid:
        return customer
    known = _latest(paid)
    first = min(each.paid_at for each in paid if each.paid_at is not None)
    if customer is None:
        customer = Customer(
            id=customer_id, business_id=row.business_id, created_at=first, tax_id=tax_id, **known
        )
        session.add(customer)
    else:
        customer.created_at = min(customer.created_at, first)
        typed = await typed_columns(session, row.business_id)
        told = {**known, "tax_id": tax_id or customer.tax_id}
        for column, value in told.items():
            if column not in typed and getattr(customer, column) != value:
                setattr(customer, column, value)
    await session.flush()
    return customer


def _key(row: Payment, name: str) -> str:
    """What an event that follows from a payment is known by."""
    return f"{row.provider}:{row.mode.value}{_FOLLOWS}{row.id}:{name}"


def _latest(paid: Sequence[Payment]) -> Mapping[str, Any]:
    """Who paid, as the latest payment that knows has it."""
    found: dict[str, Any] = {}
    for row in paid:
        for column in PAYER:
            value = getattr(row, column)
            if value:
                found[column] = value
    return found


async def _paid(session: ReadSession, business_id: int) -> list[Payment]:
    """The payments of a lead that succeeded, the latest last."""
    found = await session.scalars(
        select(Payment)
        .where(Payment.business_id == business_id, Payment.paid_at.is_not(None))
        .order_by(Payment.paid_at, Payment.key)
    )
    return list(found)


async def _is_first(session: ReadSession, row: Payment) -> bool:
    """Whether no other payment of the lead is known, of money that counts beside this."""
    others = await session.scalar(
        select(Payment.id)
        .where(
            Payment.business_id == row.business_id,
            Payment.id != row.id,
            Payment.paid_at.is_not(None),
            Payment.mode.in_((row.mode, Mode.MANUAL)),
        )
        .limit(1)
    )
    return others is None


async def _win(session: WriteSession, row: Payment, source: str, now: datetime) -> list[NewEvent]:
    lead = await session.get_one(Business, row.business_id, populate_existing=True)
    if lead.outcome is Outcome.WON or lead.erased_at is not None:
        return []
    before = lead.outcome
    lead.outcome, lead.outcome_reason = Outcome.WON, None
    return [
        NewEvent(
            row.business_id,
            EventKind.OUTCOME_SET,
            now,
            f"won: {BOUGHT}",
            source,
            key=_key(row, "won"),
            data={"outcome": Outcome.WON, "before": before},
        )
    ]


async def _bring_back(
    session: WriteSession, row: Payment, source: str, now: datetime
) -> list[NewEvent]:
    lead = await session.get_one(Business, row.business_id)
    if lead.archived_at is None or lead.erased_at is not None:
        return []
    lead.archived_at = None
    words = f"brought back from the archive: {BOUGHT}"
    key = _key(row, "unarchived")
    return [NewEvent(row.business_id, EventKind.UNARCHIVED, now, words, source, key=key)]


async def _sell(session: WriteSession, row: Payment, source: str) -> list[NewEvent]:
    """The site that was bought: the published one, else the newest preview; one that is sold stays."""
    found = await session.scalars(
        select(Site)
        .where(Site.business_id == row.business_id, Site.status != SiteStatus.ARCHIVED)
        .order_by(Site.status != SiteStatus.PUBLISHED, Site.built_at.desc(), Site.id.desc())
        .execution_options(populate_existing=True)
    )
    sites = list(found)
    if not sites or row.paid_at is None or any(each.status is SiteStatus.SOLD for each in sites):
        return []
    site = sites[0]
    site.status = SiteStatus.SOLD
    return [
        NewEvent(
            row.business_id,
            EventKind.SITE_SOLD,
            max(row.paid_at, site.built_at),
            f"site sold: {site.slug}",
            source,
            key=_key(row, "sold"),
            data={"before": SiteStatus.PUBLISHED if site.published_url else SiteStatus.PREVIEW},
            site_id=site.id,
        )
    ]

"""Whose money is: by what our link sent along, by the metadata, by names that are known already.

A payer can change what a link sends along, so it selects a lead and authorizes nothing. An e-mail
address that is a lead's suggests that lead, and the operator decides.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from crm_tui.db.engine import ReadSession
from crm_tui.db.models import Business, BusinessAlias, MoneyRef, PaymentLink
from crm_tui.db.types import listed
from crm_tui.providers.money import MoneyEvent, Payer
from crm_tui.services.contacts import email
from crm_tui.services.erased import Erased
from crm_tui.services.money.folding import IDS
from crm_tui.services.money.payments import Place
from crm_tui.vocabulary import AliasKind


@dataclass(frozen=True, slots=True)
class Whose:
    """The lead it is of, or why nobody knows."""

    business_id: int | None = None
    why_unknown: str = ""


def names_of(event: MoneyEvent) -> set[str]:
    """The provider's names of all it belongs to, by which other records belong to it, too.

    Not a payment link's: one may be paid through by many.
    """
    names: set[str | None] = {*event.payer.ids}
    if event.payment is not None:
        names |= {getattr(event.payment, each) for each in (*IDS.values(), "subscription")}
    if event.subscription is not None:
        names.add(event.subscription.id)
    return {each for each in names if each and each != event.pays_link}


async def whose(session: ReadSession, event: MoneyEvent, place: Place) -> Whose:
    """Whom a record is of."""
    payer = event.payer
    for key in filter(None, (payer.reference.strip(), payer.lead_key.strip())):
        named = await _by_key(session, key)
        if named is not None:
            return Whose(named)
    known = await _by_names(session, event, place)
    if known is not None:
        return Whose(known)
    if payer.reference or payer.lead_key:
        return Whose(why_unknown="what it names is no lead of this store")
    return Whose(why_unknown="it names no lead")


def may_be_erased(payer: Payer, erased: Erased) -> bool:
    """Whether it names somebody who was erased, or comes from their address."""
    contact = email(payer.email)
    if contact is not None and erased.has_contact(contact):
        return True
    return any(erased.has_legacy(key) for key in (payer.reference, payer.lead_key) if key)


async def _by_key(session: ReadSession, key: str) -> int | None:
    """The lead of a key, or of a key of one that went into it."""
    own = await session.scalar(
        select(Business.id).where(Business.key == key, Business.erased_at.is_(None))
    )
    if own is not None:
        return own
    return await session.scalar(
        select(BusinessAlias.business_id).where(
            BusinessAlias.kind == AliasKind.KEY, BusinessAlias.value == key
        )
    )


async def _by_names(session: ReadSession, event: MoneyEvent, place: Place) -> int | None:
    """The lead that names of it are known of: first those of the payment, a customer's last."""
    names = names_of(event)
    rows = await session.execute(
        select(MoneyRef.value, MoneyRef.business_id).where(
            MoneyRef.provider == place.provider,
            MoneyRef.mode == place.mode,
            MoneyRef.value.in_(listed(sorted(names))),
        )
    )
    known: dict[str | None, int] = {value: lead for value, lead in rows}  # noqa: C416 - typed
    payment = event.payment
    first = [getattr(payment, each) for each in IDS.values()] if payment is not None else []
    run = event.subscription.id if event.subscription is not None else None
    for each in (*first, run, payment and payment.subscription, *event.payer.ids):
        if each in known:
            return known[each]
    links = [*event.payer.ids, *([event.pays_link] if event.pays_link else [])]
    return await session.scalar(
        select(PaymentLink.business_id)
        .where(
            PaymentLink.provider_id.in_(listed(links)),
            PaymentLink.provider == place.provider,
            PaymentLink.mode == place.mode,
        )
        .limit(1)
    )

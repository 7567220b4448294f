"""Whose money is: by what our link sent along, by the metadata, by names that are known already.

A payer can change what a link sends along, so it selects a lead and authorizes nothing. An e-mail
address that is a lead's suggests that lead, and the operator decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import select

from crm_tui.db.engine import ReadSession
from crm_tui.db.models import Business, BusinessAlias, MoneyRef, PaymentLink
from crm_tui.db.types import listed
from crm_tui.providers.money import MoneyEvent
from crm_tui.services.money.folding import IDS
from crm_tui.services.money.payments import Place
from crm_tui.vocabulary import AliasKind


@dataclass(frozen=True, slots=True)
class Whose:
    """The lead it is of, or why nobody knows; `erased`: the lead was, and its data stays away."""

    business_id: int | None = None
    why_unknown: str = ""
    erased: bool = False


class _Lead(NamedTuple):
    id: int
    erased: bool


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
    """Whom a record is of.

    What goes on with somebody who was erased is theirs as before; what begins anew and names them is
    for the operator.
    """
    named = None
    for key in filter(None, (event.payer.reference.strip(), event.payer.lead_key.strip())):
        named = await _by_key(session, key)
        if named is not None:
            break
    if named is not None and not named.erased:
        return Whose(named.id)
    known = await _by_names(session, event, place)
    if known is not None:
        return Whose(known.id, erased=known.erased)
    if named is not None:
        return Whose(why_unknown="it names a lead that was erased")
    if event.payer.reference or event.payer.lead_key:
        return Whose(why_unknown="what it names is no lead of this store")
    return Whose(why_unknown="it names no lead")


async def _by_key(session: ReadSession, key: str) -> _Lead | None:
    """The lead of a key, or of a key of one that went into it."""
    own = select(Business.id, Business.erased_at.is_not(None)).where(Business.key == key)
    row = (await session.execute(own)).first()
    if row is None:
        merged = (
            select(Business.id, Business.erased_at.is_not(None))
            .join(BusinessAlias, BusinessAlias.business_id == Business.id)
            .where(BusinessAlias.kind == AliasKind.KEY, BusinessAlias.value == key)
        )
        row = (await session.execute(merged)).first()
    return None if row is None else _Lead._make(row)


async def _by_names(session: ReadSession, event: MoneyEvent, place: Place) -> _Lead | None:
    """The lead that names of it are known of: first those of the payment, a customer's last."""
    names = names_of(event)
    rows = await session.execute(
        select(MoneyRef.value, Business.id, Business.erased_at.is_not(None))
        .join(Business, Business.id == MoneyRef.business_id)
        .where(
            MoneyRef.provider == place.provider,
            MoneyRef.mode == place.mode,
            MoneyRef.value.in_(listed(sorted(names))),
        )
    )
    known = {value: _Lead(lead, erased) for value, lead, erased in rows}
    payment = event.payment
    first = [getattr(payment, each) for each in IDS.values()] if payment is not None else []
    run = event.subscription.id if event.subscription is not None else None
    for each in (*first, run, payment and payment.subscription, *event.payer.ids):
        if each in known:
            return known[each]
    links = [*event.payer.ids, *([event.pays_link] if event.pays_link else [])]
    found = await session.execute(
        select(Business.id, Business.erased_at.is_not(None))
        .join(PaymentLink, PaymentLink.business_id == Business.id)
        .where(
            PaymentLink.provider_id.in_(listed(links)),
            PaymentLink.provider == place.provider,
            PaymentLink.mode == place.mode,
        )
    )
    row = found.first()
    return None if row is None else _Lead._make(row)

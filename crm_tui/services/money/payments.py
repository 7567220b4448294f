"""The row of a payment: found by any of its names, one however many records tell of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import false, func, or_, select, update

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import Dispute, Payment, Refund, Subscription
from crm_tui.providers.money import MoneyEvent, Payer, PaymentTold
from crm_tui.services.money.folding import IDS, PAYER, Entry, Paid, entry_of, fold, told_of
from crm_tui.services.money.lines import standing, take_out
from crm_tui.vocabulary import Mode

_COUNTRY = re.compile(r"[A-Z]{2}\Z")


@dataclass(frozen=True, slots=True)
class Place:
    """Where money comes from: a provider and which of its money."""

    provider: str
    mode: Mode

    def key(self, name: str) -> str:
        """What a thing of this name is known by in the store."""
        return f"{self.provider}:{self.mode.value}:{name}"


@dataclass(frozen=True, slots=True)
class Changed:
    """A payment after something was told of it.

    Attributes:
        is_new: whether that was not known.
        succeeded: whether it succeeded by this, and had not before as its lead's.
        taken: payments of other leads that turned out to be this one, and are gone.
    """

    row: Payment
    is_new: bool
    succeeded: bool = False
    taken: Sequence[Payment] = ()


def payer_of(payer: Payer) -> dict[str, Any]:
    """Who paid, as columns of a payment; what is not known is left out."""
    country = payer.country.strip().upper()
    known = {
        "name": payer.name.strip(),
        "email": payer.email.strip(),
        "address": {n: v for n, v in payer.address.items() if v},
        "country": country if _COUNTRY.match(country) else "",
    }
    return {name: value for name, value in known.items() if value}


async def tell(
    session: WriteSession,
    business_id: int,
    event: MoneyEvent,
    told: PaymentTold,
    place: Place,
    *,
    plan_id: int | None,
    note: str | None,
    now: datetime,
) -> Changed:
    """Note what was told of a payment."""
    rows = await _found(session, business_id, event.name, told, place)
    payer = payer_of(event.payer)
    entry = entry_of(event, told, plan_id=plan_id, payer=list(payer))
    if not rows:
        row = _new(business_id, event.name, entry, payer, place)
        row.note = note
        row.subscription_id = await _subscription(session, fold(row.told), place)
        session.add(row)
        await session.flush()
        return Changed(row, is_new=True, succeeded=row.paid_at is not None)
    row, *others = rows
    known = told_of(row)
    if event.name in known and not others:
        return Changed(row, is_new=False)
    taken = [each for each in others if each.business_id != row.business_id]
    before = any(each.paid_at is not None for each in rows if each not in taken)
    _note_payer(row, payer, event.name, entry)
    row.told = {**known, event.name: known.get(event.name, entry)}
    if note:
        row.note = note
    for other in others:
        await _unite(session, row, other, now=now)
    await _write(session, row, fold(row.told), place)
    succeeded = row.paid_at is not None and not before
    return Changed(row, is_new=True, succeeded=succeeded, taken=taken)


async def named(
    session: ReadSession, business_id: int, ids: Sequence[str], place: Place
) -> Payment | None:
    """The payment that any of these names is of."""
    rows = await _by_names(session, business_id, ids, place)
    return rows[0] if rows else None


async def join_subscription(session: WriteSession, subscription: Subscription) -> None:
    """Have the payments be its own that named it before it was known."""
    if subscription.provider_id is None:
        return
    rows = await session.scalars(
        select(Payment).where(
            Payment.business_id == subscription.business_id,
            Payment.provider == subscription.provider,
            Payment.mode == subscription.mode,
            Payment.subscription_id.is_(None),
            func.instr(Payment.told, json.dumps(subscription.provider_id, ensure_ascii=False)) > 0,
        )
    )
    for row in rows:
        if fold(told_of(row)).subscription == subscription.provider_id:
            row.subscription_id = subscription.id
    await session.flush()


async def _found(
    session: ReadSession, business_id: int, name: str, told: PaymentTold, place: Place
) -> list[Payment]:
    ids = [value for column in IDS.values() if (value := getattr(told, column))]
    return await _by_names(session, business_id, ids or [name], place)


async def _by_names(
    session: ReadSession, business_id: int, ids: Sequence[str], place: Place
) -> list[Payment]:
    """The payments any of these names is of, the oldest first; several turn out to be one.

    A payment may have had more names than its columns hold: each attempt makes another charge.
    """
    columns = (Payment.payment_intent, Payment.invoice_id, Payment.session_id, Payment.charge_id)
    quoted = [json.dumps(each, ensure_ascii=False) for each in ids]
    here = (Payment.provider == place.provider, Payment.mode == place.mode)
    by_column = [select(Payment.id).where(*here, each.in_(ids)) for each in columns]
    by_told = select(Payment.id).where(
        *here,
        Payment.business_id == business_id,
        or_(false(), *(func.instr(Payment.told, each) > 0 for each in quoted)),
    )
    found = await session.scalars(
        select(Payment)
        .where(Payment.id.in_(by_told.union(*by_column)))
        .order_by(Payment.id)
        .execution_options(populate_existing=True)
    )
    return list(found)


def _new(
    business_id: int, name: str, entry: Entry, payer: Mapping[str, Any], place: Place
) -> Payment:
    told = {name: dict(entry)}
    paid = fold(told)
    return Payment(
        key=_key(place, paid, told),
        business_id=business_id,
        provider=place.provider,
        mode=place.mode,
        told=told,
        **paid.columns,
        **payer,
    )


async def _write(session: WriteSession, row: Payment, paid: Paid, place: Place) -> None:
    for column, value in paid.columns.items():
        if getattr(row, column) != value:
            setattr(row, column, value)
    row.key = _key(place, paid, row.told)
    row.subscription_id = await _subscription(session, paid, place) or row.subscription_id
    await session.flush()


def _key(place: Place, paid: Paid, told: Mapping[str, Entry]) -> str:
    """A payment intent's name, else the invoice's, as providers have it; else that of the telling."""
    named = (paid.columns[column] for column in IDS)
    return place.key(next((each for each in named if each), min(told)))


async def _subscription(session: ReadSession, paid: Paid, place: Place) -> int | None:
    if paid.subscription is None:
        return None
    return await session.scalar(
        select(Subscription.id).where(
            Subscription.provider == place.provider,
            Subscription.mode == place.mode,
            Subscription.provider_id == paid.subscription,
        )
    )


def _note_payer(row: Payment, payer: Mapping[str, Any], name: str, entry: Entry) -> None:
    """Keep who paid as the latest telling has it that knew."""
    for column, value in payer.items():
        if (entry["when"], name) >= _known_by(row, column):
            setattr(row, column, value)


def _known_by(row: Payment, column: str) -> tuple[str, str]:
    """When a part of who paid was told, and by which telling; the least where it never was."""
    return max(
        ((e["when"], name) for name, e in told_of(row).items() if column in e.get("payer", ())),
        default=("", ""),
    )


async def _unite(session: WriteSession, row: Payment, other: Payment, *, now: datetime) -> None:
    """Make one payment of two rows, as something told of both."""
    for column in PAYER:
        if _known_by(other, column) > _known_by(row, column):
            setattr(row, column, getattr(other, column))
    row.told = {**told_of(other), **row.told}
    row.note = row.note or other.note
    for child in (Refund, Dispute):
        await session.execute(
            update(child)
            .where(child.payment_id == other.id)
            .values(payment_id=row.id)
            .execution_options(synchronize_session="fetch")
        )
    await take_out(
        session,
        other.business_id,
        await standing(session, other.business_id, line_key(other)),
        now=now,
    )
    await session.delete(other)
    await session.flush()  # before the other one takes its names


def line_key(row: Payment) -> str:
    """How the keys of a payment's lines begin."""
    return f"{row.provider}:{row.mode.value}:payment-{row.id}:"

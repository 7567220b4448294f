"""What Stripe's events say, in our words: the twenty that are asked for, and objects that were listed.

A record is what was polled, with what was read of it then:

    {"event": {…}, "object": {…} or null, "related": {"payment_intent": {…}, …}}
    {"listed": "invoice", "seen": 1766000000, "since": 1763000000, "object": {…}, "related": {…}}

`object` is the event's object read again at the version this program speaks; null where it need not
be, or is no more. `related` has what it leads to: the payment intent of an invoice, and the session
or the invoice that a payment intent belongs to. Nothing else is needed to understand a record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from crm_tui.providers import stripe_after, stripe_paid
from crm_tui.providers.events import Unreadable
from crm_tui.providers.money import MoneyEvent
from crm_tui.providers.stripe_objects import moment, need_id, thing, within, word
from crm_tui.providers.stripe_record import Record, unknown

_Reader = Callable[[Record], list[MoneyEvent]]

_TOLD: Mapping[str, _Reader] = {
    "checkout.session.completed": stripe_paid.session_paid,
    "checkout.session.async_payment_succeeded": stripe_paid.session_succeeded,
    "checkout.session.async_payment_failed": stripe_paid.session_failed,
    "checkout.session.expired": stripe_paid.session_expired,
    "invoice.paid": stripe_paid.invoice_paid,
    "invoice.payment_failed": stripe_paid.invoice_failed,
    "invoice.marked_uncollectible": stripe_paid.invoice_given_up,
    "invoice.voided": stripe_paid.invoice_given_up,
    "payment_intent.succeeded": stripe_paid.intent_succeeded,
    "payment_intent.payment_failed": stripe_paid.intent_failed,
    "refund.created": stripe_after.refund,
    "refund.updated": stripe_after.refund,
    "refund.failed": stripe_after.refund,
    "charge.refunded": stripe_after.charge_refunded,
    "charge.dispute.created": stripe_after.dispute_opened,
    "charge.dispute.closed": stripe_after.dispute_closed,
    "customer.subscription.created": stripe_after.subscription,
    "customer.subscription.updated": stripe_after.subscription,
    "customer.subscription.paused": stripe_after.subscription,
    "customer.subscription.resumed": stripe_after.subscription,
    "customer.subscription.deleted": stripe_after.subscription,
}

TYPES = tuple(each for each in _TOLD if each != "checkout.session.expired")
"""The types that are asked for: twenty are the most that can be, and that one says nothing of use."""

_LISTED: Mapping[str, _Reader] = {
    "checkout.session": stripe_paid.session_listed,
    "invoice": stripe_paid.invoice_listed,
    "refund": stripe_after.refund,
    "dispute": stripe_after.dispute_listed,
    "subscription": stripe_after.subscription_listed,
}
"""By what was listed: how it stands now."""


def parse_money(raw: Mapping[str, Any]) -> Sequence[MoneyEvent]:
    """What a record says; several things where it tells of several refunds.

    Raises:
        Unreadable: it lacks what it should have.
    """
    record = _listed(raw) if "listed" in raw else _told(raw)
    read = _LISTED.get(record.word) if "listed" in raw else _TOLD.get(record.word)
    return [unknown(record, record.word)] if read is None else read(record)


def _told(raw: Mapping[str, Any]) -> Record:
    event = thing(raw.get("event"))
    name, kind = need_id(event), word(event.get("type"))
    at, live = moment(event.get("created")), event.get("livemode")
    snapshot = thing(within(event, "data", "object"))
    if not kind or at is None or not isinstance(live, bool):
        raise Unreadable(
            f"{name} of Stripe has no type, no time, or does not say whether it is real"
        )
    now = thing(raw.get("object")) or snapshot
    return Record(name, kind, at, live, snapshot, now, thing(raw.get("related")))


def _listed(raw: Mapping[str, Any]) -> Record:
    item, live = thing(raw.get("object")), raw.get("live")
    seen, since = moment(raw.get("seen")), moment(raw.get("since"))
    if seen is None or since is None or not isinstance(live, bool):
        raise Unreadable(f"{word(item.get('id'))} of Stripe was kept without its time")
    name = word(raw.get("name")) or need_id(item)
    related = thing(raw.get("related"))
    return Record(name, word(raw.get("listed")), seen, live, item, item, related, since)

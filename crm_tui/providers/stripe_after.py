"""What comes after a payment: refunds, disputes, and what became of a subscription."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from crm_tui.providers import stripe_terms
from crm_tui.providers.events import Unreadable
from crm_tui.providers.money import (
    DisputeTold,
    MoneyEvent,
    MoneyKind,
    PaymentTold,
    RefundTold,
    SubscriptionTold,
)
from crm_tui.providers.stripe_objects import (
    NOTHING,
    Object,
    currency_of,
    fee_of,
    id_of,
    method_of,
    moment,
    need_amount,
    need_currency,
    need_id,
    payer_of,
    refunded_of,
    thing,
    things,
    whole,
    within,
    word,
)
from crm_tui.providers.stripe_record import Record, event_of, unknown
from crm_tui.vocabulary import DisputeState, PaymentState, RefundState, SubscriptionState

_REFUNDS = {
    "pending": RefundState.PENDING,
    "requires_action": RefundState.PENDING,
    "succeeded": RefundState.SUCCEEDED,
    "failed": RefundState.FAILED,
    "canceled": RefundState.FAILED,
}
_CLOSED = {
    "won": DisputeState.WON,
    "warning_closed": DisputeState.WON,
    "lost": DisputeState.LOST,
}

# -- refunds and disputes --------------------------------------------------------------------------


def refund(record: Record) -> list[MoneyEvent]:
    """A refund, and the payment it is of."""
    item = record.now
    told = _refund_told(item, record.at)
    at = told.at if record.is_listed else None
    return [
        _gone_back(record, MoneyKind.REFUND, item, thing(item.get("charge")), at=at, refund=told)
    ]


def _refund_told(refund: Object, at: datetime) -> RefundTold:
    currency = need_currency(refund)
    state = _REFUNDS.get(word(refund.get("status")), RefundState.PENDING)
    amount = need_amount(refund, "amount", currency=currency)
    if not amount:
        raise Unreadable(f"{word(refund.get('id'))} of Stripe is a refund of nothing")
    return RefundTold(
        id=need_id(refund),
        amount=amount,
        state=state,
        at=moment(refund.get("created")) or at,
        reason=word(refund.get("reason")) or word(refund.get("failure_reason")),
    )


def charge_refunded(record: Record) -> list[MoneyEvent]:
    """A charge of which something went back: its refunds, where it still has them in it."""
    charge = record.now
    refunds = things(charge.get("refunds")) or things(record.snapshot.get("refunds"))
    if refunds:
        return [
            _gone_back(
                record,
                MoneyKind.REFUND,
                each,
                charge,
                part=need_id(each),
                refund=_refund_told({"status": "succeeded", **each}, record.at),
            )
            for each in refunds
        ]
    return [_gone_back(record, MoneyKind.PAYMENT, NOTHING, charge)]


def dispute_opened(record: Record) -> list[MoneyEvent]:
    """A dispute was opened, whatever it has come to since: that is told by itself."""
    return [_dispute(record, DisputeState.OPEN)]


def dispute_closed(record: Record) -> list[MoneyEvent]:
    """A dispute was won or lost; an inquiry that was closed took nothing."""
    status = word(record.now.get("status"))
    state = _CLOSED.get(status) or _CLOSED.get(word(record.snapshot.get("status")))
    if state is None:
        return [unknown(record, f"{record.word} with status {status}")]
    return [_dispute(record, state)]


def dispute_listed(record: Record) -> list[MoneyEvent]:
    """How a dispute stands."""
    return [_dispute(record, _CLOSED.get(word(record.now.get("status")), DisputeState.OPEN))]


def _dispute(record: Record, state: DisputeState) -> MoneyEvent:
    dispute = record.now
    currency = need_currency(dispute)
    is_open = state is DisputeState.OPEN
    due_by = within(dispute, "evidence_details", "due_by")
    told = DisputeTold(
        id=need_id(dispute),
        amount=need_amount(dispute, "amount", currency=currency),
        state=state,
        opened_at=moment(dispute.get("created")) or record.at,
        closed_at=None if is_open else record.at,
        due_by=moment(due_by),
        reason=word(dispute.get("reason")),
    )
    charge = thing(dispute.get("charge"))
    at = told.opened_at if record.is_listed and is_open else None
    return _gone_back(record, MoneyKind.DISPUTE, dispute, charge, at=at, dispute=told)


def _gone_back(
    record: Record,
    kind: MoneyKind,
    item: Object,
    charge: Object,
    *,
    part: str = "",
    at: datetime | None = None,
    refund: RefundTold | None = None,
    dispute: DisputeTold | None = None,
) -> MoneyEvent:
    """What a refund or a dispute is of: the payment of a charge, as far as that was read."""
    intent = thing(item.get("payment_intent")) or thing(charge.get("payment_intent"))
    intent_name = id_of(item.get("payment_intent")) or id_of(charge.get("payment_intent"))
    charge_name = id_of(charge) or id_of(item.get("charge"))
    invoice = id_of(charge.get("invoice"))
    payment = None
    currency = currency_of(charge.get("currency"))
    if currency is not None:
        received = intent if whole(intent.get("amount_received")) else charge
        payment = PaymentTold(
            state=PaymentState.SUCCEEDED,
            amount=need_amount(received, "amount_received", "amount", currency=currency),
            currency=currency,
            at=moment(charge.get("created")) or record.at,
            payment_intent=intent_name,
            invoice=invoice,
            charge=charge_name,
            fee=fee_of(charge, currency),
            method=method_of(charge),
            refunded=refunded_of(charge, currency),
        )
    elif charge_name is None and intent_name is None:
        raise Unreadable(f"{word(item.get('id')) or record.name} of Stripe is of no payment")
    payer = payer_of(
        charge, intent, *(() if not item else (item,)), ids=[intent_name, charge_name, invoice]
    )
    return event_of(
        record, kind, payer, part=part, at=at, payment=payment, refund=refund, dispute=dispute
    )


# -- subscriptions ---------------------------------------------------------------------------------


def subscription(record: Record) -> list[MoneyEvent]:
    """What a subscription was when the event was made, as other events tell what became of it."""
    then = record.snapshot
    state = stripe_terms.state_of(then)
    if record.word == "customer.subscription.deleted":
        state = SubscriptionState.ENDED
    if state is None:
        return [unknown(record, f"a subscription that is {word(then.get('status')) or 'nothing'}")]
    told = stripe_terms.told(then, state, at=record.at, terms=record.now)
    return [_subscription_event(record, replace(told, still=_is_still(record, told)))]


def _is_still(record: Record, told: SubscriptionTold) -> bool:
    """Whether a subscription was what is told of it when it was read again."""
    now = record.now
    state = stripe_terms.state_of(now)
    if now is record.snapshot or state is None or not stripe_terms.has_terms(now):
        return False
    return told == replace(stripe_terms.told(now, state, at=record.at), price=told.price)


def subscription_listed(record: Record) -> list[MoneyEvent]:
    """How a subscription stands now, and how it began where that was not told, either."""
    now, since = record.now, record.since
    state = stripe_terms.state_of(now)
    if state is None:
        return [unknown(record, f"a subscription that is {word(now.get('status')) or 'nothing'}")]
    told = stripe_terms.told(now, state, at=record.at)
    found = [_subscription_event(record, told, at=told.ended_at)]
    created = moment(now.get("created"))
    if since is None or created is None or created < since:
        return found
    if state not in {SubscriptionState.INCOMPLETE, SubscriptionState.TRIALING}:
        trial_end = moment(now.get("trial_end"))
        was_paid = word(now.get("status")) != "incomplete_expired"
        begun_at = max(trial_end or told.started_at, told.started_at)
        if was_paid and begun_at < (told.ended_at or record.at):
            began = stripe_terms.told(now, SubscriptionState.ACTIVE, at=begun_at)
            found.insert(0, _subscription_event(record, began, part="begin", at=begun_at))
    return found


def _subscription_event(
    record: Record, told: SubscriptionTold, *, part: str = "", at: datetime | None = None
) -> MoneyEvent:
    payer = payer_of(
        record.now,
        record.snapshot,
        ids=[told.id, id_of(record.now.get("latest_invoice"))],
        metadata=stripe_terms.metadata_of(record.snapshot),
    )
    return event_of(record, MoneyKind.SUBSCRIPTION, payer, part=part, at=at, subscription=told)

"""What was paid, or was to be: Stripe's checkout sessions, invoices and payment intents.

One payment is told of by up to five events. Whichever comes, it names everything that it knows the
payment by, so that they meet in one.
"""

from __future__ import annotations

from crm_tui.providers.money import MoneyEvent, MoneyKind, Payer, PaymentTold
from crm_tui.providers.stripe_objects import (
    NOTHING,
    Object,
    charge_of,
    fee_of,
    id_of,
    intent_of,
    invoice_metadata,
    method_of,
    moment,
    need_amount,
    need_currency,
    need_id,
    payer_of,
    price_of,
    refunded_of,
    subscription_of,
    tax_of,
    thing,
    things,
    whole,
    within,
    word,
)
from crm_tui.providers.stripe_record import Record, event_of, unknown
from crm_tui.vocabulary import PaymentState

# -- checkout sessions -----------------------------------------------------------------------------


def session_paid(record: Record) -> list[MoneyEvent]:
    """A session was completed: a payment, unless an invoice tells of it."""
    status = word(record.snapshot.get("payment_status"))
    is_paid = status in {"paid", "no_payment_required"}
    if word(record.now.get("mode")) != "payment":
        return [_session_noted(record, closes=is_paid)]
    if is_paid:
        return [_session_payment(record, PaymentState.SUCCEEDED)]
    if status == "unpaid":
        return [_session_payment(record, PaymentState.PENDING)]
    return [unknown(record, f"{record.word} with payment_status {status}")]


def session_succeeded(record: Record) -> list[MoneyEvent]:
    """What was paid by a slow way, such as a debit, has come."""
    if word(record.now.get("mode")) != "payment":
        return [_session_noted(record, closes=True)]
    return [_session_payment(record, PaymentState.SUCCEEDED)]


def session_failed(record: Record) -> list[MoneyEvent]:
    """What was to be paid by a slow way has not come."""
    if word(record.now.get("mode")) != "payment":
        return [_session_noted(record, closes=False)]
    return [_session_payment(record, PaymentState.FAILED)]


def session_expired(record: Record) -> list[MoneyEvent]:
    """A session nobody completed."""
    return [_session_noted(record, closes=False)]


def session_listed(record: Record) -> list[MoneyEvent]:
    """How a session stands."""
    if word(record.now.get("status")) == "complete":
        return session_paid(record)
    return [_session_noted(record, closes=False)]


def _session_payer(record: Record, link: str | None) -> Payer:
    session = record.now
    intent = thing(session.get("payment_intent"))
    named = ("payment_intent", "subscription", "invoice")
    return payer_of(
        session,
        intent,
        thing(intent.get("latest_charge")),
        reference=word(session.get("client_reference_id")),
        ids=[*(id_of(session.get(each)) for each in named), link],
    )


def _session_noted(record: Record, *, closes: bool) -> MoneyEvent:
    link = id_of(record.now.get("payment_link")) if closes else None
    need_id(record.now)
    return event_of(record, MoneyKind.NOTED, _session_payer(record, link), pays_link=link)


def _session_payment(record: Record, state: PaymentState) -> MoneyEvent:
    session = record.now
    currency = need_currency(session)
    intent = thing(session.get("payment_intent"))
    charge = thing(intent.get("latest_charge"))
    lines = things(session.get("line_items"))
    has_paid = state is PaymentState.SUCCEEDED
    at = moment(charge.get("created")) if has_paid and charge.get("paid") is True else None
    if at is None:
        at = moment(session.get("created")) if record.is_listed else record.at
    payment = PaymentTold(
        state=state,
        amount=need_amount(session, "amount_total", currency=currency),
        currency=currency,
        at=at or record.at,
        payment_intent=id_of(session.get("payment_intent")),
        invoice=id_of(session.get("invoice")),
        session=need_id(session),
        charge=id_of(charge) if has_paid else None,
        price=next((p for each in lines if (p := id_of(each.get("price")))), None),
        fee=fee_of(charge, currency) if has_paid else None,
        tax=tax_of(session, currency),
        method=method_of(charge),
        failure=_failure(intent) if state is PaymentState.FAILED else "",
    )
    link = id_of(session.get("payment_link")) if state is not PaymentState.FAILED else None
    return event_of(
        record,
        MoneyKind.PAYMENT,
        _session_payer(record, link),
        at=payment.at if record.is_listed else None,
        payment=payment,
        pays_link=link,
    )


# -- invoices --------------------------------------------------------------------------------------


def invoice_paid(record: Record) -> list[MoneyEvent]:
    """An invoice was paid; one of nothing, such as that of a trial, says only whose it is."""
    if not whole(record.now.get("amount_paid")):
        return _invoice_noted(record)
    return [_invoice_payment(record, PaymentState.SUCCEEDED, "amount_paid")]


def invoice_failed(record: Record) -> list[MoneyEvent]:
    """An invoice could not be charged."""
    return [_invoice_payment(record, PaymentState.FAILED, "amount_due")]


def invoice_given_up(record: Record) -> list[MoneyEvent]:
    """An invoice that is not paid any more; a payment only where that was tried."""
    if not whole(record.snapshot.get("attempt_count")):
        return _invoice_noted(record)
    return [_invoice_payment(record, PaymentState.CANCELED, "amount_due")]


def invoice_listed(record: Record) -> list[MoneyEvent]:
    """How an invoice stands."""
    status = word(record.now.get("status"))
    attempts = whole(record.now.get("attempt_count")) or 0
    if status == "paid":
        return invoice_paid(record)
    if status in {"void", "uncollectible"}:
        return invoice_given_up(record)
    return invoice_failed(record) if status == "open" and attempts else _invoice_noted(record)


def _invoice_payer(record: Record) -> Payer:
    invoice, intent = record.now, _intent_about(record)
    return payer_of(
        invoice,
        intent,
        thing(intent.get("latest_charge")),
        ids=[subscription_of(invoice), intent_of(invoice)],
        metadata=invoice_metadata(invoice),
    )


def _invoice_noted(record: Record) -> list[MoneyEvent]:
    need_id(record.now)
    return [event_of(record, MoneyKind.NOTED, _invoice_payer(record))]


def _invoice_payment(record: Record, state: PaymentState, amount: str) -> MoneyEvent:
    invoice, then = record.now, record.snapshot
    currency = need_currency(invoice)
    intent = _intent_about(record)
    charge = thing(intent.get("latest_charge")) or thing(invoice.get("charge"))
    has_paid = state is PaymentState.SUCCEEDED
    paid_at = moment(within(invoice, "status_transitions", "paid_at")) if has_paid else None
    # What is due, and when it is tried again, was so then: by now it may be paid.
    told = invoice if has_paid else then
    payment = PaymentTold(
        state=state,
        amount=need_amount(told, amount, "amount_due", "total", currency=currency),
        currency=currency,
        at=paid_at or record.at,
        payment_intent=intent_of(invoice) or intent_of(then) or id_of(intent),
        invoice=need_id(invoice),
        charge=(id_of(charge) or charge_of(invoice)) if has_paid else None,
        subscription=subscription_of(invoice) or subscription_of(then),
        renewal=word(invoice.get("billing_reason")) == "subscription_cycle",
        price=price_of(invoice) or price_of(then),
        fee=fee_of(charge, currency) if has_paid else None,
        tax=tax_of(invoice, currency),
        method=method_of(charge),
        failure=_failure(intent) if state is PaymentState.FAILED else "",
        attempts=max(whole(then.get("attempt_count")) or 0, 0),
        next_attempt_at=moment(then.get("next_payment_attempt")) if not has_paid else None,
        invoice_number=word(invoice.get("number")) or None,
    )
    at = paid_at if record.is_listed else None
    return event_of(record, MoneyKind.PAYMENT, _invoice_payer(record), at=at, payment=payment)


def _intent_about(record: Record) -> Object:
    """The payment intent of an invoice, where it was read with it."""
    expanded = (
        within(each, "payment", "payment_intent") for each in things(record.now.get("payments"))
    )
    return (
        record.about("payment_intent")
        or thing(record.now.get("payment_intent"))
        or next((found for each in expanded if (found := thing(each))), NOTHING)
    )


# -- payment intents -------------------------------------------------------------------------------


def intent_succeeded(record: Record) -> list[MoneyEvent]:
    """A payment intent was paid."""
    return [_intent(record, PaymentState.SUCCEEDED)]


def intent_failed(record: Record) -> list[MoneyEvent]:
    """A payment intent could not be paid."""
    return [_intent(record, PaymentState.FAILED)]


def _intent(record: Record, state: PaymentState) -> MoneyEvent:
    """A payment, of a session or an invoice if one has it; that it failed, those tell better."""
    intent = record.now
    name = need_id(intent)
    charge = thing(intent.get("latest_charge"))
    owners = [each for kind in ("session", "invoice") if (each := record.about(kind))]
    owned = [id_of(intent.get("invoice")), *(id_of(each) for each in owners)]
    payer = payer_of(
        *owners,
        intent,
        charge,
        reference=next((r for each in owners if (r := word(each.get("client_reference_id")))), ""),
        ids=[name, *owned, *(subscription_of(each) for each in owners)],
        metadata=[each for owner in owners for each in invoice_metadata(owner)],
    )
    has_paid = state is PaymentState.SUCCEEDED
    if any(owned) and not has_paid:
        return event_of(record, MoneyKind.NOTED, payer)
    currency = need_currency(intent)
    told = intent if has_paid else record.snapshot
    payment = PaymentTold(
        state=state,
        amount=need_amount(
            told, *(["amount_received"] if has_paid else []), "amount", currency=currency
        ),
        currency=currency,
        at=record.at,
        payment_intent=name,
        invoice=id_of(record.about("invoice")) or id_of(intent.get("invoice")),
        session=id_of(record.about("session")),
        subscription=next((s for each in owners if (s := subscription_of(each))), None),
        charge=id_of(intent.get("latest_charge")) if has_paid else None,
        fee=fee_of(charge, currency) if has_paid else None,
        method=method_of(charge),
        refunded=refunded_of(charge, currency) if has_paid else None,
        failure=_failure(told) or _failure(intent) if not has_paid else "",
    )
    return event_of(record, MoneyKind.PAYMENT, payer, payment=payment)


def _failure(intent: Object) -> str:
    """Why a payment intent failed, in Stripe's words."""
    error = thing(intent.get("last_payment_error"))
    return word(error.get("message")) or word(error.get("code"))

"""What the facts of a lead say of its money: where it stands as a customer, what it pays and paid."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, tzinfo

from crm_tui.clock import local_stamp
from crm_tui.money import amount_words
from crm_tui.services.money.rows import (
    CustomerRow,
    CustomerState,
    LeadMoney,
    PaymentRow,
    SubscriptionRow,
)
from crm_tui.vocabulary import Mode, PaymentState, SubscriptionState
from crm_tui.widgets.facts import Fact
from crm_tui.widgets.look import BEGUN, NOTHING, REACHED, TROUBLE, Role

SHOWN = 6
"""Payments that are shown; the others are counted, and stand on the timeline."""

_CUSTOMERS = {
    CustomerState.ACTIVE: (REACHED, Role.GOOD),
    CustomerState.PAST_DUE: (TROUBLE, Role.BAD),
    CustomerState.PAUSED: (BEGUN, Role.ATTENTION),
    CustomerState.ONE_OFF: (REACHED, Role.GOOD),
    CustomerState.CHURNED: (NOTHING, Role.QUIET),
    CustomerState.REFUNDED: (NOTHING, Role.QUIET),
    CustomerState.UNPAID: (NOTHING, Role.ATTENTION),
}
_SUBSCRIPTIONS = {
    SubscriptionState.ACTIVE: Role.GOOD,
    SubscriptionState.TRIALING: Role.GOOD,
    SubscriptionState.PAST_DUE: Role.BAD,
    SubscriptionState.UNPAID: Role.BAD,
    SubscriptionState.PAUSED: Role.ATTENTION,
}
_PAYMENTS = {
    PaymentState.FAILED: Role.BAD,
    PaymentState.PENDING: Role.ATTENTION,
    PaymentState.CANCELED: Role.QUIET,
}


def facts(money: LeadMoney, *, now: datetime, zone: tzinfo | None) -> list[Fact]:
    """Customer, subscriptions and payments; nothing where there is no money."""
    found = [] if money.customer is None else [_customer(money.customer)]
    found += _under("Pays", (_subscription(each, now, zone) for each in money.subscriptions))
    found += _under("Paid", (_payment(each, zone) for each in money.payments[:SHOWN]))
    if (more := len(money.payments) - SHOWN) > 0:
        found.append(Fact("", f"and {more:,} before"))
    return found


def _under(label: str, found: Iterator[Fact]) -> list[Fact]:
    return [fact._replace(label="" if number else label) for number, fact in enumerate(found)]


def _customer(customer: CustomerRow) -> Fact:
    shape, role = _CUSTOMERS[customer.state]
    sums = ", ".join(amount_words(amount, code) for code, amount in customer.paid)
    words = f"{shape} {customer.state.replace('_', ' ')}"
    return Fact("Customer", words, f"paid {sums}" if sums else "", role)


def _subscription(each: SubscriptionRow, now: datetime, zone: tzinfo | None) -> Fact:
    often = f"{each.interval_count} {each.interval}s" if each.interval_count > 1 else each.interval
    price = f"{amount_words(each.amount, each.currency)} each {often}"
    state, role = each.state.replace("_", " "), _SUBSCRIPTIONS.get(each.state, Role.QUIET)
    if each.ended_at is not None:
        state += f" {_day(each.ended_at, zone)}"
    elif each.cancel_at is not None:
        state, role = f"{state}, ends {_day(each.cancel_at, zone)}", Role.ATTENTION
    elif each.current_period_end is not None and each.state.earns:
        late = each.mode is Mode.MANUAL and each.current_period_end <= now
        role = Role.ATTENTION if late else role
        state += f", paid until {_day(each.current_period_end, zone)}"
    plan = f"{each.plan}, " if each.plan else ""
    return Fact("", f"{plan}{price}", state, note_role=role)


def _payment(each: PaymentRow, zone: tzinfo | None) -> Fact:
    notes = [_day(each.at, zone), each.method]
    if each.state is not PaymentState.SUCCEEDED:
        notes.append(each.state + (f": {each.failure}" if each.failure else ""))
    if each.refunded:
        notes.append(f"{amount_words(each.refunded, each.currency)} given back")
    if each.note:
        notes.append(each.note)
    role = Role.ATTENTION if each.refunded else _PAYMENTS.get(each.state, Role.QUIET)
    return Fact("", amount_words(each.amount, each.currency), ", ".join(notes), note_role=role)


def _day(at: datetime, zone: tzinfo | None) -> str:
    return local_stamp(at, zone=zone)[:10]

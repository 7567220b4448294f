"""Rows of payments, customers and subscriptions, as lists show them.

Amounts are in minor units of the currency beside them, times aware UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from fractions import Fraction
from typing import Any

from crm_tui.services.money.terms import a_month
from crm_tui.vocabulary import (
    DisputeState,
    Interval,
    Mode,
    PaymentState,
    RefundState,
    SubscriptionState,
)


class CustomerState(StrEnum):
    """Where a customer stands."""

    ACTIVE = "active"
    PAST_DUE = "past_due"
    PAUSED = "paused"
    ONE_OFF = "one_off"
    CHURNED = "churned"
    REFUNDED = "refunded"
    UNPAID = "unpaid"
    """Nothing has come yet, or what came was taken back."""


@dataclass(frozen=True, slots=True)
class RefundRow:
    """Money of a payment that went back."""

    id: int
    amount: int
    state: RefundState
    refunded_at: datetime
    reason: str | None


@dataclass(frozen=True, slots=True)
class DisputeRow:
    """A payment that the payer's bank took back; `due_by` is until when one can answer."""

    id: int
    amount: int
    state: DisputeState
    reason: str | None
    opened_at: datetime
    due_by: datetime | None
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class PaymentRow:
    """A payment with what came after.

    Attributes:
        customer_id: None where nothing of this business ever came.
        at: when it was paid; else failed; else begun.
        fee, tax: parts of the amount; None where not known.
        failure: why it did not come; None of one that came at last.
        name, address, country: of the invoice, as they were then.
    """

    id: int
    business_id: int
    business: str
    customer_id: int | None
    plan_id: int | None
    plan: str | None
    subscription_id: int | None
    provider: str
    mode: Mode
    method: str
    state: PaymentState
    amount: int
    currency: str
    fee: int | None
    tax: int | None
    is_renewal: bool
    at: datetime
    paid_at: datetime | None
    failed_at: datetime | None
    failure: str | None
    attempts: int
    next_attempt_at: datetime | None
    invoice_number: str | None
    name: str | None
    address: dict[str, Any] | None
    country: str | None
    note: str | None
    refunds: tuple[RefundRow, ...] = ()
    disputes: tuple[DisputeRow, ...] = ()

    @property
    def refunded(self) -> int:
        """What really went back, by refunds and by disputes that were lost; never more than came."""
        given = sum(each.amount for each in self.refunds if each.state is RefundState.SUCCEEDED)
        lost = sum(each.amount for each in self.disputes if each.state is DisputeState.LOST)
        return min(given + lost, self.amount)

    @property
    def left(self) -> int:
        """What was kept of it; nothing where it did not come."""
        return self.amount - self.refunded if self.state is PaymentState.SUCCEEDED else 0


@dataclass(frozen=True, slots=True)
class SubscriptionRow:
    """A subscription. `mrr` is what it brings in a month, exactly; 0 where it brings nothing."""

    id: int
    business_id: int
    business: str
    plan_id: int | None
    plan: str | None
    provider: str
    mode: Mode
    state: SubscriptionState
    amount: int
    currency: str
    interval: Interval
    interval_count: int
    started_at: datetime
    current_period_end: datetime | None
    cancel_at: datetime | None
    ended_at: datetime | None

    @property
    def mrr(self) -> Fraction:
        """What it brings in a month, in minor units."""
        if not self.state.earns:
            return Fraction(0)
        return a_month(self.amount, self.interval, self.interval_count)


@dataclass(frozen=True, slots=True)
class CustomerRow:
    """A business that bought.

    Attributes:
        id: of the customer record.
        name: for invoices; `business` is what the lead is called.
        first_payment_at: None where nothing came (any more).
        paid: what it paid in all, less what went back, by currency.
        mrr: what it brings in a month, exactly, by currency; only what is more than nothing.
    """

    id: int
    business_id: int
    business: str
    name: str | None
    email: str | None
    address: dict[str, Any] | None
    country: str | None
    tax_id: str | None
    created_at: datetime
    state: CustomerState = CustomerState.UNPAID
    first_payment_at: datetime | None = None
    paid: tuple[tuple[str, int], ...] = ()
    mrr: tuple[tuple[str, Fraction], ...] = ()


@dataclass(frozen=True, slots=True)
class LeadMoney:
    """What one lead paid and pays; the latest first. `customer` is None where nothing ever came."""

    customer: CustomerRow | None = None
    subscriptions: tuple[SubscriptionRow, ...] = ()
    payments: tuple[PaymentRow, ...] = ()


NO_MONEY = LeadMoney()

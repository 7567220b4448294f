"""Money as the command line tells it: numbers in the major unit for programs, words for people."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from crm_tui.money import digits, major

if TYPE_CHECKING:
    from crm_tui.services.money.plans import PlanRow
    from crm_tui.services.money.rows import CustomerRow, PaymentRow, SubscriptionRow


def number(minor: int | Fraction, currency: str) -> int | float:
    """An amount in the major unit: 49.0 of USD, 4900 of JPY."""
    amount = major(minor, currency)
    return float(amount) if digits(currency) else int(amount)


def moment(at: datetime | None) -> str | None:
    """A time as UTC, ISO 8601."""
    return None if at is None else at.isoformat()


def plan_document(plan: PlanRow) -> dict[str, Any]:
    """A plan as the command line tells it."""
    return {
        "id": plan.id,
        "name": plan.name,
        "amount": number(plan.amount, plan.currency),
        "currency": plan.currency,
        "interval": plan.interval,
        "setup_fee": number(plan.setup_fee, plan.currency),
        "subscriptions": plan.running,
        "archived": plan.archived_at is not None,
        "created_at": moment(plan.created_at),
        "archived_at": moment(plan.archived_at),
    }


def payment_document(payment: PaymentRow) -> dict[str, Any]:
    """A payment as the command line tells it, with its refunds and disputes."""

    def amount(minor: int | None) -> int | float | None:
        return None if minor is None else number(minor, payment.currency)

    return {
        "id": payment.id,
        "lead": payment.business_id,
        "name": payment.business,
        "customer": payment.customer_id,
        "plan": payment.plan,
        "subscription": payment.subscription_id,
        "provider": payment.provider,
        "mode": payment.mode,
        "method": payment.method,
        "state": payment.state,
        "amount": amount(payment.amount),
        "currency": payment.currency,
        "fee": amount(payment.fee),
        "tax": amount(payment.tax),
        "refunded": amount(payment.refunded),
        "renewal": payment.is_renewal,
        "at": moment(payment.at),
        "paid_at": moment(payment.paid_at),
        "failed_at": moment(payment.failed_at),
        "failure": payment.failure,
        "attempts": payment.attempts,
        "next_attempt_at": moment(payment.next_attempt_at),
        "invoice_number": payment.invoice_number,
        "country": payment.country,
        "note": payment.note,
        "refunds": [
            {
                "id": each.id,
                "amount": amount(each.amount),
                "currency": payment.currency,
                "state": each.state,
                "refunded_at": moment(each.refunded_at),
                "reason": each.reason,
            }
            for each in payment.refunds
        ],
        "disputes": [
            {
                "id": each.id,
                "amount": amount(each.amount),
                "currency": payment.currency,
                "state": each.state,
                "opened_at": moment(each.opened_at),
                "due_by": moment(each.due_by),
                "closed_at": moment(each.closed_at),
                "reason": each.reason,
            }
            for each in payment.disputes
        ],
    }


def subscription_document(subscription: SubscriptionRow) -> dict[str, Any]:
    """A subscription as the command line tells it; `mrr` is in its own currency."""
    return {
        "id": subscription.id,
        "lead": subscription.business_id,
        "name": subscription.business,
        "plan": subscription.plan,
        "provider": subscription.provider,
        "mode": subscription.mode,
        "state": subscription.state,
        "amount": number(subscription.amount, subscription.currency),
        "currency": subscription.currency,
        "interval": subscription.interval,
        "interval_count": subscription.interval_count,
        "mrr": number(subscription.mrr, subscription.currency),
        "started_at": moment(subscription.started_at),
        "current_period_end": moment(subscription.current_period_end),
        "cancel_at": moment(subscription.cancel_at),
        "ended_at": moment(subscription.ended_at),
    }


def customer_document(customer: CustomerRow) -> dict[str, Any]:
    """A customer as the command line tells it: what it paid and brings, by currency."""
    return {
        "id": customer.id,
        "lead": customer.business_id,
        "name": customer.business,
        "state": customer.state,
        "first_payment_at": moment(customer.first_payment_at),
        "paid": [
            {"amount": number(amount, currency), "currency": currency}
            for currency, amount in customer.paid
        ],
        "mrr": [
            {"amount": number(amount, currency), "currency": currency}
            for currency, amount in customer.mrr
        ],
        "invoice": {
            "name": customer.name,
            "email": customer.email,
            "address": customer.address,
            "country": customer.country,
            "tax_id": customer.tax_id,
        },
        "created_at": moment(customer.created_at),
    }

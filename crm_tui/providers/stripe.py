"""Stripe: what it can do, payment links, and what became of what was paid through them."""

from __future__ import annotations

from crm_tui.providers.base import PaymentCapabilities
from crm_tui.providers.stripe_check import check
from crm_tui.providers.stripe_events import TYPES, parse_money
from crm_tui.providers.stripe_make import StripePayments, link_address
from crm_tui.providers.stripe_stream import StripeStream

__all__ = [
    "CAPABILITIES",
    "TYPES",
    "StripePayments",
    "StripeStream",
    "check",
    "link_address",
    "parse_money",
]

CAPABILITIES = PaymentCapabilities(
    name="stripe",
    title="Stripe",
    links="a Payment Link for each lead and plan, that takes one payment",
    idempotency="Idempotency-Key: what is asked twice within a day is done once",
    told="payments, failed ones too, renewals, refunds, disputes and subscriptions, each minute",
    fees="the fee of each payment, where it is in the payment's own currency",
    modes="test and live; what is of one is never counted with the other",
    retention="events for 30 days; after that, how everything stands is listed",
    limits="100 requests a second, 25 in test mode",
    price="no monthly fee; US cards 2.9 % and 30 cents a payment",
    price_date="2026-11",
    policy="Stripe's list of restricted businesses says what may not be sold.",
    source="Stripe API reference: Events, Checkout Sessions, Invoices, Payment Links; versioning and"
    " the changes of 2025-03-31.basil",
)

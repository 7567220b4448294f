"""What a payment provider tells of money, in our words.

One record may tell of several things: a refund, and the payment it is of. Whatever is told twice,
late or in another order comes to the same, as each thing has the name it has at the provider.
Amounts are integers in minor units as ISO 4217 has them (not as a provider counts them); times are
aware UTC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from crm_tui.providers.events import Stream
from crm_tui.vocabulary import (
    DisputeState,
    Interval,
    PaymentState,
    RefundState,
    SubscriptionState,
)


class MoneyKind(StrEnum):
    """What happened; NOTED only says whose something is, or nothing of use."""

    PAYMENT = "payment"
    REFUND = "refund"
    DISPUTE = "dispute"
    SUBSCRIPTION = "subscription"
    NOTED = "noted"
    UNKNOWN = "unknown"
    """A word this program does not know: kept, said in the worker's log, and nothing more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payer:
    """Who paid, as the provider knows them; all of it is what somebody typed, and is not trusted.

    Attributes:
        reference: what our link sent along (client_reference_id): the business's own key.
        lead_key: the business's key in the metadata.
        ids: the provider's names of everything this belongs to: customer, subscription, payment
            intent, session, invoice, charge, payment link. By those that are known it is linked.
        address: street, city, region, postal_code, country; only what is known.
    """

    reference: str = ""
    lead_key: str = ""
    ids: tuple[str, ...] = ()
    name: str = ""
    email: str = ""
    address: Mapping[str, str] = field(default_factory=dict)
    country: str = ""
    tax_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentTold:
    """A payment: what it is at this moment, or was when it was told.

    Attributes:
        payment_intent, invoice, session, charge: its names at the provider; one at least. Any of
            them finds the payment, so each is told where it is known.
        subscription: the subscription it is for, if any; `renewal`: not its first payment.
        fee, tax: parts of the amount; None where not told.
        at: when it was paid, failed or begun.
        attempts: how often it was tried; `next_attempt_at`: when it is tried again.
    """

    state: PaymentState
    amount: int
    currency: str
    at: datetime
    payment_intent: str | None = None
    invoice: str | None = None
    session: str | None = None
    charge: str | None = None
    subscription: str | None = None
    renewal: bool = False
    price: str | None = None
    fee: int | None = None
    tax: int | None = None
    method: str = "card"
    failure: str = ""
    attempts: int = 0
    next_attempt_at: datetime | None = None
    invoice_number: str | None = None
    refunded: int | None = None
    """How much of it went back, where only that is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundTold:
    """Money of a payment that went back; `id` is the provider's name of the refund."""

    id: str
    amount: int
    state: RefundState
    at: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeTold:
    """A payment that the payer's bank took back; `due_by` is until when one can answer."""

    id: str
    amount: int
    state: DisputeState
    opened_at: datetime
    closed_at: datetime | None = None
    due_by: datetime | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionTold:
    """What a subscription is from `MoneyEvent.occurred_at` on.

    Attributes:
        id: the provider's name of it.
        amount: what all of it costs for each `interval_count` intervals.
        price: the provider's name of its (first) price, by which the plan is found.
        cancel_at: when it ends, where that is settled; None where it goes on.
        ended_at: when it ended; told with the state ENDED.
        still: whether it was so still when it was read again: of what is told of one second, which
            is as fine as providers count, that is what it came to.
    """

    id: str
    state: SubscriptionState
    amount: int
    currency: str
    interval: Interval
    interval_count: int = 1
    price: str | None = None
    started_at: datetime
    current_period_end: datetime | None = None
    cancel_at: datetime | None = None
    ended_at: datetime | None = None
    still: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyEvent:
    """One thing a payment provider tells.

    Attributes:
        name: what it is known by: the same happening has the same name however it was learned of
            (the provider's event id, or what is unique to the state that was found by listing).
        occurred_at: when it happened at the provider.
        live: whether it is real money.
        payment: told with a refund or dispute, too: it is what they are of.
        pays_link: the payment link that was paid through, which is closed then.
        reason: of what is not known: the provider's word, as one safe line.
    """

    name: str
    kind: MoneyKind
    occurred_at: datetime
    live: bool
    payer: Payer = Payer()
    payment: PaymentTold | None = None
    refund: RefundTold | None = None
    dispute: DisputeTold | None = None
    subscription: SubscriptionTold | None = None
    pays_link: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What a plan is called at the provider."""

    product: str
    price: str
    setup_price: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeLink:
    """A page to pay at, and its name at the provider."""

    id: str
    url: str


Raw = Mapping[str, Any]


@runtime_checkable
class MoneyStream(Stream, Protocol):
    """Tells what became of payments; its `account` is which money it tells of, test or live."""

    def parse_money(self, raw: Raw) -> Sequence[MoneyEvent]:
        """What a record says; several things where one follows from another.

        Raises:
            Unreadable: it lacks what it should have.
        """
        ...

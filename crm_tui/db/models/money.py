"""Plans, ways to pay, customers, payments with what came after, subscriptions, and what was spent.

Amounts are integers in the currency's minor unit (ISO 4217), beside their currency. `mode` keeps a
provider's play money apart from real money. A key names the record at its provider, so that the
same payment told five times is one.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from crm_tui.db.types import (
    Base,
    Day,
    Flag,
    Json,
    UtcDateTime,
    Word,
    flag_check,
    json_check,
    one_of,
)
from crm_tui.vocabulary import (
    DisputeState,
    Interval,
    LinkState,
    Mode,
    PaymentState,
    RefundState,
    SubscriptionState,
)

_TABLE = {"sqlite_strict": True, "sqlite_autoincrement": True}


def _currency() -> CheckConstraint:
    return CheckConstraint("currency GLOB '[A-Z][A-Z][A-Z]'", name="currency")


def _amount(column: str, *, least: int = 0) -> CheckConstraint:
    return CheckConstraint(f"{column} >= {least}", name=column)


class Plan(Base):
    """What is sold: an amount for each month or year, or once, and a fee at the beginning."""

    __tablename__ = "plan"
    __table_args__ = (
        CheckConstraint("trim(name) <> ''", name="name"),
        CheckConstraint("interval IN ('month', 'year', 'once')", name="interval"),
        _amount("amount", least=1),
        _amount("setup_fee"),
        _currency(),
        _TABLE,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    folded: Mapped[str] = mapped_column(unique=True)
    amount: Mapped[int]
    currency: Mapped[str]
    interval: Mapped[Interval] = mapped_column(Word(Interval))
    setup_fee: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    archived_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class PlanPrice(Base):
    """What a plan is called at a payment provider: its product and its prices."""

    __tablename__ = "plan_price"
    __table_args__ = (one_of("mode", Mode), {"sqlite_strict": True})

    plan_id: Mapped[int] = mapped_column(
        ForeignKey("plan.id", ondelete="RESTRICT"), primary_key=True
    )
    provider: Mapped[str] = mapped_column(primary_key=True)
    mode: Mapped[Mode] = mapped_column(Word(Mode), primary_key=True)
    product_id: Mapped[str]
    price_id: Mapped[str]
    setup_price_id: Mapped[str | None]


class PaymentLink(Base):
    """A way to pay that one lead was offered for one plan: a provider's page, or bank details.

    The row is there before the provider is asked, and its key goes with what is asked, so that one
    link comes of it, whatever is cut off. `reference` is what the payer is to name.
    """

    __tablename__ = "payment_link"
    __table_args__ = (
        one_of("mode", Mode),
        one_of("state", LinkState),
        CheckConstraint(
            "state <> 'open' OR provider = 'bank' OR (url IS NOT NULL AND provider_id IS NOT NULL)",
            name="open",
        ),
        CheckConstraint("(state IN ('paid', 'closed')) = (closed_at IS NOT NULL)", name="closed"),
        Index("ix_payment_link_business_id", "business_id"),
        Index(
            "ix_payment_link_provider_id",
            "provider_id",
            sqlite_where=text("provider_id IS NOT NULL"),
        ),
        Index(
            "uq_payment_link_standing",
            "origin_id",
            "plan_id",
            "provider",
            "mode",
            unique=True,
            sqlite_where=text("state IN ('creating', 'open')"),
        ),
        _TABLE,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    business_id: Mapped[int] = mapped_column(ForeignKey("business.id", ondelete="RESTRICT"))
    origin_id: Mapped[int]
    plan_id: Mapped[int] = mapped_column(ForeignKey("plan.id", ondelete="RESTRICT"))
    provider: Mapped[str]
    mode: Mapped[Mode] = mapped_column(Word(Mode))
    state: Mapped[LinkState] = mapped_column(Word(LinkState))
    reference: Mapped[str]
    provider_id: Mapped[str | None]
    url: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class MoneyRef(Base):
    """A provider's name for something of a business: a customer, subscription, payment or session.

    Renewals name nothing else, so each is kept when it is first seen.
    """

    __tablename__ = "money_ref"
    __table_args__ = (
        one_of("mode", Mode),
        Index("ix_money_ref_business_id", "business_id"),
        {"sqlite_strict": True},
    )

    provider: Mapped[str] = mapped_column(primary_key=True)
    mode: Mapped[Mode] = mapped_column(Word(Mode), primary_key=True)
    value: Mapped[str] = mapped_column(primary_key=True)
    business_id: Mapped[int] = mapped_column(ForeignKey("business.id", ondelete="RESTRICT"))


class Customer(Base):
    """Whom a business is as a buyer; there is one for each business that bought."""

    __tablename__ = "customer"
    __table_args__ = (
        json_check("address"),
        CheckConstraint("length(country) = 2 AND country = upper(country)", name="country"),
        _TABLE,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    business_id: Mapped[int] = mapped_column(
        ForeignKey("business.id", ondelete="RESTRICT"), unique=True
    )
    name: Mapped[str | None]
    email: Mapped[str | None]
    address: Mapped[dict[str, Any] | None] = mapped_column(Json)
    country: Mapped[str | None]
    tax_id: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Subscription(Base):
    """What a customer pays again and again; where it stands follows from its changes."""

    __tablename__ = "subscription"
    __table_args__ = (
        one_of("mode", Mode),
        one_of("state", SubscriptionState),
        CheckConstraint("interval IN ('day', 'week', 'month', 'year')", name="interval"),
        CheckConstraint("interval_count >= 1", name="interval_count"),
        CheckConstraint("(state = 'ended') = (ended_at IS NOT NULL)", name="ended"),
        _amount("amount"),
        _currency(),
        Index("ix_subscription_business_id", "business_id", "state"),
        Index(
            "uq_subscription_provider_id",
            "provider",
            "mode",
            "provider_id",
            unique=True,
            sqlite_where=text("provider_id IS NOT NULL"),
        ),
        _TABLE,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    business_id: Mapped[int] = mapped_column(ForeignKey("business.id", ondelete="RESTRICT"))
    plan_id: Mapped[int | None] = mapped_column(ForeignKey("plan.id", ondelete="RESTRICT"))
    provider: Mapped[str]
    mode: Mapped[Mode] = mapped_column(Word(Mode))
    provider_id: Mapped[str | None]
    state: Mapped[SubscriptionState] = mapped_column(Word(SubscriptionState))
    amount: Mapped[int]
    currency: Mapped[str]
    interval: Mapped[Interval] = mapped_column(Word(Interval))
    interval_count: Mapped[int] = mapped_column(server_default="1")
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    current_period_end: Mapped[datetime | None] = mapped_column(UtcDateTime)
    cancel_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class SubscriptionChange(Base):
    """What a subscription was from a time on: its state and its terms, until the next change.

    `key` is that of the event which tells of it. MRR as of any time is the last change before it,
    by (occurred_at, key), of each subscription.
    """

    __tablename__ = "subscription_change"
    __table_args__ = (
        one_of("state", SubscriptionState),
        CheckConstraint("interval IN ('day', 'week', 'month', 'year')", name="interval"),
        CheckConstraint("interval_count >= 1", name="interval_count"),
        _amount("amount"),
        _currency(),
        Index(
            "ix_subscription_change_order",
            "subscription_id",
            "occurred_at",
            "key",
            "state",
            "amount",
            "currency",
            "interval",
            "interval_count",
        ),
        Index(
            "ix_subscription_change_ended",
            "occurred_at",
            "subscription_id",
            sqlite_where=text("state = 'ended'"),
        ),
        _TABLE,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    subscription_id: Mapped[int] = mapped_column(ForeignKey("subscription.id", ondelete="RESTRICT"))
    occurred_at: Mapped[datetime] = mapped_column(UtcDateTime)
    state: Mapped[SubscriptionState] = mapped_column(Word(SubscriptionState))
    amount: Mapped[int]
    currency: Mapped[str]
    interval: Mapped[Interval] = mapped_column(Word(Interval))
    interval_count: Mapped[int] = mapped_column(server_default="1")
    current_period_end: Mapped[datetime | None] = mapped_column(UtcDateTime)
    cancel_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    plan_id: Mapped[int | None] = mapped_column(ForeignKey("plan.id", ondelete="RESTRICT"))


class Payment(Base):
    """Money that came, or should have; one row, however many things a provider tells of it.

    `payment_intent`, `invoice_id`, `session_id` and `charge_id` are the provider's names for it;
    any of them finds it. `fee` and `tax` are parts of `amount`, NULL where not known. The name and
    the address are those of the invoice, as they were then. `told` is each thing that was told of
    it, by its name, without who paid: all but who paid follows from these, in whatever order they
    came.
    """

    __tablename__ = "payment"
    __table_args__ = (
        one_of("mode", Mode),
        one_of("state", PaymentState),
        flag_check("is_renewal"),
        json_check("address"),
        json_check("told"),
        _amount("amount"),
        _amount("fee"),
        _amount("tax"),
        _amount("attempts"),
        _currency(),
        CheckConstraint("(state = 'succeeded') = (paid_at IS NOT NULL)", name="paid"),
        Index("ix_payment_business_id", "business_id", "paid_at", "mode"),
        Index("ix_payment_paid_at", "paid_at", sqlite_where=text("paid_at IS NOT NULL")),
        Index("ix_payment_failed", "state", sqlite_where=text("state = 'failed'")),
        *(
            Index(
                f"uq_payment_{column}",
                "provider",
                "mode",
                column,
                unique=True,
                sqlite_where=text(f"{column} IS NOT NULL"),
            )
            for column in ("payment_intent", "invoice_id", "session_id", "charge_id")
        ),
        Index("ix_payment_subscription_id", "subscription_id"),
        _TABLE,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    business_id: Mapped[int] = mapped_column(ForeignKey("business.id", ondelete="RESTRICT"))
    provider: Mapped[str]
    mode: Mapped[Mode] = mapped_column(Word(Mode))
    payment_intent: Mapped[str | None]
    invoice_id: Mapped[str | None]
    session_id: Mapped[str | None]
    charge_id: Mapped[str | None]
    subscription_id: Mapped[int | None] = mapped_column(
        ForeignKey("subscription.id", ondelete="RESTRICT")
    )
    plan_id: Mapped[int | None] = mapped_column(ForeignKey("plan.id", ondelete="RESTRICT"))
    method: Mapped[str]
    state: Mapped[PaymentState] = mapped_column(Word(PaymentState))
    amount: Mapped[int]
    currency: Mapped[str]
    fee: Mapped[int | None]
    tax: Mapped[int | None]
    is_renewal: Mapped[bool] = mapped_column(Flag, server_default="0")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    paid_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    failed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    failure: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(server_default="0")
    next_attempt_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    invoice_number: Mapped[str | None]
    name: Mapped[str | None]
    email: Mapped[str | None]
    address: Mapped[dict[str, Any] | None] = mapped_column(Json)
    country: Mapped[str | None]
    note: Mapped[str | None]
    told: Mapped[dict[str, Any]] = mapped_column(Json, server_default="{}")


class Refund(Base):
    """Money of a payment that went back, in its currency."""

    __tablename__ = "refund"
    __table_args__ = (
        one_of("state", RefundState),
        _amount("amount", least=1),
        Index("ix_refund_payment_id", "payment_id"),
        _TABLE,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    payment_id: Mapped[int] = mapped_column(ForeignKey("payment.id", ondelete="RESTRICT"))
    amount: Mapped[int]
    state: Mapped[RefundState] = mapped_column(Word(RefundState))
    refunded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    reason: Mapped[str | None]


class Dispute(Base):
    """A payment that the payer's bank took back for now, or for good."""

    __tablename__ = "dispute"
    __table_args__ = (
        one_of("state", DisputeState),
        _amount("amount"),
        CheckConstraint("(state = 'open') = (closed_at IS NULL)", name="closed"),
        Index("ix_dispute_payment_id", "payment_id"),
        Index("ix_dispute_open", "due_by", sqlite_where=text("state = 'open'")),
        _TABLE,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    payment_id: Mapped[int] = mapped_column(ForeignKey("payment.id", ondelete="RESTRICT"))
    amount: Mapped[int]
    state: Mapped[DisputeState] = mapped_column(Word(DisputeState))
    reason: Mapped[str | None]
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    due_by: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Spend(Base):
    """What was spent on winning customers, on a day, for a campaign or a source or in general."""

    __tablename__ = "spend"
    __table_args__ = (
        CheckConstraint("trim(kind) <> ''", name="kind"),
        CheckConstraint("campaign_id IS NULL OR source IS NULL", name="for_one"),
        CheckConstraint("(source IS NULL) = (source_folded IS NULL)", name="source"),
        CheckConstraint("spent_on GLOB '????-??-??'", name="spent_on"),
        _amount("amount", least=1),
        _currency(),
        UniqueConstraint("key"),
        Index("ix_spend_spent_on", "spent_on"),
        _TABLE,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str]
    spent_on: Mapped[date] = mapped_column(Day)
    kind: Mapped[str]
    amount: Mapped[int]
    currency: Mapped[str]
    campaign_id: Mapped[int | None] = mapped_column(ForeignKey("campaign.id", ondelete="RESTRICT"))
    source: Mapped[str | None]
    source_folded: Mapped[str | None]
    note: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

"""A record of Stripe's, its parts where they are expected, and what is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from crm_tui.providers.money import (
    DisputeTold,
    MoneyEvent,
    MoneyKind,
    Payer,
    PaymentTold,
    RefundTold,
    SubscriptionTold,
)
from crm_tui.providers.stripe_objects import Object, payer_of, thing


@dataclass(frozen=True, slots=True)
class Record:
    """A record, its parts where they are expected.

    Attributes:
        name: what it is known by.
        word: the event's type, or that of the object that was listed.
        at: when it happened, or was seen.
        snapshot: the object as it was then.
        now: the object as it was read again; the snapshot where it was not.
        since: of what was listed, from when on.
    """

    name: str
    word: str
    at: datetime
    live: bool
    snapshot: Object
    now: Object
    related: Object
    since: datetime | None = None

    @property
    def is_listed(self) -> bool:
        """Whether it was found by listing, and tells how something stands."""
        return self.since is not None

    def about(self, name: str) -> Object:
        """Something it leads to."""
        return thing(self.related.get(name))


def event_of(
    record: Record,
    kind: MoneyKind,
    payer: Payer,
    *,
    part: str = "",
    at: datetime | None = None,
    payment: PaymentTold | None = None,
    refund: RefundTold | None = None,
    dispute: DisputeTold | None = None,
    subscription: SubscriptionTold | None = None,
    pays_link: str | None = None,
    reason: str = "",
) -> MoneyEvent:
    """What a record tells.

    Args:
        record: what is told of.
        kind: what happened.
        payer: whose it is.
        part: of a record that tells of several things, which.
        at: when it happened, where that is not when it was told.
        payment: see `MoneyEvent`; likewise the rest.
        refund: told.
        dispute: told.
        subscription: told.
        pays_link: the link that was paid through.
        reason: of what is not known.
    """
    return MoneyEvent(
        name=f"{record.name}:{part}" if part else record.name,
        kind=kind,
        occurred_at=at or record.at,
        live=record.live,
        payer=payer,
        payment=payment,
        refund=refund,
        dispute=dispute,
        subscription=subscription,
        pays_link=pays_link,
        reason=reason,
    )


def unknown(record: Record, reason: str) -> MoneyEvent:
    """Something that Stripe has a new word for."""
    return event_of(record, MoneyKind.UNKNOWN, payer_of(record.now), reason=reason)

"""What tests ask of a Stripe: everything it tells, and what of it is one payment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from crm_tui.providers.events import Asked, Page, RawEvent
from crm_tui.providers.http import Api
from crm_tui.providers.money import MoneyEvent, MoneyKind, PaymentTold
from crm_tui.providers.stripe import StripeStream, parse_money
from crm_tui.providers.stripe_api import api_of
from tests.world.stripe import FakeStripe
from tests.world.world import NO_FAULTS, Faults, World

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


def a_stripe(
    *, faults: Faults = NO_FAULTS, seed: int = 0, **facts: Any
) -> tuple[World, FakeStripe]:
    """A world with a Stripe in it."""
    world = World(now=NOW, faults=faults, seed=seed)
    return world, FakeStripe(world, "stripe", **facts)


def api(world: World, stripe: FakeStripe) -> Api:
    """The way to it, on which waiting takes no time."""
    made = api_of(stripe.settings, stripe.key, transport=world.transport())
    made.sleep = world.sleep
    made.jitter = lambda: 0.5
    return made


def a_stream(world: World, stripe: FakeStripe) -> StripeStream:
    """Its stream."""
    return StripeStream(stripe.settings, stripe.key, api=api(world, stripe))


async def pages(
    world: World, stripe: FakeStripe, cursor: dict[str, Any] | None = None
) -> tuple[list[Page], dict[str, Any]]:
    """All pages of a poll, and the cursor it ends with."""
    found, at = [], dict(cursor or {})
    async with a_stream(world, stripe) as stream:
        more = True
        while more:
            page = await stream.fetch_events(at, Asked(now=world.now))
            found.append(page)
            at, more = dict(page.cursor), page.more
    return found, at


async def told(world: World, stripe: FakeStripe) -> list[MoneyEvent]:
    """Everything it tells, the newest first."""
    found, _ = await pages(world, stripe)
    return understood(each for page in found for each in page.events)


def understood(raw: Iterable[RawEvent]) -> list[MoneyEvent]:
    """What records say."""
    return [event for each in raw for event in parse_money(each.payload)]


def payments(events: Sequence[MoneyEvent]) -> list[list[PaymentTold]]:
    """What is told of each payment: what shares a name is one."""
    groups: list[tuple[set[str], list[PaymentTold]]] = []
    for event in events:
        if event.payment is None:
            continue
        told = event.payment
        names = {told.payment_intent, told.invoice, told.session, told.charge} - {None}
        own = {str(each) for each in names}
        shared = [each for each in groups if each[0] & own]
        groups = [each for each in groups if not each[0] & own]
        groups.append(
            (
                own.union(*(names for names, _ in shared)),
                [told, *(t for _, ts in shared for t in ts)],
            )
        )
    return [each for _, each in groups]


def of_kind(events: Iterable[MoneyEvent], kind: MoneyKind) -> list[MoneyEvent]:
    """Those of one kind."""
    return [each for each in events if each.kind is kind]

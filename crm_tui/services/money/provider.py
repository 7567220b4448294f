"""The payment provider that the settings name, opened for whoever asks it for something."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.errors import UserError
from crm_tui.providers import keys
from crm_tui.providers.base import ProviderError
from crm_tui.providers.stripe_make import StripePayments
from crm_tui.services.money import links
from crm_tui.services.money.links import STRIPE, Made, Payments
from crm_tui.services.money.many_links import ManyLinks, make_many
from crm_tui.vocabulary import Mode


def mode_of(settings: Settings) -> Mode:
    """Whose money it is: the provider's real or its play money."""
    return Mode(settings.providers.stripe.mode)


def open_payments(
    settings: Settings, environment: Mapping[str, str]
) -> AbstractAsyncContextManager[Payments]:
    """The provider, ready to be asked within the block.

    Args:
        settings: which account.
        environment: where its key may be.

    Raises:
        Misconfigured: its address in the settings is none.
    """
    return StripePayments(settings.providers.stripe, keys.lookup(STRIPE, environment))


async def make_link(
    db: Database,
    business_id: int,
    plan_id: int,
    *,
    settings: Settings,
    environment: Mapping[str, str],
    clock: Callable[[], datetime],
) -> Made:
    """The link of a lead for a plan, as `links.make` makes it.

    Raises:
        UserError: as there; also where the provider does not make it.
    """
    try:
        async with open_payments(settings, environment) as payments:
            return await links.make(
                db, business_id, plan_id, payments=payments, mode=mode_of(settings), clock=clock
            )
    except ProviderError as error:
        raise UserError(str(error)) from None


async def make_links(
    db: Database,
    business_ids: Sequence[int],
    plan_id: int,
    *,
    settings: Settings,
    environment: Mapping[str, str],
    clock: Callable[[], datetime],
    progress: Callable[[int, int], None],
    cancelled: Callable[[], bool],
) -> ManyLinks:
    """The links of leads for a plan, as `make_many` makes them.

    Raises:
        UserError: as there; also where the provider cannot be asked at all.
    """
    try:
        async with open_payments(settings, environment) as payments:
            return await make_many(
                db,
                business_ids,
                plan_id,
                payments=payments,
                mode=mode_of(settings),
                clock=clock,
                progress=progress,
                cancelled=cancelled,
            )
    except ProviderError as error:
        raise UserError(str(error)) from None

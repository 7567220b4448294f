"""The payment provider that the settings name, opened for whoever asks it for something."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager

from crm_tui.config import Settings
from crm_tui.providers import keys
from crm_tui.providers.stripe_make import StripePayments
from crm_tui.services.money.links import STRIPE, Payments
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

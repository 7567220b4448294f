"""What providers can do, for those who show it."""

from __future__ import annotations

from crm_tui.providers.base import Capabilities, Check, PaymentCapabilities
from crm_tui.providers.catalog import PAYMENTS, capabilities, payment_capabilities

__all__ = ["Can", "Check", "PaymentCapabilities", "about"]

Can = Capabilities | PaymentCapabilities
"""What a provider can do, in words."""


def about(name: str) -> Can:
    """What the provider of an account can do. Loads it: not on the event loop."""
    return payment_capabilities(name) if name in PAYMENTS else capabilities(name)

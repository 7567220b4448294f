"""What providers can do, for those who show it."""

from __future__ import annotations

from crm_tui.providers.base import Capabilities, Check
from crm_tui.providers.catalog import capabilities

__all__ = ["Can", "Check", "about"]

Can = Capabilities
"""What a provider can do, in words."""


def about(name: str) -> Can:
    """What the provider of an account can do. Loads it: not on the event loop."""
    return capabilities(name)

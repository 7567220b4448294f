"""What can be known of a message by the provider it went through."""

from __future__ import annotations

from typing import NamedTuple


class Measures(NamedTuple):
    """Whether a provider tells of each: opens, clicks, and that a message was delivered."""

    opens: bool
    clicks: bool
    delivery: bool


_NOTHING = Measures(opens=False, clicks=False, delivery=False)
_MEASURES = {
    "mailgun": Measures(opens=True, clicks=True, delivery=True),
    "resend": Measures(opens=True, clicks=True, delivery=True),
    "brevo": Measures(opens=True, clicks=True, delivery=True),
    "twilio": Measures(opens=False, clicks=False, delivery=True),
    "smtp": _NOTHING,
    "outbox": _NOTHING,
}
"""By the provider's name in the settings; the capabilities of its adapter say the same."""


def measures(provider: str | None) -> Measures:
    """What a provider tells of; nothing where it is not known."""
    return _MEASURES.get(provider or "", _NOTHING)


OPENS = tuple(name for name, each in _MEASURES.items() if each.opens)
CLICKS = tuple(name for name, each in _MEASURES.items() if each.clicks)
DELIVERY = tuple(name for name, each in _MEASURES.items() if each.delivery)
"""The providers that tell of each."""

"""Make docs/providers.md from what the providers' modules say of themselves: `make docs`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from crm_tui.providers.base import Capabilities, PaymentCapabilities
from crm_tui.providers.catalog import (
    APIS,
    NAMES,
    PAYMENTS,
    TITLES,
    capabilities,
    payment_capabilities,
)
from crm_tui.providers.keys import VARIABLES, service_of

PAGE = Path(__file__).parent.parent / "providers.md"

FEATURES = (
    ("Send", "send"),
    ("Idempotency", "idempotency"),
    ("Delivery", "delivery"),
    ("Opens", "opened"),
    ("Clicks", "clicked"),
    ("Machine flag", "machine"),
    ("Bounce kind", "bounce_kind"),
    ("Inbound", "inbound"),
    ("Retention", "retention"),
    ("Limits", "limits"),
    ("Price", "price"),
    ("Price as of", "price_date"),
)
"""The rows of the matrix: what they are called, and what each adapter says there."""

PAYMENT_FEATURES = (
    ("Links", "links"),
    ("Idempotency", "idempotency"),
    ("Told", "told"),
    ("Fees", "fees"),
    ("Modes", "modes"),
    ("Retention", "retention"),
    ("Limits", "limits"),
    ("Price", "price"),
    ("Price as of", "price_date"),
)
"""The same of payments."""

_INTRODUCTION = """\
# Providers

This page is made from what the program knows of each provider (`make docs`). Everything that comes
back is polled: no server of yours has to be reachable. In the app the same stands under Settings
(`6`), with how each account is doing; on the command line, `crm-tui providers list`.

An account is added with `crm-tui providers add NAME`, or with `e` in the settings. Its key goes into
the keyring of your system; where there is none, it is read from the environment. It is never written
into the configuration file, a log or the screen. `crm-tui providers test NAME` tries it out with calls
that send nothing, and `crm-tui providers use NAME` sends through it.

## What each can do
"""

_MACHINES = """\
Opens and clicks that machines make (privacy proxies, scanners of links) are kept and shown, and move
no status: by the provider's own flag where it has one, else by what gives them away, such as an open
within seconds of the delivery.
"""


_PAYMENTS = """\
## Payments

What is paid is polled as well, every minute: a lead that paid is purchased without anything of yours
being reachable. Of a restricted key, allow reading Events, Checkout Sessions, Invoices,
PaymentIntents, Charges and Refunds, Subscriptions, Disputes and, to know the fees, Balance
transaction sources; and writing Products, Prices and Payment Links. `crm-tui providers test stripe`
names what is missing.
"""


def page() -> str:
    """The whole page."""
    known = [capabilities(name) for name in NAMES]
    paid = [payment_capabilities(name) for name in PAYMENTS]
    parts = [_INTRODUCTION, "\n".join(_matrix(known, FEATURES)), "", _MACHINES]
    parts += [_PAYMENTS, "\n".join(_matrix(paid, PAYMENT_FEATURES)), ""]
    both: list[_Can] = [*known, *paid]
    parts += ["## What each asks of you", "", *_policies(both), "", "## Keys", "", *_keys(), ""]
    parts += ["## What this follows", "", *(f"- {each.title}: {each.source}" for each in both)]
    return "\n".join(parts) + "\n"


_Can = Capabilities | PaymentCapabilities


def _matrix(known: Sequence[_Can], features: Sequence[tuple[str, str]]) -> Iterator[str]:
    yield _row("", *(each.title for each in known))
    yield "|---" * (len(known) + 1) + "|"
    for title, name in features:
        yield _row(f"**{title}**", *(getattr(each, name) for each in known))


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _policies(known: Sequence[_Can]) -> Iterator[str]:
    for each in known:
        yield f"- **{each.title}**: {each.policy}"


def _keys() -> Iterator[str]:
    yield "| provider | in the keyring | in the environment |"
    yield "|---|---|---|"
    for name in (*APIS, *PAYMENTS):
        title = TITLES[name]
        yield _row(title, f"`{service_of(name)}`, user `key`", f"`{VARIABLES[name]}`")
    for name in ("smtp", "imap"):
        variable = f"CRM_TUI_{name.upper()}_PASSWORD"
        user = f"`{service_of(name)}`, user as under `username`"
        yield _row(capabilities(name).title, user, f"`{variable}`")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"Wrote {PAGE}")

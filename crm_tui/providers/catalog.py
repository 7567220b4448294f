"""All providers there are, and what each of them can do.

The modules that talk to them are loaded when they are asked about, and no sooner.
"""

from __future__ import annotations

from importlib import import_module

from crm_tui.providers.base import Capabilities, PaymentCapabilities

SMTP, IMAP, OUTBOX = "smtp", "imap", "outbox"

APIS = ("mailgun", "resend", "brevo", "twilio")
"""The providers of messages with an API, and a key to it."""

PAYMENTS = ("stripe",)
"""The providers of payments; they have an API, too."""

POLLED = (*APIS, *PAYMENTS)
"""Those whose API is polled, all but mailboxes."""

NAMES = (SMTP, IMAP, *APIS, OUTBOX)
"""Every provider of messages, as in the settings."""

TITLES = {
    SMTP: "SMTP",
    IMAP: "IMAP",
    "mailgun": "Mailgun",
    "resend": "Resend",
    "brevo": "Brevo",
    "twilio": "Twilio",
    "stripe": "Stripe",
    OUTBOX: "Outbox",
}
"""What they are called, for lists that load none of them."""

_OWN_POLICY = (
    "Your mailbox provider decides: some allow a little one-to-one mail to businesses that did not"
    " ask, many forbid it."
)
_NONE = "none"

_HERE = {
    SMTP: Capabilities(
        name=SMTP,
        title=TITLES[SMTP],
        channel="email",
        idempotent=False,
        measures_opens=False,
        measures_clicks=False,
        send="submission with STARTTLS or TLS; password or OAuth 2.0 token",
        idempotency="none: what was cut off is looked for in the folder of sent mail",
        delivery="not told; what is not delivered comes back as a mail",
        opened="not measured",
        clicked="not measured",
        machine="not measured",
        bounce_kind="by the server's answer and by the reports that come back",
        inbound="by IMAP",
        retention="the mails stay in your mailbox",
        limits="your provider's; Gmail takes about 500 mails a day, Google Workspace 2,000",
        price="that of your mailbox",
        price_date="2026-11",
        policy=_OWN_POLICY,
        source="RFC 5321, RFC 6409, RFC 3464",
    ),
    IMAP: Capabilities(
        name=IMAP,
        title=TITLES[IMAP],
        channel="email",
        idempotent=False,
        measures_opens=False,
        measures_clicks=False,
        send="does not send",
        idempotency=_NONE,
        delivery="by delivery reports",
        opened="not measured",
        clicked="not measured",
        machine="not measured",
        bounce_kind="by the status code of the report",
        inbound="answers, automatic answers, bounces, complaints, opt-outs",
        retention="for as long as the mails stay in your mailbox",
        limits="your provider's; Gmail takes 15 connections",
        price="that of your mailbox",
        price_date="2026-11",
        policy="Reads your own mailbox and marks nothing; only save_sent puts sent mails into it.",
        source="RFC 9051, RFC 3464, RFC 5965, RFC 3834",
    ),
    OUTBOX: Capabilities(
        name=OUTBOX,
        title=TITLES[OUTBOX],
        channel="email",
        idempotent=True,
        measures_opens=False,
        measures_clicks=False,
        send="writes .eml files into a folder; sends nothing",
        idempotency="one file for each message",
        delivery=_NONE,
        opened="not measured",
        clicked="not measured",
        machine="not measured",
        bounce_kind=_NONE,
        inbound=_NONE,
        retention="for as long as the files stay",
        limits=_NONE,
        price="free",
        price_date="2026-11",
        policy="It sends nothing, so there is nothing to keep to.",
        source="RFC 5322",
    ),
}


def capabilities(name: str) -> Capabilities:
    """What a provider can do.

    Args:
        name: one of NAMES.
    """
    if name in _HERE:
        return _HERE[name]
    found = import_module(f"crm_tui.providers.{name}").CAPABILITIES
    assert isinstance(found, Capabilities)
    return found


def payment_capabilities(name: str) -> PaymentCapabilities:
    """What a provider of payments can do.

    Args:
        name: one of PAYMENTS.
    """
    found = import_module(f"crm_tui.providers.{name}").CAPABILITIES
    assert isinstance(found, PaymentCapabilities)
    return found

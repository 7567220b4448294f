"""What mail goes out through, and the marks by which ours is known again."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass, replace
from datetime import tzinfo
from pathlib import Path
from urllib.parse import quote

from crm_tui.config import Settings
from crm_tui.db.engine import beside
from crm_tui.services.contacts.contact import ascii_host
from crm_tui.services.sending.hours import Rules, read_rules
from crm_tui.services.sending.pace import Limits
from crm_tui.services.templating.facts import unsubscribe_sentence
from crm_tui.services.texting import STOP
from crm_tui.vocabulary import Channel

NO_DOMAIN = "crm-tui.invalid"
"""The domain of marks that were made before the operator said who sends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who sends, and how much may go.

    Attributes:
        provider: its name in the settings.
        address: what mail comes from; "" where none was set.
        connections: how many mails may be on their way at once.
        plus: whether the mailbox gets what is sent to its address with a "+" and more before the @.
        zone: the operator's; None is the machine's own.
    """

    provider: str
    name: str
    address: str
    postal_address: str
    connections: int
    plus: bool
    limits: Limits
    rules: Rules
    zone: tzinfo | None
    channel: Channel = Channel.EMAIL
    number: str = ""
    """What text messages come from: an E.164 number, or a service that chooses one."""

    @property
    def domain(self) -> str:
        """The domain mails come from, in the letters the DNS knows."""
        return ascii_host(self.address.rpartition("@")[2]) or NO_DOMAIN

    def way_out(self, token: str) -> str:
        """The sentence that tells a recipient how to opt out."""
        if self.channel is Channel.SMS:
            return STOP
        return unsubscribe_sentence(self.opt_out(token))

    def opt_out(self, token: str) -> str:
        """The mailto address at which a recipient opts out; the token tells which."""
        local, _, domain = self.address.rpartition("@")
        if self.plus:
            return f"mailto:{quote(local)}+u.{token}@{domain}?subject=unsubscribe"
        return f"mailto:{quote(local)}@{domain}?subject=unsubscribe%20{token}"


def account(settings: Settings, *, plus: bool = False) -> Account:
    """The account the settings name."""
    sending, is_smtp = settings.sending, settings.email.provider == "smtp"
    return Account(
        provider=settings.email.provider,
        name=settings.sender.name,
        address=settings.sender.email,
        postal_address=settings.sender.postal_address,
        connections=settings.providers.smtp.connections if is_smtp else 1,
        plus=plus,
        limits=Limits(sending.per_hour, sending.per_day, sending.warm_up),
        rules=read_rules(sending.quiet_hours, weekdays_only=sending.weekdays_only),
        zone=settings.operator.zone,
    )


def text_account(settings: Settings) -> Account | None:
    """The account text messages go through; None where none is set, which is how it begins."""
    sms, twilio = settings.sms, settings.providers.twilio
    if not (sms.provider and twilio.account_sid and twilio.from_number):
        return None
    return replace(
        account(settings),
        provider=sms.provider,
        number=twilio.from_number,
        connections=1,
        limits=Limits(sms.per_hour, sms.per_day),
        channel=Channel.SMS,
    )


def account_for(settings: Settings, channel: Channel) -> Account:
    """The account of a channel; where none is set for text messages, as it would be."""
    mail = account(settings)
    if channel is Channel.EMAIL:
        return mail
    return text_account(settings) or replace(mail, channel=Channel.SMS)


def outbox_folder(settings: Settings, store: Path) -> Path:
    """Where the outbox writes its mails."""
    named = settings.email.outbox
    return Path(named).expanduser() if named else beside(store, "outbox")


@dataclass(frozen=True, slots=True)
class Marks:
    """What tells one message from all others, fixed when its row is made."""

    key: str
    message_id: str
    token: str


def new_marks(domain: str, *, together: str = "") -> Marks:
    """Marks for a message that comes from this domain.

    Args:
        domain: where it comes from.
        together: eight random hexadecimal digits that marks of many messages begin with which are
            written at once, so that they stand together in the indexes of the store; each mark
            still has at least 72 random bits of its own.
    """
    key = f"{together[:8]}{uuid.uuid4().hex}"[:32]
    token = f"{together[:6]}{secrets.token_hex(12)}"[:24]
    return Marks(key, f"<{key}@{domain}>", token)

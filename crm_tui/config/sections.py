"""The sections of config.toml, each with what can be set in it."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec


class ImportSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[import]: how lists are read."""

    default_region: str = "US"
    """ISO 3166 region of phones whose row names no country."""


class PreviewSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[preview]: the local server that shows sites."""

    port: int = 8765
    """Port on 127.0.0.1; the next free one is used only if it is taken."""
    browser: bool = True
    """Whether opening a preview starts a browser."""


class ScoreWeights(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[score.weights]: what each factor counts; only their proportions matter."""

    no_website: float = 35
    rating: float = 13
    reviews: float = 12
    photos: float = 5
    email: float = 10
    phone: float = 10
    category: float = 10
    freshness: float = 5


class ScoreSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[score]: what makes a good lead."""

    threshold: int = 60
    """Leads scored at or above this (0-100) are qualified."""
    categories: tuple[str, ...] = ()
    """Category words that fit; empty means the trades this program knows."""
    weights: ScoreWeights = ScoreWeights()


class BackupSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[backup]: what is kept of the automatic copies."""

    daily: int = 7
    weekly: int = 4


class OperatorSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[operator]: who works with this program, and where."""

    timezone: str = ""
    """IANA name of the zone times are read and shown in; empty is the machine's own."""

    @property
    def zone(self) -> tzinfo | None:
        """The zone; None is the machine's own."""
        return ZoneInfo(self.timezone) if self.timezone else None


class TaskSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[tasks]: how follow-ups are read."""

    hour: int = 9
    """The hour (0-23) of a day that is named without one."""


class ClipboardSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[clipboard]: where copied text goes."""

    command: tuple[str, ...] = ()
    """A program and its arguments that take the text on standard input; none asks the terminal."""


class AppearanceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[appearance]: how the app looks."""

    theme: str = "dark"
    """dark, light, high-contrast, terminal (its own 16 colours), or a file in ui-themes/."""
    ascii: bool = False
    """Whether shapes and borders are drawn with ASCII only."""
    motion: bool = True
    """Whether scrolling may glide; over SSH it never does."""


class SenderSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[sender]: who writes, as every mail says."""

    name: str = ""
    email: str = ""
    postal_address: str = ""
    """The sender's postal address, which the laws on commercial mail ask for; lines by newlines."""


class EmailSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[email]: what mail goes through."""

    provider: Literal["smtp", "outbox", "mailgun", "resend", "brevo"] = "smtp"
    """smtp is the operator's own mailbox; outbox writes .eml files and sends nothing."""
    outbox: str = ""
    """The folder of the outbox; empty is `<store>.outbox/` beside the store."""


class SmsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[sms]: what text messages go through."""

    provider: Literal["", "twilio"] = ""
    """Empty: none are sent. Commercial text messages need their recipient's consent first."""
    per_hour: int = 30
    per_day: int = 100


class PublishingSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[publishing]: where the public reads the sites."""

    kind: Literal["folder"] = "folder"
    path: str = ""
    """The folder the public pages are written into; empty publishes nothing."""
    base_url: str = ""
    """The address of that folder on the web, over https."""
    command: tuple[str, ...] = ()
    """A program and its arguments that is run after a batch of pages, such as rsync; no shell."""
    timeout_seconds: int = 300
    """How long that program may take."""


class SmtpSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[providers.smtp]: the operator's own mailbox, sending."""

    host: str = ""
    port: int = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    """none only for a server on this machine."""
    username: str = ""
    """Empty: no login. The password is never in this file: see password_command."""
    auth: Literal["password", "xoauth2"] = "password"
    """xoauth2: what is found instead of a password is an OAuth 2.0 access token."""
    password_command: tuple[str, ...] = ()
    """A program and its arguments that prints the password, such as ["pass", "show", "mail"]."""
    password_file: str = ""
    """A file with the password that only its owner may read."""
    connections: int = 1
    """At most this many messages are on their way at once."""
    price_per_message: float = 0
    """What a message costs, in the currency of [money]; 0 where the provider tells, or it is free."""


class ImapSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[providers.imap]: the operator's own mailbox, reading; only save_sent writes to it."""

    host: str = ""
    port: int = 993
    security: Literal["tls", "starttls", "none"] = "tls"
    username: str = ""
    auth: Literal["password", "xoauth2"] = "password"
    password_command: tuple[str, ...] = ()
    password_file: str = ""
    folders: tuple[str, ...] = ()
    """The folders that are read; empty: all but Drafts and Trash."""
    poll_seconds: int = 60
    save_sent: bool = False
    """Whether mails sent over SMTP are put into the folder of sent mail; Gmail does so itself."""


class MailgunSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[providers.mailgun]: an account at Mailgun. Its key is never in this file."""

    domain: str = ""
    """The sending domain."""
    base_url: str = "https://api.mailgun.net"
    """Of a domain in the EU region: https://api.eu.mailgun.net."""
    events: Literal["logs", "events"] = "logs"
    """What is polled: the Logs API, or the older Events API."""
    price_per_message: float = 0
    """What a message costs, in the currency of [money]; 0 where the provider tells, or it is free."""


class ResendSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[providers.resend]: an account at Resend. Its key is never in this file."""

    base_url: str = "https://api.resend.com"
    price_per_message: float = 0
    """What a message costs, in the currency of [money]; 0 where the provider tells, or it is free."""


class BrevoSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[providers.brevo]: an account at Brevo. Its key is never in this file."""

    base_url: str = "https://api.brevo.com/v3"
    price_per_message: float = 0
    """What a message costs, in the currency of [money]; 0 where the provider tells, or it is free."""


class TwilioSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[providers.twilio]: an account at Twilio. Its token is never in this file."""

    account_sid: str = ""
    from_number: str = ""
    """The number messages come from (E.164), or the SID of a messaging service (MG…)."""
    base_url: str = "https://api.twilio.com"
    price_per_message: float = 0
    """What a message costs, in the currency of [money]; 0 where the provider tells, or it is free."""


class StripeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[providers.stripe]: an account at Stripe. Its key is never in this file."""

    base_url: str = "https://api.stripe.com"
    api_version: str = "2025-08-27.basil"
    """The version of the API that is spoken, whatever the account is set to."""
    mode: Literal["test", "live"] = "live"
    """test: play money. What is of one mode is never mixed with what is of the other."""


class ProviderSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[providers]: the outside world."""

    smtp: SmtpSettings = SmtpSettings()
    imap: ImapSettings = ImapSettings()
    mailgun: MailgunSettings = MailgunSettings()
    resend: ResendSettings = ResendSettings()
    brevo: BrevoSettings = BrevoSettings()
    twilio: TwilioSettings = TwilioSettings()
    stripe: StripeSettings = StripeSettings()


class SendingSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[sending]: how much is sent, and when. A limit of 0 is none."""

    per_hour: int = 10
    per_day: int = 40
    warm_up: bool = True
    """Whether a mailbox that has sent nothing yet begins with 10 a day."""
    quiet_hours: str = "20:00-08:00"
    """When nothing is sent, in the recipient's local time; empty: never quiet."""
    weekdays_only: bool = True
    role_addresses: bool = True
    """Whether campaigns write to info@ and office@, often the only address of a local business."""
    contacted_days: int = 0
    """Campaigns leave out whom another message went to within so many days, unless one says
    otherwise; 0 leaves nobody out, and says how many it would be."""


class MoneySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[money]: what figures and payments go by."""

    currency: str = "USD"
    """ISO 4217: what an amount is in where nothing else is said."""
    gross_margin: float = 0.8
    """The share of revenue that is left after what serving a customer costs (0-1)."""
    bank_details: str = ""
    """Where a bank transfer goes, as a payment request says it; lines by newlines."""
    payment_days: int = 14
    """By when a payment request asks to be paid."""


class ComplianceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[compliance]: what the operator answers for."""

    manual_unsubscribe: bool = False
    """True: no IMAP; the operator reads the mailbox and records opt-outs by hand."""
    policies_acknowledged: tuple[str, ...] = ()
    """The providers whose policy on cold mail was read, such as ["smtp"]."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything the operator can set in config.toml."""

    imports: ImportSettings = msgspec.field(default=ImportSettings(), name="import")
    preview: PreviewSettings = PreviewSettings()
    score: ScoreSettings = ScoreSettings()
    backup: BackupSettings = BackupSettings()
    clipboard: ClipboardSettings = ClipboardSettings()
    operator: OperatorSettings = OperatorSettings()
    tasks: TaskSettings = TaskSettings()
    appearance: AppearanceSettings = AppearanceSettings()
    sender: SenderSettings = SenderSettings()
    email: EmailSettings = EmailSettings()
    sms: SmsSettings = SmsSettings()
    publishing: PublishingSettings = PublishingSettings()
    providers: ProviderSettings = ProviderSettings()
    sending: SendingSettings = SendingSettings()
    money: MoneySettings = MoneySettings()
    compliance: ComplianceSettings = ComplianceSettings()
    keys: dict[str, Any] = {}
    """[keys]: a key or a list of keys by the id of an action; one that cannot be is a warning."""

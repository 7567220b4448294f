"""What must be in order before a campaign starts, each with why and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from crm_tui.config import Settings
from crm_tui.config.checks import is_loopback
from crm_tui.db.engine import ReadSession
from crm_tui.errors import UserError
from crm_tui.providers.catalog import OUTBOX, SMTP, TITLES
from crm_tui.providers.dns import Dns
from crm_tui.providers.sender_policy import SenderPolicy
from crm_tui.services.campaigns.policies import has_policy, unread
from crm_tui.services.campaigns.steps import Step
from crm_tui.services.campaigns.text_checks import why_no_texts
from crm_tui.services.mailable import mailable
from crm_tui.services.sending import standing
from crm_tui.services.templating.checking import check as check_template
from crm_tui.services.templating.checking import says_always
from crm_tui.text import visible
from crm_tui.vocabulary import Channel

LET_GO = "crm-tui worker --let-go"
ACKNOWLEDGE = "crm-tui campaigns policy --accept"

OTHER_LEADS = "Choose other leads; the ledger says why these are left out."
NO_MESSAGE = "Choose a template or write one."
CORRECT = "Correct its template, `crm-tui templates check` says where."
SAY_ALWAYS = "Put it into its text, outside of any {% if %}."
WHEN_ONLINE = "Look again when you are online."

MUST_SAY = {
    Channel.EMAIL: ("unsubscribe", "sender.postal_address"),
    Channel.SMS: ("unsubscribe", "sender.name"),
}
"""The fields that every message of a channel has to say."""
_AND_SAYS = {Channel.EMAIL: "where you are", Channel.SMS: "who writes"}

Policy = SenderPolicy
"""What the sender's domain says of itself (SPF, DKIM, DMARC)."""


class Verdict(StrEnum):
    """What came of a check; only BLOCKS keeps a campaign from starting."""

    PASSED = "passed"
    WARNING = "warning"
    BLOCKS = "blocks"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the compliance list.

    Attributes:
        check: what was looked at, in two or three words.
        why: what was found, a sentence.
        fix: what to do about it; "" where nothing is to be done.
    """

    check: str
    verdict: Verdict
    why: str
    fix: str = ""


class Blocked(UserError):
    """A start that was refused; `checks` are those that block it."""

    def __init__(self, checks: Sequence[Check]) -> None:
        self.checks = tuple(checks)
        super().__init__(
            "It cannot start. " + " ".join(f"{each.why} {each.fix}".strip() for each in checks)
        )


def refuse(checks: Sequence[Check]) -> None:
    """See that nothing blocks a start.

    Raises:
        Blocked: something does.
    """
    blocking = [each for each in checks if each.verdict is Verdict.BLOCKS]
    if blocking:
        raise Blocked(blocking)


async def checks(
    session: ReadSession,
    steps: Sequence[Step],
    *,
    recipients: int,
    settings: Settings,
    store: Path,
    policy: SenderPolicy | None = None,
    no_consent: int = 0,
) -> list[Check]:
    """The whole list, in the order it is read. Checks that do not apply pass.

    Args:
        session: the store.
        steps: what would be sent.
        recipients: to how many.
        settings: who sends, and through what.
        store: the path of the store; a copied one does not send.
        policy: what the sender's domain says of itself; None where it was not looked up.
        no_consent: how many of the recipients have not agreed to text messages.
    """
    mails = not steps or any(step.channel is Channel.EMAIL for step in steps)
    texts = any(step.channel is Channel.SMS for step in steps)
    known = await standing.read_standing(
        session, settings.email.provider, home=standing.home_of(store)
    )
    return [
        _recipients(recipients),
        *(_sender(settings) if mails else (_name(settings, "text messages"),)),
        *((_opt_out(settings),) if mails else ()),
        *_texts(steps),
        *((_server(settings),) if mails else ()),
        *((_sms(settings), _consent(no_consent, recipients)) if texts else ()),
        _stopped(known.stopped),
        _acknowledged(settings, mails=mails, texts=texts),
        *(_domain(settings, policy) if mails else ()),
    ]


def _line(check: str, wrong: str, fix: str, passed: str) -> Check:
    """A check that blocks where something is wrong."""
    if wrong:
        return Check(check, Verdict.BLOCKS, wrong, fix)
    return Check(check, Verdict.PASSED, passed)


def _recipients(recipients: int) -> Check:
    return _line(
        "recipients",
        "" if recipients else "Nobody is left to write to.",
        OTHER_LEADS,
        f"It goes to {recipients:,}.",
    )


def _sender(settings: Settings) -> Iterator[Check]:
    sender = settings.sender
    in_config = "under [sender] in config.toml."
    yield _name(settings, "mails")
    found = mailable(sender.email)
    problem = "" if found.is_address else found.problem
    yield _line(
        "sender address",
        f"Mail cannot come from {visible(sender.email, 80) or 'no address'}: {problem}."
        if problem
        else "",
        f"Set email {in_config}",
        f"Mail comes from {visible(sender.email, 80)}.",
    )
    yield _line(
        "postal address",
        "" if sender.postal_address.strip() else "The mails do not name your postal address.",
        f"Set postal_address {in_config}",
        "Your postal address is set.",
    )


def _name(settings: Settings, what: str) -> Check:
    name = settings.sender.name.strip()
    return _line(
        "sender name",
        "" if name else f"The {what} do not say who writes.",
        "Set name under [sender] in config.toml.",
        f"{visible(name, 60)} writes.",
    )


def _sms(settings: Settings) -> Check:
    missing = why_no_texts(settings)
    return _line(
        "text messages",
        missing,
        "",
        f"Text messages come from {visible(settings.providers.twilio.from_number, 40)}.",
    )


def _consent(without: int, recipients: int) -> Check:
    if not without:
        return Check("consent", Verdict.PASSED, "Everybody agreed to text messages.")
    return Check(
        "consent",
        Verdict.WARNING,
        f"{without:,} of {recipients:,} have not agreed to text messages: held until they do.",
        "Record it on the page of the lead, or with `crm-tui leads consent`.",
    )


def _opt_out(settings: Settings) -> Check:
    imap, by_hand = settings.providers.imap.host, settings.compliance.manual_unsubscribe
    works = settings.email.provider == OUTBOX or imap or by_hand
    return _line(
        "opt-out",
        "" if works else "Nobody reads the mailbox that people opt out to.",
        "Set up [providers.imap] in config.toml; or set manual_unsubscribe = true under "
        "[compliance], read the mailbox yourself and record opt-outs with "
        "`crm-tui suppression add`.",
        "Opt-outs are read from the mailbox."
        if imap
        else "You record opt-outs yourself."
        if by_hand
        else "The outbox sends nothing, so nobody has to opt out.",
    )


def _texts(steps: Sequence[Step]) -> Iterator[Check]:
    if not steps:
        yield Check("message", Verdict.BLOCKS, "There is no message yet.", NO_MESSAGE)
    for number, step in enumerate(steps, start=1):
        named = "message" if len(steps) == 1 else f"step {number}"
        texts = step.texts
        for letter, text in texts.items():
            of_it = f", text {letter.upper()}" if len(texts) > 1 else ""
            yield _text(text, f"{named}{of_it}", f"Step {number}{of_it}")


def _text(step: Step, named: str, called: str) -> Check:
    template = step.read()
    problems = check_template(template)
    missing = [field for field in MUST_SAY[step.channel] if not says_always(template, field)]
    wrong = ""
    if problems:
        wrong = f"{called} cannot be sent: {problems[0].sentence}"
    elif missing:
        said = " and ".join(f"{{{{ {field} }}}}" for field in missing)
        wrong = f"{called} does not say {said} to everybody."
    return _line(
        named,
        wrong,
        CORRECT if problems else SAY_ALWAYS,
        f"{visible(step.template, 60)} says how to opt out and {_AND_SAYS[step.channel]}.",
    )


def _server(settings: Settings) -> Check:
    provider = settings.email.provider
    missing = provider == SMTP and not settings.providers.smtp.host
    through = settings.providers.smtp.host if provider == SMTP else TITLES[provider]
    return _line(
        "mail server",
        "No mail server is set." if missing else "",
        'Set host under [providers.smtp] in config.toml, or provider = "outbox" under [email] to '
        "try everything without sending.",
        f"Mail goes through {visible(through, 80)}."
        if provider != OUTBOX
        else "Mail is written into the outbox; nothing is sent.",
    )


def _stopped(why: str) -> Check:
    return _line(
        "sending",
        f"Sending is stopped: {why}." if why else "",
        f"If nothing else sends from this data any more: {LET_GO}",
        "This store may send.",
    )


def _acknowledged(settings: Settings, *, mails: bool, texts: bool) -> Check:
    missing = unread(settings, mails=mails, texts=texts)
    what = "this mail" if settings.email.provider in missing else "these text messages"
    applies = texts or has_policy(settings.email.provider)
    return _line(
        "provider's policy",
        f"You have not confirmed yet that your provider lets you send {what}." if missing else "",
        f"Read it, and then: {ACKNOWLEDGE}",
        "You know what your provider allows." if applies else "The outbox has no policy.",
    )


def _domain(settings: Settings, policy: SenderPolicy | None) -> Iterator[Check]:
    if not applies(settings):
        yield Check(
            "SPF, DKIM, DMARC",
            Verdict.PASSED,
            "They do not matter for mail that stays on this machine.",
        )
        return
    if policy is None:
        yield Check(
            "SPF, DKIM, DMARC",
            Verdict.WARNING,
            "They could not be looked up.",
            WHEN_ONLINE,
        )
        return
    for line in policy.lines:
        verdict = Verdict.PASSED if line.ok else Verdict.WARNING
        yield Check(line.check, verdict, line.says, line.fix)


def applies(settings: Settings) -> bool:
    """Whether what the sender's domain says of itself matters to anybody."""
    provider = settings.email.provider
    if provider == OUTBOX or not settings.sender.email.rpartition("@")[2]:
        return False
    if provider == SMTP:
        host = settings.providers.smtp.host
    else:
        host = urlsplit(getattr(settings.providers, provider).base_url).hostname or ""
    return bool(host) and not is_loopback(host)


async def look_up_policy(settings: Settings) -> SenderPolicy | None:
    """SPF, DKIM and DMARC of the sender's domain; None where they do not apply."""
    if not applies(settings):
        return None
    return await Dns().sender_policy(mailable(settings.sender.email).domain)

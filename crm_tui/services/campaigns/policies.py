"""What providers hold against messages nobody asked for, which the operator confirms to know."""

from __future__ import annotations

from crm_tui.config import Settings
from crm_tui.providers.catalog import APIS, SMTP, capabilities

_LAW = (
    "The law of the recipient's country holds, too: in the United States such mail has to name you "
    "and your postal address and let people opt out (CAN-SPAM); in Germany and much of Europe it "
    "needs consent beforehand."
)
_LAW_OF_TEXTS = (
    "The law of the recipient's country holds, too: in the United States (TCPA) and in Europe "
    "commercial text messages need consent beforehand."
)
_MAILBOX = (
    "Your mailbox provider decides whether you may write to businesses that did not ask. "
    "Google Workspace and Microsoft 365 allow a little mail of this kind from an account of "
    "your own and close accounts that send much of it or are reported as spam; many cheap "
    "hosters forbid it altogether. Read the terms of yours."
)


def policy_of(provider: str) -> str:
    """What the operator acknowledges before writing to strangers through a provider; "" nothing.

    Args:
        provider: as in the settings.
    """
    if provider == SMTP:
        return f"{_MAILBOX} {_LAW}"
    if provider not in APIS:
        return ""
    can = capabilities(provider)
    law = _LAW_OF_TEXTS if can.channel == "sms" else _LAW
    return f"{can.title}: {can.policy.rstrip('.')}. {law}"


def has_policy(provider: str) -> bool:
    """Whether there is something to acknowledge."""
    return provider == SMTP or provider in APIS


def unread(settings: Settings, *, mails: bool = True, texts: bool) -> list[str]:
    """The providers whose policy the operator has not confirmed to know.

    Args:
        settings: what is used, and what was confirmed.
        mails: whether mails would go.
        texts: whether text messages would.
    """
    asked = ((settings.email.provider, mails), (settings.sms.provider, texts))
    known = settings.compliance.policies_acknowledged
    return [each for each, goes in asked if goes and has_policy(each) and each not in known]

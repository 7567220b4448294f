"""The streams of the accounts that are set up, or that messages went through."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta

from sqlalchemy import select

from crm_tui.config import Settings
from crm_tui.db.engine import ReadSession
from crm_tui.db.models import Message
from crm_tui.providers import keys
from crm_tui.providers.catalog import APIS
from crm_tui.providers.events import EventStream
from crm_tui.providers.money import MoneyStream
from crm_tui.providers.threads import in_thread
from crm_tui.services.contacts.contact import ascii_host

_LATELY = timedelta(days=30)
"""Who sent for the operator so lately has still something to tell, another one may send by now."""


async def lately_used(session: ReadSession, *, now: datetime) -> set[str]:
    """The providers messages went through in the last weeks."""
    found = set[str]()
    for provider in APIS:
        went = select(Message.id).where(
            Message.provider == provider,
            Message.provider_id.is_not(None),
            Message.sent_at > now - _LATELY,
        )
        if await session.scalar(went.limit(1)) is not None:
            found.add(provider)
    return found


async def streams_of(
    settings: Settings,
    environment: Mapping[str, str],
    used: Collection[str],
    *,
    now: Callable[[], datetime],
) -> dict[str, EventStream]:
    """The streams to poll, by their names: of the accounts that send, and of those that did lately.

    One that does not send any more is polled as long as its key is there.
    """
    sending = {settings.email.provider, settings.sms.provider}
    asked = [
        each
        for each in APIS
        if each in sending or (each in used and await _has_key(each, environment))
    ]
    found = (stream_of(each, settings, environment, now=now) for each in asked)
    return {
        f"{each.provider}:{each.account}:{each.name}": each for each in found if each is not None
    }


async def money_streams_of(
    settings: Settings, environment: Mapping[str, str]
) -> dict[str, MoneyStream]:
    """The streams of payment providers, by their names: polled where their key is there."""
    if not await _has_key("stripe", environment):
        return {}
    from crm_tui.providers.stripe_stream import StripeStream  # noqa: PLC0415 - loads httpx

    key = keys.lookup("stripe", environment)
    each = StripeStream(settings.providers.stripe, key)
    return {f"{each.provider}:{each.account}:{each.name}": each}


async def _has_key(provider: str, environment: Mapping[str, str]) -> bool:
    if environment.get(keys.variable_of(provider)):
        return True
    return bool(await in_thread(lambda: keys.place_of(provider, environment)))


def stream_of(
    provider: str,
    settings: Settings,
    environment: Mapping[str, str],
    *,
    now: Callable[[], datetime],
) -> EventStream | None:
    """The stream of an account; None where the settings do not say which."""
    known, key = settings.providers, keys.lookup(provider, environment)
    domain = ascii_host(settings.sender.email.rpartition("@")[2])
    if provider == "mailgun" and known.mailgun.domain:
        from crm_tui.providers.mailgun import MailgunStream  # noqa: PLC0415 - loads httpx

        return MailgunStream(known.mailgun, key, now=now)
    if provider == "resend" and domain:
        from crm_tui.providers.resend import ResendStream  # noqa: PLC0415 - loads httpx

        return ResendStream(known.resend, key, account=domain, now=now)
    if provider == "brevo" and domain:
        from crm_tui.providers.brevo import BrevoStream  # noqa: PLC0415 - loads httpx

        return BrevoStream(known.brevo, key, account=domain, now=now)
    if provider == "twilio" and known.twilio.account_sid:
        from crm_tui.providers.twilio import TwilioStream  # noqa: PLC0415 - loads httpx

        return TwilioStream(known.twilio, key, now=now)
    return None

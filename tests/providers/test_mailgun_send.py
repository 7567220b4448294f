"""Mails handed to Mailgun: what arrives there, what its refusals mean, and finding what was lost."""

from __future__ import annotations

from datetime import UTC, datetime

from crm_tui.config.sections import MailgunSettings
from crm_tui.providers.base import OutgoingMail
from crm_tui.providers.mailgun import MailgunSender
from crm_tui.providers.secrets import Lookup, Secret
from tests.world.mailgun import FakeMailgun
from tests.world.world import World

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def mail(**changes: object) -> OutgoingMail:
    fields: dict[str, object] = {
        "key": "m-1",
        "message_id": "<m-1@mg.example.org>",
        "date": NOW,
        "sender_name": "Anna Berg",
        "sender": "anna@mg.example.org",
        "to": "joe@customer.example",
        "subject": "A website for you",
        "text": "Hello Joe",
    }
    return OutgoingMail(**{**fields, **changes})  # type: ignore[arg-type]


async def test_a_mail_arrives() -> None:
    world = World(now=NOW)
    mailgun = FakeMailgun(world, "mailgun")
    settings = MailgunSettings(domain=mailgun.domain, base_url=mailgun.base_url)
    key = Lookup.of(Secret(mailgun.key))
    async with MailgunSender(settings, key, transport=world.transport()) as sender:
        sent = await sender.send(mail())
    assert sent.provider_id == "m-1@mg.example.org"
    assert mailgun.taken["m-1@mg.example.org"].key == "m-1"

"""The same adapters against servers that others wrote (emulate); see tests/world/emulate.py.

Where the Twilio there is known not to be as Twilio is, nothing is asked of it here:

- it ignores DateSent, and next_page_uri drops every filter;
- it never names a price, and counts 160 characters a segment in any alphabet;
- it takes texts of any length, or none, and messages to who answered STOP;
- it has no Balance: that is a 404 that is not Twilio's;
- it refuses a messaging service that is not there with code 20404 and status 400.

And of the Resend there: `last_event` begins with "email.", the list is oldest first and ignores
`limit`, and there are neither received mails nor suppressions.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from crm_tui.config.sections import ResendSettings, TwilioSettings
from crm_tui.providers.base import (
    Handed,
    LoginRefused,
    Misconfigured,
    OutgoingMail,
    ProviderError,
)
from crm_tui.providers.events import Happening
from crm_tui.providers.resend import ResendSender
from crm_tui.providers.secrets import Lookup, Secret
from crm_tui.providers.twilio import TwilioSender, TwilioStream, check
from tests.providers.twilio_drive import KEY, Kept, a_text
from tests.world import emulate
from tests.world.emulate import Emulated
from tests.world.official import Official
from tests.world.twilio import ACCOUNT, NUMBER, SERVICE


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulated]:
    with emulate.serve(tmp_path_factory.mktemp("emulate")) as started:
        yield started


@pytest.fixture
def settings(servers: Emulated) -> TwilioSettings:
    return TwilioSettings(account_sid=ACCOUNT, from_number=NUMBER, base_url=servers.twilio)


async def test_a_text_goes_out_and_is_followed_to_the_phone(
    servers: Emulated, settings: TwilioSettings
) -> None:
    kept, to = Kept(), "+15550110001"
    async with TwilioSender(settings, KEY) as sender, _stream(settings) as stream:
        sid = kept.sent(await sender.send(a_text("Grüße & 50 % + more", to=to)), _now())
        await kept.poll(stream, _now)
        for status in ("sent", "delivered"):
            servers.simulate("message-status", MessageSid=sid, Status=status)
            await kept.poll(stream, _now)
    told = [each for each in kept.events().values() if each.provider_id == sid]
    assert [each.kind for each in told] == [
        Happening.IGNORED,
        Happening.SENT,
        Happening.DELIVERED,
    ]
    assert {each.recipient for each in told} == {to}
    assert kept.records[f"{sid}:queued"]["body"] == "Grüße & 50 % + more"
    assert not kept.troubles


async def test_an_answer_comes_in(servers: Emulated, settings: TwilioSettings) -> None:
    kept, sender = Kept(), "+15550110002"
    servers.simulate("inbound-message", To=NUMBER, From=sender, Body="Stop please 👍")
    async with _stream(settings) as stream:
        await kept.poll(stream, _now)
    (event,) = [each for each in kept.events().values() if each.sender == sender]
    assert (event.kind, event.text) == (Happening.REPLIED, "Stop please 👍")
    assert abs(event.occurred_at - _now()) < timedelta(minutes=5)


async def test_pages_are_followed_to_the_end(settings: TwilioSettings) -> None:
    kept = Kept()
    async with TwilioSender(settings, KEY) as sender, _stream(settings, page_size=3) as stream:
        sids = [
            kept.sent(await sender.send(a_text(to=f"+155501200{number:02}")), _now())
            for number in range(10)
        ]
        await kept.poll(stream, _now)
    assert {f"{sid}:queued" for sid in sids} <= set(kept.records)
    assert kept.pages > 3
    assert set(kept.cursor) == {"listed"}


async def test_a_lost_message_is_found_again(settings: TwilioSettings) -> None:
    to = "+15550110003"
    async with TwilioSender(settings, KEY) as sender:
        await sender.send(a_text("One text", to=to))
        sent = await sender.send(a_text("Another text", to=to))
        handed = Handed(key="k", message_id="k", to=to, text="Another text", at=_now())
        found = await sender.find(handed)
        assert found is not None
        assert found.provider_id == sent.provider_id
        third = Handed(key="k", message_id="k", to=to, text="A third text", at=_now())
        assert await sender.find(third) is None


async def test_refusals_are_certain_and_name_the_fix(settings: TwilioSettings) -> None:
    wrong = Lookup.of(Secret("wrong"))
    refused: list[ProviderError] = []
    for key, sms in (
        (wrong, a_text()),
        (KEY, a_text(sender="+15550100999")),
        (KEY, a_text(sender=SERVICE)),
    ):
        async with TwilioSender(settings, key) as sender:
            with pytest.raises(Misconfigured) as error:
                await sender.send(sms)
            refused.append(error.value)
    assert [isinstance(each, LoginRefused) for each in refused] == [True, False, False]
    assert "from_number" in str(refused[1])


async def test_an_account_is_tried_out(settings: TwilioSettings) -> None:
    steps = await check(settings, KEY, sender=NUMBER)
    assert [(each.step, each.ok) for each in steps] == [
        ("key", True),
        ("sender", True),
        ("limits", True),
    ]
    assert not (await check(settings, KEY, sender="+15550100999"))[1].ok


async def test_its_answers_are_as_twilio_describes_them_but_for_what_is_known(
    settings: TwilioSettings,
) -> None:
    official, said = Official.of("twilio"), set[str]()

    class Held(httpx.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await request.aread()
            response = await super().handle_async_request(request)
            await response.aread()
            for each in official.check(request, response):
                said.add(f"{each.part}: {each.words}")
            return httpx.Response(
                response.status_code, headers=response.headers, content=response.content
            )

    kept = Kept()
    async with (
        TwilioSender(settings, KEY, transport=Held()) as sender,
        _stream(settings, transport=Held()) as stream,
    ):
        kept.sent(await sender.send(a_text(to="+15550110004")), _now())
        await kept.poll(stream, _now)
    await check(settings, KEY, sender=NUMBER, transport=Held())
    assert said == set()


async def test_a_mail_through_resend_is_one_mail_however_often_it_is_sent(
    servers: Emulated,
) -> None:
    settings = ResendSettings(base_url=servers.resend)
    mail = OutgoingMail(
        key="0123456789abcdef",
        message_id="<0123456789abcdef@example.com>",
        date=_now(),
        sender_name="Ann Ång",
        sender="ann@example.com",
        to="lead@example.com",
        subject="Grüße",
        text="Hello",
    )
    async with ResendSender(settings, Lookup.of(Secret("re_test"))) as sender:
        first = await sender.send(mail)
        again = await sender.send(mail)
    assert first.provider_id
    assert first.provider_id == again.provider_id
    ours = [each for each in servers.mails() if each["to"] == ["lead@example.com"]]
    assert [each["subject"] for each in ours] == ["Grüße"]


def _stream(settings: TwilioSettings, **more: Any) -> TwilioStream:
    return TwilioStream(settings, KEY, now=_now, **more)


def _now() -> datetime:
    """These servers have no clock but the machine's."""
    return datetime.now(UTC)

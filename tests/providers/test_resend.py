"""Sending through Resend: the request as described, once whatever happens, each refusal with its fix."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from crm_tui.config.sections import ResendSettings
from crm_tui.providers.base import (
    Blocked,
    GivenUp,
    Handed,
    LoginRefused,
    Misconfigured,
    OutgoingMail,
    ProviderError,
    Unavailable,
    Unclear,
    Unsendable,
)
from crm_tui.providers.resend import CAPABILITIES, ResendSender, check
from crm_tui.providers.resend_api import api_of
from crm_tui.providers.secrets import Lookup, Secret
from tests.world.official import Checked, Official
from tests.world.resend import DOMAIN, KEY, FakeResend
from tests.world.world import NO_FAULTS, Faults, World

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
MAIL = OutgoingMail(
    key="5f0c2d9e8b7a46c1a3f4e5d6c7b8a901",
    message_id="<5f0c2d9e8b7a46c1a3f4e5d6c7b8a901@studio.example>",
    date=NOW,
    sender_name="Ann Smith",
    sender="ann@studio.example",
    to="owner@bakery.example",
    subject="A website for your bakery",
    text="Hello,\n\nshall we talk?\n",
)


class Way:
    """A way to a fake Resend, with its clock instead of waiting."""

    def __init__(
        self, *, faults: Faults = NO_FAULTS, seed: int = 0, official: bool = False, key: str = KEY
    ) -> None:
        self.world = World(NOW, faults=faults, seed=seed)
        self.resend = FakeResend(self.world, "resend")
        self.transport: httpx.AsyncBaseTransport = self.world.transport()
        if official:
            self.transport = Checked(self.transport, Official.of("resend"))
        self.settings = ResendSettings(base_url=self.resend.base_url)
        self.key = Lookup.of(Secret(key))
        self.api = api_of(self.settings, self.key, transport=self.transport)
        self.api.sleep = self.world.sleep
        self.api.jitter = lambda: 0.5
        self.sender = ResendSender(self.settings, self.key, api=self.api)


def answering(*answers: httpx.Response | Exception) -> tuple[ResendSender, list[httpx.Request]]:
    """A sender to which these answers are given in turn, the last again and again."""
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        said = answers[min(len(asked), len(answers)) - 1]
        if isinstance(said, Exception):
            raise said
        return httpx.Response(said.status_code, headers=said.headers, content=said.content)

    async def no_sleep(seconds: float) -> None:
        del seconds

    settings = ResendSettings()
    api = api_of(settings, Lookup.of(Secret(KEY)), transport=httpx.MockTransport(answer))
    api.sleep = no_sleep
    return ResendSender(settings, Lookup.of(Secret(KEY)), api=api), asked


def refused(status: int, name: str, message: str = "No.", **headers: str) -> httpx.Response:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return httpx.Response(
        status, json={"statusCode": status, "name": name, "message": message}, headers=named
    )


# -- what is sent ----------------------------------------------------------------------------------


async def test_a_mail_goes_as_the_description_has_it_and_comes_back_with_its_id() -> None:
    way = Way(official=True)

    sent = await way.sender.send(replace(MAIL, html="<p>Hello</p>", reply_to="ann@studio.example"))

    assert list(way.resend.mails) == [sent.provider_id]
    assert sent.message_id == MAIL.message_id
    assert isinstance(way.transport, Checked)
    way.transport.assert_clean()


async def test_all_that_a_mail_has_is_in_the_request() -> None:
    sender, asked = answering(httpx.Response(200, json={"id": "49a3999c"}))
    mail = replace(
        MAIL,
        sender_name='Smith, "Ann" & Söhne',
        html="<p>Hello</p>",
        reply_to="answers@studio.example",
        in_reply_to="<first@studio.example>",
        references=("<zeroth@studio.example>", "<first@studio.example>"),
        list_unsubscribe=("mailto:u@studio.example?subject=unsubscribe", "https://u.example/1"),
    )

    await sender.send(mail)

    (request,) = asked
    assert (request.method, str(request.url)) == ("POST", "https://api.resend.com/emails")
    assert request.headers["idempotency-key"] == mail.key
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["user-agent"] == "crm-tui"
    assert json.loads(request.content) == {
        "from": '"Smith, \\"Ann\\" & Söhne" <ann@studio.example>',
        "to": ["owner@bakery.example"],
        "subject": "A website for your bakery",
        "text": "Hello,\n\nshall we talk?\n",
        "html": "<p>Hello</p>",
        "reply_to": "answers@studio.example",
        "headers": {
            "Message-ID": "<5f0c2d9e8b7a46c1a3f4e5d6c7b8a901@studio.example>",
            "In-Reply-To": "<first@studio.example>",
            "References": "<zeroth@studio.example> <first@studio.example>",
            "List-Unsubscribe": "<mailto:u@studio.example?subject=unsubscribe>, <https://u.example/1>",
        },
        "tags": [{"name": "key", "value": "5f0c2d9e8b7a46c1a3f4e5d6c7b8a901"}],
    }


async def test_a_mail_without_html_is_given_one_in_which_opens_are_measured() -> None:
    sender, asked = answering(httpx.Response(200, json={"id": "49a3999c"}))
    await sender.send(MAIL)
    body = json.loads(asked[0].content)
    assert body["text"] == MAIL.text
    assert f">{MAIL.text}</div>" in body["html"]


async def test_the_same_mail_is_the_same_request_byte_for_byte() -> None:
    sender, asked = answering(httpx.Response(200, json={"id": "49a3999c"}))

    await sender.send(replace(MAIL, html="<p>Grüße</p>"))
    await sender.send(replace(MAIL, html="<p>Grüße</p>", date=NOW + timedelta(hours=3)))

    assert asked[0].content == asked[1].content


async def test_a_key_that_cannot_be_a_tag_still_makes_the_mail_one() -> None:
    sender, asked = answering(httpx.Response(200, json={"id": "49a3999c"}))

    await sender.send(replace(MAIL, key="left:1:2"))

    assert asked[0].headers["idempotency-key"] == "left:1:2"
    assert "tags" not in json.loads(asked[0].content)


@pytest.mark.parametrize(
    "changed",
    [
        {"subject": "Hello\r\nBcc: everybody@example.com"},
        {"sender_name": "Ann\nBcc: everybody@example.com"},
        {"to": "owner@bakery.example, everybody@example.com"},
        {"in_reply_to": "<a@b>\r\nBcc: everybody@example.com"},
        {"references": ("<a@b>\r\nX: y",)},
        {"list_unsubscribe": ("mailto:a@b.example>\r\nX: y",)},
        {"reply_to": "nobody"},
    ],
)
async def test_what_could_not_travel_as_a_mail_is_not_handed_over(changed: dict[str, Any]) -> None:
    sender, asked = answering(httpx.Response(200, json={"id": "49a3999c"}))

    with pytest.raises(Unsendable):
        await sender.send(replace(MAIL, **changed))

    assert asked == []


# -- once, whatever happens --------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
async def test_mails_go_once_each_while_answers_are_lost_and_cut_off(seed: int) -> None:
    way = Way(faults=Faults(lost=0.3, broken=0.2, cut=0.3, too_many=0.2), seed=seed, official=True)
    keys = [f"{number:032x}" for number in range(40)]
    ids: dict[str, str | None] = {}

    while missing := [key for key in keys if key not in ids]:
        for key in missing:
            try:
                sent = await way.sender.send(
                    replace(MAIL, key=key, message_id=f"<{key}@a.example>")
                )
            except (Unclear, Unavailable):
                continue  # handed over once more under the same key, as after a crash
            ids[key] = sent.provider_id

    assert len(way.resend.mails) == 40
    assert set(ids.values()) == set(way.resend.mails)
    assert way.resend.replayed > 0
    assert isinstance(way.transport, Checked)
    way.transport.assert_clean()


async def test_a_lost_answer_is_asked_for_again_under_the_same_key() -> None:
    sender, asked = answering(
        httpx.ReadError("connection reset"),
        httpx.Response(500, text="Internal Server Error"),
        httpx.Response(200, text='{"id": "49a3'),
        httpx.Response(200, json={"id": "49a3999c"}),
    )

    sent = await sender.send(MAIL)

    assert sent.provider_id == "49a3999c"
    assert len(asked) == 4
    assert len({(request.headers["idempotency-key"], request.content) for request in asked}) == 1


async def test_while_resend_has_trouble_the_next_mails_are_tried_once_each() -> None:
    broken = httpx.Response(500, text="Internal Server Error")
    whole = httpx.Response(200, json={"id": "49a3999c"})
    sender, asked = answering(*[broken] * 5, whole, *[broken] * 3, whole)
    for _ in range(2):
        with pytest.raises(Unclear):
            await sender.send(MAIL)
    assert len(asked) == 5
    await sender.send(MAIL)
    await sender.send(MAIL)  # it answered meanwhile: again it is asked more than once
    assert len(asked) == 10


@pytest.mark.parametrize(
    "answer",
    [
        httpx.ReadTimeout("timed out"),
        httpx.RemoteProtocolError("server disconnected"),
        httpx.Response(502, text="<html>Bad Gateway</html>"),
        httpx.Response(200, json={"object": "email"}),
        httpx.Response(200, json=["49a3999c"]),
        refused(409, "concurrent_idempotent_requests"),
        refused(408, "request_timeout"),
    ],
)
async def test_what_is_never_answered_stays_unclear(answer: httpx.Response | Exception) -> None:
    sender, asked = answering(answer)

    with pytest.raises(Unclear):
        await sender.send(MAIL)

    assert len(asked) == 4
    assert sender.unanswered == 0


async def test_a_mail_that_may_have_gone_is_not_called_unsent_by_a_later_refusal() -> None:
    sender, asked = answering(
        httpx.ReadError("connection reset"),
        refused(429, "daily_quota_exceeded", retry_after="3600"),
    )

    with pytest.raises(Unclear):
        await sender.send(MAIL)

    assert len(asked) == 2


async def test_what_could_not_be_reached_is_certainly_unsent() -> None:
    sender, asked = answering(httpx.ConnectError("connection refused"))

    with pytest.raises(Unavailable, match="cannot be reached"):
        await sender.send(MAIL)

    assert len(asked) == 1


async def test_too_many_requests_are_waited_out() -> None:
    way = Way()
    way.resend.per_second = 2

    for number in range(7):
        await way.sender.send(replace(MAIL, key=f"k{number}"))

    assert len(way.resend.mails) == 7
    assert timedelta(seconds=2) < way.world.now - NOW < timedelta(seconds=10)


async def test_another_wording_under_a_known_key_is_found_by_its_tag_and_not_sent() -> None:
    way = Way()
    first = await way.sender.send(MAIL)

    again = await way.sender.send(replace(MAIL, sender_name="Ann"))

    assert again.provider_id == first.provider_id
    assert len(way.resend.mails) == 1


async def test_another_wording_under_a_known_key_that_is_not_in_the_list_stays_unclear() -> None:
    way = Way()
    await way.sender.send(MAIL)
    way.resend.mails.clear()

    with pytest.raises(Unclear, match="in other words"):
        await way.sender.send(replace(MAIL, sender_name="Ann"))


async def test_giving_up_hands_nothing_more_over() -> None:
    sender, asked = answering(httpx.Response(200, json={"id": "49a3999c"}))
    sender.give_up()

    with pytest.raises(GivenUp):
        await sender.send(MAIL)

    assert asked == []


async def test_giving_up_ends_a_pause_and_leaves_open_what_may_have_gone() -> None:
    sender, asked = answering(httpx.ReadError("connection reset"))
    pausing = asyncio.Event()

    async def never_ending(_seconds: float) -> None:
        pausing.set()
        await asyncio.Event().wait()

    sender._api.sleep = never_ending
    sending = asyncio.create_task(sender.send(MAIL))
    await pausing.wait()

    sender.give_up()

    with pytest.raises(Unclear):
        await sending
    assert len(asked) == 1


async def test_over_a_socket_it_is_the_same() -> None:
    world = World(NOW)
    resend = FakeResend(world, "resend")
    with world.serve():
        async with ResendSender(resend.settings, resend.key) as sender:
            first = await sender.send(MAIL)
            again = await sender.send(MAIL)
        checks = await check(resend.settings, resend.key, sender=MAIL.sender)

    assert first == again
    assert len(resend.mails) == 1
    assert all(each.ok for each in checks)


# -- refusals, each with its fix -----------------------------------------------------------------------


def _quota(way: Way) -> None:
    way.resend.quota = "daily"


def _suspended(way: Way) -> None:
    way.resend.suspended = True


def _unverified(way: Way) -> None:
    way.resend.domains[DOMAIN] = "pending"


def _wrong_key(way: Way) -> None:
    way.key = Lookup.of(Secret("re_other"))
    way.api.login = replace(way.api.login, secret=way.key)


@pytest.mark.parametrize(
    ("trouble", "kind", "words"),
    [
        (
            _wrong_key,
            LoginRefused,
            (
                "Resend does not take the key (403: API key is invalid). Make a key with full access at"
                " resend.com/api-keys and keep it in the keyring or in CRM_TUI_RESEND_KEY."
            ),
        ),
        (
            _suspended,
            Misconfigured,
            (
                "Resend has suspended this key: This API key is suspended. See resend.com/overview for"
                " what to do."
            ),
        ),
        (
            _unverified,
            Misconfigured,
            (
                "Resend does not send from this address: The studio.example domain is not verified."
                " Please, add and verify your domain on https://resend.com/domains. Add and verify the"
                " domain of the sender at resend.com/domains."
            ),
        ),
        (
            _quota,
            Unavailable,
            (
                "Resend sends no more mails for now: the account's quota of 24 hours is used up. Wait,"
                " or take a larger plan at resend.com/settings/billing."
            ),
        ),
    ],
)
async def test_an_account_that_cannot_send_says_the_fix_and_is_asked_once(
    trouble: Callable[[Way], None], kind: type[ProviderError], words: str
) -> None:
    way = Way(official=True)
    trouble(way)

    with pytest.raises(kind) as caught:
        await way.sender.send(MAIL)

    assert type(caught.value) is kind
    assert str(caught.value) == words
    assert way.resend.mails == {}
    assert [status >= 400 for _, _, status in way.world.requests] == [True]


@pytest.mark.parametrize(
    ("name", "headers", "after"),
    [
        ("daily_quota_exceeded", {}, 3600),
        (
            "monthly_quota_exceeded",
            {"date": "Sun, 22 Nov 2026 09:30:00 GMT"},
            (8 * 24 + 14.5) * 3600,
        ),
        ("monthly_quota_exceeded", {"date": "Thu, 31 Dec 2026 23:59:00 GMT"}, 60),
        ("daily_quota_exceeded", {"retry-after": "7200"}, 7200),
        (
            "daily_quota_exceeded",
            {"retry-after": "1", "date": "Sun, 22 Nov 2026 23:00:00 GMT"},
            3600,
        ),
    ],
)
async def test_a_quota_says_when_it_comes_back(
    name: str, headers: dict[str, str], after: float
) -> None:
    sender, asked = answering(refused(429, name, **headers))

    with pytest.raises(Unavailable) as caught:
        await sender.send(MAIL)

    assert caught.value.after == after
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (
            refused(422, "validation_error", "Invalid `to` field."),
            Unsendable,
            "Invalid `to` field.",
        ),
        (
            refused(400, "validation_error", "Something is wrong."),
            Unsendable,
            "Something is wrong.",
        ),
        (refused(413, "too_large", "Too large."), Unsendable, "Too large."),
        (refused(451, "security_error", "Looks like phishing."), Blocked, "Looks like phishing."),
        (refused(422, "invalid_from_address", "Bad."), Misconfigured, "resend.com/domains"),
        (refused(404, "not_found", "No."), Misconfigured, "Correct base_url"),
        (httpx.Response(403, text="error code: 1010"), LoginRefused, "error code: 1010"),
        (refused(401, "missing_api_key", "Missing."), LoginRefused, "Missing."),
        (refused(401, "restricted_api_key", "Only sends."), LoginRefused, "full access"),
        (httpx.Response(418, text="{}"), Unsendable, "418"),
        (httpx.Response(400, json=[1]), Unsendable, "400"),
        (httpx.Response(403, json={"name": ["x"]}), LoginRefused, "403"),
        (refused(422, "validation_error", f"Key {KEY} is odd."), Unsendable, "Key ••• is odd."),
    ],
)
async def test_a_refusal_is_certain_and_keeps_the_words(
    answer: httpx.Response, kind: type[ProviderError], words: str
) -> None:
    sender, asked = answering(answer)

    with pytest.raises(ProviderError) as caught:
        await sender.send(MAIL)

    assert type(caught.value) is kind
    assert words in str(caught.value)
    assert KEY not in str(caught.value)
    assert len(asked) == 1


# -- finding what was handed over ----------------------------------------------------------------------


def handed(**changed: Any) -> Handed:
    given: dict[str, Any] = {
        "key": MAIL.key,
        "message_id": MAIL.message_id,
        "to": MAIL.to,
        "text": MAIL.text,
        "at": NOW,
    }
    return Handed(**given | changed)


async def test_a_mail_of_which_the_key_is_forgotten_is_found_by_its_tag() -> None:
    way = Way(official=True)
    sent = await way.sender.send(MAIL)
    way.world.pass_time(hours=30)
    for number in range(150):
        await way.sender.send(replace(MAIL, key=f"k{number}", text=f"Another one, {number}"))

    found = await way.sender.find(handed())

    assert found is not None
    assert found.provider_id == sent.provider_id
    assert isinstance(way.transport, Checked)
    way.transport.assert_clean()


async def test_a_mail_without_a_tag_is_found_by_its_text() -> None:
    way = Way()
    sent = await way.sender.send(replace(MAIL, key="left:1:2"))
    way.resend.stranger()

    found = await way.sender.find(handed(key="left:1:2"))

    assert found is not None
    assert found.provider_id == sent.provider_id


async def test_what_never_came_to_resend_is_not_found() -> None:
    way = Way()
    await way.sender.send(replace(MAIL, key="other"))
    for _ in range(3):
        way.resend.stranger()

    assert await way.sender.find(handed()) is None
    assert await way.sender.find(handed(to="somebody@else.example")) is None


# -- trying an account out -----------------------------------------------------------------------------


async def tried(way: Way, sender: str = "ann@studio.example") -> dict[str, tuple[bool, str]]:
    checks = await check(way.settings, way.key, sender=sender, api=way.api)
    return {each.step: (each.ok, each.words) for each in checks}


async def test_an_account_that_works_is_tried_out_without_sending() -> None:
    way = Way(official=True)

    found = await tried(way)

    assert found == {
        "key": (True, "The key is taken, and may read."),
        "domain": (True, "The domain studio.example is verified."),
        "tracking": (
            True,
            (
                "Clicks of mails from studio.example are not measured. Switch that on at"
                " resend.com/domains if wanted."
            ),
        ),
        "limits": (True, "Limits: 5 requests a second."),
    }
    assert way.resend.mails == {}
    assert isinstance(way.transport, Checked)
    way.transport.assert_clean()


async def test_a_key_that_may_only_send_is_told_to_be_exchanged() -> None:
    way = Way()
    way.resend.send_only = True

    found = await tried(way)

    assert found == {
        "key": (
            False,
            (
                "This key of Resend may only send. Make a key with full access at resend.com/api-keys"
                " and keep it in the keyring or in CRM_TUI_RESEND_KEY."
            ),
        )
    }


async def test_a_key_that_is_not_taken_is_told_and_not_shown() -> None:
    way = Way(key="re_other_secret")

    found = await tried(way)

    assert not found["key"][0]
    assert "re_other_secret" not in found["key"][1]


async def test_a_domain_that_is_not_there_or_not_verified_is_told_with_the_fix() -> None:
    way = Way()
    way.resend.domains["new.example"] = "pending"

    missing = await tried(way, "ann@nowhere.example")
    pending = await tried(way, "ann@new.example")

    assert missing["domain"] == (
        False,
        (
            "Resend does not know the domain nowhere.example. Add and verify the domain of the sender"
            " at resend.com/domains."
        ),
    )
    assert pending["domain"] == (
        False,
        (
            "The domain new.example is pending at Resend. Add and verify the domain of the sender at"
            " resend.com/domains."
        ),
    )


async def test_what_resend_forbids_is_said() -> None:
    assert "prior consent" in CAPABILITIES.policy
    assert CAPABILITIES.idempotent

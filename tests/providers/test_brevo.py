"""Sending through Brevo: what it is asked, what its answers mean, and finding a mail again."""

from __future__ import annotations

import email
import html
import re
import uuid
from datetime import timedelta
from email import policy
from typing import Any

import httpx
import pytest

from crm_tui.config.sections import BrevoSettings
from crm_tui.providers.base import (
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
from crm_tui.providers.brevo import BrevoSender, as_json, check
from crm_tui.providers.message import build
from crm_tui.providers.secrets import Lookup, Secret
from tests.conftest import NOW
from tests.world.brevo import KEY, SENDER, FakeBrevo, Refusal
from tests.world.official import Checked, Official
from tests.world.world import Faults, World

OUR_KEY = "0123456789abcdef0123456789abcdef"


def mail(**changes: Any) -> OutgoingMail:
    given = {
        "key": OUR_KEY,
        "message_id": f"<{OUR_KEY}@example.com>",
        "date": NOW,
        "sender_name": "Anna Berg",
        "sender": SENDER,
        "to": "info@roofer.example",
        "subject": "Eine Webseite für Dächer",
        "text": "Guten Tag,\n\nsehen Sie https://example.com/x?a=1&b=2.\n<Anna>",
        "reply_to": "anna@example.com",
        "list_unsubscribe": ("mailto:anna+u.t@example.com?subject=unsubscribe",),
    }
    return OutgoingMail(**{**given, **changes})


def handed(**changes: Any) -> Handed:
    given = {
        "key": OUR_KEY,
        "message_id": f"<{OUR_KEY}@example.com>",
        "to": "info@roofer.example",
        "text": "",
        "at": NOW,
    }
    return Handed(**{**given, **changes})


@pytest.fixture
def world() -> World:
    return World(now=NOW)


@pytest.fixture
def brevo(world: World) -> FakeBrevo:
    return FakeBrevo(world, "brevo")


def sender_of(brevo: FakeBrevo, key: Lookup | None = None) -> BrevoSender:
    return BrevoSender(brevo.settings, key or brevo.key, transport=brevo.world.transport())


async def refusal_of(brevo: FakeBrevo, key: Lookup | None = None) -> ProviderError:
    async with sender_of(brevo, key) as sender:
        with pytest.raises(ProviderError) as caught:
            await sender.send(mail())
    return caught.value


async def test_a_mail_is_sent_as_it_is_written(brevo: FakeBrevo) -> None:
    async with sender_of(brevo) as sender:
        sent = await sender.send(mail(html="<p>Guten Tag</p>"))
        assert sender.unanswered == 0
    assert list(brevo.mails) == [sent.provider_id]
    assert sent.message_id == f"<{OUR_KEY}@example.com>"
    body = brevo.mails[sent.provider_id or ""]
    once = body["headers"].pop("idempotencyKey")
    assert uuid.UUID(once).version == 5
    assert body == {
        "sender": {"email": SENDER, "name": "Anna Berg"},
        "to": [{"email": "info@roofer.example"}],
        "replyTo": {"email": "anna@example.com"},
        "subject": "Eine Webseite für Dächer",
        "htmlContent": "<p>Guten Tag</p>",
        "textContent": mail().text,
        "headers": {
            "References": f"<{OUR_KEY}@example.com>",
            "List-Unsubscribe": "<mailto:anna+u.t@example.com?subject=unsubscribe>",
        },
        "tags": [OUR_KEY],
    }


async def test_the_same_mail_has_the_same_key_and_a_mended_one_another(brevo: FakeBrevo) -> None:
    keys = [as_json(each)["headers"]["idempotencyKey"] for each in (mail(), mail())]
    keys.append(as_json(mail(text="Mended."))["headers"]["idempotencyKey"])
    assert keys[0] == keys[1] != keys[2]
    async with sender_of(brevo) as sender:
        await sender.send(mail())
        with pytest.raises(Unclear, match="had this mail before"):
            await sender.send(mail())
        brevo.world.pass_time(minutes=31)
        await sender.send(mail())
    assert len(brevo.mails) == 2  # so nothing may be sent again on the key's account


async def test_a_follow_up_names_its_thread_and_itself(brevo: FakeBrevo) -> None:
    first = "<first@example.com>"
    async with sender_of(brevo) as sender:
        sent = await sender.send(mail(in_reply_to=first, references=(first,)))
    headers = brevo.mails[sent.provider_id or ""]["headers"]
    assert headers["In-Reply-To"] == first
    assert headers["References"] == f"{first} <{OUR_KEY}@example.com>"


async def test_the_thread_is_read_back_from_an_answer_to_it(brevo: FakeBrevo) -> None:
    """Brevo replaces the Message-ID; an answer names Brevo's, after what References held."""
    async with sender_of(brevo) as sender:
        sent = await sender.send(mail())
    headers = brevo.mails[sent.provider_id or ""]["headers"]
    answer = build(
        mail(
            message_id="<answer@roofer.example>",
            in_reply_to=sent.provider_id,
            references=(*headers["References"].split(), sent.provider_id),
        )
    )
    read = email.message_from_bytes(answer, policy=policy.default)
    assert mail().message_id in read["References"]


async def test_a_mail_without_html_gets_one_that_reads_the_same(brevo: FakeBrevo) -> None:
    async with sender_of(brevo) as sender:
        sent = await sender.send(mail())
    written = brevo.mails[sent.provider_id or ""]["htmlContent"]
    assert '<a href="https://example.com/x?a=1&amp;b=2">' in written
    assert html.unescape(re.sub(r"<[^>]*>", "", written)) == mail().text


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("", None),
        ("Jörg Müller", "Jörg Müller"),
        ("Berg, Anna", "Berg, Anna"),
        ("Müller, Jörg", "=?utf-8?b?TcO8bGxlciwgSsO2cmc=?="),
    ],
)
async def test_a_name_that_brevo_would_drop_is_encoded(
    brevo: FakeBrevo, name: str, written: str | None
) -> None:
    async with sender_of(brevo) as sender:
        sent = await sender.send(mail(sender_name=name))
    assert brevo.mails[sent.provider_id or ""]["sender"].get("name") == written


async def test_a_domain_beyond_ascii_travels_in_ascii(brevo: FakeBrevo) -> None:
    async with sender_of(brevo) as sender:
        sent = await sender.send(mail(to="info@dächer.example"))
    assert brevo.mails[sent.provider_id or ""]["to"] == [{"email": "info@xn--dcher-gra.example"}]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"to": "nobody"}, "'nobody' is not an e-mail address."),
        ({"to": "jörg@roofer.example"}, "letters beyond ASCII before the @"),
        ({"subject": "Hi\r\nBcc: x@example.com"}, "The subject contains a line break"),
        ({"in_reply_to": "<a@b> \r\nX: y"}, "is not a Message-ID"),
        ({"list_unsubscribe": ("mailto:a b",)}, "is not an address to unsubscribe at"),
        ({"text": "Dear {{ contact.NAME }}"}, "The text contains {{, which Brevo takes for"),
        ({"html": "<p>{% if x %}</p>"}, "The HTML contains {%, which Brevo takes for"),
    ],
)
async def test_what_is_no_mail_is_not_handed_over(
    brevo: FakeBrevo, changes: dict[str, Any], words: str
) -> None:
    async with sender_of(brevo) as sender:
        with pytest.raises(Unsendable) as caught:
            await sender.send(mail(**changes))
    assert words in str(caught.value)
    assert brevo.world.requests == []


async def test_a_name_that_is_too_long_is_said(brevo: FakeBrevo) -> None:
    async with sender_of(brevo) as sender:
        with pytest.raises(Misconfigured, match=r"71 characters.*Shorten name in \[sender\]"):
            await sender.send(mail(sender_name="x" * 71))


async def test_after_giving_up_nothing_is_handed_over(brevo: FakeBrevo) -> None:
    async with sender_of(brevo) as sender:
        sender.give_up()
        with pytest.raises(GivenUp):
            await sender.send(mail())
    assert brevo.world.requests == []


# -- refusals --------------------------------------------------------------------------------------

REFUSALS: list[tuple[Refusal, type[ProviderError], str]] = [
    (
        Refusal(401, "unauthorized", "Key not found"),
        LoginRefused,
        "Brevo does not take the key (401: Key not found). Create an API key",
    ),
    (
        Refusal(401, "unauthorized", "We have detected you are using an unrecognised IP address"),
        Misconfigured,
        "Allow it at app.brevo.com under Security, Authorised IPs.",
    ),
    (
        Refusal(402, "not_enough_credits", "Not enough credits"),
        Unavailable,
        "out of credits (402: Not enough credits). Buy credits under My plan",
    ),
    (
        Refusal(400, "not_enough_credits", "Not enough credits"),
        Unavailable,
        "or wait until tomorrow on the free plan.",
    ),
    (
        Refusal(403, "permission_denied", "Your account is suspended"),
        Misconfigured,
        "(403: Your account is suspended). Log in at app.brevo.com to see why",
    ),
    (
        Refusal(403, "permission_denied", "Your SMTP account is not yet activated"),
        Misconfigured,
        "not yet activated for transactional mail, is opened by Brevo's support.",
    ),
    (
        Refusal(403, "account_under_validation", "Account under validation"),
        Misconfigured,
        "Complete its profile at app.brevo.com",
    ),
    (
        Refusal(400, "invalid_parameter", "valid sender email required"),
        Misconfigured,
        "takes no mail from this sender (400: valid sender email required). Verify the address",
    ),
    (
        Refusal(403, "permission_denied", "Sender is not verified"),
        Misconfigured,
        "or authenticate its domain, at app.brevo.com under Senders",
    ),
    (
        Refusal(404, "document_not_found", "Not found"),
        Misconfigured,
        "Correct base_url in [providers.brevo]",
    ),
    (
        Refusal(400, "invalid_parameter", "email is not valid in to"),
        Unsendable,
        "Brevo does not take this mail (400: email is not valid in to)",
    ),
    (
        Refusal(400, "duplicate_parameter", "idempotencyKey already used"),
        Unclear,
        "Brevo says that it had this mail before",
    ),
    (Refusal(503, "", "Service unavailable"), Unclear, "Brevo answered 503 Service unavailable"),
]


@pytest.mark.parametrize(("refused", "kind", "words"), REFUSALS)
async def test_a_refusal_says_what_to_do(
    brevo: FakeBrevo, refused: Refusal, kind: type[ProviderError], words: str
) -> None:
    brevo.refuses = refused
    error = await refusal_of(brevo)
    assert type(error) is kind
    assert words in str(error)
    assert KEY not in str(error)
    assert brevo.mails == {}


async def test_credits_are_asked_for_again_in_an_hour(brevo: FakeBrevo) -> None:
    brevo.refuses = Refusal(402, "not_enough_credits", "Not enough credits")
    error = await refusal_of(brevo)
    assert isinstance(error, Unavailable)
    assert error.after == 3600


async def test_a_key_that_is_wrong_or_missing(brevo: FakeBrevo) -> None:
    wrong = await refusal_of(brevo, Lookup.of(Secret("xkeysib-wrong")))
    assert isinstance(wrong, LoginRefused)
    assert "xkeysib-wrong" not in str(wrong)
    missing = await refusal_of(brevo, Lookup.of(None))
    assert type(missing) is Misconfigured
    assert "crm-tui providers add brevo" in str(missing)


async def test_a_send_that_is_too_much_was_not_done_and_waits(brevo: FakeBrevo) -> None:
    brevo.world.faults = Faults(too_many=1)
    error = await refusal_of(brevo)
    assert isinstance(error, Unavailable)
    assert error.after == 3
    assert brevo.mails == {}


async def test_a_lost_answer_leaves_it_open_and_nothing_is_sent_twice(brevo: FakeBrevo) -> None:
    brevo.world.faults = Faults(lost=1)
    assert isinstance(await refusal_of(brevo), Unclear)
    brevo.world.heal()
    again = await refusal_of(brevo)
    assert isinstance(again, Unclear)
    assert len(brevo.mails) == 1
    async with sender_of(brevo) as sender:
        found = await sender.find(handed())
    assert found is not None
    assert found.provider_id in brevo.mails


async def test_an_answer_that_was_cut_off_says_still_that_it_was_taken(brevo: FakeBrevo) -> None:
    brevo.world.faults = Faults(cut=1)
    async with sender_of(brevo) as sender:
        sent = await sender.send(mail())
    assert sent.provider_id is None
    assert len(brevo.mails) == 1


async def test_a_server_that_is_not_there_got_nothing() -> None:
    settings = BrevoSettings(base_url="http://127.0.0.1:9/v3")
    async with BrevoSender(settings, Lookup.of(Secret(KEY))) as sender:
        with pytest.raises(Unavailable, match="Brevo cannot be reached"):
            await sender.send(mail())


# -- finding ---------------------------------------------------------------------------------------


async def test_a_mail_is_found_by_its_key(brevo: FakeBrevo) -> None:
    async with sender_of(brevo) as sender:
        await sender.send(mail(key="f" * 32))
        sent = await sender.send(mail())
        assert await sender.find(handed(key="e" * 32)) is None
        assert await sender.find(handed(to="other@roofer.example")) is None
        found = await sender.find(handed(at=NOW + timedelta(minutes=3)))
    assert found is not None
    assert found.provider_id == sent.provider_id
    assert found.message_id == sent.message_id


async def test_finding_takes_nothing_of_the_hourly_limit(brevo: FakeBrevo) -> None:
    async with sender_of(brevo) as sender:
        for _ in range(3):
            assert await sender.find(handed()) is None
    assert brevo.asked.total() == 0


@pytest.mark.parametrize("records", [[], [{}], ["x", None], [{"messageId": "<x>", "tags": None}]])
async def test_what_has_no_tags_is_nobodys(brevo: FakeBrevo, records: list[Any]) -> None:
    listed = httpx.MockTransport(
        lambda _: httpx.Response(200, json={"transactionalEmails": records})
    )
    async with BrevoSender(brevo.settings, brevo.key, transport=listed) as sender:
        assert await sender.find(handed()) is None


async def test_finding_tells_trouble_from_nothing(brevo: FakeBrevo) -> None:
    brevo.refuses_all = Refusal(401, "unauthorized", "Key not found")
    async with sender_of(brevo) as sender:
        with pytest.raises(LoginRefused):
            await sender.find(handed())


# -- trying out ------------------------------------------------------------------------------------


async def tried(brevo: FakeBrevo, sender: str = SENDER) -> dict[str, tuple[bool, str]]:
    found = await check(brevo.settings, brevo.key, sender=sender, transport=brevo.world.transport())
    return {one.step: (one.ok, one.words) for one in found}


async def test_an_account_that_works(brevo: FakeBrevo) -> None:
    found = await tried(brevo)
    assert found == {
        "key": (True, "Brevo takes the key: anna@example.com."),
        "limits": (
            True,
            "300 mails can be sent (free). 99 of 100 requests are left for now.",
        ),
        "sender": (True, "Mail from anna@example.com is taken."),
        "domain": (True, "example.com is authenticated."),
    }
    assert brevo.mails == {}


async def test_what_an_account_lacks_is_said(brevo: FakeBrevo) -> None:
    brevo.domains[0]["authenticated"] = False
    brevo.plan[0]["credits"] = 0
    found = await tried(brevo)
    assert found["limits"][0] is False
    assert "Buy credits under My plan" in found["limits"][1]
    assert found["sender"][0] is True
    assert found["domain"][0] is False
    assert "Brevo may replace the address" in found["domain"][1]
    brevo.senders, brevo.domains = [], []
    ok, words = (await tried(brevo))["sender"]
    assert not ok
    assert words == (
        "anna@example.com is not verified. Verify it, or authenticate example.com, at"
        " app.brevo.com under Senders, Domains & Dedicated IPs."
    )
    brevo.relay = False
    assert "Transactional mail is not activated" in (await tried(brevo))["limits"][1]
    assert (await tried(brevo, sender=""))["sender"][0] is False


async def test_trying_ends_at_the_step_that_fails(brevo: FakeBrevo) -> None:
    brevo.refuses_all = Refusal(401, "unauthorized", "Key not found")
    found = await tried(brevo)
    assert list(found) == ["key"]
    assert found["key"][0] is False
    assert "Create an API key" in found["key"][1]


async def test_every_request_and_answer_is_as_brevo_describes_it(brevo: FakeBrevo) -> None:
    checked = Checked(brevo.world.transport(), Official.of("brevo"))
    async with BrevoSender(brevo.settings, brevo.key, transport=checked) as sender:
        await sender.send(mail())
        await sender.send(mail(key="f" * 32, html="<p>x</p>", in_reply_to="<a@example.com>"))
        await sender.find(handed())
        await sender.find(handed(key="e" * 32))
    await check(brevo.settings, brevo.key, sender=SENDER, transport=checked)
    checked.assert_clean()

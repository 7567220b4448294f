"""Mails handed to Mailgun: what arrives there, what its refusals mean, and finding what was lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from crm_tui.config.sections import MailgunSettings
from crm_tui.providers.base import (
    GivenUp,
    Handed,
    LoginRefused,
    Misconfigured,
    OutgoingMail,
    ProviderError,
    TryLater,
    Unavailable,
    Unclear,
    Unsendable,
)
from crm_tui.providers.keys import lookup
from crm_tui.providers.mailgun import MailgunSender, check
from crm_tui.providers.mailgun_api import api_of
from crm_tui.providers.secrets import Lookup, Secret
from tests.world.mailgun import FakeMailgun
from tests.world.official import Checked, Official
from tests.world.world import Faults, World

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def mail(number: int = 1, **changes: object) -> OutgoingMail:
    fields: dict[str, object] = {
        "key": f"m-{number}",
        "message_id": f"<m-{number}@mg.example.org>",
        "date": NOW,
        "sender_name": "Anna Berg",
        "sender": "anna@mg.example.org",
        "to": "joe@customer.example",
        "subject": "A website for you",
        "text": "Hello Joe",
    }
    return OutgoingMail(**{**fields, **changes})  # type: ignore[arg-type]


def handed(number: int = 1, **changes: object) -> Handed:
    fields: dict[str, object] = {
        "key": f"m-{number}",
        "message_id": f"<m-{number}@mg.example.org>",
        "to": "joe@customer.example",
        "text": "Hello Joe",
        "at": NOW,
    }
    return Handed(**{**fields, **changes})  # type: ignore[arg-type]


@pytest.fixture
def mailgun() -> FakeMailgun:
    return FakeMailgun(World(now=NOW), "mailgun")


@pytest.fixture
async def sender(mailgun: FakeMailgun) -> AsyncIterator[MailgunSender]:
    transport = mailgun.world.transport()
    async with MailgunSender(mailgun.settings(), mailgun.lookup(), transport=transport) as opened:
        yield opened


# -- sending -----------------------------------------------------------------------------------------


async def test_a_mail_arrives_with_all_that_it_carries(
    mailgun: FakeMailgun, sender: MailgunSender
) -> None:
    sent = await sender.send(
        mail(
            sender_name='Jörg "JB" Berg, Köln',
            subject="Grüße – 20 %",
            html="<p>Hello</p>",
            reply_to="anna+r.abc@example.org",
            in_reply_to="<first@example.org>",
            references=("<first@example.org>", "<second@example.org>"),
            list_unsubscribe=("https://u.example.org/x", "mailto:u@example.org"),
        )
    )
    assert sent.provider_id == "m-1@mg.example.org"
    assert sent.words == "Queued. Thank you."
    assert mailgun.taken["m-1@mg.example.org"].fields == {
        "from": '"Jörg \\"JB\\" Berg, Köln" <anna@mg.example.org>',
        "to": "joe@customer.example",
        "subject": "Grüße – 20 %",
        "text": "Hello Joe",
        "html": "<p>Hello</p>",
        "o:tracking": "yes",
        "o:tracking-opens": "yes",
        "o:tracking-clicks": "htmlonly",
        "v:outbox_id": "m-1",
        "o:suppress-headers": "X-Mailgun-Variables",
        "h:Message-Id": "<m-1@mg.example.org>",
        "h:Reply-To": "anna+r.abc@example.org",
        "h:In-Reply-To": "<first@example.org>",
        "h:References": "<first@example.org> <second@example.org>",
        "h:List-Unsubscribe": "<https://u.example.org/x>, <mailto:u@example.org>",
    }


async def test_many_mails_at_once_all_arrive(mailgun: FakeMailgun, sender: MailgunSender) -> None:
    await asyncio.gather(*(sender.send(mail(number)) for number in range(30)))
    assert len(mailgun.taken) == 30
    assert sender.unanswered == 0


async def test_opens_of_a_mail_without_html_are_measured_in_one_made_of_its_text(
    mailgun: FakeMailgun, sender: MailgunSender
) -> None:
    await sender.send(mail(text="<Look> at https://example.com/x?a=1&b=2."))
    fields = mailgun.taken["m-1@mg.example.org"].fields
    assert fields["text"] == "<Look> at https://example.com/x?a=1&b=2."
    link = "https://example.com/x?a=1&amp;b=2"
    assert f'&lt;Look&gt; at <a href="{link}">{link}</a>.</div>' in fields["html"]


async def test_a_long_thread_keeps_its_beginning_and_its_end(
    mailgun: FakeMailgun, sender: MailgunSender
) -> None:
    thread = tuple(f"<{number}@{'long' * 10}.example>" for number in range(500))
    await sender.send(mail(references=thread))
    kept = mailgun.taken["m-1@mg.example.org"].fields["h:References"].split()
    assert (kept[0], kept[-1], len(kept)) == (thread[0], thread[-1], 40)


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "Hello\r\nBcc: all@example.org"},
        {"sender_name": "Anna\nX-Header: 1"},
        {"to": "no address"},
        {"reply_to": "a@b"},
        {"list_unsubscribe": tuple(f"https://u.example.org/{'x' * 900}{n}" for n in range(20))},
    ],
)
async def test_what_no_mail_may_hold_is_not_handed_over(
    changes: dict[str, object], mailgun: FakeMailgun, sender: MailgunSender
) -> None:
    with pytest.raises(Unsendable):
        await sender.send(mail(**changes))  # type: ignore[arg-type]
    assert mailgun.world.requests == []


# -- refusals ----------------------------------------------------------------------------------------

NOT_ALLOWED = "Domain mg.example.org is not allowed to send:"


@pytest.mark.parametrize(
    ("status", "words", "kind", "fix"),
    [
        (403, f"{NOT_ALLOWED} The domain is unverified and requires DNS", Misconfigured, "DNS rec"),
        (400, f"{NOT_ALLOWED} Free accounts are for test purposes only.", Misconfigured, "paid"),
        (400, f"{NOT_ALLOWED} Please activate your account.", Misconfigured, "Activate"),
        (403, f"{NOT_ALLOWED} Account Terminated", Misconfigured, "support"),
        (401, f"{NOT_ALLOWED} Account suspended", Misconfigured, "support"),
        (403, "Forbidden", LoginRefused, "base_url"),
        (402, "Payment required", Misconfigured, "plan"),
        (404, "Domain not found: mg.example.org", Misconfigured, "api.eu.mailgun.net"),
        (308, "", Misconfigured, "base_url"),
        (400, "'from' parameter is not a valid address.", Misconfigured, "sender"),
        (400, "'to' parameter is not a valid address.", Unsendable, ""),
        (413, "request size exceeds 52.4MiB limit", Unsendable, ""),
        (429, f"{NOT_ALLOWED} recipient limit exceeded, try again later", Unavailable, ""),
        (409, "Something new", TryLater, ""),
        (500, "Internal Server Error", Unclear, ""),
        (503, "", Unclear, ""),
    ],
)
async def test_a_refusal_says_what_to_do(
    status: int,
    words: str,
    kind: type[ProviderError],
    fix: str,
    mailgun: FakeMailgun,
    sender: MailgunSender,
) -> None:
    mailgun.refusal = (status, words)
    with pytest.raises(ProviderError) as caught:
        await sender.send(mail())
    assert type(caught.value) is kind
    assert fix in str(caught.value)
    assert words in str(caught.value)
    assert len(mailgun.world.requests) == 1, "a send is never repeated by itself"


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("limit exceeded, try again after 120 seconds", 120),
        ("limit exceeded, try again after 5 minutes", 300),
        ("limit exceeded, try again in 2 hours", 7200),
        ("limit exceeded, try again after Sun, 22 Nov 2026 12:30:00 UTC", 1800),
        ("limit exceeded, try again after Sat, 21 Nov 2026 12:30:00 UTC", 0),
        ("limit exceeded, try again after a while", None),
    ],
)
async def test_a_quota_says_when_it_is_back(
    words: str, seconds: float | None, mailgun: FakeMailgun, sender: MailgunSender
) -> None:
    mailgun.refusal = (429, f"{NOT_ALLOWED} {words}")
    with pytest.raises(Unavailable) as caught:
        await sender.send(mail())
    assert caught.value.after == seconds


async def test_a_wrong_key_is_a_sentence_with_its_fix_and_without_the_key(
    mailgun: FakeMailgun,
) -> None:
    wrong = Lookup.of(Secret("key-of-somebody-else"))
    async with MailgunSender(
        mailgun.settings(), wrong, transport=mailgun.world.transport()
    ) as sender:
        with pytest.raises(LoginRefused) as caught:
            await sender.send(mail())
    assert "does not take the key" in str(caught.value)
    assert "CRM_TUI_MAILGUN_KEY" in str(caught.value)
    assert "somebody" not in str(caught.value)


@pytest.mark.parametrize("domain", ["", "  ", "a b", "../v3", "\u2024"])
async def test_without_a_domain_nothing_is_asked(domain: str) -> None:
    settings = MailgunSettings(domain=domain)
    async with MailgunSender(settings, Lookup.of(Secret("key"))) as sender:
        with pytest.raises(Misconfigured, match=r"\[providers.mailgun\]"):
            await sender.send(mail())
        with pytest.raises(Misconfigured, match=r"\[providers.mailgun\]"):
            await sender.find(handed())


async def test_a_domain_with_letters_of_its_own_is_asked_for_in_ascii() -> None:
    mailgun = FakeMailgun(World(now=NOW), "mailgun", domain="xn--bcher-kva.example")
    settings = MailgunSettings(domain="Bücher.example.", base_url=mailgun.base_url)
    transport = mailgun.world.transport()
    async with MailgunSender(settings, mailgun.lookup(), transport=transport) as sender:
        await sender.send(mail())
        assert await sender.find(handed())


# -- lost answers, and finding what was lost ---------------------------------------------------------

by_either = pytest.mark.parametrize("by", ["logs", "events"])


@by_either
async def test_a_mail_whose_answer_was_lost_is_found(by: str, mailgun: FakeMailgun) -> None:
    world = mailgun.world
    settings = mailgun.settings("events" if by == "events" else "logs")
    async with MailgunSender(settings, mailgun.lookup(), transport=world.transport()) as sender:
        for number in range(350):  # more than one page of either API
            mailgun.accept(f"other-{number}", to="joe@customer.example")
            world.pass_time(seconds=1)
        world.faults = Faults(lost=1)
        with pytest.raises(Unclear):
            await sender.send(mail())
        world.heal()
        assert [each.key for each in mailgun.taken.values()].count("m-1") == 1
        found = await sender.find(handed(at=world.now - timedelta(minutes=3)))
        assert found is not None
        assert found.provider_id == "m-1@mg.example.org"
        assert await sender.find(handed(2, at=world.now)) is None


async def test_a_mail_is_found_where_recipients_cannot_be_asked_for(
    mailgun: FakeMailgun, sender: MailgunSender
) -> None:
    mailgun.filters_recipients = False
    for number in range(250):
        mailgun.accept(f"m-{number}", to=f"joe{number}@customer.example")
    found = await sender.find(handed(249, to="joe249@customer.example"))
    assert found is not None
    assert len(mailgun.world.requests) == 4, "one is refused, and the third page has it"
    assert await sender.find(handed(250)) is None


async def test_a_mail_whose_answer_was_cut_off_was_accepted(
    mailgun: FakeMailgun, sender: MailgunSender
) -> None:
    mailgun.world.faults = Faults(cut=1)
    sent = await sender.send(mail())
    assert sent.provider_id in mailgun.taken


async def test_a_mail_that_never_arrived_is_unclear_where_the_line_broke(
    mailgun: FakeMailgun,
) -> None:
    async def broken(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("reset", request=request)

    async def unreachable(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route", request=request)

    for answer, kind in ((broken, Unclear), (unreachable, Unavailable)):
        transport = httpx.MockTransport(answer)
        async with MailgunSender(
            mailgun.settings(), mailgun.lookup(), transport=transport
        ) as sender:
            with pytest.raises(ProviderError) as caught:
                await sender.send(mail())
            assert type(caught.value) is kind
            assert sender.unanswered == 0


async def test_after_giving_up_only_what_was_handed_over_is_answered_for(
    mailgun: FakeMailgun,
) -> None:
    release, full, arrived = asyncio.Event(), asyncio.Event(), 0

    async def slow(request: httpx.Request) -> httpx.Response:
        nonlocal arrived
        arrived += 1
        if arrived == 4:
            full.set()
        await release.wait()
        return httpx.Response(200, json={"id": "<x@mg.example.org>", "message": "Queued."})

    transport = httpx.MockTransport(slow)
    async with MailgunSender(mailgun.settings(), mailgun.lookup(), transport=transport) as sender:
        sending = [asyncio.create_task(sender.send(mail(number))) for number in range(7)]
        await full.wait()
        assert sender.unanswered == 4
        sender.give_up()
        given_up = await asyncio.gather(*sending[4:], return_exceptions=True)
        assert [type(each) for each in given_up] == [GivenUp] * 3
        release.set()
        assert [each.provider_id for each in await asyncio.gather(*sending[:4])] == [
            "x@mg.example.org"
        ] * 4
        with pytest.raises(GivenUp):
            await sender.send(mail(8))
    assert arrived == 4


# -- trying out --------------------------------------------------------------------------------------


async def tried(mailgun: FakeMailgun, **changes: object) -> dict[str, tuple[bool, str]]:
    arguments: dict[str, object] = {
        "settings": mailgun.settings(),
        "key": mailgun.lookup(),
        "sender": "anna@example.org",
        "transport": mailgun.world.transport(),
        **changes,
    }
    steps = await check(**arguments)  # type: ignore[arg-type]
    return {step.step: (step.ok, step.words) for step in steps}


@by_either
async def test_an_account_in_order_passes_every_step(by: str, mailgun: FakeMailgun) -> None:
    mailgun.limit = 10_000
    settings = mailgun.settings("events" if by == "events" else "logs")
    steps = await tried(mailgun, settings=settings)
    assert list(steps) == ["key", "domain", "events", "limits", "sender"]
    assert all(ok for ok, _ in steps.values())
    assert "0 of 10,000" in steps["limits"][1]
    assert mailgun.taken == {}


@pytest.mark.parametrize(("state", "fix"), [("unverified", "DNS records"), ("disabled", "support")])
async def test_a_domain_that_may_not_send_is_named(
    state: str, fix: str, mailgun: FakeMailgun
) -> None:
    mailgun.state = state
    ok, words = (await tried(mailgun))["domain"]
    assert not ok
    assert fix in words
    assert mailgun.domain in words


async def test_a_sandbox_a_spent_limit_and_a_strange_sender_are_named(
    mailgun: FakeMailgun,
) -> None:
    mailgun.domain, mailgun.limit = "sandbox1.mailgun.example", 1
    mailgun.accept("m-1")
    steps = await tried(mailgun)
    assert [name for name, (ok, _) in steps.items() if not ok] == ["domain", "limits", "sender"]
    assert "DMARC" in steps["sender"][1]


async def test_a_wrong_key_and_a_wrong_domain_end_it(mailgun: FakeMailgun) -> None:
    wrong = await tried(mailgun, key=Lookup.of(Secret("other")))
    assert [*wrong] == ["key"]
    assert not wrong["key"][0]
    settings = MailgunSettings(domain="other.example", base_url=mailgun.base_url)
    steps = await tried(mailgun, settings=settings)
    assert [*steps] == ["domain"]
    assert "other.example" in steps["domain"][1]


async def test_without_a_key_or_a_line_it_ends_at_once(mailgun: FakeMailgun) -> None:
    steps = await tried(mailgun, key=lookup("mailgun", {}))
    assert [*steps] == ["key"]
    assert "CRM_TUI_MAILGUN_KEY" in steps["key"][1]

    async def unreachable(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route", request=request)

    settings = MailgunSettings(domain=mailgun.domain, base_url=mailgun.base_url)
    api = api_of(
        settings,
        mailgun.lookup(),
        transport=httpx.MockTransport(unreachable),
        sleep=mailgun.world.sleep,
    )
    steps = await tried(mailgun, api=api)
    assert steps == {"connect": (False, "Mailgun cannot be reached: no route")}


async def test_the_wrong_region_is_told_by_asking_the_other_one(mailgun: FakeMailgun) -> None:
    there = FakeMailgun(mailgun.world, "mailgun-eu", domain="mg.elsewhere.example", key="k-2")
    settings = MailgunSettings(domain=there.domain, base_url=mailgun.base_url)
    steps = await tried(mailgun, settings=settings, key=there.lookup(), other_region=there.base_url)
    (ok, words) = steps["key"]
    assert not ok
    assert f'base_url = "{there.base_url}"' in words


# -- Mailgun's own description -----------------------------------------------------------------------


async def test_requests_and_answers_are_as_mailgun_describes_them(mailgun: FakeMailgun) -> None:
    checked = Checked(mailgun.world.transport(), Official.of("mailgun"))
    mailgun.limit = 1000
    async with MailgunSender(mailgun.settings(), mailgun.lookup(), transport=checked) as sender:
        await sender.send(mail(html="<p>Hello</p>", reply_to="a@example.org"))
        assert await sender.find(handed())
    for settings in (mailgun.settings("logs"), mailgun.settings("events")):
        assert all(ok for ok, _ in (await tried(mailgun, settings=settings)).values())
        await check(settings, mailgun.lookup(), sender="a@example.org", transport=checked)
    checked.assert_clean()


async def test_over_a_socket_it_is_the_same(mailgun: FakeMailgun) -> None:
    with mailgun.world.serve():
        async with MailgunSender(mailgun.settings(), mailgun.lookup()) as sender:
            sent = await sender.send(mail(subject="Grüße"))
            assert await sender.find(handed()) is not None
    assert sent.provider_id in mailgun.taken

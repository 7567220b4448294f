"""Trying an account out: every step in words, and nothing is sent."""

from __future__ import annotations

import pytest

from crm_tui.providers.base import Check
from crm_tui.providers.secrets import Secret
from crm_tui.providers.smtp_check import check
from tests.providers.mail_server import (
    HANG_UP,
    PASSWORD,
    USER,
    certified,
    mail_server,
    settings_for,
    trusting,
)


def outcome(checks: list[Check]) -> list[tuple[str, bool]]:
    return [(one.step, one.ok) for one in checks]


async def test_an_account_that_works() -> None:
    async with mail_server(tls_context=certified("127.0.0.1"), login=True) as post:
        settings = settings_for(post.port, security="starttls", username=USER)
        checks = await check(settings, password=Secret(PASSWORD), sender=USER, tls=trusting())
    assert outcome(checks) == [
        ("connect", True),
        ("tls", True),
        ("login", True),
        ("size", True),
        ("sender", True),
    ]
    said = " ".join(one.words for one in checks)
    assert "TLSv1.3" in said
    assert "Logged in as anna@example.com" in said
    assert "33.6 MB" in said
    assert PASSWORD not in said
    assert post.mails == []
    assert post.asked == ["MAIL", "RCPT", "RSET"]


async def test_an_account_without_login_on_this_machine() -> None:
    async with mail_server(data_size_limit=0) as post:
        checks = await check(settings_for(post.port), password=None, sender=USER)
    assert all(one.ok for one in checks)
    assert [one.words for one in checks[1:4]] == [
        "Not encrypted; the server is on this machine.",
        "No username is set: mail is sent without a login.",
        "The server names no limit for the size of mails.",
    ]


async def test_it_ends_at_the_step_that_fails() -> None:
    async with mail_server(tls_context=certified("mail.other.example"), login=True) as post:
        settings = settings_for(post.port, security="starttls", username=USER)
        checks = await check(settings, password=Secret(PASSWORD), sender=USER, tls=trusting())
        assert outcome(checks) == [("connect", True), ("tls", False)]
        assert "is for another name than 127.0.0.1." in checks[-1].words
    checks = await check(settings, password=None, sender=USER)
    assert outcome(checks) == [("connect", False)]


async def test_a_wrong_password() -> None:
    async with mail_server(tls_context=certified("127.0.0.1"), login=True) as post:
        settings = settings_for(post.port, security="starttls", username=USER)
        checks = await check(settings, password=Secret("hunter2"), sender=USER, tls=trusting())
    assert outcome(checks)[-1] == ("login", False)
    assert "535 5.7.8" in checks[-1].words
    assert "app passwords" in checks[-1].words
    assert "hunter2" not in checks[-1].words


async def test_unencrypted_mail_to_another_machine() -> None:
    checks = await check(settings_for(25, host="mail.example.com"), password=None, sender=USER)
    assert outcome(checks) == [("connect", False)]
    assert "would travel unencrypted" in checks[0].words


@pytest.mark.parametrize(
    ("stage", "answer", "says"),
    [
        ("MAIL", "550 5.7.60 not allowed to send as this sender", "Set email in [sender]"),
        ("RCPT", "553 5.7.1 Sender address rejected: not owned by user", "Set email in [sender]"),
        ("RCPT", "550 5.1.1 User unknown", "answers would not arrive"),
        ("RCPT", "554 5.7.1 Relay access denied", "Set username"),
        ("RCPT", HANG_UP, "hung up"),
        ("MAIL", "451 4.3.0 Queue file error", "451 4.3.0"),
    ],
)
async def test_a_sender_the_server_does_not_take(stage: str, answer: str, says: str) -> None:
    async with mail_server({stage: [answer]}) as post:
        checks = await check(settings_for(post.port), password=None, sender=USER)
    assert outcome(checks)[-1] == ("sender", False)
    assert says in checks[-1].words


async def test_greylisting_of_ones_own_address_says_nothing_against_the_sender() -> None:
    async with mail_server({"RCPT": ["450 4.7.1 Greylisted"]}) as post:
        checks = await check(settings_for(post.port), password=None, sender=USER)
    assert outcome(checks)[-1] == ("sender", True)


async def test_a_sender_that_is_no_address() -> None:
    async with mail_server() as post:
        checks = await check(settings_for(post.port), password=None, sender="anna")
    assert outcome(checks)[-1] == ("sender", False)
    assert "is not an e-mail address" in checks[-1].words

"""What a refusal means, by the words of real servers."""

from __future__ import annotations

import pytest

from crm_tui.providers.base import (
    Blocked,
    Misconfigured,
    ProviderError,
    Refused,
    TryLater,
    Unavailable,
)
from crm_tui.providers.smtp_replies import Stage, enhanced_status, refusal, wait_seconds

M, R, D = Stage.MAIL, Stage.RCPT, Stage.DATA
HARD, SOFT = "hard", "soft"

SAID: list[tuple[Stage, int, str, type[ProviderError], str | None]] = [
    # Postfix
    (R, 550, "5.1.1 <x@y.example>: Recipient address rejected: User unknown in virtual mailbox table", Refused, HARD),
    (R, 450, "4.2.0 <x@y.example>: Recipient address rejected: Greylisted", TryLater, None),
    (R, 554, "5.7.1 <x@y.example>: Relay access denied", Misconfigured, None),
    (R, 554, "5.7.1 Service unavailable; Client host [1.2.3.4] blocked using zen.spamhaus.org", Blocked, None),
    (R, 554, "5.7.1 <unknown[1.2.3.4]>: Client host rejected: Access denied", Misconfigured, None),
    (R, 553, "5.7.1 <a@b.example>: Sender address rejected: not owned by user c", Misconfigured, None),
    (R, 552, "5.2.2 <x@y.example>: user is over quota", Refused, SOFT),
    (M, 552, "5.3.4 Message size exceeds fixed limit", Refused, SOFT),
    (M, 452, "4.3.1 Insufficient system storage", TryLater, None),
    (M, 530, "5.7.0 Must issue a STARTTLS command first", Misconfigured, None),
    # Gmail
    (R, 550, "5.1.1 The email account that you tried to reach does not exist.\n5.1.1 Please try double-checking", Refused, HARD),
    (R, 550, "5.2.1 The email account that you tried to reach is disabled.", Refused, HARD),
    (R, 452, "4.2.2 The recipient's inbox is out of storage space.", TryLater, None),
    (D, 552, "5.7.0 This message was blocked because its content presents a potential security issue", Blocked, None),
    (D, 550, "5.7.1 Our system has detected that this message is likely unsolicited mail.", Blocked, None),
    (D, 550, "5.7.26 This mail has been blocked because the sender is unauthenticated.", Blocked, None),
    (D, 550, "5.4.5 Daily user sending limit exceeded.", Unavailable, None),
    (R, 421, "4.7.28 Our system has detected an unusual rate of unsolicited mail", TryLater, None),
    # Exchange Online and Outlook.com
    (R, 550, "5.4.1 Recipient address rejected: Access denied.", Refused, HARD),
    (R, 550, "5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup", Refused, HARD),
    (D, 550, "5.7.60 SMTP; Client does not have permissions to send as this sender", Misconfigured, None),
    (D, 554, "5.2.252 SendAsDenied; a@b.example not allowed to send as c@d.example", Misconfigured, None),
    (M, 530, "5.7.57 SMTP; Client was not authenticated to send anonymous mail", Misconfigured, None),
    (R, 550, "5.5.0 Requested action not taken: mailbox unavailable", Refused, HARD),
    (R, 451, "4.7.500 Server busy. Please try again later", TryLater, None),
    # qmail, Exim, Cisco and others without enhanced codes, or with them elsewhere
    (R, 550, "sorry, no mailbox here by that name. (#5.1.1)", Refused, HARD),
    (R, 550, "No such user", Refused, HARD),
    (R, 551, "User not local", Refused, HARD),
    (R, 553, "sorry, that domain isn't in my list of allowed rcpthosts", Refused, HARD),
    (R, 556, "This domain takes no mail", Refused, HARD),
    (R, 552, "Requested mail action aborted: exceeded storage allocation", Refused, SOFT),
    (R, 550, "relay not permitted", Misconfigured, None),
    (R, 550, "Your message was rejected: listed at bl.spamcop.net", Blocked, None),
    (D, 550, "High probability of spam", Blocked, None),
    (D, 550, "user unknown", Refused, HARD),
    (D, 550, "Message rejected", Refused, SOFT),
    (D, 554, "Transaction failed", Refused, SOFT),
    (D, 552, "Message size exceeds maximum permitted", Refused, SOFT),
    (D, 552, "5.2.3 Too long for this mailbox", Refused, SOFT),
    (M, 550, "5.1.8 Sender's domain is not known", Misconfigured, None),
    (M, 554, "Your address is on our block list", Misconfigured, None),
    (M, 451, "Try again in 5 minutes", Unavailable, None),
    (R, 450, "Hourly sending limit reached", Unavailable, None),
    (R, 500, "what?", Refused, SOFT),
    (R, 252, "perhaps", Unavailable, None),
]  # fmt: skip


@pytest.mark.parametrize(("stage", "code", "words", "kind", "strength"), SAID)
def test_a_reply_means(
    stage: Stage, code: int, words: str, kind: type[ProviderError], strength: str | None
) -> None:
    error = refusal(stage, code, words)
    assert type(error) is kind
    assert words.split("\n", maxsplit=1)[0] in str(error)
    if isinstance(error, Refused):
        assert error.hard is (strength == HARD)
    if isinstance(error, Misconfigured):
        assert str(error).endswith(error.fix)
        assert error.fix.endswith(".")


def test_an_address_of_the_internet_is_no_status() -> None:
    assert enhanced_status(550, "host 5.1.1.2 says no") is None
    assert enhanced_status(550, "host 15.1.1 says no") is None
    assert enhanced_status(450, "5.1.1 not of this class") is None
    assert enhanced_status(550, "no (#5.1.1).") == "5.1.1"


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("greylisted, try again in 300 seconds", 300),
        ("please retry in 5 minutes", 300),
        ("come back after 1 hour", 3600),
        ("retry in 00:05:00", 300),
        ("wait 30s", 30),
        ("in 999999 hours", 86_400),
        ("in 3 weeks", None),
        ("try again later", None),
    ],
)
def test_how_long_to_wait_is_read(words: str, seconds: float | None) -> None:
    assert wait_seconds(words) == seconds

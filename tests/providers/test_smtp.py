"""Sending through a real SMTP server: what is sent, and what each refusal or break comes to."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AbstractAsyncContextManager
from email import message_from_bytes, policy
from traceback import format_exception

import pytest

from crm_tui.providers.base import (
    Blocked,
    Misconfigured,
    ProviderError,
    Refused,
    TryLater,
    Unavailable,
    Unclear,
    Unsendable,
)
from crm_tui.providers.message import build
from crm_tui.providers.secrets import Secret
from crm_tui.providers.smtp import SmtpSender
from tests.providers.mail_server import (
    ACCEPT,
    HANG_UP,
    PASSWORD,
    SAY_NOTHING,
    USER,
    Post,
    a_mail,
    certified,
    mail_server,
    settings_for,
    talking_server,
    trusting,
)

GONE = "550 5.1.1 <lead1@plumber.example>: user unknown"


async def test_a_mail_arrives_byte_for_byte_with_dots_at_the_start_of_lines() -> None:
    mail = a_mail()
    async with mail_server() as post, SmtpSender(settings_for(post.port)) as sender:
        sent = await sender.send(mail)
    assert sent.message_id == mail.message_id
    assert sent.words == "250 2.0.0 Ok: queued as 4F1C2"
    assert len(post.mails) == 1
    assert post.mails[0].sender == "anna@example.com"
    assert post.mails[0].to == ["lead1@plumber.example"]
    assert post.mails[0].content == build(mail)
    text = message_from_bytes(post.mails[0].content, policy=policy.default)
    assert text.get_content().replace("\r\n", "\n") == mail.text


async def test_many_mails_go_over_one_connection() -> None:
    async with mail_server() as post, SmtpSender(settings_for(post.port)) as sender:
        for number in range(20):
            await sender.send(a_mail(number))
    assert len(post.mails) == 20
    assert len(post.connections) == 1
    assert set(post.asked) == {"MAIL", "RCPT", "DATA", "DOT"}  # neither NOOP nor RSET between them


async def test_no_more_connections_than_set_and_each_mail_once() -> None:
    async with (
        mail_server() as post,
        SmtpSender(settings_for(post.port, connections=3)) as sender,
    ):
        sent = await asyncio.gather(*(sender.send(a_mail(number)) for number in range(60)))
    assert [one.message_id for one in sent] == [a_mail(number).message_id for number in range(60)]
    assert sorted(one.to[0] for one in post.mails) == sorted(
        f"lead{number}@plumber.example" for number in range(60)
    )
    assert len(post.connections) == 3
    assert post.together == 3


REFUSALS = [
    ("RCPT", GONE, Refused, True),
    ("RCPT", "550 No such user here", Refused, True),
    ("RCPT", "552 5.2.2 Mailbox full", Refused, False),
    ("DOT", "554 5.7.1 Message looks like spam", Blocked, None),
    ("DOT", "550 Rejected for policy reasons", Blocked, None),
    ("DOT", "550 5.1.1 No such user", Refused, True),
    ("DOT", "554 Transaction failed", Refused, False),
    ("RCPT", "450 4.7.1 Greylisted, try again in 300 seconds", TryLater, None),
    ("RCPT", "421 4.7.0 Too many mails to this recipient", TryLater, None),
    ("DATA", "451 4.3.0 Temporary failure", TryLater, None),
    ("DATA", "554 5.7.1 Blocked", Blocked, None),
    ("DOT", "451 4.7.1 Try later", TryLater, None),
    ("DOT", "421 4.3.2 Going down", TryLater, None),
    ("MAIL", "451 4.3.0 Queue file error", Unavailable, None),
    ("MAIL", "421 4.3.2 Going down", Unavailable, None),
    ("MAIL", "553 5.7.1 Sender address rejected: not owned by user", Misconfigured, None),
    ("RCPT", "554 5.7.1 <x@y.example>: Relay access denied", Misconfigured, None),
]


@pytest.mark.parametrize(("stage", "answer", "kind", "hard"), REFUSALS)
async def test_a_refusal_is_told_by_what_to_do_and_the_next_mail_goes_out(
    stage: str, answer: str, kind: type[ProviderError], hard: bool | None
) -> None:
    async with (
        mail_server({stage: [answer]}) as post,
        SmtpSender(settings_for(post.port)) as sender,
    ):
        with pytest.raises(kind) as raised:
            await sender.send(a_mail())
        assert answer in str(raised.value)
        assert getattr(raised.value, "hard", None) is hard
        await sender.send(a_mail(2))
    assert [one.to for one in post.mails] == [["lead2@plumber.example"]]
    assert len(post.connections) == (2 if answer.startswith("421") else 1)


async def test_greylisting_says_how_long_to_wait() -> None:
    answer = "450 4.2.0 Greylisted, see http://postgrey.example/help; retry in 00:05:00"
    async with (
        mail_server({"RCPT": [answer]}) as post,
        SmtpSender(settings_for(post.port)) as sender,
    ):
        with pytest.raises(TryLater) as raised:
            await sender.send(a_mail())
    assert raised.value.after == 300


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA"])
async def test_a_connection_lost_before_the_mail_is_certainly_no_sending(stage: str) -> None:
    async with (
        mail_server({stage: [HANG_UP]}) as post,
        SmtpSender(settings_for(post.port)) as sender,
    ):
        with pytest.raises(Unavailable):
            await sender.send(a_mail())
        assert post.mails == []
        await sender.send(a_mail())
    assert len(post.mails) == 1


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA"])
async def test_a_server_that_falls_silent_before_the_mail_is_certainly_no_sending(
    stage: str,
) -> None:
    async with (
        mail_server({stage: [SAY_NOTHING]}) as post,
        SmtpSender(settings_for(post.port), timeout=0.2) as sender,
    ):
        with pytest.raises(Unavailable):
            await sender.send(a_mail())
    assert post.mails == []


@pytest.mark.parametrize("keeps", ["yes", "no"])
@pytest.mark.parametrize("end", [HANG_UP, SAY_NOTHING])
async def test_a_connection_lost_after_the_mail_leaves_it_unclear(keeps: str, end: str) -> None:
    """Whether the server kept it or not: nobody on this side can tell."""
    async with (
        mail_server({"DOT": [end], "KEEPS": [keeps]}) as post,
        SmtpSender(
            settings_for(post.port), reply_timeout=0.2 if end == SAY_NOTHING else 60
        ) as sender,
    ):
        with pytest.raises(Unclear):
            await sender.send(a_mail())
        if end == SAY_NOTHING:
            await asyncio.wait_for(post.reached.wait(), 90)  # a busy machine has not come so far
        assert len(post.mails) == (keeps == "yes")
        post.answers["KEEPS"] = ["yes"]
        sender._reply_timeout = 60  # what follows is not about time
        await sender.send(a_mail(2))  # over a new connection
    assert post.mails[-1].to == ["lead2@plumber.example"]
    assert len(post.connections) == 2


async def test_a_connection_lost_inside_the_mail_leaves_it_unclear() -> None:
    async with (
        mail_server({"DATA": ["hang up inside"]}) as post,
        SmtpSender(settings_for(post.port)) as sender,
    ):
        with pytest.raises(Unclear):
            await sender.send(a_mail())
    assert post.mails == []


@pytest.mark.parametrize("answer", [b"nonsense\r\n", b"354 go on\r\n", b"999 what\r\n", b"2"])
async def test_an_answer_to_the_mail_that_makes_no_sense_leaves_it_unclear(answer: bytes) -> None:
    async with (
        talking_server(
            b"220 hi\r\n", b"250 x\r\n", b"250 x\r\n", b"250 x\r\n", b"354 x\r\n", answer
        ) as port,
        SmtpSender(settings_for(port), reply_timeout=0.5) as sender,
    ):
        with pytest.raises(Unclear):
            await sender.send(a_mail())


@pytest.mark.parametrize("answer", [b"nonsense\r\n", b"250 already?\r\n", b"-\r\n", b"x" * 40_000])
async def test_nonsense_before_the_mail_is_certainly_no_sending(answer: bytes) -> None:
    async with (
        talking_server(b"220 hi\r\n", b"250 x\r\n", b"250 x\r\n", b"250 x\r\n", answer) as port,
        SmtpSender(settings_for(port), timeout=0.5) as sender,
    ):
        with pytest.raises(Unavailable):
            await sender.send(a_mail())


@pytest.mark.parametrize(
    "greeting",
    [b"421 4.3.2 come back in 10 minutes\r\n", b"554 no service\r\n", b"SSH-2.0-x\r\n", b""],
)
async def test_a_server_that_does_not_greet_is_unavailable(greeting: bytes) -> None:
    async with (
        talking_server(greeting) as port,
        SmtpSender(settings_for(port), timeout=30 if greeting else 0.2) as sender,
    ):
        with pytest.raises(Unavailable) as raised:
            await sender.send(a_mail())
    assert raised.value.after == (600 if b"10 minutes" in greeting else None)


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    async with mail_server() as post:
        settings = settings_for(post.port)
    async with SmtpSender(settings) as sender:
        with pytest.raises(Unavailable, match="refuses connections"):
            await sender.send(a_mail())


async def test_a_name_nobody_knows_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*args: object, **how: object) -> object:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", offline)
    settings = settings_for(587, host="mail.invalid", security="starttls")
    async with SmtpSender(settings) as sender:
        with pytest.raises(Unavailable, match="offline, or host"):
            await sender.send(a_mail())


async def test_a_connection_the_server_closed_meanwhile_is_replaced() -> None:
    async with mail_server() as post, SmtpSender(settings_for(post.port)) as sender:
        await sender.send(a_mail(1))
        transport = post.connections[0].transport
        assert transport is not None
        transport.close()
        await sender.send(a_mail(2))
    assert len(post.mails) == 2
    assert len(post.connections) == 2


@pytest.mark.parametrize("answer", ["421 4.4.2 Timeout", "452 4.5.3 Too many mails", HANG_UP])
async def test_a_server_that_has_had_enough_of_a_connection_gets_a_new_one(answer: str) -> None:
    async with (
        mail_server({"MAIL": [ACCEPT, answer]}) as post,
        SmtpSender(settings_for(post.port)) as sender,
    ):
        await sender.send(a_mail(1))
        await sender.send(a_mail(2))
    assert [one.to[0] for one in post.mails] == ["lead1@plumber.example", "lead2@plumber.example"]
    assert len(post.connections) == 2


async def test_a_server_that_refuses_for_now_on_a_new_connection_too_is_not_asked_again() -> None:
    full = "452 4.3.1 Insufficient system storage"
    async with (
        mail_server({"MAIL": [ACCEPT, full, full]}) as post,
        SmtpSender(settings_for(post.port)) as sender,
    ):
        await sender.send(a_mail(1))
        with pytest.raises(TryLater):
            await sender.send(a_mail(2))
    assert post.asked.count("MAIL") == 3


async def test_a_connection_unused_for_long_is_not_trusted() -> None:
    now = [0.0]
    async with (
        mail_server() as post,
        SmtpSender(settings_for(post.port), idle_limit=60, clock=lambda: now[0]) as sender,
    ):
        await sender.send(a_mail(1))
        now[0] += 60
        await sender.send(a_mail(2))
        assert len(post.connections) == 1
        now[0] += 61
        await sender.send(a_mail(3))
    assert len(post.connections) == 2
    assert len(post.mails) == 3


async def test_a_cancelled_sending_hangs_up_and_the_next_goes_out() -> None:
    async with (
        mail_server({"RCPT": [SAY_NOTHING]}) as post,
        SmtpSender(settings_for(post.port)) as sender,
    ):
        sending = asyncio.create_task(sender.send(a_mail(1)))
        await post.reached.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await sender.send(a_mail(2))
    assert [one.to for one in post.mails] == [["lead2@plumber.example"]]
    assert len(post.connections) == 2


async def test_a_refused_envelope_is_dropped_before_the_next_mail() -> None:
    async with (
        mail_server({"RCPT": [GONE]}) as post,
        SmtpSender(settings_for(post.port)) as sender,
    ):
        with pytest.raises(Refused):
            await sender.send(a_mail(1))
        await sender.send(a_mail(2))
    assert post.asked == ["MAIL", "RCPT", "RSET", "MAIL", "RCPT", "DATA", "DOT"]


async def test_a_server_that_cannot_drop_the_envelope_gets_a_new_connection() -> None:
    async with (
        mail_server({"RCPT": [GONE], "RSET": ["500 what?"]}) as post,
        SmtpSender(settings_for(post.port)) as sender,
    ):
        with pytest.raises(Refused):
            await sender.send(a_mail(1))
        await sender.send(a_mail(2))
    assert len(post.connections) == 2
    assert len(post.mails) == 1


async def test_a_mail_too_large_for_the_server_is_not_begun() -> None:
    async with (
        mail_server(data_size_limit=2_000) as post,
        SmtpSender(settings_for(post.port)) as sender,
    ):
        with pytest.raises(Unsendable, match="no more than 2,000"):
            await sender.send(a_mail(text="x\n" * 2_000))
        await sender.send(a_mail(2))
    assert post.asked == ["MAIL", "RCPT", "DATA", "DOT"]


async def test_long_lines_and_letters_of_all_kinds_arrive_as_they_were() -> None:
    text = "ä" * 3_000 + "\n" + "word " * 1_000 + "\nЩёлк\n🙂\n"
    html = "<p>" + "x" * 5_000 + "</p>"
    async with mail_server() as post, SmtpSender(settings_for(post.port)) as sender:
        await sender.send(a_mail(text=text, html=html))
    content = post.mails[0].content
    assert content.isascii()  # whatever the server does with 8BITMIME
    assert max(map(len, content.split(b"\r\n"))) <= 998
    parsed = message_from_bytes(content, policy=policy.default)
    plain, rich = parsed.iter_parts()
    assert plain.get_content().replace("\r\n", "\n") == text
    assert rich.get_content().replace("\r\n", "\n") == html


async def test_an_address_beyond_ascii_goes_to_servers_that_take_it() -> None:
    mail = a_mail(to="jürgen@bücher.example")
    async with (
        mail_server(enable_SMTPUTF8=True) as post,
        SmtpSender(settings_for(post.port)) as sender,
    ):
        await sender.send(mail)
    assert post.mails[0].to == ["jürgen@xn--bcher-kva.example"]
    assert "SMTPUTF8" in post.mails[0].options
    assert "To: jürgen@xn--bcher-kva.example\r\n".encode() in post.mails[0].content


async def test_an_address_beyond_ascii_is_refused_with_a_reason_elsewhere() -> None:
    async with mail_server() as post, SmtpSender(settings_for(post.port)) as sender:
        with pytest.raises(Unsendable, match="SMTPUTF8"):
            await sender.send(a_mail(to="jürgen@bücher.example"))
        await sender.send(a_mail(2))
    assert len(post.mails) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"subject": "Hi\r\nBcc: all@example.com"},
        {"to": "a@b.example\r\nRCPT TO:<c@d.example>"},
        {"to": "a@b.example> SIZE=1 <x"},
        {"sender_name": "Anna\nX: y"},
        {"reply_to": "a@b.example\nX: y"},
    ],
)
async def test_injected_lines_never_reach_the_server(fields: dict[str, str]) -> None:
    async with mail_server() as post, SmtpSender(settings_for(post.port)) as sender:
        with pytest.raises(Unsendable):
            await sender.send(a_mail(**fields))
    assert post.connections == []


async def test_what_a_server_says_is_one_safe_line() -> None:
    answer = b"250 fine\x1b[2J\xff\xe2\x80\xae\r\n"
    lines = (b"220 hi\r\n", *[b"250 x\r\n"] * 3, b"354 x\r\n", answer)
    async with talking_server(*lines) as port, SmtpSender(settings_for(port)) as sender:
        sent = await sender.send(a_mail())
    assert sent.words == "250 fine[2J"


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_mail_goes_encrypted_after_a_login(security: str) -> None:
    async with encrypted(security, "127.0.0.1") as post:
        settings = settings_for(post.port, security=security, username=USER)
        password = Secret(PASSWORD)
        async with SmtpSender(settings, password=password, tls=trusting()) as sender:
            await sender.send(a_mail())
    assert len(post.mails) == 1
    assert post.logins == ["PLAIN"]


def encrypted(security: str, name: str) -> AbstractAsyncContextManager[Post]:
    """A server with a certificate for `name` that wants a login."""
    if security == "tls":
        # Beneath implicit TLS, aiosmtpd does not know that it is encrypted.
        return mail_server(implicit=certified(name), login=True, auth_require_tls=False)
    return mail_server(tls_context=certified(name), require_starttls=True, login=True)


async def test_wrong_login_is_said_without_the_password_and_tried_once() -> None:
    answers = {"AUTH": ["535 5.7.8 not hunter2"]}
    async with mail_server(answers, tls_context=certified("127.0.0.1"), login=True) as post:
        settings = settings_for(post.port, security="starttls", username=USER)
        async with SmtpSender(settings, password=Secret("hunter2"), tls=trusting()) as sender:
            with pytest.raises(Misconfigured, match="app passwords") as raised:
                await sender.send(a_mail())
    assert "535 5.7.8 not" in str(raised.value)
    assert "hunter2" not in "".join(format_exception(raised.value)).replace("not hunter2", "", 1)
    assert "hunter2" not in f"{raised.value}{raised.value!r}"
    assert post.logins == ["PLAIN"]


async def test_a_login_that_fails_for_now_is_no_wrong_password() -> None:
    answers = {"AUTH": ["454 4.7.0 Temporary authentication failure"]}
    async with mail_server(answers, tls_context=certified("127.0.0.1"), login=True) as post:
        settings = settings_for(post.port, security="starttls", username=USER)
        async with SmtpSender(settings, password=Secret("x"), tls=trusting()) as sender:
            with pytest.raises(Unavailable, match="Temporary"):
                await sender.send(a_mail())


async def test_a_server_that_wants_a_login_says_so() -> None:
    async with mail_server(tls_context=certified("127.0.0.1"), login=True) as post:
        settings = settings_for(post.port, security="starttls")
        async with SmtpSender(settings, tls=trusting()) as sender:
            with pytest.raises(Misconfigured, match="Set username"):
                await sender.send(a_mail())


async def test_a_username_without_a_password_is_said() -> None:
    async with mail_server() as post:
        settings = settings_for(post.port, username=USER)
        async with SmtpSender(settings) as sender:
            with pytest.raises(Misconfigured, match=r"no password for anna@example.com"):
                await sender.send(a_mail())


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_certificate_for_another_name_stops_everything(security: str) -> None:
    async with encrypted(security, "mail.other.example") as post:
        settings = settings_for(post.port, security=security, username=USER)
        async with SmtpSender(settings, password=Secret(PASSWORD), tls=trusting()) as sender:
            with pytest.raises(Misconfigured, match=r"for another name than 127.0.0.1\. Set host"):
                await sender.send(a_mail())
    assert post.logins == []


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_certificate_nobody_vouches_for_stops_everything(security: str) -> None:
    async with encrypted(security, "127.0.0.1") as post:
        settings = settings_for(post.port, security=security, username=USER)
        async with SmtpSender(settings, password=Secret(PASSWORD)) as sender:
            with pytest.raises(Misconfigured, match=r"does not know\. .*SSL_CERT_FILE"):
                await sender.send(a_mail())
    assert post.logins == []


async def test_a_server_without_starttls_gets_neither_password_nor_mail() -> None:
    async with mail_server(login=True, auth_require_tls=False) as post:
        settings = settings_for(post.port, security="starttls", username=USER)
        async with SmtpSender(settings, password=Secret(PASSWORD)) as sender:
            with pytest.raises(Misconfigured, match="does not offer encryption"):
                await sender.send(a_mail())
    assert post.logins == []


async def test_a_plain_port_is_told_from_a_tls_one() -> None:
    async with mail_server() as post:
        settings = settings_for(post.port, security="tls")
        async with SmtpSender(settings, tls=trusting()) as sender:
            with pytest.raises(Misconfigured, match='security = "starttls"'):
                await sender.send(a_mail())


@pytest.mark.parametrize("host", ["mail.example.com", "192.168.1.5", "0.0.0.0", "::", "", "a\nb"])
def test_unencrypted_mail_stays_on_this_machine(host: str) -> None:
    with pytest.raises(Misconfigured):
        SmtpSender(settings_for(25, host=host))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.0.1", "::1"])
def test_unencrypted_mail_may_go_to_this_machine(host: str) -> None:
    SmtpSender(settings_for(25, host=host))  # raises nothing

"""Sending that is given up: what was not handed over ends at once, what was is still answered for."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from contextlib import closing

import pytest

from crm_tui.providers.base import GivenUp
from crm_tui.providers.secrets import Lookup
from crm_tui.providers.smtp import SmtpSender
from tests.providers.mail_server import (
    SAY_NOTHING,
    USER,
    WAIT,
    a_mail,
    mail_server,
    settings_for,
)


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA"])
async def test_a_mail_that_was_not_handed_over_ends_at_once_and_certainly_did_not_go(
    stage: str,
) -> None:
    async with (
        mail_server({stage: [SAY_NOTHING]}) as post,
        SmtpSender(settings_for(post.port)) as sender,
    ):
        sending = asyncio.create_task(sender.send(a_mail()))
        await post.reached.wait()
        assert sender.unanswered == 0
        sender.give_up()
        with pytest.raises(GivenUp):
            await sending
    assert post.mails == []


async def test_a_mail_that_was_handed_over_is_answered_for() -> None:
    async with (
        mail_server({"DOT": [WAIT]}) as post,
        SmtpSender(settings_for(post.port, connections=2)) as sender,
    ):
        sending = asyncio.create_task(sender.send(a_mail(1)))
        await post.reached.wait()
        assert sender.unanswered == 1
        sender.give_up()
        with pytest.raises(GivenUp):
            await sender.send(a_mail(2))
        assert not sending.done()
        post.go.set()
        assert (await sending).words == "250 2.0.0 Ok: queued as 4F1C2"
        assert sender.unanswered == 0
    assert len(post.mails) == 1


async def test_a_server_that_never_greets_is_not_waited_for() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        async with SmtpSender(settings_for(silent.getsockname()[1])) as sender:
            sending = asyncio.create_task(sender.send(a_mail()))
            connection, _ = await asyncio.to_thread(silent.accept)
            with closing(connection):
                sender.give_up()
                with pytest.raises(GivenUp):
                    await sending


async def test_a_name_that_is_being_looked_up_keeps_nobody_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looking, go = threading.Event(), threading.Event()
    by: list[threading.Thread] = []

    def hangs(*_arguments: object, **_how: object) -> list[object]:
        by.append(threading.current_thread())
        looking.set()
        go.wait()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hangs)
    settings = settings_for(587, host="mail.example", security="starttls")
    async with SmtpSender(settings) as sender:
        sending = asyncio.create_task(sender.send(a_mail()))
        await asyncio.to_thread(looking.wait)
        sender.give_up()
        with pytest.raises(GivenUp):
            await sending
    # Such a thread does not keep the program from ending.
    assert by[0].daemon
    go.set()
    await asyncio.to_thread(by[0].join)


async def test_a_program_that_is_asked_for_the_password_keeps_nobody_waiting() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as asked:
        program = (
            "import socket, sys\n"
            "with socket.create_connection(('127.0.0.1', int(sys.argv[1]))) as line: line.recv(1)"
        )
        command = (sys.executable, "-c", program, str(asked.getsockname()[1]))
        settings = settings_for(1, username=USER, password_command=command)
        lookup = Lookup.by_settings(settings, {})
        async with SmtpSender(settings, password=lookup) as sender:
            sending = asyncio.create_task(sender.send(a_mail()))
            line, _ = await asyncio.to_thread(asked.accept)
            with closing(line):
                sender.give_up()
                with pytest.raises(GivenUp):
                    await sending
                # Nor does the program go on waiting for whoever unlocks it.
                assert await asyncio.to_thread(line.recv, 1) == b""


async def test_giving_up_twice_is_giving_up() -> None:
    async with (
        mail_server({"RCPT": [SAY_NOTHING]}) as post,
        SmtpSender(settings_for(post.port)) as sender,
    ):
        sending = asyncio.create_task(sender.send(a_mail()))
        await post.reached.wait()
        sender.give_up()
        sender.give_up()
        with pytest.raises(GivenUp):
            await sending
        sender.give_up()


async def test_a_sending_that_is_cancelled_is_cancelled_and_not_given_up() -> None:
    async with (
        mail_server({"RCPT": [SAY_NOTHING]}) as post,
        SmtpSender(settings_for(post.port)) as sender,
    ):
        sending = asyncio.create_task(sender.send(a_mail()))
        await post.reached.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending

"""`crm-tui providers test`: what works of an account, in words, and the exit code for scripts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from crm_tui.db.engine import Database
from crm_tui.db.models import Setting
from tests.conftest import Cli, Ran
from tests.inbox.conftest import new_folder
from tests.providers.imap_servers import Server, free_port
from tests.providers.mail_server import mail_server

Run = Callable[..., Awaitable[Ran]]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


@pytest.fixture
def run(cli: Cli, config: Path) -> Run:
    """The command line with the configuration, beside the servers of the test."""

    def in_thread(*arguments: str) -> Awaitable[Ran]:
        return asyncio.to_thread(cli, "--config", str(config), *arguments)

    return in_thread


def write(
    config: Path,
    *,
    smtp: int = 0,
    imap: Server | None = None,
    folder: str = "",
    sender: str = "me@studio.example",
    more: str = "",
) -> None:
    text = f'[sender]\nemail = "{sender}"\n'
    if smtp:
        text += f'[providers.smtp]\nhost = "127.0.0.1"\nport = {smtp}\nsecurity = "none"\n'
        text += more
    if imap is not None:
        folders = f'["{folder}"]' if folder else "[]"
        text += (
            f'[providers.imap]\nhost = "127.0.0.1"\nport = {imap.port}\nsecurity = "none"\n'
            f'username = "{imap.username}"\nfolders = {folders}\n'
        )
    config.write_text(text)


async def test_a_server_that_takes_mail(run: Run, config: Path) -> None:
    async with mail_server() as post:
        write(config, smtp=post.port)
        ran = await run("providers", "test", "smtp", "--json")
    assert ran.code == 0
    assert (ran.json["provider"], ran.json["ok"]) == ("smtp", True)
    assert [each["step"] for each in ran.json["checks"]] == [
        "connect",
        "tls",
        "login",
        "size",
        "sender",
    ]
    assert "ok  sender: Mail from me@studio.example is taken." in ran.err
    assert post.mails == []


async def test_a_server_that_is_not_there(run: Run, config: Path) -> None:
    write(config, smtp=free_port())
    ran = await run("providers", "test", "smtp", "--json")
    assert ran.code == 4
    assert (ran.json["ok"], ran.json["checks"][-1]["ok"]) == (False, False)
    assert "no  connect: " in ran.err


async def test_a_mailbox_that_can_be_read(
    run: Run, config: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(config, imap=server, folder=new_folder(server))
    monkeypatch.setenv("CRM_TUI_IMAP_PASSWORD", server.password)
    ran = await run("providers", "test", "imap", "--json")
    assert ran.code == 0
    steps = [each["step"] for each in ran.json["checks"]]
    assert steps == ["password", "connect", "tls", "login", "folders"]
    assert server.password not in ran.out + ran.err


async def test_a_password_that_is_refused_and_one_that_is_missing(
    run: Run, config: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(config, imap=server)
    monkeypatch.setenv("CRM_TUI_IMAP_PASSWORD", "wrong")
    ran = await run("providers", "test", "imap", "--json")
    assert (ran.code, ran.json["checks"][-1]["step"]) == (4, "login")
    monkeypatch.delenv("CRM_TUI_IMAP_PASSWORD")
    ran = await run("providers", "test", "imap", "--json")
    assert (ran.code, ran.json["checks"][-1]["step"]) == (4, "password")


async def test_what_is_not_set_or_not_there_is_refused(run: Run, config: Path) -> None:
    write(config)
    assert (await run("providers", "test", "smtp")).code == 1
    assert (await run("providers", "test", "pigeon")).code == 2
    listed = (await run("providers", "list", "--json")).json
    names = ("smtp", "imap", "mailgun", "resend", "brevo", "twilio", "stripe")
    assert [(each["name"], each["set"]) for each in listed["providers"]] == [
        (name, False) for name in names
    ]


async def test_addresses_with_a_plus_are_tried_with_a_mail_to_oneself(
    run: Run,
    config: Path,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    db: Database,
) -> None:
    monkeypatch.setenv("CRM_TUI_IMAP_PASSWORD", server.password)
    async with mail_server() as post:
        write(config, smtp=post.port, imap=server)
        refused = await run("providers", "test", "imap", "--plus")
        assert (refused.code, post.mails) == (1, [])
        trial = asyncio.ensure_future(run("providers", "test", "imap", "--plus", "--yes", "--json"))
        while not post.mails:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.01)
        (mail,) = post.mails
        assert mail.to[0].startswith("me+u.")
        await asyncio.to_thread(server.deliver, mail.content)
        ran = await trial
    assert (ran.code, ran.json["checks"][-1]["step"]) == (0, "plus")
    async with db.read() as session:
        plus = await session.get_one(Setting, "mailbox_plus")
        assert plus.value is True


async def test_a_plus_that_could_not_be_tried_is_a_failure_and_decides_nothing(
    run: Run, config: Path, server: Server, monkeypatch: pytest.MonkeyPatch, db: Database
) -> None:
    monkeypatch.setenv("CRM_TUI_IMAP_PASSWORD", server.password)
    write(config, smtp=free_port(), imap=server)
    ran = await run("providers", "test", "imap", "--plus", "--yes", "--json")
    assert (ran.code, ran.json["ok"], ran.json["checks"][-1]["step"]) == (4, False, "plus")
    assert "refuses connections" in ran.json["checks"][-1]["words"]
    async with db.read() as session:
        assert await session.get(Setting, "mailbox_plus") is None


async def test_a_login_that_is_refused_is_said_in_whole_sentences(run: Run, config: Path) -> None:
    async with mail_server(login=True, auth_require_tls=False) as post:
        who = 'username = "anna@example.com"\n'
        write(config, smtp=post.port, more=who)
        ran = await run("providers", "test", "smtp", "--json")
        assert (ran.code, ran.json["checks"][-1]["step"]) == (4, "password")
        write(config, smtp=post.port, more=who + 'password_command = ["printf", "hunter2"]\n')
        ran = await run("providers", "test", "smtp", "--json")
    assert (ran.code, ran.json["ok"]) == (4, False)
    assert [(each["step"], each["ok"]) for each in ran.json["checks"]] == [
        ("password", True),
        ("connect", True),
        ("tls", True),
        ("login", False),
    ]
    assert ran.json["checks"][-1]["words"] == (
        f"The mail server 127.0.0.1 (port {post.port}) refused the login of anna@example.com: 535"
        " 5.7.8 Authentication credentials invalid. Correct username or password. Where signing in"
        " takes a second factor, the provider gives out app passwords for mail programs."
    )
    assert "hunter2" not in ran.out + ran.err


async def test_who_sends_may_be_missing_and_the_rest_is_tried_all_the_same(
    run: Run, config: Path
) -> None:
    async with mail_server() as post:
        write(config, smtp=post.port, sender="")
        ran = await run("providers", "test", "smtp", "--json")
    assert ran.code == 4
    assert [(each["step"], each["ok"]) for each in ran.json["checks"]][-2:] == [
        ("size", True),
        ("sender", False),
    ]
    assert ran.json["checks"][-1]["words"] == (
        "No address is set to send from. Set email in [sender]."
    )

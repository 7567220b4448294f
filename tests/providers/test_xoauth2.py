"""Logging in with access tokens, which some providers ask for instead of passwords."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from traceback import format_exception

import pytest
from msgspec.structs import replace

from crm_tui.config import ImapSettings, load_settings
from crm_tui.errors import BadInput
from crm_tui.providers.base import LoginRefused, Misconfigured
from crm_tui.providers.imap import Mailbox
from crm_tui.providers.imap_check import check as check_mailbox
from crm_tui.providers.secrets import Lookup, Secret
from crm_tui.providers.smtp import SmtpSender
from crm_tui.providers.smtp_check import check
from tests.providers.imap_servers import Server, dovecot, has_dovecot
from tests.providers.mail_server import PASSWORD, USER, a_mail, mail_server, settings_for


class Tokens:
    """An operator's own program that gives out one token after the other, and the last for ever."""

    def __init__(self, folder: Path, *tokens: str) -> None:
        self._left = folder / "tokens"
        self._left.write_text("\n".join(tokens))
        self._asked = folder / "asked"

    @property
    def command(self) -> tuple[str, ...]:
        program = (
            "import sys; from pathlib import Path\n"
            "left, asked = Path(sys.argv[1]), Path(sys.argv[2])\n"
            "first, *rest = left.read_text().split('\\n')\n"
            "left.write_text('\\n'.join(rest or [first]))\n"
            "asked.open('a').write('x')\n"
            "print(first)"
        )
        return (sys.executable, "-c", program, str(self._left), str(self._asked))

    @property
    def asked(self) -> int:
        return len(self._asked.read_text()) if self._asked.exists() else 0


def smtp(port: int, tokens: Tokens) -> SmtpSender:
    settings = settings_for(port, username=USER, auth="xoauth2", password_command=tokens.command)
    return SmtpSender(settings, password=Lookup.by_settings(settings, {}))


async def test_mail_goes_after_a_login_with_a_token(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path, "ya29.good")
    async with (
        mail_server(tokens=["ya29.good"], auth_require_tls=False) as post,
        smtp(post.port, tokens) as sender,
    ):
        await sender.send(a_mail(1))
        await sender.send(a_mail(2))
    assert len(post.mails) == 2
    assert (post.logins, post.shown, tokens.asked) == (["XOAUTH2"], ["ya29.good"], 1)


async def test_a_token_that_expired_is_asked_for_once_more(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path, "old", "new")
    async with (
        mail_server(tokens=["new"], auth_require_tls=False) as post,
        smtp(post.port, tokens) as sender,
    ):
        await sender.send(a_mail())
    assert len(post.mails) == 1
    assert (post.shown, tokens.asked) == (["old", "new"], 2)


async def test_a_token_that_expires_between_two_mails_is_renewed(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path, "first", "second")
    async with (
        mail_server(tokens=["first"], auth_require_tls=False) as post,
        smtp(post.port, tokens) as sender,
    ):
        await sender.send(a_mail(1))
        post.tokens[:] = ["second"]
        for connection in post.connections:
            assert connection.transport is not None
            connection.transport.close()
        await sender.send(a_mail(2))
    assert len(post.mails) == 2
    assert post.shown == ["first", "first", "second"]


async def test_a_program_that_gives_the_same_token_again_is_not_believed_twice(
    tmp_path: Path,
) -> None:
    tokens = Tokens(tmp_path, "sEcrEt")
    async with (
        mail_server(tokens=[], auth_require_tls=False) as post,
        smtp(post.port, tokens) as sender,
    ):
        with pytest.raises(LoginRefused) as raised:
            await sender.send(a_mail())
    assert str(raised.value) == (
        f"The mail server 127.0.0.1 (port {post.port}) refused the access token of {USER}: 535 5.7.3"
        " Authentication unsuccessful [VI1PR0.example]. See that password_command prints an access"
        " token that has not expired and was granted for mail, and that username is the mailbox it"
        " was granted for."
    )
    assert "sEcrEt" not in "".join(format_exception(raised.value))
    assert (post.shown, tokens.asked) == (["sEcrEt"], 2)


async def test_a_password_is_not_looked_up_again(tmp_path: Path) -> None:
    """Accounts are locked after a few wrong ones."""
    tokens = Tokens(tmp_path, "wrong", PASSWORD)
    async with mail_server(login=True, auth_require_tls=False) as post:
        settings = settings_for(post.port, username=USER, password_command=tokens.command)
        async with SmtpSender(settings, password=Lookup.by_settings(settings, {})) as sender:
            with pytest.raises(LoginRefused, match="app passwords"):
                await sender.send(a_mail())
    assert (post.logins, tokens.asked) == (["PLAIN"], 1)


async def test_a_server_that_takes_only_tokens_says_what_to_set() -> None:
    async with mail_server(tokens=["t"], auth_require_tls=False) as post:
        settings = settings_for(post.port, username=USER)
        async with SmtpSender(settings, password=Secret(PASSWORD)) as sender:
            with pytest.raises(Misconfigured, match=r'it offers: XOAUTH2.*auth = "xoauth2"'):
                await sender.send(a_mail())
    assert post.logins == []


async def test_a_server_that_takes_no_tokens_gets_none() -> None:
    async with mail_server(login=True, auth_require_tls=False) as post:
        settings = settings_for(post.port, username=USER, auth="xoauth2")
        async with SmtpSender(settings, password=Secret("token")) as sender:
            with pytest.raises(Misconfigured, match=r'takes no access tokens.*auth = "password"'):
                await sender.send(a_mail())
    assert post.logins == []


async def test_an_account_with_a_token_is_tried_out_in_words() -> None:
    async with mail_server(tokens=["good"], auth_require_tls=False) as post:
        settings = settings_for(post.port, username=USER, auth="xoauth2")
        works = await check(settings, password=Secret("good"), sender=USER)
        fails = await check(settings, password=Secret("bad"), sender=USER)
    assert all(one.ok for one in works)
    assert (fails[-1].step, fails[-1].ok) == ("login", False)
    assert "refused the access token" in fails[-1].words


# -- the mailbox ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def dovecot_tokens() -> list[str]:
    return []


@pytest.fixture(scope="module")
def server(dovecot_tokens: list[str]) -> Iterator[Server]:
    if not has_dovecot():
        pytest.skip("Dovecot is not installed")
    with dovecot(tokens=dovecot_tokens) as running:
        yield running


def imap(server: Server, command: tuple[str, ...] = ()) -> ImapSettings:
    return replace(server.settings, auth="xoauth2", password_command=command)


async def test_a_mailbox_is_opened_with_a_token(
    server: Server, dovecot_tokens: list[str], tmp_path: Path
) -> None:
    dovecot_tokens[:] = ["good"]
    settings = imap(server, Tokens(tmp_path, "good").command)
    async with Mailbox(settings, password=Lookup.by_settings(settings, {})) as box:
        assert "INBOX" in [each.name for each in await box.folders()]


async def test_a_token_for_the_mailbox_that_expired_is_asked_for_once_more(
    server: Server, dovecot_tokens: list[str], tmp_path: Path
) -> None:
    dovecot_tokens[:] = ["newer"]
    tokens = Tokens(tmp_path, "expired", "newer")
    settings = imap(server, tokens.command)
    async with Mailbox(settings, password=Lookup.by_settings(settings, {})) as box:
        assert await box.folders()
    assert tokens.asked == 2


async def test_a_token_that_is_refused_is_said_without_it(
    server: Server, dovecot_tokens: list[str], tmp_path: Path
) -> None:
    dovecot_tokens[:] = []
    tokens = Tokens(tmp_path, "sEcrEt")
    settings = imap(server, tokens.command)
    async with Mailbox(settings, password=Lookup.by_settings(settings, {})) as box:
        with pytest.raises(LoginRefused, match=r"access token of demouser.*401") as raised:
            await box.folders()
    assert "sEcrEt" not in "".join(format_exception(raised.value))
    assert tokens.asked == 2


async def test_a_mailbox_that_takes_only_tokens_says_what_to_set(server: Server) -> None:
    checks = await check_mailbox(server.settings, password=Secret("demopass"))
    assert (checks[-1].step, checks[-1].ok) == ("login", False)
    assert 'auth = "xoauth2"' in checks[-1].words


# -- the settings --------------------------------------------------------------------------------


def test_a_token_needs_a_username(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[providers.imap]\nhost = "imap.example.com"\nauth = "xoauth2"\n')
    with pytest.raises(BadInput, match=r"providers\.imap\.username must be set"):
        load_settings(config)

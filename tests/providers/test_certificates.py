"""Encrypted lines to both kinds of mail servers: which certificates are taken, and why others are not."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pytest
import trustme

from crm_tui.config import ImapSettings
from crm_tui.providers import imap_check, smtp_check
from crm_tui.providers.base import Check
from crm_tui.providers.secrets import Secret
from tests.providers.imap_servers import dovecot, has_dovecot
from tests.providers.mail_server import PASSWORD, USER, mail_server, settings_for

AUTHORITY = trustme.CA()
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
FAR_AHEAD = datetime(2090, 1, 1, tzinfo=UTC)

Encryption = Literal["tls", "starttls"]
SECURITY = pytest.mark.parametrize("security", ["tls", "starttls"])
KIND = pytest.mark.parametrize("kind", ["smtp", "imap"])


def expired() -> bytes:
    made = AUTHORITY.issue_cert("127.0.0.1", not_after=LONG_AGO)
    return made.private_key_and_cert_chain_pem.bytes()


def not_yet_valid() -> bytes:
    made = AUTHORITY.issue_cert("127.0.0.1", not_before=FAR_AHEAD)
    return made.private_key_and_cert_chain_pem.bytes()


def for_another_name() -> bytes:
    return AUTHORITY.issue_cert("mail.other.example").private_key_and_cert_chain_pem.bytes()


def of_a_strange_authority() -> bytes:
    return trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.bytes()


def self_signed() -> bytes:
    other = trustme.CA()
    return other.private_key_pem.bytes() + other.cert_pem.bytes()


def good() -> bytes:
    return AUTHORITY.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.bytes()


@pytest.fixture(autouse=True)
def _trusts_the_authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As an operator trusts the authority of a server of their own."""
    file = tmp_path / "authority.pem"
    file.write_bytes(AUTHORITY.cert_pem.bytes())
    monkeypatch.setenv("SSL_CERT_FILE", str(file))


async def tried(kind: str, security: Encryption, certificate: bytes, place: Path) -> list[Check]:
    """How an account at a server with this certificate is tried out."""
    file = place / "server.pem"
    file.write_bytes(certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    if kind == "imap":
        async with imap_server(context, security) as port:
            settings = ImapSettings(host="127.0.0.1", port=port, security=security, username=USER)
            return await imap_check.check(settings, password=Secret(PASSWORD))
    implicit, explicit = (context, None) if security == "tls" else (None, context)
    async with mail_server(
        login=True, auth_require_tls=False, implicit=implicit, tls_context=explicit
    ) as post:
        sending = settings_for(post.port, security=security, username=USER)
        checks = await smtp_check.check(sending, password=Secret(PASSWORD), sender=USER)
        assert bool(post.logins) == checks[-1].ok
        return checks


@asynccontextmanager
async def imap_server(context: ssl.SSLContext, security: Encryption) -> AsyncIterator[int]:
    """A server with one folder and nothing in it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(b"* OK hello\r\n")
            while line := await reader.readline():
                tag, _, command = line.decode().strip().partition(" ")
                more = " STARTTLS" if security == "starttls" else ""
                if command.startswith("CAPABILITY"):
                    writer.write(f"* CAPABILITY IMAP4rev1{more}\r\n".encode())
                if command.startswith("LIST"):
                    writer.write(b'* LIST () "/" "INBOX"\r\n')
                writer.write(f"{tag} OK done\r\n".encode())
                if command.startswith("STARTTLS"):
                    await writer.start_tls(context)
        except (OSError, asyncio.IncompleteReadError):
            return  # the client has seen enough
        finally:
            writer.close()

    with_tls = context if security == "tls" else None
    listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=with_tls)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        await listening.wait_closed()


@KIND
@SECURITY
async def test_an_authority_named_by_the_operator_is_trusted(
    kind: str, security: Encryption, tmp_path: Path
) -> None:
    checks = await tried(kind, security, good(), tmp_path)
    assert all(each.ok for each in checks)
    (encrypted,) = [each.words for each in checks if each.step == "tls"]
    assert encrypted.startswith("Encrypted")


@KIND
@SECURITY
@pytest.mark.parametrize(
    ("certificate", "says"),
    [
        (expired, "The certificate of 127.0.0.1 has expired."),
        (not_yet_valid, "The certificate of 127.0.0.1 is not valid yet."),
        (for_another_name, "The server's certificate is for another name than 127.0.0.1."),
        (
            of_a_strange_authority,
            "The certificate of 127.0.0.1 is signed by an authority this computer does not know.",
        ),
        (self_signed, "The certificate of 127.0.0.1 is signed by nobody but itself."),
    ],
)
async def test_what_is_wrong_with_a_certificate_is_one_sentence_and_what_to_do(
    kind: str, security: Encryption, certificate: Callable[[], bytes], says: str, tmp_path: Path
) -> None:
    checks = await tried(kind, security, certificate(), tmp_path)
    step = "connect" if security == "tls" else "tls"
    assert (checks[-1].step, checks[-1].ok) == (step, False)
    assert checks[-1].words.startswith(f"{says} ")
    assert "[SSL" not in checks[-1].words


@SECURITY
@pytest.mark.skipif(not has_dovecot(), reason="Dovecot is not installed")
async def test_a_mailbox_is_read_over_an_encrypted_line(security: Encryption) -> None:
    with dovecot(certificate=good()) as server:
        port = server.tls_port if security == "tls" else server.port
        settings = ImapSettings(
            host="127.0.0.1", port=port, security=security, username=server.username
        )
        checks = await imap_check.check(settings, password=Secret(server.password))
    assert [(each.step, each.ok) for each in checks] == [
        ("connect", True),
        ("tls", True),
        ("login", True),
        ("folders", True),
    ]

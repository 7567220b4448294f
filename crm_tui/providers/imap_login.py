"""Logging in at an IMAP server, with a password or with an access token."""

from __future__ import annotations

import imaplib
import json

from crm_tui.config import ImapSettings
from crm_tui.providers.base import LoginRefused, Misconfigured, Unavailable
from crm_tui.providers.imap_folders import quoted
from crm_tui.providers.secrets import HOW_TO_GRANT, TOKENS_TOO, Secret


def log_in(
    client: imaplib.IMAP4, settings: ImapSettings, password: Secret, name: str
) -> frozenset[str]:
    """Log in and return what the server can do from then on; blocks.

    Raises:
        LoginRefused: the server takes neither username nor password, or not the token.
        Unavailable: it takes nobody just now.
        Misconfigured: it takes no such login.
    """
    user, secret = settings.username, password.reveal()
    if any(mark in user + secret for mark in "\0\1\r\n"):
        raise Misconfigured(
            "The username or password holds a line break or control character.",
            fix="Take it out of where they are kept.",
        )
    if settings.auth == "xoauth2":
        _with_token(client, user, password, name)
    else:
        _with_password(client, user, password, name)
    _, answer = client.capability()
    said = b" ".join(one for one in answer if isinstance(one, bytes))
    return frozenset(said.decode("ascii", "replace").upper().split())


def _with_token(client: imaplib.IMAP4, user: str, token: Secret, name: str) -> None:
    """Log in by XOAUTH2, as Google and Microsoft do it."""
    if "AUTH=XOAUTH2" not in client.capabilities:
        raise Misconfigured(
            f"{name} takes no access tokens.", fix='Set auth = "password" in [providers.imap].'
        )
    why = ""

    def answer(challenge: bytes) -> bytes:
        nonlocal why
        if not challenge:
            return f"user={user}\1auth=Bearer {token.reveal()}\1\1".encode()
        why = _status(challenge)  # why not; it wants an empty line, then says no
        return b""

    try:
        client.authenticate("XOAUTH2", answer)
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error as error:
        words = f"{token.hidden_in(words_of(error))}{why}"
        _raise_if_for_now(words, name)
        raise LoginRefused(
            f"{name} refused the access token of {user}: {words}", fix=HOW_TO_GRANT
        ) from None


def _status(challenge: bytes) -> str:
    """The status in a server's JSON about a token it does not take."""
    try:
        found = json.loads(challenge)
        return f" (status {int(found['status'])})"
    except (ValueError, KeyError, TypeError):
        return ""


def _with_password(client: imaplib.IMAP4, user: str, password: Secret, name: str) -> None:
    """Log in by PLAIN, which carries any letters, or by LOGIN for servers without it: only ASCII."""
    secret = password.reveal()
    if "LOGINDISABLED" in client.capabilities and "AUTH=PLAIN" not in client.capabilities:
        other = f" {TOKENS_TOO}" if "AUTH=XOAUTH2" in client.capabilities else ""
        raise Misconfigured(
            f"{name} takes no login with a password.",
            fix=f"Ask the provider for IMAP access with an app password.{other}",
        )
    try:
        if "AUTH=PLAIN" in client.capabilities:
            client.authenticate("PLAIN", lambda _: f"\0{user}\0{secret}".encode())
        elif (user + secret).isascii():
            # imaplib quotes the password only.
            client.login(user if user.isalnum() else quoted(user), secret)
        else:
            raise Misconfigured(
                f"{name} takes only ASCII in usernames and passwords.",
                fix="Choose a password without accents, or ask the provider for an app password.",
            )
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error as error:
        words = password.hidden_in(words_of(error))
        _raise_if_for_now(words, name)
        other = f" {TOKENS_TOO}" if "AUTH=XOAUTH2" in client.capabilities else ""
        raise LoginRefused(
            f"{name} refused the login of {user}: {words}",
            fix="Correct username or password in [providers.imap]. Where signing in takes a second"
            f" factor, the provider gives out app passwords for mail programs.{other}",
        ) from None


def _raise_if_for_now(words: str, name: str) -> None:
    if "[UNAVAILABLE]" in words or "[INUSE]" in words or "[LIMIT]" in words:
        raise Unavailable(f"{name} lets nobody log in just now: {words}") from None


def words_of(error: BaseException) -> str:
    """The words of an error of imaplib's, which are bytes where they are the server's."""
    first = error.args[0] if error.args else ""
    return first.decode("utf-8", "replace") if isinstance(first, bytes) else str(first)

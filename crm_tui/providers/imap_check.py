"""Trying a mailbox out, step by step and in words; nothing in it is changed."""

from __future__ import annotations

import ssl
from collections.abc import Sequence

from crm_tui.config import ImapSettings
from crm_tui.providers.base import Check, ProviderError, said
from crm_tui.providers.imap import Mailbox
from crm_tui.providers.imap_folders import Folder, folder_of_sent
from crm_tui.providers.secrets import Secret
from crm_tui.text import plural


async def check(
    settings: ImapSettings,
    *,
    password: Secret | None,
    tls: ssl.SSLContext | None = None,
    timeout: float = 15,  # noqa: ASYNC109 - the library applies it to every step on its own
) -> list[Check]:
    """Try a mailbox out step by step; ends with the first step that fails, and says why in words."""
    done: list[Check] = []
    step = "connect"
    try:
        mailbox = Mailbox(settings, password=password, tls=tls, timeout=timeout, limit=4 * timeout)
        async with mailbox:
            connection = mailbox.connection
            await connection.connect()
            done.append(Check("connect", ok=True, words=f"{connection.name} answers."))
            step = "tls"
            await connection.secure()
            done.append(Check("tls", ok=True, words=_encryption(settings)))
            step = "login"
            await connection.log_in()
            done.append(Check("login", ok=True, words=f"{settings.username} is logged in."))
            step = "folders"
            read = await mailbox.folders()
            everything = await mailbox.all_folders()
            left = [f.name for f in everything if f not in read]
            done.append(Check("folders", ok=True, words=_which(read, left)))
            if settings.save_sent:
                step = "sent"
                done.append(Check("sent", ok=True, words=_saved_in(everything)))
    except ProviderError as error:
        done.append(Check(step, ok=False, words=str(error)))
    return done


def _encryption(settings: ImapSettings) -> str:
    if settings.security == "none":
        return "Not encrypted: the server is on this machine."
    return f"Encrypted; the certificate is good for {settings.host}."


def _which(read: Sequence[Folder], left: Sequence[str]) -> str:
    names = ", ".join(f.name for f in read[:20])
    more = f" and {len(read) - 20} more" if len(read) > 20 else ""
    others = f" Not read: {', '.join(left[:20])}." if left else ""
    return said(f"{plural(len(read), 'folder')} will be read: {names}{more}.{others}")


def _saved_in(folders: Sequence[Folder]) -> str:
    return f"Mails that were sent will be saved in {folder_of_sent(folders).name}."

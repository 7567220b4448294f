"""What must be in order before text messages go; beside gate.py, which has it for mails."""

from __future__ import annotations

from collections.abc import Iterator

from crm_tui.config import Settings
from crm_tui.services.sending.account import text_account
from crm_tui.services.texting import LAW

_ON = 'Set provider = "twilio" under [sms] in config.toml.'


def why_no_texts(settings: Settings) -> str:
    """Why no text message can be sent, with what to do and what the law asks, as sentences.

    "" where they can be.
    """
    missing = "".join(_missing(settings))
    return f"{missing} {LAW}" if missing else ""


def _missing(settings: Settings) -> Iterator[str]:
    if text_account(settings) is not None:
        return
    if not settings.sms.provider:
        yield f"No text messages are sent as things are set. {_ON}"
    elif not settings.providers.twilio.account_sid:
        yield "Text messages need account_sid under [providers.twilio] in config.toml."
    else:
        yield "Text messages need from_number under [providers.twilio] in config.toml."

"""Defects: what went wrong inside the program goes to a log, and the reader gets a sentence.

The log is made to be sent to a stranger. It holds where the program was and what it said, and no
values of variables. Whatever looks like a secret is taken out of it, and so is what is most likely
to be about a person: e-mail addresses, phone numbers, the values handed to the store, and what was
typed on the command line.
"""

from __future__ import annotations

import os
import platform
import re
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import platformdirs

from crm_tui import __version__
from crm_tui.clock import utc_now
from crm_tui.config import APP

LOG_BYTES = 512_000
"""Size from which the log is begun anew; the one before is kept as `crash.log.1`."""

_REPORT_CHARACTERS = 40_000
"""The most of one report: an endless recursion has a long traceback."""

_GONE = "[taken out]"
_SECRET_NAME = re.compile(
    r"(?:\A|_)(?:PASS(?:WORD|WD|PHRASE)?|SECRET|TOKEN|KEY|CREDENTIALS?|COOKIE|AUTH|DSN)(?:\Z|_|\d)"
    r"|_PWD\Z|\ACRM_TUI_(?!DB\Z)",
    re.IGNORECASE,
)
"""Environment variables whose values are secrets; ours are, all but the store's path."""

_SECRETS = (
    re.compile(r"(?<=://)[^/\s@]+(?=@)"),  # user:password@host
    re.compile(r"(?i)\b(?:bearer|basic|digest)\s+[\w.~+/=-]{6,}"),
    re.compile(
        r"(?i)\b[\w-]*(?:pass(?:word|wd|phrase)?|pwd|secret|token|credentials?|cookie|authorization"
        r"|(?:api|access|secret|private|auth|signing)[-_ ]?key)[\"']?\s*(?:[:=]|=>)\s*"
        r"(?:b?\"[^\"\n]*\"|b?'[^'\n]*'|[^\s,;&)}\]]+)"
    ),
    re.compile(  # the beginnings that providers give their keys
        r"\b(?:[rspw]k|pk|whsec|re|xkeysib|xsmtpsib|gh[opsu]|nfp|SG|key|AC|SK)[-_.]?\w{16,}[\w.-]*"
    ),
    re.compile(r"\beyJ[\w-]{8,}\.[\w.-]+"),  # a JSON web token
    re.compile(r"\bAIza[\w-]{20,}"),
    re.compile(r"-----BEGIN [A-Z ]+-----.*?(?:-----END [A-Z ]+-----|\Z)", re.DOTALL),
    re.compile(r"\b(?=[\w+-]*\d)(?=[\w+-]*[A-Za-z])[A-Za-z0-9+-]{32,}\b"),
)
_MAIL = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")
_NUMBER = re.compile(r"(?<![\w.])(?!\d{4}-\d\d-\d\d)\+?\(?\d[\d .()-]{7,}\d(?![\w.])")
_PHONE_DIGITS = 9
"""Digits from which a number may be a phone's; a date has eight."""

_PARAMETERS = re.compile(r"^\[parameters: .*?(?=^\(Background|^\[|\Z)", re.DOTALL | re.MULTILINE)


def log_path() -> Path:
    """Where defects are written to."""
    return platformdirs.user_log_path(APP) / "crash.log"


def report_defect(error: BaseException) -> str:
    """Write a defect to the log, and say in one sentence where it is."""
    log, kind = log_path(), type(error).__name__
    try:
        _write(log, _report(error))
    except OSError:
        said = redact(str(error), os.environ)
        return f"Something went wrong inside crm-tui ({kind}: {said})."
    return f"Something went wrong inside crm-tui ({kind}). Please report it with the file {log}."


def redact(text: str, environ: Mapping[str, str]) -> str:
    """The text without what looks like a secret or is about a person.

    Args:
        text: A traceback or a message.
        environ: The environment; the values of its secrets are taken out wherever they stand.
    """
    secrets = [value for name, value in environ.items() if _SECRET_NAME.search(name)]
    for value in sorted(secrets, key=len, reverse=True):
        if len(value) >= 6:  # a shorter one stands in too many words
            text = text.replace(value, _GONE)
    text = _PARAMETERS.sub("[parameters: taken out]\n", text)
    for pattern in (*_SECRETS, _MAIL):
        text = pattern.sub(_GONE, text)
    text = _NUMBER.sub(_without_phone, text)
    home = str(Path.home())
    return text.replace(home, "~") if len(home) > 1 else text


def _without_phone(number: re.Match[str]) -> str:
    digits = sum(map(str.isdigit, number[0]))
    return _GONE if digits >= _PHONE_DIGITS else number[0]


def _report(error: BaseException) -> str:
    trace = "".join(traceback.format_exception(error))
    if len(trace) > _REPORT_CHARACTERS:
        half = _REPORT_CHARACTERS // 2
        trace = (
            f"{trace[:half]}\n… {len(trace) - 2 * half:,} characters left out …\n{trace[-half:]}"
        )
    return redact(trace, os.environ)


def _write(log: Path, report: str) -> None:
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        if log.stat().st_size > LOG_BYTES:
            log.replace(log.with_name(f"{log.name}.1"))
    head = (
        f"{utc_now().isoformat(timespec='seconds')}  crm-tui {__version__}, "
        f"Python {platform.python_version()}, {platform.system()}, "
        f"terminal {os.environ.get('TERM', '')!r}: {_command(sys.argv[1:])}"
    )
    handle = os.open(log, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(handle, "r+", encoding="utf-8", errors="replace") as file:
        os.fchmod(handle, 0o600)
        again = report in file.read()
        file.write(f"{head}\n{'The same as before.' if again else report.rstrip()}\n\n")


def _command(arguments: Sequence[str]) -> str:
    """The command that was given, and its options, without their values."""
    words: list[str] = []
    before = ""
    for argument in arguments:
        is_word = re.fullmatch(r"[a-z]+(-[a-z]+)*", argument) and not before.startswith("-")
        if argument.startswith("--"):
            words.append(argument.partition("=")[0])
        elif is_word and len([word for word in words if word[0] not in "-…"]) < 2:
            words.append(argument)
        else:
            words.append("…")
        before = argument
    return " ".join(words)

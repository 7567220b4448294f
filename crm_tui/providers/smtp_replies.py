"""What an SMTP server's refusal means: one table, first match wins.

Codes are those of RFC 5321 and the enhanced ones of RFC 3463; the words are what Postfix, Exim,
Exchange Online, Gmail and qmail say where their codes leave it open. Postfix answers only at RCPT
TO what it holds against the client and the sender as well (smtpd_delay_reject), so those rows do
not look at the stage.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from crm_tui.providers.base import (
    Blocked,
    Misconfigured,
    ProviderError,
    Refused,
    TryLater,
    Unavailable,
    said,
)

_A_DAY = 86_400.0
_AN_HOUR = 3_600.0


class Stage(Enum):
    """Which command was refused; DATA stands for the command and for the mail itself."""

    MAIL = "M"
    RCPT = "R"
    DATA = "D"


class _Means(Enum):
    LOGIN = "log in"
    SENDER = "another sender"
    HOST = "another server"
    HARD = "no such address"
    SOFT = "refused"
    BLOCKED = "blocked"
    LATER = "later"
    DOWN = "nobody just now"
    LIMIT = "limit reached"


@dataclass(frozen=True, slots=True)
class _Row:
    means: _Means
    reply: str
    """Matches "code status" ("550 5.1.1", or "550 -" without an enhanced status)."""
    words: str = ""
    stages: str = "MRD"


_SPAM = (
    r"\bspam|\bpolicy|\bblock(ed|list)|black ?list|deny ?list|\bdnsbl|\brbls?\b|reputation|\bjunk"
    r"|unsolicited|\bspf\b|\bdkim\b|\bdmarc\b|\bvirus|malware|phish|\bbanned|listed (at|by|in|on)\b"
)
_NOBODY = (
    r"(user|mailbox|recipient|account|address)\b.{0,60}?"
    r"(unknown|not found|does(n'?t| not) exist|disabled|inactive|invalid|no longer)"
    r"|(unknown|no such|invalid|non-?existent) (local )?(user|mailbox|recipient|account|address)"
)
_NO_RELAY = r"relay\w* .{0,30}(denied|prohibited|not (permitted|allowed))|to relay\b"
_NOT_YOU = r"not owned by|send ?as ?denied|not allowed to send (as|from)|(sender|from) address .*(reject|den)"
_QUOTA = r"(daily|hourly|sending|outgoing) .{0,20}(limit|quota)"

_TABLE = (
    _Row(_Means.LIMIT, r"[45]", _QUOTA),
    _Row(_Means.LIMIT, r"... 5\.4\.5\Z"),  # Gmail: daily user sending limit exceeded
    _Row(_Means.DOWN, r"4(?!52).. ", stages="M"),  # 452 may be about this mail's size
    _Row(_Means.LATER, r"4"),
    # About the account, whoever the recipient is.
    _Row(_Means.LOGIN, r"53[0458] |... 5\.7\.(8|9|11|57)\Z"),
    _Row(_Means.LOGIN, r"5", r"authentication (is )?required|must authenticate"),
    _Row(_Means.LOGIN, r"5", _NO_RELAY),
    _Row(_Means.SENDER, r"... 5\.1\.[78]\Z|... 5\.7\.60\Z|... 5\.2\.252\Z"),
    _Row(_Means.SENDER, r"5", _NOT_YOU),
    _Row(_Means.HOST, r"5", r"(client host|helo command) rejected"),
    # About this mail, or this recipient.
    _Row(_Means.SOFT, r"552 (?!5\.7)|... 5\.(2\.3|3\.4)\Z"),  # too big, or the mailbox is full
    _Row(_Means.HOST, r"5", _SPAM, stages="M"),
    _Row(_Means.SENDER, r"5", stages="M"),
    _Row(_Means.BLOCKED, r"... 5\.7\."),
    _Row(_Means.HARD, r"... 5\.1\.([1-6]|10)\Z|... 5\.2\.1\Z|... 5\.4\.(4|310)\Z"),
    _Row(_Means.BLOCKED, r"5", _SPAM),
    _Row(_Means.HARD, r"... 5\.1\."),
    _Row(_Means.SOFT, r"... 5\.2\.2\Z"),  # the mailbox is full
    _Row(_Means.HARD, r"5", _NOBODY),
    _Row(_Means.HARD, r"... 5\.4\.1\Z", r"recipient address rejected"),  # Exchange Online
    # Outlook.com says 5.5.0 of mailboxes that are not there; 556 is a domain that takes no mail.
    _Row(_Means.HARD, r"(501|521|55[0136]) (-|5\.[05]\.0)\Z", stages="R"),
    _Row(_Means.SOFT, r"5"),  # a refusal of the mail itself says nothing about the address
)

_STATUS = re.compile(r"(?<![\d.])([45])\.(\d{1,3})\.(\d{1,3})(?!\.?\d)")
_WAIT = re.compile(
    r"\b(?:in|after|for|wait)\s+(?:(\d{1,2}):(\d\d):(\d\d)|(\d{1,6})\s*(s|sec|m|min|h)(?:onds?|inutes?|ours?|s)?\b)",
    re.IGNORECASE,
)
_SECONDS = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600}


def refusal(stage: Stage, code: int, words: str) -> ProviderError:
    """The error a negative reply stands for. `words` as received, on one or several lines."""
    status = enhanced_status(code, words)
    reply = f"{code} {status or '-'}"
    stages = (
        row.means
        for row in _TABLE
        if stage.value in row.stages
        and re.match(row.reply, reply)
        and (not row.words or re.search(row.words, words, re.IGNORECASE | re.DOTALL))
    )
    return _error(next(stages, _Means.DOWN), said(f"{code} {words}"), words)


def enhanced_status(code: int, words: str) -> str | None:
    """The RFC 3463 status in a reply, which some servers put in brackets or at the end."""
    for found in _STATUS.finditer(words):
        if found[1] == str(code)[0]:
            return found[0]
    return None


def wait_seconds(words: str) -> float | None:
    """How long a server asks to wait, as greylisting ones say it; at most a day."""
    found = _WAIT.search(words)
    if not found:
        return None
    if found[1]:
        seconds = int(found[1]) * 3600 + int(found[2]) * 60 + int(found[3])
    else:
        seconds = int(found[4]) * _SECONDS[found[5].lower()]
    return min(float(seconds), _A_DAY)


def _error(means: _Means, line: str, words: str) -> ProviderError:
    match means:
        case _Means.LATER:
            return TryLater(line, after=wait_seconds(words))
        case _Means.DOWN:
            return Unavailable(line, after=wait_seconds(words))
        case _Means.LIMIT:
            return Unavailable(line, after=_AN_HOUR)
        case _Means.HARD | _Means.SOFT:
            return Refused(line, hard=means is _Means.HARD)
        case _Means.BLOCKED:
            return Blocked(line)
        case _Means.LOGIN | _Means.SENDER | _Means.HOST:
            what, fix = _TO_MEND[means]
            return Misconfigured(f"{what}: {line}", fix=fix)


_TO_MEND = {
    _Means.LOGIN: (
        "The mail server asks for a login",
        "Set username in [providers.smtp], and see that host is your own provider's.",
    ),
    _Means.SENDER: (
        "The mail server does not take mail from this sender",
        "Set email in [sender] to an address this account may send from.",
    ),
    _Means.HOST: (
        "The mail server does not take mail from this computer",
        "Set host in [providers.smtp] to your own provider's server, and log in there.",
    ),
}

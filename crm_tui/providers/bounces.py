"""What mail systems say about a mail of ours: delivery reports, bounces of their own making, complaints.

Follows RFC 3464 (delivery status), RFC 3463 (status codes), RFC 5965 (feedback reports) and, for those
who follow none, the habits of qmail, Exim, old Exchange and Yahoo. Addresses are only given up (hard)
where the words or codes are about the address; a refusal of the mail itself, or of its sender, says
nothing about whether the address is good.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from crm_tui.providers.mime import Fields, Part, clean, every, first, header, parse_fields, words

_RESULTS = 50
_IDS = 50
_REPORT_BYTES = 256 * 1024


class Delivery(StrEnum):
    """What became of one mail to one address."""

    HARD = "hard"
    SOFT = "soft"
    DEFERRED = "deferred"
    DELIVERED = "delivered"


@dataclass(frozen=True, slots=True)
class Result:
    """What a mail system says of one address; `recipient` is "" where it does not name it.

    `reason` is a sentence of ours, `said` the server's own words.
    """

    recipient: str
    delivery: Delivery
    reason: str
    status: str = ""
    said: str = ""


# -- judging codes and words -----------------------------------------------------------------------

_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_REPLY_CODE = re.compile(r"(?<![\d.@:])([45]\d\d)(?=[ \-#:])")
_NO_SUCH = re.compile(
    r"user (?:is )?unknown|unknown (?:user|recipient|address|mailbox)|no such (?:user|mailbox|recipient|"
    r"address|person|account|domain|host)|(?:does ?n[o']t|does not) (?:exist|have an? )|no mailbox here|"
    r"mailbox (?:not found|unavailable|unknown|does ?n[o']t|is disabled|has been disabled)|not a valid mailbox|"
    r"address (?:not found|could ?n['o]t be found|unknown)|recipient (?:not found|unknown)|recipnotfound|"
    r"recipient address rejected: (?:access denied|user|undeliverable)|unrouteable|unroutable|"
    r"invalid (?:recipient|mailbox|address)|user not found|not our customer|"
    r"account (?:that you tried to reach )?(?:has been |is )?(?:disabled|closed|deleted|inactive)|"
    r"(?:host|domain)(?: or domain name)? (?:unknown|not found)|could ?n['o]t be found|nullmx|"
    r"does not accept mail|benutzer unbekannt|unbekannter empf|destinataire inconnu|usuario desconocido",
    re.IGNORECASE,
)
_FULL = re.compile(
    r"mailbox (?:is |was )?(?:over)?full|over ?quota|quota exceeded|exceed\w* (?:\w+ ){0,3}quota|"
    r"insufficient (?:system )?storage|out of (?:storage|space)|inbox is (?:full|out)|mailbox size limit|"
    r"postfach (?:ist )?voll|boîte (?:aux lettres )?pleine",
    re.IGNORECASE,
)
_BLOCKED = re.compile(
    r"\bspam|\bspf\b|\bdkim\b|\bdmarc\b|polic(?:y|ies)|block(?:ed|ing|list)|block list|black ?list|banned|"
    r"reputation|unsolicited|rate limit|too many|too (?:fast|high)|greylist|sender (?:address )?(?:rejected|denied|"
    r"not)|bad sender|content rejected|abus(?:e|ive)|listed (?:at|by|in|on)|\brbl\b|spamhaus|not authori[sz]ed|virus",
    re.IGNORECASE,
)
_WAITING = re.compile(
    r"(?:has been |was |is |be )delayed|delay(?:ed)? (?:delivery|mail|\(|in)|delivery (?:is )?delayed|still (?:being )?"
    r"(?:retried|trying)|will (?:keep|continue|be retried)|not yet been delivered|do not need to re-?send|"
    r"no action is required|warning: (?:could not send|message)",
    re.IGNORECASE,
)
_ABOUT_ADDRESS = frozenset({"5.2.1", "5.4.4"})
_ABOUT_SENDER = frozenset({"5.1.7", "5.1.8"})
_DONE = frozenset({"delivered", "relayed", "expanded"})


def judge(action: str, status: str, said: str) -> tuple[Delivery, str]:
    """What an action, a status code and the server's words mean for the address, and why in words."""
    if action in _DONE:
        return Delivery.DELIVERED, "delivered" if action == "delivered" else "handed on"
    if action == "delayed":
        return Delivery.DEFERRED, "not delivered yet; the server keeps trying"
    enhanced = _STATUS.search(said)
    if enhanced and (not status or status.endswith(".0.0")):
        status = enhanced[0]
    code = _REPLY_CODE.search(said)
    if status.startswith("2."):
        return Delivery.DELIVERED, "delivered"
    if status.startswith("4.") or (not status and code and code[1].startswith("4")):
        full = status == "4.2.2" or _FULL.search(said)
        return Delivery.SOFT, "the mailbox is full" if full else "the server gave up trying"
    return _judge_refusal(status, said, code[1] if code else "")


def _judge_refusal(status: str, said: str, code: str) -> tuple[Delivery, str]:
    refused = Delivery.SOFT, "the server refused the mail, not the address"
    gone = Delivery.HARD, _gone(status)
    about_address = status in _ABOUT_ADDRESS or (
        status.startswith("5.1.") and status not in _ABOUT_SENDER
    )
    blocked = bool(_BLOCKED.search(said))
    # The first that holds decides.
    rules = (
        (status == "5.2.2" or _FULL.search(said), (Delivery.SOFT, "the mailbox is full")),
        (status == "5.3.4", (Delivery.SOFT, "the mail is too big for the server")),
        (status == "5.1.0" and blocked, refused),
        (about_address or (code == "550" and "5.1.1" in said), gone),
        (status.startswith("5.7.") or status in _ABOUT_SENDER, refused),
        (_NO_SUCH.search(said), gone),
        (blocked, refused),
        (status in {"", "5.0.0", "5.5.0"} and code in {"550", "551", "553"}, gone),
        (status.startswith("5.4."), (Delivery.SOFT, "the server could not be reached in time")),
    )
    otherwise = Delivery.SOFT, "the mail was not delivered"
    return next((verdict for holds, verdict in rules if holds), otherwise)


def _gone(status: str) -> str:
    if status in {"5.1.2", "5.4.4", "5.1.10"}:
        return "the domain takes no mail"
    return "the mailbox is switched off" if status == "5.2.1" else "there is no such mailbox"


# -- delivery reports ------------------------------------------------------------------------------


def delivery_results(mail: Part) -> tuple[Result, ...] | None:
    """What a delivery report says of each recipient; None where the mail is none (RFC 3464)."""
    report = mail.kind == "multipart/report" and mail.parameters.get("report-type", "").lower() in {
        "delivery-status",
        "",
    }
    if not report and not _from_machine(mail.fields):
        return None
    part = next((p for p in mail.walk() if p.kind.endswith("/delivery-status")), None)
    # Without its machine-readable part a report is read like a bounce that follows no standard.
    return None if part is None else tuple(_results(part.text(_REPORT_BYTES)))


def _results(text: str) -> list[Result]:
    results = []
    blocks = re.split(r"\n[ \t]*\n+", text.strip("\n"), maxsplit=_RESULTS * 2)
    for block in blocks[:_RESULTS]:
        fields = parse_fields(block.encode("utf-8", "replace"))
        recipient = _typed(first(fields, "final-recipient")) or _typed(
            first(fields, "original-recipient")
        )
        action = first(fields, "action").strip().lower()
        if not recipient and not action:
            continue  # the block about the mail as a whole
        code = _STATUS.search(first(fields, "status"))
        said = words(_typed(first(fields, "diagnostic-code")))
        delivery, reason = judge(action, code[0] if code else "", said)
        address = _typed(first(fields, "original-recipient")) or recipient
        results.append(
            Result(_address(address), delivery, reason, code[0] if code else "", said[:500])
        )
    return results


def _typed(value: str) -> str:
    """The value behind its type: "rfc822; ann@example.com"."""
    kind, mark, rest = value.partition(";")
    return (rest if mark and " " not in kind.strip() else value).strip()


# -- bounces that follow no standard ---------------------------------------------------------------

_DAEMON = re.compile(
    r"(?:^|[<\s\"])(mailer-daemon|postmaster)@|^\s*(?:mailer-daemon|postmaster)\s*$|<>",
    re.IGNORECASE,
)
_RETURNED = re.compile(
    r"undeliver|returned (?:mail|to sender)|delivery (?:\w+ )?(?:fail|problem|error|status|has failed|notification)|"
    r"fail(?:ure|ed) (?:notice|to deliver|delivery)|could ?n[o']t be delivered|could not be delivered|unzustellbar|"
    r"nicht zugestellt|mail delivery|message delay|delayed|non (?:remis|distribu)|mancata consegna|no se pudo entregar|"
    r"unable to deliver|wasn't delivered|αποτυχία παράδοσης",
    re.IGNORECASE,
)
_COPY = re.compile(
    r"^\W*(?:below this line is (?:a|the) copy|(?:this is|the following is) a copy of|"
    r"(?:the )?header of the original|original message (?:follows|headers?)|original message|"
    r"the (?:body|text|headers) of (?:the|your) (?:original )?message|return-path:|received:|message-id:)",
    re.IGNORECASE | re.MULTILINE,
)
_NAMED = re.compile(r"(?<![\w.+-])([\w.+%~-]{1,64}@[\w.-]{1,255}\.[\w-]{2,63})(?![\w@])")
_ID = re.compile(r"<[^<>\s@]{1,250}@[^<>\s@]{1,250}>")
_ID_LINE = re.compile(
    r"^[>\s]{0,20}message-id:\s{0,10}(<[^<>\s@]{1,250}@[^<>\s@]{1,250}>)",
    re.IGNORECASE | re.MULTILINE,
)


def _from_machine(fields: Fields) -> bool:
    return bool(_DAEMON.search(first(fields, "from")))


def returned(fields: Fields, text: str) -> str | None:
    """Why a mail that is no delivery report is still a bounce; None if it is none.

    A null return path alone is not enough: automatic answers have it too (RFC 3834, section 3.3).
    """
    if first(fields, "x-failed-recipients"):
        return "X-Failed-Recipients"
    sender = first(fields, "from")
    if "mailer-daemon" in sender.lower():
        return "sent by mailer-daemon"
    null = any(path.strip() == "<>" for path in every(fields, "return-path"))
    if not null and not _DAEMON.search(sender):
        return None
    if _RETURNED.search(words(first(fields, "subject"))) or _RETURNED.search(text[:2000]):
        return "sent by a mail system, about a mail that was not delivered"
    return None


def read_returned(fields: Fields, text: str) -> tuple[Result, ...]:
    """The results that can be read out of a bounce without a machine-readable part."""
    copy = _COPY.search(text)
    # What follows is our own mail: its words say nothing about what the server thinks.
    about = text[: copy.start()] if copy else text
    about = about[:8000]
    failed = [
        _address(a) for a in " ".join(every(fields, "x-failed-recipients")).split(",") if a.strip()
    ]
    sender = first(fields, "from").lower()
    own = " ".join(every(fields, "to", "delivered-to")).lower()
    named = (a for a in _NAMED.findall(about) if a.lower() not in own and a.lower() not in sender)
    recipients = failed or [a for a in named if "daemon" not in a.lower()][:1] or [""]
    subject = words(first(fields, "subject"))
    code = _STATUS.search(about)
    said = _telling_line(about)
    if _WAITING.search(subject) or _WAITING.search(about):
        delivery, reason = judge("delayed", "", said)
    else:
        delivery, reason = judge("failed", code[0] if code else "", about)
    status = code[0] if code else ""
    return tuple(Result(r, delivery, reason, status, said) for r in dict.fromkeys(recipients))[
        :_RESULTS
    ]


def _telling_line(text: str) -> str:
    """The line that says most about why: with a code, else with words we know, else the first."""
    lines = [line.strip() for line in text.split("\n") if line.strip()][:200]
    for telling in (_STATUS, _REPLY_CODE, _NO_SUCH, _FULL, _BLOCKED):
        for line in lines:
            if telling.search(line):
                return clean(line)[:500]
    return clean(lines[0])[:500] if lines else ""


# -- complaints ------------------------------------------------------------------------------------


def feedback(mail: Part) -> Fields | None:
    """The machine-readable part of a feedback report (RFC 5965); None where the mail is none."""
    if mail.parameters.get("report-type", "").lower() != "feedback-report":
        return None
    part = next((p for p in mail.walk() if p.kind == "message/feedback-report"), None)
    return {} if part is None else parse_fields(part.decoded(_REPORT_BYTES))


# -- which mail it is about ------------------------------------------------------------------------

# The systems that give a mail an identity of their own keep ours beside it.
_OWN_IDS = (
    "message-id",
    "x-microsoft-original-message-id",
    "x-google-original-message-id",
    "x-original-message-id",
)


def original(mail: Part) -> Fields:
    """The header of the mail a report is about, from whichever part carries it."""
    for part in mail.walk():
        if part is mail:
            continue
        if part.kind in {
            "message/rfc822",
            "message/global",
            "text/rfc822-headers",
            "message/global-headers",
        }:
            block, _ = header(part.decoded(_REPORT_BYTES).lstrip(b"\r\n"))
            if fields := parse_fields(block):
                return fields
    return {}


def own_ids(fields: Fields) -> list[str]:
    """The identities of a mail by its header, ours first."""
    return [found for value in every(fields, *_OWN_IDS) for found in _ID.findall(value)]


def ids_in_text(text: str) -> list[str]:
    """Every Message-ID in a text, those on a line of their header first."""
    return [*_ID_LINE.findall(text)[:_IDS], *_ID.findall(text)[:_IDS]]


def _address(value: str) -> str:
    named = _NAMED.search(value)
    return named[1] if named else clean(value).strip(" <>")[:320]

"""A mail as the bytes that travel: RFC 5322 and MIME, 7-bit, lines of at most 998 octets.

The lines are put together here, with the standard library's encoders for words, dates and bodies,
rather than by email.message: its parsing of every header it is given and its generator take
2-4 ms for a mail of this size, 10 times as long as sending it over loopback (docs/decisions/0026).
The tests read every mail back with the standard library's strict parser.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from email.header import Header
from email.utils import format_datetime
from functools import lru_cache
from html import escape

import idna

from crm_tui.providers.base import OutgoingMail, Unsendable
from crm_tui.text import visible

_CRLF = "\r\n"
_LONGEST_LINE = 998  # RFC 5322, 2.1.1, without the line's end
_WIDTH = 78
# What ends a line or is no text: C0, DEL, C1, the separators of Unicode, and halves of pairs.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_CONTROL_IN_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_ATEXT = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~\-"
_LOCAL = re.compile(rf"[{_ATEXT}]+(?:\.[{_ATEXT}]+)*")
_LOCAL_UTF8 = re.compile(rf"[{_ATEXT}\u00a1-\U0010ffff]+(?:\.[{_ATEXT}\u00a1-\U0010ffff]+)*")
_DOMAIN = re.compile(
    r"(?=.{4,253}\Z)(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9-]{2,63}"
)
_MESSAGE_ID = re.compile(r"<[!-;=?-~]+@[!-;=?-~]+>")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-;=?-~]+")
_PLAIN_NAME = re.compile(rf"[{_ATEXT} ]*")
_LINK = re.compile(r"https?://[^\s<>\"]*[^\s<>\".,;:!?)\]']")


def html_part(mail: OutgoingMail) -> str:
    """The HTML of a mail; of one that has none, its text as it stands, with links to be clicked."""
    if mail.html is not None:
        return mail.html
    parts, end = [], 0
    for link in _LINK.finditer(mail.text):
        url = escape(link[0])
        parts += [escape(mail.text[end : link.start()]), f'<a href="{url}">{url}</a>']
        end = link.end()
    parts.append(escape(mail.text[end:]))
    return f'<html><body><div style="white-space: pre-wrap">{"".join(parts)}</div></body></html>'


def build(mail: OutgoingMail, *, utf8: bool = False) -> bytes:
    """The mail as it travels, the same bytes for the same mail.

    `utf8` writes addresses beyond ASCII as they are, for servers that take SMTPUTF8 (RFC 6531).

    Raises:
        Unsendable: an address or a header holds what must not stand there.
    """
    lines = [
        f"From: {_mailbox('From', mail.sender_name, address(mail.sender, utf8=utf8))}",
        f"To: {address(mail.to, utf8=utf8)}",
        f"Subject: {_words('Subject', _one_line('subject', mail.subject))}",
        f"Date: {format_datetime(mail.date)}",
        f"Message-ID: {_message_id(mail.message_id)}",
    ]
    if mail.reply_to:
        lines.append(f"Reply-To: {address(mail.reply_to, utf8=utf8)}")
    if mail.in_reply_to:
        lines.append(f"In-Reply-To: {_message_id(mail.in_reply_to)}")
    if mail.references:
        lines.append(f"References: {_folded(_message_id(one) for one in mail.references)}")
    if mail.list_unsubscribe:
        lines.append(f"List-Unsubscribe: {_folded(_uris(mail.list_unsubscribe))}")
    lines.append("MIME-Version: 1.0")
    text = _part("plain", _sound("text", mail.text))
    if mail.html is None:
        lines.append(text)
    else:
        html = _part("html", _sound("HTML", mail.html))
        edge = _boundary(mail.message_id, text + html)
        lines += [
            f'Content-Type: multipart/alternative; boundary="{edge}"',
            f"{_CRLF}--{edge}",
            text + f"--{edge}",
            html + f"--{edge}--{_CRLF}",
        ]
    return _CRLF.join(lines).encode("utf-8" if utf8 else "ascii")


def needs_utf8(mail: OutgoingMail) -> bool:
    """Whether an address has letters beyond ASCII before its @: few servers take such mail."""
    written = (mail.sender, mail.to, mail.reply_to or "")
    return any(not one.rpartition("@")[0].isascii() for one in written)


@lru_cache(maxsize=512)  # the sender's comes several times in every mail
def address(written: str, *, utf8: bool = False) -> str:
    """A bare address, ready for a header or a command, its domain in ASCII (IDNA 2008).

    Raises:
        Unsendable: it is no address, or needs `utf8`.
    """
    local, at, domain = _one_line("address", written).strip().rpartition("@")
    if not at or not (_LOCAL_UTF8 if utf8 else _LOCAL).fullmatch(local):
        if at and _LOCAL_UTF8.fullmatch(local):
            raise Unsendable(
                f"{visible(written)} has letters beyond ASCII before the @,"
                " which this mail server does not take (no SMTPUTF8); use another address."
            )
        raise Unsendable(f"{visible(written, 100)!r} is not an e-mail address.")
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode("ascii")
        except idna.IDNAError:
            domain = ""
    if not _DOMAIN.fullmatch(domain) or len(local.encode()) > 64:
        raise Unsendable(f"{visible(written, 100)!r} is not an e-mail address.")
    return f"{local}@{domain}"


def _one_line(what: str, value: str) -> str:
    """The value, if it holds nothing that could end its line and begin another header."""
    found = _CONTROL.search(value)
    if found:
        raise Unsendable(
            f"The {what} contains a line break or control character (U+{ord(found[0]):04X});"
            " take it out."
        )
    return value


def _sound(what: str, value: str) -> str:
    found = _CONTROL_IN_TEXT.search(value)
    if found:
        raise Unsendable(
            f"The {what} contains a control character (U+{ord(found[0]):04X}); take it out."
        )
    return value


@lru_cache(maxsize=16)  # the sender is the same in every mail of a campaign
def _mailbox(header: str, name: str, bare: str) -> str:
    name = _one_line("sender's name", name).strip()
    if not name:
        return bare
    if not _PLAIN_NAME.fullmatch(name) or "=?" in name:
        if name.isascii() and len(name) < _WIDTH and "=?" not in name:
            escaped = name.replace("\\", r"\\").replace('"', r"\"")
            name = f'"{escaped}"'
        else:
            name = _encoded(header, name)
    return f"{name}{_CRLF} <{bare}>" if len(name) + len(bare) > _WIDTH - 9 else f"{name} <{bare}>"


def _words(header: str, value: str) -> str:
    """A header's text; encoded where it is not ASCII, too long for a line, or looks encoded."""
    if value.isascii() and len(header) + len(value) + 2 <= _WIDTH and "=?" not in value:
        return value
    return _encoded(header, value)


def _encoded(header: str, value: str) -> str:
    return Header(value, "utf-8", header_name=header, maxlinelen=75).encode(linesep=_CRLF)


def _message_id(value: str) -> str:
    if not _MESSAGE_ID.fullmatch(value) or len(value) > _LONGEST_LINE - 20:
        raise Unsendable(f"{visible(value, 100)!r} is not a Message-ID.")
    return value


def _uris(values: tuple[str, ...]) -> list[str]:
    for value in values:
        if not _URI.fullmatch(value) or len(value) > _LONGEST_LINE - 20:
            raise Unsendable(f"{visible(value, 100)!r} is not an address to unsubscribe at.")
    *others, last = (f"<{value}>" for value in values)
    return [*(f"{other}," for other in others), last]


def _folded(words: Iterable[str]) -> str:
    return f"{_CRLF} ".join(words)


def _part(subtype: str, text: str) -> str:
    """One body with its headers, every line ended by CRLF."""
    text = text.replace(_CRLF, "\n").replace("\r", "\n").replace("\n", _CRLF)
    if not text.endswith(_CRLF):
        text += _CRLF
    if text.isascii() and max(map(len, text.split(_CRLF))) <= _LONGEST_LINE:
        charset, encoding, body = "us-ascii", "7bit", text
    else:
        raw = text.encode()
        charset, encoding = "utf-8", "quoted-printable"
        body = binascii.b2a_qp(raw, istext=True).decode("ascii")
        if len(body) > 2 * len(raw):  # scripts beyond Latin: base64 is shorter
            encoding = "base64"
            body = base64.encodebytes(raw).decode("ascii").replace("\n", _CRLF)
    return (
        f'Content-Type: text/{subtype}; charset="{charset}"{_CRLF}'
        f"Content-Transfer-Encoding: {encoding}{_CRLF}{_CRLF}{body}"
    )


def _boundary(message_id: str, parts: str) -> str:
    """The line between the parts: from the Message-ID, and nowhere in the parts."""
    edge = message_id
    while True:
        edge = "=_" + hashlib.sha256(edge.encode()).hexdigest()[:32]
        if edge not in parts:
            return edge

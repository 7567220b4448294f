"""Reading a mailbox over IMAP (RFC 3501), without leaving a trace in it.

Folders are opened with EXAMINE and mails fetched with PEEK, so nothing is ever marked as read. Reading
is in two steps: `new` gives the headers of what came since a cursor, `body` one mail whole, so that
the caller decides by the header which mails it wants at all. Only `save` writes.
"""

from __future__ import annotations

import imaplib
import re
import ssl
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from types import TracebackType
from typing import Self, TypedDict

from crm_tui.config import ImapSettings
from crm_tui.providers.base import Misconfigured, Unavailable, said
from crm_tui.providers.imap_connection import Client, Connection
from crm_tui.providers.imap_folders import Folder, chosen, listed, quoted
from crm_tui.providers.incoming import Heading, read_headers
from crm_tui.providers.mime import HEADER_BYTES, MAIL_BYTES
from crm_tui.providers.secrets import Lookup, Secret

CHUNK = 50
START_BYTES = 256 * 1024
# Days are the server's own, in its own zone, and a folder that was made anew is read with a margin.
_MARGIN = timedelta(days=3)
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_UID = re.compile(rb"\bUID (\d+)", re.IGNORECASE)
_SIZE = re.compile(rb"\bRFC822\.SIZE (\d+)", re.IGNORECASE)
_FLAGS = re.compile(rb"\bFLAGS \(([^)]*)\)", re.IGNORECASE)
_RECEIVED = re.compile(
    rb'\bINTERNALDATE "\s?(\d{1,2})-(\w{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)"',
    re.IGNORECASE,
)
_BODY = re.compile(rb"\bBODY\[[^\]]*\](?:<\d+>)? ~?\{\d+\}$", re.IGNORECASE)


class Cursor(TypedDict):
    """How far a folder was read. UIDs mean something only together with their UIDVALIDITY."""

    uidvalidity: int
    last_uid: int


@dataclass(frozen=True, slots=True)
class Arrived:
    """A mail in a folder, by its header."""

    uid: int
    uidvalidity: int
    received: datetime
    """When the mailbox took it in, in UTC."""
    size: int
    heading: Heading


@dataclass(frozen=True, slots=True)
class Page:
    """Some of what came to a folder since a cursor, oldest first."""

    mails: tuple[Arrived, ...]
    cursor: Cursor | None
    """To be kept together with what was made of the mails; None where the folder cannot be opened."""
    more: bool
    """Whether to ask again at once."""
    anew: bool = False
    """The folder is read from its beginning, for the first time or because its numbers changed:
    mails known by their Message-ID come again."""
    refused: str = ""
    """Why the folder could not be opened, in the server's words."""


@dataclass(frozen=True, slots=True)
class Body:
    """A mail as received, or its first part where it is too big to be kept."""

    raw: bytes
    whole: bool


class Mailbox:
    """The operator's mailbox, opened and closed as an async context manager, for one task at a time.

    A connection that breaks is opened again by the next call. `timeout`: seconds for each answer;
    `limit`: for one call.

    Raises:
        Misconfigured: the settings cannot work, whatever the server does.
    """

    def __init__(
        self,
        settings: ImapSettings,
        *,
        password: Secret | Lookup | None,
        tls: ssl.SSLContext | None = None,
        timeout: float = 30,
        limit: float = 300,
    ) -> None:
        self._wanted = settings.folders
        self.connection = Connection(settings, password, tls=tls, timeout=timeout, limit=limit)
        """What it is read over."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def open(self) -> None:
        """Connect and log in, unless that is done.

        Raises:
            Unavailable: the server is not there, or takes nobody just now.
            Misconfigured: it is there, but not as the settings say.
        """
        await self.connection.open()

    async def close(self) -> None:
        """Log out; a server that does not answer is simply left."""
        await self.connection.close()

    async def folders(self) -> list[Folder]:
        """The folders to be read: those in the settings, else all but drafts and trash.

        Raises:
            Unavailable, Misconfigured: as in `open`; a folder in the settings is not there.
        """
        everything = await self.all_folders()
        if not self._wanted:
            return chosen(everything, gmail="X-GM-EXT-1" in self.connection.capabilities)
        by_name = {f.name: f for f in everything}
        missing = [name for name in self._wanted if _named(name) not in by_name]
        if missing:
            raise Misconfigured(
                f"There is no folder {', '.join(missing)} in the mailbox.",
                fix=f"Set folders in [providers.imap] to some of: {', '.join(sorted(by_name))}.",
            )
        return [by_name[_named(name)] for name in self._wanted]

    async def all_folders(self) -> list[Folder]:
        """Every folder the server tells of.

        Raises:
            Unavailable, Misconfigured: as in `open`.
        """
        await self.open()
        special = "SPECIAL-USE" in self.connection.capabilities
        return await self.connection.call(lambda client: _list(client, special=special))

    async def new(self, folder: Folder, cursor: Cursor | None, *, since: date) -> Page:
        """The headers of up to 50 mails that came to a folder since the cursor; drafts left out.

        `since`: mails from long before that day cannot concern us and are not asked for.

        Raises:
            Unavailable, Misconfigured: as in `open`.
        """
        await self.open()
        return await self.connection.call(lambda client: _new(client, folder, cursor, since))

    async def body(self, folder: Folder, mail: Arrived) -> Body | None:
        """A mail whole, or its first 256 KB where it is over 5 MB; None if it is no longer there.

        Raises:
            Unavailable, Misconfigured: as in `open`.
        """
        await self.open()
        return await self.connection.call(lambda client: _body(client, folder, mail))

    async def contains(self, folder: Folder, message_id: str) -> bool:
        """Whether a folder holds a mail with this Message-ID: how an unclear send is looked up.

        Raises:
            Unavailable, Misconfigured: as in `open`.
        """
        await self.open()

        def look(client: Client) -> bool:
            if isinstance(_examine(client, folder), str):
                return False
            return _holds(client, message_id)

        return await self.connection.call(look)

    async def save(self, folder: Folder, raw: bytes, *, message_id: str, at: datetime) -> bool:
        """Put a mail of the operator's own into a folder, as read, unless it is there already.

        Returns whether it was put there. `at`: when it was sent, aware.

        Raises:
            Unavailable: the server does not take it, besides what `open` raises.
            Misconfigured: as in `open`.
        """
        await self.open()
        saved = await self.connection.call(
            lambda client: _save(client, folder, raw, message_id, at)
        )
        if isinstance(saved, str):
            name = self.connection.name
            raise Unavailable(f"{name} saves no mail in {folder.name}: {saved}")
        return saved


def _named(name: str) -> str:
    return "INBOX" if name.upper() == "INBOX" else name


# -- one exchange each, in the connection's thread -----------------------------------------------


def _list(client: Client, *, special: bool) -> list[Folder]:
    if special:
        try:
            status, answer = client.list('""', '"*" RETURN (SPECIAL-USE)')
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error:  # SPECIAL-USE without LIST-EXTENDED: told without being asked
            status, answer = "NO", []
        if status == "OK" and (folders := listed(answer)):
            return folders
    _, answer = client.list('""', '"*"')
    return listed(answer)


def _examine(client: Client, folder: Folder) -> tuple[int, int | None] | str:
    """UIDVALIDITY and UIDNEXT of a folder just opened, or why it cannot be opened."""
    status, answer = client.select(folder.quoted, readonly=True)
    if status != "OK":
        return _said(answer)
    return _number(client, "UIDVALIDITY") or 0, _number(client, "UIDNEXT")


def _said(answer: Iterable[object]) -> str:
    """The words of a server that does not do as asked."""
    words = b" ".join(one for one in answer if isinstance(one, bytes))
    return said(words.decode("utf-8", "replace"))


def _number(client: Client, code: str) -> int | None:
    values = [one for one in client.response(code)[1] if isinstance(one, bytes) and one.isdigit()]
    return int(values[-1]) if values else None


def _search(client: Client, criteria: str) -> list[int]:
    status, answer = client.uid("SEARCH", criteria)
    if status != "OK":
        raise client.error(f"SEARCH {criteria}: {answer}")
    words = b" ".join(one for one in answer if isinstance(one, bytes)).split()
    return sorted({int(word) for word in words if word.isdigit()})


def _holds(client: Client, message_id: str) -> bool:
    """Whether there is a mail with this Message-ID in the folder that is open."""
    return bool(_search(client, f"HEADER Message-ID {quoted(message_id)}"))


def _save(client: Client, folder: Folder, raw: bytes, message_id: str, at: datetime) -> bool | str:
    """Whether it was put there, or why it cannot be."""
    opened = _examine(client, folder)
    if isinstance(opened, str):
        return opened or "no reason given"
    if _holds(client, message_id):
        return False
    status, answer = client.append(folder.quoted, r"(\Seen)", at, raw)
    return status == "OK" or _said(answer) or "no reason given"


def _new(client: Client, folder: Folder, cursor: Cursor | None, since: date) -> Page:
    opened = _examine(client, folder)
    if isinstance(opened, str):
        return Page((), cursor, more=False, refused=opened or "no reason given")
    validity, following = opened
    anew = cursor is None or cursor["uidvalidity"] != validity
    last = 0 if cursor is None or anew else cursor["last_uid"]
    if following == last + 1 and not anew:
        return Page((), cursor, more=False)
    # "n:*" gives the last mail even where n lies behind it (RFC 3501, 6.4.8), hence the comparison.
    day = since - _MARGIN
    found = _search(client, f"UID {last + 1}:* SINCE {day.day}-{_MONTHS[day.month - 1]}-{day.year}")
    uids = [uid for uid in found if uid > last]
    chunk = uids[:CHUNK]
    mails = _headers(client, chunk, validity, datetime.combine(since, time(), UTC)) if chunk else ()
    reached = Cursor(uidvalidity=validity, last_uid=chunk[-1] if chunk else last)
    return Page(tuple(mails), reached, more=len(uids) > CHUNK, anew=anew)


def _headers(
    client: Client, uids: Sequence[int], validity: int, otherwise: datetime
) -> list[Arrived]:
    what = f"(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER]<0.{HEADER_BYTES}>)"
    mails = []
    for uid, about, header in _fetch(client, uids, what):
        flags = _FLAGS.search(about)
        if flags and b"\\draft" in flags[1].lower():
            continue
        heading = read_headers(header)
        size = _SIZE.search(about)
        received = _received(about) or heading.date or otherwise
        mails.append(Arrived(uid, validity, received, int(size[1]) if size else 0, heading))
    return sorted(mails, key=lambda mail: mail.uid)


def _body(client: Client, folder: Folder, mail: Arrived) -> Body | None:
    opened = _examine(client, folder)
    if isinstance(opened, str) or opened[0] != mail.uidvalidity:
        return None
    # The size a server tells is not always the one it sends.
    limit = MAIL_BYTES if mail.size <= MAIL_BYTES else START_BYTES
    for _, _, raw in _fetch(client, [mail.uid], f"(UID BODY.PEEK[]<0.{limit}>)"):
        return Body(raw[:limit], whole=mail.size <= limit and len(raw) < limit)
    return None


def _fetch(client: Client, uids: Sequence[int], what: str) -> Iterator[tuple[int, bytes, bytes]]:
    """UID, the attributes and the bytes asked for, of those mails that are still there."""
    status, answer = client.uid("FETCH", ",".join(map(str, uids)), what)
    if status != "OK" and len(uids) > 1:
        # One mail the server cannot read must not keep the others from being read.
        for uid in uids:
            yield from _fetch(client, [uid], what)
        return
    wanted = set(uids)
    for about, raw in _answers(answer):
        number = _UID.search(about)
        if number and raw is not None and int(number[1]) in wanted:
            wanted.discard(int(number[1]))
            yield int(number[1]), about, raw


def _answers(answer: Iterable[object]) -> Iterator[tuple[bytes, bytes | None]]:
    """FETCH lines as imaplib hands them over, as attributes and bytes.

    It gives pairs of what led up to a literal and the literal, then the rest of the line. What comes
    unasked (flags that changed) has no literal.
    """
    about, raw = b"", None
    for item in answer:
        if isinstance(item, tuple):
            before, literal = item[0], item[1]
            about += before
            if _BODY.search(before):
                raw = literal
        elif isinstance(item, bytes):
            yield about + item, raw
            about, raw = b"", None


def _received(about: bytes) -> datetime | None:
    match = _RECEIVED.search(about)
    if match is None:
        return None
    day, month, year, hour, minute, second, sign, hours, minutes = (
        g.decode() for g in match.groups()
    )
    offset = timedelta(hours=int(hours), minutes=int(minutes)) * (-1 if sign == "-" else 1)
    try:
        month_number = _MONTHS.index(month.title()) + 1
        zone = timezone(offset)
        local = datetime(
            int(year),
            month_number,
            int(day),
            int(hour),
            int(minute),
            min(int(second), 59),
            tzinfo=zone,
        )
        return local.astimezone(UTC)
    except (ValueError, OverflowError):
        return None

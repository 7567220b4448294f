"""Folders of a mailbox: how servers write their names, and which of them are read.

Names travel in a UTF-7 of IMAP's own (RFC 3501, 5.1.3). Which folder is for what, servers tell by
special-use attributes (RFC 6154); where they do not, the usual names in several languages have to do.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from crm_tui.providers.base import Misconfigured
from crm_tui.text import fold

_LISTED = re.compile(
    rb"\(([^()]*)\)\s+(NIL|\"(?:[^\"\\]|\\.)*\")\s+(.+)", re.DOTALL | re.IGNORECASE
)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_SHIFTED = re.compile(r"&([^-]*)-")
_UNSHIFTED = re.compile(r"[^\x20-\x7e]+|&")

_DRAFTS = frozenset(
    fold(name)
    for name in (
        "Drafts", "Draft", "Entwürfe", "Entwurf", "Brouillons", "Brouillon", "Borradores", "Bozze", "Concepten",
        "Rascunhos", "Πρόχειρα", "Szkice", "Kopie robocze", "Kladder", "Utkast", "Luonnokset", "Piszkozatok",
        "Koncepty", "Taslaklar", "Черновики",
    )
)  # fmt: skip
_TRASH = frozenset(
    fold(name)
    for name in (
        "Trash", "Deleted", "Deleted Items", "Deleted Messages", "Bin", "Papierkorb", "Gelöschte Elemente",
        "Gelöschte Objekte", "Gelöscht", "Corbeille", "Éléments supprimés", "Messages supprimés", "Papelera",
        "Elementos eliminados", "Cestino", "Posta eliminata", "Prullenbak", "Verwijderde items", "Lixeira",
        "Itens excluídos", "Κάδος", "Κάδος απορριμμάτων", "Κάδος ανακύκλωσης", "Διαγραμμένα", "Kosz",
        "Elementy usunięte", "Papperskorgen", "Papirkurv", "Slettet post", "Roskakori", "Lomtár", "Koš",
        "Çöp Kutusu", "Корзина", "Удаленные",
    )
)  # fmt: skip
_SENT = frozenset(
    fold(name)
    for name in (
        "Sent", "Sent Items", "Sent Mail", "Sent Messages", "Gesendet", "Gesendete Elemente", "Gesendete Objekte",
        "Gesendete Nachrichten", "Envoyés", "Éléments envoyés", "Messages envoyés", "Courrier envoyé", "Enviados",
        "Elementos enviados", "Correo enviado", "Inviata", "Posta inviata", "Verzonden", "Verzonden items",
        "Itens enviados", "Απεσταλμένα", "Wysłane", "Elementy wysłane", "Skickat", "Sendt", "Sendt post", "Lähetetyt",
        "Elküldött", "Odeslané", "Gönderilmiş Öğeler", "Отправленные",
    )
)  # fmt: skip
# Folders that only show what lies in others.
_VIEWS = frozenset({"\\flagged", "\\important"})
_CLOSED = frozenset({"\\noselect", "\\nonexistent"})
_ROOTS = frozenset({"inbox", "[gmail]", "[google mail]"})


@dataclass(frozen=True, slots=True)
class Folder:
    """One folder of a mailbox."""

    name: str
    """As a person reads it, with the server's own mark between its levels."""
    raw: str
    """As the server spells it."""
    uses: frozenset[str]
    """Its attributes in lower case, such as "\\sent"."""
    path: tuple[str, ...]
    """The levels of its name."""

    @property
    def quoted(self) -> str:
        """The name as a command takes it."""
        return quoted(self.raw)


def quoted(text: str) -> str:
    """A quoted string (RFC 3501); what cannot stand in one is left out."""
    kept = re.sub(r"[\x00\r\n]", "", text)
    return '"' + kept.replace("\\", "\\\\").replace('"', '\\"') + '"'


def listed(answer: Iterable[object]) -> list[Folder]:
    """The folders in an answer to LIST, as imaplib hands it over; other lines are passed over."""
    folders = []
    for item in answer:
        line = b"".join(item) if isinstance(item, tuple) else item
        if not isinstance(line, bytes):
            continue
        if isinstance(item, tuple):  # a name sent as a literal: the line ends in its length
            line = re.sub(rb"\{\d+\}$", b"", item[0]) + quoted(_latin(item[1])).encode("latin-1")
        if match := _LISTED.match(line):
            folders.append(_folder(match[1], match[2], match[3].strip()))
    return folders


def _folder(attributes: bytes, delimiter: bytes, name: bytes) -> Folder:
    raw = _latin(_unquoted(name))
    mark = "" if delimiter.upper() == b"NIL" else decoded(_latin(_unquoted(delimiter)))
    readable = "INBOX" if raw.upper() == "INBOX" else decoded(raw)
    path = tuple(readable.split(mark)) if mark else (readable,)
    return Folder(readable, raw, frozenset(_latin(attributes).lower().split()), path)


def _unquoted(value: bytes) -> bytes:
    if value[:1] == b'"' and value[-1:] == b'"' and len(value) > 1:
        return _ESCAPED.sub(rb"\1", value[1:-1])
    return value


def _latin(value: bytes) -> str:
    return value.decode("latin-1")


def chosen(folders: Sequence[Folder], *, gmail: bool) -> list[Folder]:
    """The folders to be read: all but drafts and trash, INBOX first.

    Gmail shows every mail once in "All Mail", archived ones only there; there, that and the junk are
    enough. With other servers a folder of all mails is not to be relied on and read like the rest.
    """
    readable = [f for f in folders if not f.uses & _CLOSED]
    everything = [f for f in readable if "\\all" in f.uses]
    if gmail and everything:
        return [*everything, *(f for f in readable if "\\junk" in f.uses)]
    left_out = [
        *_of_use(folders, "\\drafts", _DRAFTS),
        *_of_use(folders, "\\trash", _TRASH),
        *(f for f in folders if f.uses & _VIEWS),
    ]
    barred = tuple(f.path for f in left_out)
    kept = [f for f in readable if not any(f.path[: len(p)] == p for p in barred)]
    return sorted(kept, key=lambda f: f.name != "INBOX")


def folder_of_sent(folders: Sequence[Folder]) -> Folder:
    """The folder that mail which was sent is kept in.

    Raises:
        Misconfigured: there is none.
    """
    found = [f for f in _of_use(folders, "\\sent", _SENT) if not f.uses & _CLOSED]
    if not found:
        raise Misconfigured(
            "The mailbox has no folder for mail that was sent.",
            fix="Make one named Sent with your mail program, or take save_sent out of [providers.imap].",
        )
    return found[0]


def _of_use(folders: Sequence[Folder], use: str, names: frozenset[str]) -> list[Folder]:
    told = [f for f in folders if use in f.uses]
    return told or [f for f in folders if fold(f.path[-1]) in names and _near_root(f.path)]


def _near_root(path: tuple[str, ...]) -> bool:
    return len(path) == 1 or (len(path) == 2 and path[0].lower() in _ROOTS)


def decoded(raw: str) -> str:
    """A folder's name out of IMAP's UTF-7; one that is not written in it stays as it is."""
    return _SHIFTED.sub(_unshift, raw)


def _unshift(match: re.Match[str]) -> str:
    if not match[1]:
        return "&"
    data = match[1].replace(",", "/").encode("ascii", "replace")
    try:
        return binascii.a2b_base64(data + b"=" * (-len(data) % 4)).decode("utf-16-be")
    except (binascii.Error, UnicodeDecodeError):
        return match[0]


def encoded(name: str) -> str:
    """A folder's name in IMAP's UTF-7."""
    return _UNSHIFTED.sub(_shift, name)


def _shift(match: re.Match[str]) -> str:
    if match[0] == "&":
        return "&-"
    data = binascii.b2a_base64(match[0].encode("utf-16-be", "surrogatepass"), newline=False)
    return "&" + data.decode("ascii").rstrip("=").replace("/", ",") + "-"

"""A file to import, once it is known what it is: how to read it, and how far that has come."""

from __future__ import annotations

import codecs
import io
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal, Protocol, Self

CHUNK = 1 << 18
Layout = Literal["table", "json", "lines", "store"]


class Readable(Protocol):
    """What a JSON parser needs of a stream."""

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes, b"" at the end."""


@dataclass(slots=True)
class Source:
    """A file with a known format.

    Attributes:
        format: "outscraper", "gosom", "places", "csv", "crm-tui" or "legacy".
        layout: A table with delimiters, one JSON document, JSON lines, or a SQLite store.
        encoding: Python's name of it; undecodable bytes come out as lone surrogates.
        bom: Length in bytes of a byte order mark to skip.
        delimiter, quote: The dialect of a table.
        headers: The columns of a table, made unique; "Column 1" and so on without a header row.
        header_row: Which record of a table holds the headers, counted from 0; None without.
        broken: Whether some of its bytes are not text in that encoding.
        prefix: Where in a JSON document the records are, in ijson's notation.
    """

    path: Path
    size: int
    format: str
    layout: Layout
    encoding: str = "utf-8"
    bom: int = 0
    broken: bool = False
    delimiter: str = ","
    quote: str = '"'
    headers: tuple[str, ...] = ()
    header_row: int | None = 0
    prefix: str = ""
    _raw: io.FileIO | None = field(default=None, repr=False)
    _stream: io.IOBase | None = field(default=None, repr=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; reading it again opens it again."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def position(self) -> int:
        """How many of its `size` bytes have been read so far."""
        if self._raw is None:
            return 0
        return self.size if self._raw.closed else self._raw.tell()

    def text(self) -> io.TextIOWrapper:
        """The file as text with its line ends as they are."""
        wide = self.encoding.startswith("utf-16")
        errors = _MARK_BROKEN if wide else "surrogateescape"
        stream = io.TextIOWrapper(self._open(), self.encoding, errors=errors, newline="")
        self._stream = stream
        return stream

    def utf8(self) -> Readable:
        """The file as UTF-8 bytes, for JSON; what cannot be decoded becomes `LOST`."""
        whole = self.encoding == "utf-8" and not self.broken
        return self._open() if whole else _Recoded(self.text())

    def _open(self) -> io.BufferedReader:
        self.close()
        self._raw = io.FileIO(self.path)
        self._raw.seek(self.bom)
        stream: io.BufferedReader = io.BufferedReader(self._raw, CHUNK)
        self._stream = stream
        return stream


class _Recoded:
    """A text stream read as UTF-8 bytes."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text

    def read(self, size: int = -1, /) -> bytes:
        text = self._text.read(size)
        return BROKEN.sub(LOST, text).encode() if text else b""


BROKEN = re.compile("[\ud800-\udfff]")
"""What undecodable bytes look like in text: a surrogate, which no real text contains."""

LOST = "\ufdd0"
"""What stands for undecodable bytes in UTF-8: a character that Unicode keeps out of all text."""

_MARK_BROKEN = "crm-tui-mark-broken"


def _mark_broken(error: UnicodeError) -> tuple[str, int]:
    # The standard "surrogateescape" cannot mark bytes below 0x80, which broken UTF-16 may hold.
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\udc80", error.end


codecs.register_error(_MARK_BROKEN, _mark_broken)

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_NOT_CP1252 = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")


_WORTH = 20


def detect_encoding(file: BinaryIO, head: bytes, *, unicode_only: bool) -> tuple[str, int, bool]:
    """The encoding of a text file, the length of its byte order mark, and whether it is broken.

    The whole file is looked at: a list may hold its first accent on its last page. Where some
    bytes are not UTF-8, it may still be UTF-8 with damage (it is, when `unicode_only`, as JSON is)
    or else what Windows calls Latin-1. Accents in Latin-1 next to never look like characters of
    UTF-8 by chance, so one of those outweighs `_WORTH` bytes that are none.
    """
    for mark, name in _BOMS:
        if head.startswith(mark):
            broken = name == "utf-8" and _count(file)[1] > 0
            return name, len(mark), broken
    pairs = len(head) // 2
    zeros_first, zeros_second = head[0 : 2 * pairs : 2].count(0), head[1 : 2 * pairs : 2].count(0)
    if zeros_second > pairs // 10 and zeros_first * 20 < zeros_second:
        return "utf-16-le", 0, False
    if zeros_first > pairs // 10 and zeros_second * 20 < zeros_first:
        return "utf-16-be", 0, False
    good, bad, latin = _count(file)
    if unicode_only or not bad or good * _WORTH >= bad:
        return "utf-8", 0, bad > 0
    return latin, 0, False


def _count(file: BinaryIO) -> tuple[int, int, str]:
    """How many characters beyond ASCII are UTF-8, how many bytes are not, and the other choice."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    good = bad = 0
    latin = "cp1252"
    file.seek(0)
    while chunk := file.read(CHUNK):
        if chunk.isascii() and not decoder.getstate()[0]:
            continue
        if _NOT_CP1252.search(chunk):
            latin = "latin-1"
        text = decoder.decode(chunk)
        broken = len(BROKEN.findall(text))
        bad += broken
        good += len(text) - len(text.encode("ascii", "ignore")) - broken
    bad += len(decoder.decode(b"", final=True))
    return good, bad, latin

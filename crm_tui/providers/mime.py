"""Reading mails that nobody vouches for, within bounds.

The parser of the standard library has no limits: a mail of five megabytes made of boundaries costs it
gigabytes of memory, and one nested a thousand deep raises RecursionError. Here a mail is read by
offsets into its own bytes; depth, parts, header and text are bounded, and whatever lies beyond the
bounds is not read. Nothing raises, whatever the bytes are: what cannot be understood reads as text.
"""

from __future__ import annotations

import binascii
import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.errors import HeaderParseError
from email.header import decode_header
from itertools import takewhile

MAIL_BYTES = 5 * 1024 * 1024
HEADER_BYTES = 256 * 1024
TEXT_BYTES = 64 * 1024
# How much of a part is decoded to find its text: markup and base64 are larger than what they say.
PART_BYTES = 512 * 1024
DEPTH = 20
PARTS = 200
_SAME_FIELD = 50
_VALUE_CHARS = 8 * 1024

_END_OF_HEADER = re.compile(rb"\r?\n\r?\n")
_NEWLINE = re.compile(rb"\r\n|\n|\r")
_FIELD = re.compile(rb"([!-9;-~]{1,100})[ \t]*:(.*)", re.DOTALL)
_PARAMETER = re.compile(r';\s*([\w-]{1,40})\*?\s*=\s*("(?:[^"\\]|\\.)*"|[^;\s]*)')
_BOUNDARY_TAIL = re.compile(rb"(--)?[ \t]*\r?(?:\n|\Z)")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")
_SPACES = re.compile(r"\s+")
# What no text needs: C0 but tab and newline, C1, and halves of surrogates, which UTF-7 can spell
# and no store can keep.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
# Python calls these text encodings too. No mail is written in them, and punycode decodes in the
# square of the length.
_NO_CHARSETS = frozenset({"idna", "punycode", "raw_unicode_escape", "undefined", "unicode_escape"})
# Written by programs that mean Windows-1252 or do not look at what they send.
_MISNAMED = frozenset({"ascii", "iso8859-1"})

Fields = dict[str, list[bytes]]


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a mail: its header, and where its body lies in the mail's bytes."""

    raw: bytes = field(repr=False)
    start: int
    end: int
    fields: Fields
    kind: str
    parameters: dict[str, str]
    children: tuple[Part, ...] = ()

    @property
    def attached(self) -> bool:
        """Whether it is meant to be saved rather than read."""
        return first(self.fields, "content-disposition").lower().startswith("attachment")

    def walk(self) -> Iterator[Part]:
        """This part and those in it, in order; a mail within the mail is one part, not opened."""
        yield self
        for child in self.children:
            yield from child.walk()

    def decoded(self, limit: int = PART_BYTES) -> bytes:
        """The body without its transfer encoding, from at most `limit` bytes of it."""
        body = self.raw[self.start : min(self.end, self.start + limit)]
        encoding = first(self.fields, "content-transfer-encoding").strip().lower()
        if encoding == "base64":
            body = _NOT_BASE64.sub(b"", body.split(b"=", 1)[0])
            body = body[: len(body) - 1] if len(body) % 4 == 1 else body
            return binascii.a2b_base64(body + b"=" * (-len(body) % 4))
        if encoding == "quoted-printable":
            return binascii.a2b_qp(body)
        return body

    def text(self, limit: int = PART_BYTES) -> str:
        """The body as text with plain newlines, in its charset or the likeliest one."""
        text = as_text(self.decoded(limit), self.parameters.get("charset"))
        return clean(text.replace("\r\n", "\n").replace("\r", "\n"))


def parse(raw: bytes) -> Part:
    """A mail as a tree of parts, read within the bounds above."""
    raw = raw[:MAIL_BYTES]
    return _part(raw, 0, len(raw), depth=DEPTH, budget=[PARTS], default="text/plain")


def parse_fields(block: bytes) -> Fields:
    """Header lines by lower-case name, unfolded; lines that are none are left out."""
    fields: Fields = {}
    current: list[bytes] = []
    for line in [*_NEWLINE.split(block[:HEADER_BYTES]), b""]:
        if line[:1] in {b" ", b"\t"} and current:
            current.append(line)
            continue
        if current and (match := _FIELD.match(b"".join(current))):
            values = fields.setdefault(match[1].decode("ascii").lower(), [])
            if len(values) < _SAME_FIELD:
                values.append(match[2].strip())
        current = [line]
    return fields


def header(raw: bytes, start: int = 0, end: int | None = None) -> tuple[bytes, int]:
    """The header block that begins at `start`, cut to its bound, and where the body begins."""
    end = len(raw) if end is None else end
    if raw.startswith((b"\n", b"\r\n"), start, end):
        return b"", raw.index(b"\n", start) + 1
    found = _END_OF_HEADER.search(raw, start, end)
    stop, body = (found.start(), found.end()) if found else (end, end)
    return raw[start : min(stop, start + HEADER_BYTES)], body


def first(fields: Fields, name: str) -> str:
    """The first value of a header field as written, or "" if there is none."""
    values = fields.get(name)
    return as_text(values[0], None)[:_VALUE_CHARS] if values else ""


def every(fields: Fields, *names: str) -> list[str]:
    """All values of these header fields as written."""
    return [as_text(value, None) for name in names for value in fields.get(name, ())]


def words(value: str) -> str:
    """A header value for reading: encoded words (RFC 2047) decoded, one line, no controls."""
    value = value[:_VALUE_CHARS]
    if "=?" in value:
        try:
            chunks = decode_header(value)
        except (HeaderParseError, ValueError):
            chunks = [(value, None)]
        value = "".join(_chunk(chunk, charset) for chunk, charset in chunks)
    return _SPACES.sub(" ", clean(value)).strip()


def clean(text: str) -> str:
    """Text without NUL, other control characters and halves of surrogates."""
    return _CONTROLS.sub("", text)


def as_text(data: bytes, charset: str | None) -> str:
    """Bytes as text: by the charset named if it fits them, else UTF-8, else Windows-1252."""
    if data.isascii() and not (charset and charset.lower().startswith(("utf-", "iso-2022", "hz"))):
        return data.decode("ascii")
    name = _codec(charset)
    for candidate in ("utf-8", name) if name in _MISNAMED or name is None else (name, "utf-8"):
        if candidate is not None and candidate not in _MISNAMED:
            try:
                return data.decode(candidate)
            except UnicodeError:
                continue
    # A text cut off in the middle of a character is still UTF-8.
    if name not in _MISNAMED and _nearly_utf8(data):
        return data.decode("utf-8", "replace")
    return data.decode("cp1252", "replace")


def _nearly_utf8(data: bytes) -> bool:
    try:
        data[:-3].decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start >= len(data) - 6
    return True


def _codec(charset: str | None) -> str | None:
    if not charset or not charset.isascii() or len(charset) > 40 or "\0" in charset:
        return None
    try:
        found = codecs.lookup(charset)
        b"x".decode(charset, "replace")  # refuses codecs that do not turn bytes into text
    except (LookupError, ValueError):
        return None
    name = found.name.replace("-", "_")
    return None if name in _NO_CHARSETS else found.name


def _chunk(chunk: bytes | str, charset: str | None) -> str:
    if isinstance(chunk, str):
        return chunk
    # The standard library hands the words between encoded ones over in this encoding.
    return chunk.decode("raw-unicode-escape") if charset is None else as_text(chunk, charset)


def _part(raw: bytes, start: int, end: int, *, depth: int, budget: list[int], default: str) -> Part:
    budget[0] -= 1
    block, body = header(raw, start, end)
    fields = parse_fields(block)
    kind, parameters = _content_type(first(fields, "content-type"), default)
    children: tuple[Part, ...] = ()
    boundary = parameters.get("boundary", "")
    if kind.startswith("multipart/") and boundary and depth and budget[0] > 0:
        inner = "message/rfc822" if kind == "multipart/digest" else "text/plain"
        children = tuple(
            _part(raw, a, b, depth=depth - 1, budget=budget, default=inner)
            for a, b in takewhile(lambda _: budget[0] > 0, _between(raw, body, end, boundary))
        )
    return Part(raw, body, end, fields, kind, parameters, children)


def _between(raw: bytes, start: int, end: int, boundary: str) -> Iterator[tuple[int, int]]:
    """Where the parts lie between lines of this boundary; the last may lack its closing line."""
    line = b"--" + boundary.encode("utf-8", "replace")
    since: int | None = None
    at = raw.find(line, start, end)
    while at >= 0:
        after = _BOUNDARY_TAIL.match(raw, at + len(line), end)
        if after and (at == start or raw[at - 1 : at] == b"\n"):
            if since is not None:
                # The line break before a boundary belongs to the boundary (RFC 2046, 5.1.1).
                stop = at - 2 if raw[at - 2 : at] == b"\r\n" else at - 1
                yield since, max(since, stop)
            if after[1]:
                return
            since = after.end()
        at = raw.find(line, at + len(line), end)
    if since is not None:
        yield since, end


def _content_type(value: str, default: str) -> tuple[str, dict[str, str]]:
    kind = clean(value.split(";", 1)[0]).strip().lower()
    parameters: dict[str, str] = {}
    for match in _PARAMETER.finditer(value[:2048]):
        text = match[2]
        if text.startswith('"'):
            text = re.sub(r"\\(.)", r"\1", text.strip('"'))
        parameters.setdefault(match[1].lower(), text)
    return kind if kind.count("/") == 1 else default, parameters

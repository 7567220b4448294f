"""The one boundary that makes outside text safe to show, and the folding that compares it.

Names, notes and pages come from strangers. Before any of it reaches a terminal it goes through
`visible` (one line) or `visible_lines`: control characters, C1 controls, bidirectional overrides
and other invisible format characters become visible symbols, so nothing can move the cursor, set
the clipboard or turn a line around. Markup is not interpreted anywhere: screens build styled text,
they never parse it.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

# C0 and DEL, C1, line and paragraph separators, bidi controls, and the other invisible format
# characters (Unicode category Cf), except the two joiners that emoji and several scripts need.
# Lone surrogates cannot be encoded for a terminal at all.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\U000e0000-\U000e0fff\ud800-\udfff]"
)
_UNSAFE_BUT_NEWLINE = re.compile(_UNSAFE.pattern.replace("\x00-\x1f", "\x00-\x09\x0b-\x1f", 1))
# More than a few combining marks on one letter only serve to paint over the neighbouring lines.
_MARK_PILE = re.compile(
    "([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]{4})"
    "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]+"
)
_SPACES = re.compile(r"\s+")
_LINKABLE = re.compile(r"(?:https?|mailto|tel):[!-~]+\Z", re.IGNORECASE)
_ASCII_PRINTABLE = re.compile(r"[ -~]*\Z")


def _symbol(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code in {0x09, 0x0A, 0x0D}:
        return " "
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if 0xD800 <= code <= 0xDFFF:
        return "\ufffd"
    return f"\u27e8U+{code:04X}\u27e9"


def visible(text: str, limit: int | None = None) -> str:
    """Outside text as one safe line; cut to `limit` characters, ending in "…" if it was longer."""
    if limit is not None and len(text) > limit:
        text = text[: max(limit - 1, 0)] + "…"
    if _ASCII_PRINTABLE.match(text):
        return text
    return _MARK_PILE.sub(r"\1", _UNSAFE.sub(_symbol, text))


def visible_lines(text: str) -> str:
    """Outside text with its line breaks kept and everything else as safe as in `visible`."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", "    ")
    return _MARK_PILE.sub(r"\1", _UNSAFE_BUT_NEWLINE.sub(_symbol, text))


def plain_line(text: str) -> str:
    """Outside text as one line of what can be seen, to be handed on rather than shown.

    For a clipboard: a line break pasted into a shell would run what stands before it.
    """
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    return _SPACES.sub(" ", _UNSAFE.sub(_space_or_nothing, text)).strip()


def _space_or_nothing(match: re.Match[str]) -> str:
    return " " if match[0].isspace() else ""


def link_target(address: str) -> str | None:
    """An address a terminal may be given as the target of a link (OSC 8), else None.

    Only printable ASCII without spaces: it is written to the terminal as it is.
    """
    return address if _LINKABLE.match(address) else None


def to_json(document: Any) -> str:
    """One JSON document, readable, with every character unsafe on a terminal as an escape."""
    dumped = json.dumps(document, ensure_ascii=False, indent=2)
    return _UNSAFE_BUT_NEWLINE.sub(_json_escape, dumped)


def _json_escape(match: re.Match[str]) -> str:
    # Outside of string values the dump holds only ASCII and newlines, so this hits only values.
    units = match[0].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))


def fold(text: str) -> str:
    """Text for comparing: no case, no accents, single spaces."""
    if not text.isascii():
        decomposed = unicodedata.normalize("NFKD", text)
        text = "".join(c for c in decomposed if not unicodedata.combining(c))
    return _SPACES.sub(" ", text.casefold()).strip()


def plural(count: int, word: str, words: str | None = None) -> str:
    """A count with its noun: "1 lead", "2 leads", "1,204 leads"."""
    return f"{count:,} {word if count == 1 else words or word + 's'}"

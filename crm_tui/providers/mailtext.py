"""What a person wrote in a mail: markup turned into lines, and what they quoted left out."""

from __future__ import annotations

import re
from html import unescape

from crm_tui.providers.mime import TEXT_BYTES, Part, clean

# -- from markup to lines ------------------------------------------------------------------------

_MARKUP = re.compile(r"<(?:(!--)|(/?)([a-zA-Z][a-zA-Z0-9]*)([^<>]*)>|[!?/][^<>]*>)")
_BREAKS = frozenset(
    "address article br dd div dl dt fieldset footer form h1 h2 h3 h4 h5 h6 header hr li main ol p pre "
    "section table tr ul".split()
)
_ASCII_UPPER = re.compile("[A-Z]+")  # lower() may change the length of other letters
_UNREAD = frozenset({"head", "script", "style", "title", "template", "noscript"})
_SPACES = re.compile(r"[ \t\r\n\f\xa0]+")
_BLANK_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*)+\n")


def text_of_html(html: str) -> str:
    """Markup as plain lines; what stands in a `blockquote` is marked with ">" like in plain mails.

    Reads in one pass; broken markup leaves stray characters, never an error.
    """
    lines: list[str] = []
    line: list[str] = []
    depth = 0
    lowered = html.lower() if html.isascii() else _ASCII_UPPER.sub(lambda m: m[0].lower(), html)

    def end_line() -> None:
        text = _SPACES.sub(" ", unescape("".join(line))).strip()
        lines.append("> " * min(depth, 3) + text if depth else text)
        line.clear()

    at = 0
    while match := _MARKUP.search(html, at):
        line.append(html[at : match.start()])
        at = match.end()
        if match[1]:
            at = _after(html, "-->", at)
            continue
        closing, name = match[2], (match[3] or "").lower()
        if name in _UNREAD and not closing:
            at = _after(lowered, f"</{name}", at)
        elif name == "blockquote":
            end_line()
            depth = max(0, depth - 1) if closing else depth + 1
        elif name in _BREAKS and ("".join(line).strip() or name == "br"):
            end_line()
        elif name in {"td", "th"}:
            line.append(" ")
    line.append(html[at:])
    end_line()
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip()


def _after(html: str, end: str, at: int) -> int:
    found = html.find(end, at)
    return len(html) if found < 0 else found + len(end)


# -- the text of a mail --------------------------------------------------------------------------


def text_of(mail: Part) -> str:
    """What is to be read in a mail, at most 64 KB of it; from HTML where there is no plain text."""
    text = "\n".join(filter(None, (part.strip("\n") for part in _readable(mail))))
    return _cut(text)


def _readable(part: Part) -> list[str]:
    if part.kind == "multipart/alternative":
        plain = [c for c in part.children if c.kind == "text/plain"]
        rich = [c for c in part.children if c.kind != "text/plain"]
        for one in (*plain, *rich):
            found = _readable(one)
            if any(text.strip() for text in found):
                return found
        return []
    if part.children:
        texts: list[str] = []
        for child in part.children:
            if sum(map(len, texts)) < TEXT_BYTES:
                texts += _readable(child)
        return texts
    if part.attached:
        return []
    if part.kind == "text/html":
        return [text_of_html(part.text())]
    # A multipart without parts is a mail that was cut off or badly made: its text is better than none.
    return [part.text()] if part.kind == "text/plain" or part.kind.startswith("multipart/") else []


def _cut(text: str) -> str:
    data = text.encode("utf-8", "replace")
    return text if len(data) <= TEXT_BYTES else data[:TEXT_BYTES].decode("utf-8", "ignore")


# -- quotes --------------------------------------------------------------------------------------

_ATTRIBUTION_END = re.compile(
    r"(?:wrote|writes|schrieb(?: .{1,120})?|a écrit|έγραψε(?: .{1,120})?|escribió|ha scritto|escreveu|"
    r"schreef(?: .{1,120})?|skrev(?: .{1,120})?|napisał\(?a?\)?|kirjoitti)\s*:\s*$",
    re.IGNORECASE,
)
_ATTRIBUTION_START = re.compile(
    r"(?:on|am|le|στις|την|τη|el|il|em|op|den|på|w dniu|dnia|pe|from)\b|"
    r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}|.{0,80}<[^<>\s]+@[^<>\s]+>",
    re.IGNORECASE,
)
_DIVIDER = re.compile(
    r"\s*(?:-{2,}|_{2,}|\*{2,})\s*(?:(?:original|forwarded)[ -](?:message|mail|nachricht)|"
    r"urspr(?:ü|ue)ngliche (?:nachricht|e-?mail)|weitergeleitete nachricht|message d[^a-z]origine|"
    r"message transféré|mensaje original|messaggio originale|mensagem original|"
    r"oorspronkelijk bericht|αρχικό μήνυμα|ursprungligt meddelande|wiadomość oryginalna)"
    r"\s*(?:-{2,}|_{2,}|\*{2,})?\s*$|\s*begin forwarded message:\s*$|\s*_{20,}\s*$",
    re.IGNORECASE,
)
_FROM = re.compile(r"[\s*]*(?:from|von|de|από|da|van|od|från|fra)\s?:\*?\s", re.IGNORECASE)
_SENT = re.compile(
    r"[\s*]*(?:sent|date|gesendet|datum|envoyé(?: le)?|enviado(?: el)?|fecha|inviato|data|verzonden|"
    r"στάλθηκε|ημερομηνία|skickat|sendt|wysłano)\s?:",
    re.IGNORECASE,
)
_SUBJECT = re.compile(
    r"[\s*]*(?:subject|betreff|objet|asunto|oggetto|assunto|onderwerp|θέμα|ämne|emne|temat)\s?:",
    re.IGNORECASE,
)


def without_quotes(text: str) -> str:
    """What the sender wrote themselves, whether above, between or below what they quoted.

    Where everything is quoted, or nothing can be told apart, the text stays whole.
    """
    lines = text.split("\n")
    kept: list[str] = []
    said = False
    at = 0
    while at < len(lines):
        line = lines[at]
        if line.lstrip().startswith(">"):
            at += 1
        elif length := _attribution(lines, at):
            if said and not _quoted_next(lines, at + length):
                break
            at += length
        elif said and (_DIVIDER.match(line) or _header_block(lines, at)):
            break
        else:
            kept.append(line.rstrip())
            said = said or bool(line.strip())
            at += 1
    result = _BLANK_LINES.sub("\n\n", "\n".join(kept)).strip()
    return result or text.strip()


def _attribution(lines: list[str], at: int) -> int:
    """Over how many lines an "On … wrote:" stretches from here; 0 if there is none."""
    if not lines[at] or not _ATTRIBUTION_START.match(lines[at].strip()[:300]):
        return 0
    joined = ""
    for length in (1, 2, 3):
        if at + length > len(lines):
            return 0
        joined = f"{joined} {lines[at + length - 1].strip()[:300]}".strip()
        if _ATTRIBUTION_END.search(joined[-200:]):
            return length
    return 0


def _quoted_next(lines: list[str], at: int) -> bool:
    following = next((line for line in lines[at : at + 4] if line.strip()), "")
    return following.lstrip().startswith(">")


def _header_block(lines: list[str], at: int) -> bool:
    if not _FROM.match(lines[at][:300]):
        return False
    near = [line[:300] for line in lines[at + 1 : at + 9]]
    return any(map(_SENT.match, near)) and any(map(_SUBJECT.match, near))


def first_line(text: str) -> str:
    """The first line that is not empty."""
    return clean(next((line for line in text.split("\n", 50)[:50] if line.strip()), "")).strip()

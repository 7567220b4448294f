"""From a template and the facts of one recipient to the subject and the parts of a mail."""

from __future__ import annotations

import re
from dataclasses import dataclass

from crm_tui.errors import BadInput
from crm_tui.services.templating.checking import Part, check, fields_of, parts
from crm_tui.services.templating.facts import MailFacts
from crm_tui.services.templating.files import Kind, Template
from crm_tui.services.templating.language import SINGLE, Used, run
from crm_tui.services.templating.markup import text_from
from crm_tui.services.texting import why_too_long
from crm_tui.text import plain_line, visible

LONGEST_SUBJECT = 200
LARGEST_BODY = 256 * 1024
LONGEST_LINE = 998
"""Octets of a line, by RFC 5322."""

_REPLY = re.compile(r"(?:(?:re|aw|sv|antw)\s*:\s*)+", re.IGNORECASE)
_TRAILING = re.compile(r"[ \t]+$", re.MULTILINE)
_BLANK_LINES = re.compile(r"\n{3,}")
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Rendered:
    """One mail in words.

    Attributes:
        subject: One line without control characters; empty for a text message.
        text: The text part: lines by newlines, each at most 998 octets, one at the end.
        html: The HTML part, if the template is HTML.
        fields_used: The merge fields that were looked at, in order of the alphabet.
    """

    subject: str
    text: str
    html: str | None
    fields_used: tuple[str, ...]


def render(template: Template, facts: MailFacts) -> Rendered:
    """One mail. The same template and facts give the same one; nothing else goes in.

    Raises:
        MissingField: The recipient lacks a field that the template has no fallback for.
        BadInput: The template cannot be used, or says nothing for this recipient.
    """
    problems = check(template)
    if problems:
        raise BadInput(
            f"The template {visible(template.name, 60)} cannot be used: {problems[0].sentence}"
        )
    subject_part, body_part = parts(template)
    used: Used = {}
    subject = one_line(_run(subject_part, template, facts, used))
    body = _run(body_part, template, facts, used)
    if len(body) > LARGEST_BODY:
        raise BadInput(f"The mail cannot be made: {template.name} makes it endless.")
    html = None
    if body_part.html:
        html = _in_lines(_without_controls(body).strip(), cut=False) + "\n"
        body = text_from(html)
    text = tidy(body)
    if template.kind is Kind.SMS:
        subject, text = "", text.strip()
        if why := why_too_long(text):
            raise BadInput(f"The text message cannot be made: {why}.")
        if text:
            return Rendered(subject, text, None, _fields(used, template))
    for part, words in ((subject, "subject"), (text.strip(), "text")):
        if not part:
            raise BadInput(f"The mail cannot be made: {template.name} gives it no {words}.")
    return Rendered(subject, text, html, _fields(used, template))


def _fields(used: Used, template: Template) -> tuple[str, ...]:
    """The merge fields that were looked at, in order of the alphabet."""
    return tuple(sorted(used.keys() | (fields_of(template) & set(SINGLE))))


def _run(part: Part, template: Template, facts: MailFacts, used: Used) -> str:
    try:
        return run(part.compiled, facts, used, html=part.html)
    except BadInput:
        raise
    except Exception as error:
        # Only what the example did not show: a comparison that fails for other kinds of values.
        raise BadInput(
            f"The template {visible(template.name, 60)} cannot be used: {visible(str(error), 200)}."
        ) from error


def reply_subject(subject: str) -> str:
    """The subject of a mail that follows one with this subject in its thread."""
    return f"Re: {_REPLY.sub('', one_line(subject), count=1)}" if subject else subject


def one_line(text: str) -> str:
    """Text as a header may carry it: one line, no control or invisible characters, not endless."""
    line = plain_line(text)
    return line if len(line) <= LONGEST_SUBJECT else line[: LONGEST_SUBJECT - 1].rstrip() + "…"


def tidy(text: str) -> str:
    """A text part as it is sent: no trailing spaces, no two blank lines, no line too long."""
    text = _TRAILING.sub("", _without_controls(text))
    return _in_lines(_BLANK_LINES.sub("\n\n", text).strip(), cut=True) + "\n"


def _without_controls(text: str) -> str:
    return _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def _in_lines(text: str, *, cut: bool) -> str:
    """The text with long lines broken at spaces, and where there are none if `cut`."""
    if len(text) * 4 <= LONGEST_LINE:
        return text
    lines: list[str] = []
    for line in text.split("\n"):
        rest = line
        while len(rest.encode()) > LONGEST_LINE:
            most = len(rest.encode()[:LONGEST_LINE].decode(errors="ignore"))
            space = rest.rfind(" ", 1, most)
            if space < 1:
                if not cut:
                    break
                space = most
            lines.append(rest[:space].rstrip())
            rest = rest[space:].lstrip(" ")
        lines.append(rest)
    return "\n".join(lines)

"""The words of a site: a small TOML file the operator edits, kept when the site is built again.

Texts may name facts of the business in braces, such as {name} or {city}; they are put in when the
page is made. Nothing else in braces is allowed, so a slip of the pen is found before a customer
finds it.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Callable, Mapping
from string import Formatter
from typing import TYPE_CHECKING

import msgspec

from crm_tui.errors import BadInput
from crm_tui.text import visible

if TYPE_CHECKING:
    from crm_tui.services.sites.facts import SiteFacts
    from crm_tui.services.sites.themes import Theme, Wording

# What stands where a text names a fact that is not known.
FACT_NAMES: Mapping[str, str] = {
    "name": "",
    "category": "Local business",
    "city": "your area",
    "region": "your area",
    "street": "our address",
    "phone": "our phone number",
    "email": "our e-mail address",
    "rating": "",
    "reviews": "",
}

# The small words around the facts: name, and what it says unless a theme or the operator differ.
LABELS: Mapping[str, str] = {
    "skip": "Skip to the content",
    "preview": "Preview made for {name} – not yet live",
    "menu": "Main",
    "nav_services": "Services",
    "nav_about": "About",
    "nav_questions": "Questions",
    "nav_contact": "Contact",
    "services_title": "What we can help with",
    "services_intro": "These are the usual reasons to get in touch. Yours is not here? Just ask.",
    "about_title": "About {name}",
    "about_short": "About us",
    "steps_title": "How to begin",
    "area_title": "Area served",
    "hours_title": "Opening hours",
    "see_hours": "See the week",
    "questions_title": "Good to know",
    "contact_title": "Get in touch",
    "contact_intro": "We are glad to hear from you.",
    "call": "Call {phone}",
    "call_short": "Call",
    "write": "Write an e-mail",
    "see_services": "See what we do",
    "directions": "Open in maps",
    "address": "Address",
    "phone": "Phone",
    "email": "E-mail",
    "elsewhere": "Elsewhere",
    "price": "Price range",
    "rating": "{rating} out of 5 from {reviews} reviews",
    "closed": "Closed",
    "all_day": "Open 24 hours",
    "every_day": "Every day",
    "mon": "Monday",
    "tue": "Tuesday",
    "wed": "Wednesday",
    "thu": "Thursday",
    "fri": "Friday",
    "sat": "Saturday",
    "sun": "Sunday",
}

_HEADER = """\
# The words of this website. Change what stands between the quotes, save, and build again.
# {name}, {category}, {street}, {city}, {region}, {phone} and {email} are replaced by the facts.
# A brace that is meant as a brace is written twice: {{ or }}. Lines that start with # are notes.
"""
_STEPS = "\n# How a customer begins, step by step. Remove all of them to leave the section out."
_LABELS = "\n# Headings, buttons and small words.\n"
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*\Z")
_INDEX = re.compile(r"\[(\d+)\]")


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A title and what is said under it: a service or a step."""

    title: str
    text: str = ""


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something customers ask, and the answer."""

    question: str
    answer: str


class SiteTexts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The words of one site, facts still in braces.

    Attributes:
        lang: The language they are in, as a BCP 47 tag.
        about: Paragraphs, with an empty line between them.
        area: What is said about the area served.
        labels: Headings, buttons and small words; `LABELS` names them all.
    """

    lang: str = "en"
    headline: str
    tagline: str = ""
    about: str = ""
    area: str = ""
    services: tuple[Entry, ...] = ()
    steps: tuple[Entry, ...] = ()
    questions: tuple[Question, ...] = ()
    labels: dict[str, str] = msgspec.field(default_factory=dict)

    def map(self, change: Callable[[str], str]) -> SiteTexts:
        """The same texts with `change` applied to each; every label is there afterwards."""
        return SiteTexts(
            lang=self.lang,
            headline=change(self.headline),
            tagline=change(self.tagline),
            about=change(self.about),
            area=change(self.area),
            services=tuple(Entry(change(e.title), change(e.text)) for e in self.services),
            steps=tuple(Entry(change(e.title), change(e.text)) for e in self.steps),
            questions=tuple(Question(change(q.question), change(q.answer)) for q in self.questions),
            labels={name: change(self.labels.get(name, LABELS[name])) for name in LABELS},
        )


def default_texts(facts: SiteFacts, theme: Theme) -> SiteTexts:
    """What a new site says: the words of its trade, in the variant that the known facts allow."""
    trade = theme.trade_for(facts.line_of_work)
    known = {name for name, value in fact_values(facts).items() if value}

    def choose(field: str, wording: Wording) -> str:
        usable = [text for text in wording if _names(text) <= known] or [""]
        most = max(len(_names(text)) for text in usable)
        telling = [text for text in usable if len(_names(text)) == most]
        digest = hashlib.sha256(f"{field} {facts.key}".encode("utf-8", "replace")).digest()
        return telling[digest[0] % len(telling)]

    answered = [(asked, choose(asked, answers)) for asked, answers in trade.questions.items()]
    return SiteTexts(
        headline=choose("headline", trade.headline),
        tagline=choose("tagline", trade.tagline),
        about=choose("about", trade.about).strip(),
        area=choose("area", trade.area),
        services=tuple(Entry(title, text) for title, text in trade.services.items()),
        steps=tuple(Entry(title, text) for title, text in trade.steps.items()),
        questions=tuple(Question(question, answer) for question, answer in answered if answer),
        labels={**LABELS, **theme.labels, **trade.labels},
    )


def fact_values(facts: SiteFacts) -> dict[str, str]:
    """The facts a text may name, as written on a page; an unknown one is empty."""
    return {
        "name": facts.name,
        "category": facts.kind,
        "city": facts.city,
        "region": facts.region,
        "street": facts.street,
        "phone": facts.phone,
        "email": facts.email,
        "rating": f"{facts.rating:.1f}" if facts.flattering else "",
        "reviews": f"{facts.review_count:,}" if facts.flattering else "",
    }


def fill(texts: SiteTexts, values: Mapping[str, str]) -> SiteTexts:
    """The texts with the facts put in; where one is not known, words that still read well.

    Raises:
        BadInput: A text names something that is not a fact.
    """
    known = {name: values.get(name) or fallback for name, fallback in FACT_NAMES.items()}

    def put_in(text: str) -> str:
        if "{" not in text and "}" not in text:
            return text
        return "".join(
            literal + (known[name] if name is not None else "") for literal, name in _pieces(text)
        )

    return texts.map(put_in)


def _names(text: str) -> set[str]:
    return {name for _, name in _pieces(text) if name is not None}


def _pieces(text: str) -> list[tuple[str, str | None]]:
    """The literal pieces of a text, each with the name of the fact that follows it."""
    try:
        parsed = list(Formatter().parse(text))
    except ValueError:
        raise BadInput(
            "a single { or } is left over; write {{ or }} where a brace is meant"
        ) from None
    pieces = []
    for literal, name, spec, conversion in parsed:
        if name is not None and (spec or conversion or name not in FACT_NAMES):
            known = ", ".join(f"{{{fact}}}" for fact in FACT_NAMES)
            raise BadInput(f"{{{visible(name, 40)}}} is not a fact; there are {known}")
        pieces.append((literal, name))
    return pieces


# The file


def dump(texts: SiteTexts) -> str:
    """The texts as the file the operator edits; `parse` gives the same texts back."""
    lines = [
        _HEADER,
        f"lang = {_string(texts.lang)}",
        f"headline = {_string(texts.headline)}",
        f"tagline = {_string(texts.tagline)}",
        f"about = {_long_string(texts.about)}",
        f"area = {_string(texts.area)}",
    ]
    lines += [f"\n[[services]]\n{_entry(service)}" for service in texts.services]
    if texts.steps:
        lines.append(_STEPS)
    lines += [f"\n[[steps]]\n{_entry(step)}" for step in texts.steps]
    lines += [
        f"\n[[questions]]\nquestion = {_string(q.question)}\nanswer = {_string(q.answer)}"
        for q in texts.questions
    ]
    if texts.labels:
        lines.append(f"{_LABELS}[labels]")
        lines += [f"{name} = {_string(text)}" for name, text in texts.labels.items()]
    return "\n".join(lines) + "\n"


def _entry(entry: Entry) -> str:
    return f"title = {_string(entry.title)}\ntext = {_string(entry.text)}"


def _string(text: str) -> str:
    # A JSON string is a TOML string, but for DEL.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _long_string(text: str) -> str:
    if "\n" not in text:
        return _string(text)
    inner = _string(text)[1:-1].replace("\\n", "\n")
    return f'"""\n{inner}"""'


def parse(text: str, *, source: str = "the texts") -> SiteTexts:
    """The texts from their file.

    Args:
        text: The file's content.
        source: How the file is called in an error.

    Raises:
        BadInput: Not TOML, a field that does not exist or is missing, or a text that names
            something that is not a fact: one sentence with the line and the field.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{source}: this is not TOML: {visible(str(error))}.") from None
    try:
        texts = msgspec.convert(document, SiteTexts)
    except msgspec.ValidationError as error:
        raise BadInput(f"{source}, {_in_words(error, text)}.") from None
    if not _LANGUAGE.match(texts.lang):
        raise BadInput(f"{source}, {_place(text, 'lang')}: not a language tag such as en or pt-BR.")
    for name in texts.labels:
        if name not in LABELS:
            raise BadInput(f"{source}, {_place(text, f'labels.{name}')}: there is no such label.")
    _check_names(texts, text, source)
    return texts


def _check_names(texts: SiteTexts, text: str, source: str) -> None:
    flat = {field: getattr(texts, field) for field in ("headline", "tagline", "about", "area")}
    for field in ("services", "steps", "questions"):
        for index, entry in enumerate(getattr(texts, field)):
            for part in entry.__struct_fields__:
                flat[f"{field}[{index}].{part}"] = getattr(entry, part)
    flat |= {f"labels.{name}": label for name, label in texts.labels.items()}
    for path, value in flat.items():
        try:
            _pieces(value)
        except BadInput as error:
            raise BadInput(f"{source}, {_place(text, path)}: {error}.") from None


def _in_words(error: msgspec.ValidationError, text: str) -> str:
    """A validation error of msgspec as "line 3, field headline: expected str, got int"."""
    reason, _, path = str(error).partition(" - at `$")
    path = path.removeprefix(".").rstrip("`")
    reason = reason[:1].lower() + reason[1:]
    missing = re.search(r"(?:required|unknown) field `([^`]*)`", reason)
    if missing:
        path = f"{path}.{missing[1]}".removeprefix(".")
        reason = "it is missing" if "required" in reason else "there is no such field"
    return f"{_place(text, path)}: {visible(reason.replace('`', ''))}"


def _place(text: str, path: str) -> str:
    """Where a field stands, in words; a missing one stands where its table begins."""
    line = _line_of(text, path) or _line_of(text, path.rpartition(".")[0])
    return f"line {line}, field {visible(path)}" if line else f"field {visible(path)}"


def _line_of(text: str, path: str) -> int | None:
    """The line on which a field such as `services[1].title` is set, counted from 1."""
    table, _, name = _INDEX.sub("", path).rpartition(".")
    if not table and _INDEX.search(path):
        table, name = name, ""
    wanted = int(found[1]) if (found := _INDEX.search(path)) else 0
    inside, seen = not table, -1
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if stripped.startswith("["):
            here = stripped.strip("[] ") == table
            seen += here
            inside = here and seen == wanted
            if inside and not name:
                return number
        elif inside and name and re.match(rf"[\"']?{re.escape(name)}[\"']?\s*=", stripped):
            return number
    return None

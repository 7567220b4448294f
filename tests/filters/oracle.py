"""What a query finds, worked out slowly and plainly from leads in memory."""

from __future__ import annotations

import json
import operator
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from crm_tui.services.filters import Standpoint
from crm_tui.services.filters.tree import (
    And,
    Compare,
    How,
    Match,
    Node,
    Not,
    Or,
    Phrase,
    Point,
    Span,
    Text,
    Value,
    When,
    Word,
)
from crm_tui.text import fold
from crm_tui.vocabulary import (
    ContactState,
    ContactStatus,
    Mode,
    Outcome,
    Stage,
    SubscriptionState,
    WebsiteStatus,
)

CAMPAIGNS = ("Spring mail", "Café", "spring mail")
"""The names of campaigns, the first of number 1."""

PLANS = ("Basic", "Café", "Basic care")
"""The names of plans, the first of number 1."""

BARRED = (
    ("phone", "+35722123456"),
    ("email", "joe@acme.example"),
    ("domain", "acme.example"),
    ("domain", "other.example"),
)
"""What is on the list of those not to be contacted, beside leads."""

_COMPARES: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass
class Lead:
    """A lead as a test knows it; the first e-mail and phone are the primary ones."""

    name: str
    score: int
    created: datetime
    source: str
    status: ContactStatus
    site: WebsiteStatus
    outcome: Outcome
    city: str | None = None
    category: str | None = None
    region: str | None = None
    postal: str | None = None
    country: str | None = None
    street: str | None = None
    website: str | None = None
    social: str | None = None
    rating: float | None = None
    reviews: int | None = None
    photos: int | None = None
    hours: dict[str, Any] | None = None
    activity: datetime | None = None
    never: bool = False
    archived: bool = False
    erased: bool = False
    emails: list[tuple[str, ContactState]] = field(default_factory=list)
    phones: list[tuple[str, ContactState]] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    tasks: list[tuple[datetime, bool]] = field(default_factory=list)
    """When each follow-up is due, and whether it is done."""
    calls: list[tuple[datetime, bool]] = field(default_factory=list)
    """When each call was, and whether it was taken out."""
    notes: list[tuple[str, bool]] = field(default_factory=list)
    """Each note, and whether it was taken out."""
    custom: dict[str, Any] = field(default_factory=dict)
    batch: tuple[int, str] | None = None
    campaigns: list[int] = field(default_factory=list)
    """The campaigns it is a recipient of, as places in CAMPAIGNS."""
    mails: list[datetime] = field(default_factory=list)
    """When mails went to it."""
    payments: list[tuple[Mode, bool, int | None]] = field(default_factory=list)
    """Of each, which money it was, whether it came, and the plan, as a place in PLANS."""
    subscriptions: list[tuple[Mode, list[SubscriptionState]]] = field(default_factory=list)
    """Of each, which money it brings, and where it stood, one after the other."""
    barred: bool = False
    """Whether it is on the list of those not to be contacted itself."""
    id: int = 0
    searched: tuple[str, ...] = ()
    """What the search index holds of it, a text for each of its columns."""


def finds(query: Node, lead: Lead, at: Standpoint) -> bool:
    """Whether a lead is in the list of a query."""
    if lead.erased or (lead.archived and not _asks_for_archived(query, wanted=True)):
        return False
    return holds(query, lead, at)


def _asks_for_archived(node: Node, *, wanted: bool) -> bool:
    if isinstance(node, And | Or):
        return any(_asks_for_archived(part, wanted=wanted) for part in node.parts)
    if isinstance(node, Not):
        return _asks_for_archived(node.part, wanted=not wanted)
    return (
        wanted
        and isinstance(node, Match)
        and node.field == "is"
        and Text("archived") in node.values
    )


def holds(node: Node, lead: Lead, at: Standpoint) -> bool:  # noqa: PLR0911 - one a kind of node
    """Whether what a query says is so of a lead."""
    match node:
        case And(parts):
            return all(holds(part, lead, at) for part in parts)
        case Or(parts):
            return any(holds(part, lead, at) for part in parts)
        case Not(part):
            return not holds(part, lead, at)
        case Word(text):
            return all(_begins_a_token(token, lead) for token in _tokens(text))
        case Phrase(text):
            digits = text.replace(" ", "")
            if len(digits) >= 7 and digits.isdigit() and _begins_a_token(digits, lead):
                return True
            wanted = f" {' '.join(_tokens(text))} "
            return any(wanted in f" {' '.join(_tokens(column))} " for column in lead.searched)
        case Match(name, values):
            return any(_is(lead, name, value, at) for value in values)
        case Compare(name, sign, point):
            return _compares(lead, name, sign, point, at)


def _tokens(text: str) -> list[str]:
    """Words as the search index cuts and folds them: to it, ß is not ss."""
    decomposed = unicodedata.normalize("NFD", text.lower())
    return re.findall(r"\w+", "".join(c for c in decomposed if not unicodedata.combining(c)))


def _begins_a_token(wanted: str, lead: Lead) -> bool:
    return any(token.startswith(wanted) for column in lead.searched for token in _tokens(column))


def _is(lead: Lead, name: str, value: Value, at: Standpoint) -> bool:  # noqa: PLR0911 - one a kind of field
    if isinstance(value, Span):
        low = value.low is None or _compares(lead, name, ">=", value.low, at)
        return low and (value.high is None or _compares(lead, name, "<=", value.high, at))
    match name:
        case "has":
            return _has(lead, value.text)
        case "is":
            return {
                "archived": lead.archived,
                "qualified": lead.score >= at.threshold,
                "never": lead.never,
                "suppressed": _suppressed(lead),
                "customer": lead.status is ContactStatus.PURCHASED or lead.outcome is Outcome.WON,
            }[value.text]
        case "task":
            return _has_task(lead, value.text, at)
        case "stage":
            return _furthest(lead, at) >= list(Stage).index(Stage(value.text))
        case "subscription" | "plan":
            return _pays(lead, name, value, at)
        case "mailed":
            return not lead.mails
        case "status" | "site" | "outcome":
            return bool(getattr(lead, name) == value.text)
        case "email_state" | "phone_state":
            points = lead.emails if name == "email_state" else lead.phones
            return bool(points) and points[0][1] == value.text
    return any(_text_is(name, text, value) for text in _texts(lead, name))


def _pays(lead: Lead, name: str, value: Text, at: Standpoint) -> bool:
    """Whether one of a lead's subscriptions stands so, or it paid by such a plan."""
    counts = {Mode.MANUAL, at.mode}
    if name == "subscription":
        return any(mode in counts and s[-1] == value.text for mode, s in lead.subscriptions)
    paid = [plan for mode, came, plan in lead.payments if came and mode in counts]
    texts = [text for plan in paid if plan is not None for text in (str(plan + 1), PLANS[plan])]
    return any(_text_is(name, text, value) for text in texts)


_BUILT = {"generated", "published", "sold", "archived"}


def _furthest(lead: Lead, at: Standpoint) -> int:
    """The last stage of the funnel that a lead ever reached, as a place among them."""
    counts = {Mode.MANUAL, at.mode}
    if any(
        mode in counts and {"active", "past_due"} & {*states} for mode, states in lead.subscriptions
    ):
        return 8
    if any(mode in counts and came for mode, came, _ in lead.payments):
        return 7
    if lead.status.rank:
        return 2 + lead.status.rank
    if lead.site in _BUILT:
        return 2
    return int(lead.score >= at.threshold)


def _has(lead: Lead, word: str) -> bool:  # noqa: PLR0911 - one a word
    match word:
        case "email" | "phone":
            return bool(lead.emails if word == "email" else lead.phones)
        case "url":
            return lead.website is not None or lead.social is not None
        case "site":
            return lead.site in {"generated", "published", "sold"}
        case "tag":
            return bool(lead.tags)
        case "note":
            return any(not voided for _, voided in lead.notes)
        case "task":
            return any(not done for _, done in lead.tasks)
        case "call":
            return _last_call(lead) is not None
        case "address":
            return lead.street is not None
    return getattr(lead, word) is not None


def _suppressed(lead: Lead) -> bool:
    if lead.never or lead.barred:
        return True
    if any(("phone", number) in BARRED for number, _ in lead.phones):
        return True
    for address, _ in lead.emails:
        host = address.partition("@")[2]
        at = [word for kind, word in BARRED if kind == "domain"]
        if ("email", address) in BARRED or any(f".{host}".endswith(f".{word}") for word in at):
            return True
    return False


def _has_task(lead: Lead, word: str, at: Standpoint) -> bool:
    due = [due for due, done in lead.tasks if not done]
    match word:
        case "open":
            return bool(due)
        case "none":
            return not due
        case "due":
            return any(time <= at.now for time in due)
    return any(time.astimezone(at.zone).date() <= at.now.astimezone(at.zone).date() for time in due)


def _texts(lead: Lead, name: str) -> list[str]:
    if name.startswith("custom."):
        own = _own(lead, name)
        if own is None or own == "":
            return []
        if isinstance(own, float) and own.is_integer():
            own = int(own)
        return [own if isinstance(own, str) else json.dumps(own, ensure_ascii=False)]
    known: list[str | None]
    match name:
        case "tag":
            known = list(lead.tags)
        case "email":
            known = [value for value, _ in lead.emails[:1]]
        case "phone":
            known = [value for value, _ in lead.phones[:1]]
        case "campaign":
            known = [text for at in lead.campaigns for text in (str(at + 1), CAMPAIGNS[at])]
        case "batch":
            known = [str(lead.batch[0]), lead.batch[1]] if lead.batch else []
        case _:
            known = [getattr(lead, name)]
    return [text for text in known if text is not None]


def _text_is(name: str, text: str, value: Text) -> bool:
    known, wanted = fold(text), fold(value.text)
    if name == "phone":
        known, wanted = text[1:], re.sub(r"[^0-9]", "", value.text)
        if value.how is How.WHOLE:
            return known == wanted or (len(wanted) == 10 and known == f"1{wanted}")
        if value.how is How.BEGINNING and known.startswith("1"):
            return known.startswith(wanted) or known[1:].startswith(wanted)
    if name == "website":
        wanted = _bare(wanted)
        if value.how is not How.PART:
            known = _bare(known)
    match value.how:
        case How.WHOLE:
            return known == wanted
        case How.BEGINNING:
            return known.startswith(wanted)
        case How.PART:
            return wanted in known


def _bare(address: str) -> str:
    without = address.removeprefix("https://").removeprefix("http://").removeprefix("www.")
    return without.removesuffix("/")


def _compares(lead: Lead, name: str, sign: str, point: Point, at: Standpoint) -> bool:
    if not isinstance(point, When):
        number = _number(lead, name)
        return number is not None and _COMPARES[sign](number, point)
    match name:
        case "called":
            time = _last_call(lead)
        case "mailed":
            time = max(lead.mails, default=None)
        case _:
            time = getattr(lead, _TIMES.get(name, name))
    if time is None:
        return False
    if age := re.fullmatch(r"(\d+)([hdwmy])", point.text):
        # A longer age is an earlier time.
        return _COMPARES[sign](_moment(int(age[1]), age[2], at), time)
    return _COMPARES[sign](*_days(time, point.text, at))


_TIMES = {"captured": "created", "updated": "created"}


def _number(lead: Lead, name: str) -> float | None:
    if not name.startswith("custom."):
        number: float | None = getattr(lead, name)
        return number
    own = _own(lead, name)
    if isinstance(own, str) and re.fullmatch(r"\s*[+-]?\d+(\.\d+)?\s*", own):
        return float(own)
    return own if isinstance(own, int | float) and not isinstance(own, bool) else None


def _own(lead: Lead, name: str) -> Any:
    wanted = name.removeprefix("custom.")
    if wanted in lead.custom:
        return lead.custom[wanted]
    return next((v for key, v in lead.custom.items() if fold(key) == fold(wanted)), None)


def _last_call(lead: Lead) -> datetime | None:
    return max((time for time, voided in lead.calls if not voided), default=None)


def _moment(amount: int, unit: str, at: Standpoint) -> datetime:
    if unit in "hdw":
        return at.now - timedelta(hours=amount * {"h": 1, "d": 24, "w": 168}[unit])
    day = at.now.astimezone(at.zone)
    for _ in range(amount * (12 if unit == "y" else 1)):
        day = day.replace(day=1) - timedelta(days=1)
    while day.day < at.now.astimezone(at.zone).day and (day + timedelta(days=1)).day != 1:
        day += timedelta(days=1)
    while day.day > at.now.astimezone(at.zone).day:
        day -= timedelta(days=1)
    return day


def _days(time: datetime, text: str, at: Standpoint) -> tuple[str, str]:
    """The day, week, month or year of a time, and that of the text, as texts that sort as they do."""
    local, today = time.astimezone(at.zone), at.now.astimezone(at.zone).date()
    if "week" in text:
        this = _monday(today)
        wanted = this if text == "this-week" else this - timedelta(days=7)
        return _monday(local.date()).isoformat(), wanted.isoformat()
    last_of_month = today.replace(day=1) - timedelta(days=1)
    text = {
        "today": today.isoformat(),
        "yesterday": (today - timedelta(days=1)).isoformat(),
        "this-month": today.isoformat()[:7],
        "last-month": last_of_month.isoformat()[:7],
        "this-year": today.isoformat()[:4],
        "last-year": f"{today.year - 1}",
    }.get(text, text)
    return local.isoformat()[: len(text)], text


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())

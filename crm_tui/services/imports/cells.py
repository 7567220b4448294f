"""Single cells, read tolerantly: texts, numbers, yes and no, dates and words of a status.

A reader asks for what a cell may say; None means it says nothing usable. Nothing here raises.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime, time, tzinfo
from typing import Any, Literal

from crm_tui.text import fold
from crm_tui.vocabulary import ContactStatus, Outcome

DateOrder = Literal["day", "month"]

_BLANKS = frozenset(
    {"", "none", "null", "nan", "n/a", "#n/a", "na", "-", "--", "—", "{}", "[]", "undefined", "?"}
)
_NUMBER = re.compile(r"[-+]?\d[\d.,\u00a0\u202f' ]*")
_THOUSANDS = re.compile(r"[-+]?\d{1,3}(?:[.,\u00a0\u202f' ]\d{3})+\Z")
_LIST_SEPARATORS = re.compile(r"[,;|\n]+")
_YES = frozenset("yes y true t 1 x on ja si oui wahr verdadero vrai ✓ ✔".split())
_NO = frozenset("no n false f 0 off nein non falsch faux".split())


def text(value: object) -> str:
    """A cell as one line of text; "" for what only stands in for nothing ("None", "{}", "-")."""
    if isinstance(value, str):
        stripped = value.strip()
        if len(stripped) <= 9 and stripped.lower() in _BLANKS:
            return ""
        if "\n" in stripped or "  " in stripped or "\r" in stripped or "\t" in stripped:
            return " ".join(stripped.split())
        return stripped
    if value is None or isinstance(value, (dict, list)):
        return ""
    return str(value).strip()


def lines(value: object) -> str:
    """A cell of prose with its line breaks."""
    if not isinstance(value, str):
        return text(value)
    stripped = value.replace("\r\n", "\n").replace("\r", "\n").strip()
    return "" if stripped.lower() in _BLANKS else stripped


def address(value: object) -> str:
    """A cell with an address as one line: its line breaks part it as commas do."""
    if isinstance(value, str) and ("\n" in value or "\r" in value):
        value = ", ".join(filter(None, (line.strip(" \t,") for line in value.splitlines())))
    return text(value)


def unprotected(cell: str) -> str:
    """A cell without the apostrophe that keeps spreadsheets from running it as a formula."""
    if cell[:1] == "'" and cell[1:2] in {"=", "+", "-", "@", "\t", "\r", "'"}:
        return cell[1:]
    return cell


def number(value: object, *, least: float = -math.inf, most: float = math.inf) -> float | None:
    """A number between `least` and `most`, with a decimal point or comma, among words."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, (int, float)):
        found = float(value) if abs(value) < 1e300 else math.inf
    else:
        match = _NUMBER.search(str(value)[:100])
        if not match:
            return None
        digits = match[0].rstrip(".,\u00a0\u202f' ")
        if digits.count(",") == 1 and "." not in digits:
            digits = digits.replace(",", ".")
        try:
            found = float(re.sub(r"[,\u00a0\u202f' ]", "", digits))
        except ValueError:
            return None
    return found if least <= found <= most else None


def count(value: object) -> int | None:
    """A count from 0, with or without marks for the thousands."""
    if isinstance(value, str):
        match = _NUMBER.search(value[:100])
        digits = match[0].rstrip(".,\u00a0\u202f' ") if match else ""
        if _THOUSANDS.match(digits):
            value = re.sub(r"\D", "", digits)
    found = number(value, least=0, most=1_000_000_000)
    return None if found is None else int(found)


def flag(value: object) -> bool | None:
    """Yes or no."""
    if isinstance(value, bool):
        return value
    word = fold(text(value))
    return True if word in _YES else False if word in _NO else None


def words(value: object) -> tuple[str, ...]:
    """Tags and the like: a list, or words between commas, each once."""
    if isinstance(value, (list, tuple)):
        found = [text(item) for item in value]
    else:
        found = [
            text(piece) for piece in _LIST_SEPARATORS.split(value if isinstance(value, str) else "")
        ]
    unique = {fold(word): word for word in reversed(found) if word}
    return tuple(reversed(unique.values()))


# Dates -------------------------------------------------------------------------------------------

_MONTHS = {
    word: number
    for number, names in enumerate(
        (
            "jan january januar enero janvier gennaio ene janv",
            "feb february februar febrero fevrier febbraio fev fevr",
            "mar march marz marzo mars mrz",
            "apr april abril avril aprile abr avr",
            "may mai mayo maggio mag",
            "jun june juni junio juin giugno giu",
            "jul july juli julio juillet luglio lug juil",
            "aug august agosto aout ago",
            "sep sept september septiembre septembre settembre set",
            "oct october oktober octubre octobre ottobre okt ott",
            "nov november noviembre novembre",
            "dec december dezember diciembre decembre dicembre dez dic",
        ),
        1,
    )
    for word in names.split()
}
_MONTH_FIRST_REGIONS = frozenset({"US", "PH", "FM", "MH", "PW", "GU", "PR"})
_NUMERIC = re.compile(r"(\d{1,4})([./-])(\d{1,2})\2(\d{2,4})(?=\D|\Z)")
_DAY_MONTH = re.compile(
    r"(\d{1,2})(?:st|nd|rd|th|\.)?\s*(?:de\s+)?([a-z]{3,12})\.?,?\s*(?:de\s+)?(\d{4})"
)
_MONTH_DAY = re.compile(r"([a-z]{3,12})\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?\s*([ap])?\.?m?")
_OLDEST, _NEWEST = 1980, 2200


def date_order(samples: Iterable[str]) -> DateOrder | None:
    """Whether a column writes the day or the month first, by the dates that leave no doubt."""
    day = month = 0
    for sample in samples:
        match = _NUMERIC.match(sample.strip())
        if match and len(match[1]) < 3:
            first, second = int(match[1]), int(match[3])
            day += match[2] == "." or (first > 12 >= second)
            month += match[2] != "." and second > 12 >= first
    return None if day == month else "day" if day > month else "month"


def usual_date_order(region: str) -> DateOrder:
    """What a region writes first."""
    return "month" if region in _MONTH_FIRST_REGIONS else "day"


def moment(
    value: object, *, order: DateOrder, zone: tzinfo | None = None, at: time = time(0)
) -> datetime | None:
    """A date or time as aware UTC.

    Args:
        value: ISO 8601, "3.4.2026", "04/03/2026", "3 Apr 2026", "April 3, 2026", with or without a
            time of day.
        order: How a date such as 03/04/2026 is meant.
        zone: The zone of a value that names none; the machine's own when None.
        at: The time of day of a date without one.
    """
    written = text(value)[:60]
    if len(written) < 6:
        return None
    found = _iso(written) or _local_style(fold(written), order)
    if found is None:
        return None
    if len(written) <= 10 or (found.time() == time(0) and ":" not in written):
        found = datetime.combine(found.date(), at, found.tzinfo)
    if found.tzinfo is None and zone is not None:
        found = found.replace(tzinfo=zone)
    try:
        found = found.astimezone(UTC)
    except (OverflowError, ValueError):
        return None
    return found if _OLDEST <= found.year <= _NEWEST else None


def _iso(written: str) -> datetime | None:
    try:
        return datetime.fromisoformat(written)
    except ValueError:
        return None


def _local_style(written: str, order: DateOrder) -> datetime | None:
    if match := _NUMERIC.match(written):
        year, month, day = _numeric_date(match, order)
    elif match := _DAY_MONTH.match(written):
        year, month, day = int(match[3]), _MONTHS.get(match[2], 0), int(match[1])
    elif match := _MONTH_DAY.match(written):
        year, month, day = int(match[3]), _MONTHS.get(match[1], 0), int(match[2])
    else:
        return None
    rest = written[match.end() :]
    hour = minute = second = 0
    if clock := _CLOCK.search(rest):
        hour, minute, second = int(clock[1]), int(clock[2]), int(clock[3] or 0)
        if clock[4]:
            hour = hour % 12 + (12 if clock[4] == "p" else 0)
    try:
        return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - zoned by the caller
    except ValueError:
        return None


def _numeric_date(match: re.Match[str], order: DateOrder) -> tuple[int, int, int]:
    first, second, third = int(match[1]), int(match[3]), int(match[4])
    if len(match[1]) == 4:
        return first, second, third
    year = third if len(match[4]) > 2 else 2000 + third
    day_first = match[2] == "." or first > 12 or (order == "day" and second <= 12)
    return (year, second, first) if day_first else (year, first, second)


# Statuses ----------------------------------------------------------------------------------------

_STATUS_WORDS = {
    ContactStatus.PENDING: """pending, new, open, lead, todo, to do, to call, to contact, untouched,
        not contacted, not yet contacted, uncontacted, neu, offen, nuevo, nouveau""",
    ContactStatus.EMAILED: """emailed, e-mailed, mailed, email sent, mail sent, e-mail sent, sent,
        contacted, reached out, attempted, attempted contact, in progress, angeschrieben,
        kontaktiert, contactado, contacte""",
    ContactStatus.TEXTED: "texted, sms sent, text sent, whatsapp sent, messaged",
    ContactStatus.CALLED: """called, call made, phoned, left voicemail, voicemail, left message,
        left vm, vm, no answer, not reached, busy, call back, callback, angerufen, llamado,
        appele""",
    ContactStatus.OPENED: "opened, email opened, seen, read",
    ContactStatus.CLICKED: "clicked, visited",
    ContactStatus.REPLIED: """replied, answered, responded, talked, spoke, spoken, connected,
        in conversation, conversation, interested, warm, hot, qualified, meeting, meeting booked,
        proposal, proposal sent, quoted, quote sent, negotiation, demo, demo booked,
        not interested, no interest, declined, rejected, refused, lost, closed lost, dead, no,
        follow up, later, not now, kein interesse, interessiert, geantwortet, no interesado,
        interesado, interesse, pas interesse""",
    ContactStatus.PURCHASED: """purchased, bought, customer, client, paid, sold, won, closed won,
        closed, kunde, verkauft, cliente, client actif, vendido, gagne""",
}
_STATUS_OF_WORD = {
    " ".join(word.split()): status
    for status, names in _STATUS_WORDS.items()
    for word in names.split(",")
}
_OUTCOME_WORDS = {
    Outcome.INTERESTED: """interested, warm, hot, qualified, meeting, meeting booked, proposal,
        proposal sent, quoted, quote sent, negotiation, demo, demo booked, interessiert,
        interesado, interesse""",
    Outcome.LATER: "later, not now, follow up, call back, callback",
    Outcome.WON: """won, closed won, closed, purchased, bought, customer, client, paid, sold, kunde,
        verkauft, cliente, client actif, vendido, gagne""",
    Outcome.LOST: """lost, closed lost, not interested, no interest, declined, rejected, refused,
        dead, no, kein interesse, no interesado, pas interesse""",
    Outcome.WRONG_CONTACT: """wrong contact, wrong number, wrong person, bad number, invalid number,
        disconnected, falsche nummer""",
    Outcome.OPEN: "open",
}
_OUTCOME_OF_WORD = {
    " ".join(word.split()): outcome
    for outcome, names in _OUTCOME_WORDS.items()
    for word in names.split(",")
}
_NEVER_WORDS = frozenset(
    """do not contact; do not call; do not email; dnc; dont contact; don't contact; don't call;
    opted out; opt out; opt-out; unsubscribed; stop; blacklist; blacklisted; blocked; suppressed;
    never contact; never contact again; remove; removed; nicht kontaktieren; gesperrt;
    no contactar; ne pas contacter""".replace("\n    ", " ").split("; ")
)


def status(value: object) -> tuple[ContactStatus | None, Outcome | None, bool]:
    """What a spreadsheet's status says.

    Returns:
        How far contact came, what came of it, and whether the business must not be contacted
        again; None, None, False where the words are not known.
    """
    word = fold(text(value)).replace("_", " ").strip(" .!")
    if word in _NEVER_WORDS:
        return None, None, True
    found = _STATUS_OF_WORD.get(word)
    outcome = _OUTCOME_OF_WORD.get(word)
    if outcome is Outcome.WRONG_CONTACT:
        found = ContactStatus.CALLED
    return found, None if outcome is Outcome.OPEN else outcome, False


def outcome(value: object) -> Outcome | None:
    """What came of a lead, in the words of a spreadsheet."""
    return _OUTCOME_OF_WORD.get(fold(text(value)).replace("_", " "))


def do_not_contact(value: object) -> str | None:
    """The reason in a do-not-contact cell; None where it says no or nothing.

    Anything but a no is a reason: what is unclear must not be contacted.
    """
    if flag(value) is False:
        return None
    words_ = text(value)
    if not words_:
        return None
    return "marked in the imported list" if flag(value) else words_[:300]


def plain_json(value: Any) -> Any:
    """A value for `custom`: JSON without NULs and unpaired surrogates, texts of a sane length."""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode()[:10_000]
    if isinstance(value, dict):
        return {str(plain_json(key)): plain_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (int, float, bool)) or value is None else str(value)

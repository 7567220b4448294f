"""The forms of the lead screen: note, call, status and fields, and reading the times typed in.

Each function makes a form; what is typed is handed to `save` as the service wants it.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from textual.content import Content

from crm_tui import clock
from crm_tui.errors import BadInput
from crm_tui.screens.chosen_file import ChosenFile
from crm_tui.services import never
from crm_tui.services.contacts import phone_words
from crm_tui.services.export import ExportFormat
from crm_tui.services.leads import EDITABLE, LeadPage
from crm_tui.services.timeline import CALL_WORDS, TimelineEntry
from crm_tui.text import visible
from crm_tui.vocabulary import CallOutcome, ContactStatus, Outcome
from crm_tui.widgets.choice import Option
from crm_tui.widgets.facts import styled
from crm_tui.widgets.forms import ChoiceField, Field, Form, LineField, TextField
from crm_tui.widgets.look import Role, status_mark

if TYPE_CHECKING:
    from crm_tui.screens.base import Host

WHEN_HINT = "now, 14:30, yesterday 9:00 or 2026-11-20 14:30"
_TIME_OF_DAY = re.compile(r"(?:(today|yesterday)\s+)?(\d{1,2}):(\d{2})\Z", re.IGNORECASE)

_LABELS = {"email": "E-mail", "postal_code": "Postal code", "timezone": "Time zone"}
_HINTS = {
    "country": "two letters, such as US",
    "timezone": "such as America/New_York",
    "website": "an address of its own",
}


_SHARED = ("category", "city", "region", "postal_code", "country", "timezone")
"""The fields that many leads can have in common."""

_LOSSLESS = "lossless"


class SaveFile(Protocol):
    """Writes leads to a file."""

    async def __call__(self, path: Path, form: ExportFormat, *, lossless: bool) -> None:
        """Write them; `lossless` leaves cells that look like formulas as they are."""


@dataclass(frozen=True, slots=True)
class Here:
    """Where and when the operator is; the machine's own zone when `zone` is None."""

    now: Callable[[], datetime]
    zone: tzinfo | None = None

    @classmethod
    def of(cls, host: Host) -> Here:
        """As the settings say."""
        return cls(host.now, host.settings.operator.zone)


def read_when(words: str, here: Here, *, was: datetime | None = None) -> datetime | None:
    """The time that was typed, as aware UTC; None for now.

    Args:
        words: What stands in the field.
        here: What the words are relative to.
        was: The time the entry has already; left alone it keeps its seconds.

    Raises:
        BadInput: The words are no time.
    """
    said = " ".join(words.split())
    if was is not None and said == clock.local_stamp(was, zone=here.zone):
        return was
    if said.lower() in {"", "now"}:
        return None
    if match := _TIME_OF_DAY.match(said):
        day = here.now().astimezone(here.zone).date()
        if (match[1] or "").lower() == "yesterday":
            day -= timedelta(days=1)
        said = f"{day} {match[2]:0>2}:{match[3]}"
    at = clock.parse_time(said, zone=here.zone)
    if at is None:
        raise BadInput(f"{visible(words, 40)!r} is no time. Write {WHEN_HINT}.")
    return at


def note_form(
    name: str,
    here: Here,
    save: Callable[[str, datetime | None], Awaitable[None]],
    *,
    old: TimelineEntry | None = None,
) -> Form:
    """A note to write, or an old one to correct."""

    async def store(values: Mapping[str, str]) -> None:
        at = read_when(values["when"], here, was=old.at if old else None)
        await save(values["text"], at)

    return Form(
        f"Correct a note about {name}" if old else f"Note about {name}",
        [TextField("text", "Note", old.body if old else ""), _when_field(here, old)],
        save=store,
        verb="Save note",
    )


def correct_call_form(
    name: str,
    here: Here,
    save: Callable[[CallOutcome, str, datetime | None], Awaitable[None]],
    *,
    about: Content,
    old: TimelineEntry,
) -> Form:
    """An old call to correct."""

    async def store(values: Mapping[str, str]) -> None:
        at = read_when(values["when"], here, was=old.at)
        await save(CallOutcome(values["outcome"]), values["text"], at)

    outcomes = [Option(outcome, words) for outcome, words in CALL_WORDS.items()]
    note = TextField if "\n" in old.body else LineField
    return Form(
        f"Correct a call to {name}",
        [
            ChoiceField("outcome", "Outcome", outcomes, CallOutcome(old.data["outcome"])),
            note("text", "Note", old.body),
            _when_field(here, old),
        ],
        save=store,
        verb="Save call",
        about=about,
    )


def status_form(
    name: str, current: ContactStatus, save: Callable[[ContactStatus], Awaitable[None]]
) -> Form:
    """The contact status, to be set by hand."""
    marks = [(status, status_mark(status)) for status in ContactStatus]

    async def store(values: Mapping[str, str]) -> None:
        await save(ContactStatus(values["status"]))

    return Form(
        f"Status of {name}",
        [
            ChoiceField(
                "status",
                "Contact",
                [Option(status, mark.word, mark.role) for status, mark in marks],
                current,
            )
        ],
        save=store,
        verb="Set status",
        about=styled("Overrules what is known now. What happens later still counts.", Role.QUIET),
    )


def outcome_form(
    whom: str, current: Outcome, why: str, save: Callable[[Outcome, str], Awaitable[None]]
) -> Form:
    """What came of leads, and why."""
    marks = [(outcome, status_mark(outcome)) for outcome in Outcome]

    async def store(values: Mapping[str, str]) -> None:
        await save(Outcome(values["outcome"]), values["reason"])

    return Form(
        f"Outcome of {whom}",
        [
            ChoiceField(
                "outcome",
                "Outcome",
                [Option(outcome, mark.word, mark.role) for outcome, mark in marks],
                current,
            ),
            LineField("reason", "Why", visible(why), "has a nephew who does it"),
        ],
        save=store,
        verb="Set outcome",
    )


def never_form(whom: str, save: Callable[[str], Awaitable[None]], *, many: bool = False) -> Form:
    """Never to contact leads again, with the reason in a key; of `many`, the button says how many."""
    other = "other"

    async def store(values: Mapping[str, str]) -> None:
        picked, said = values["reason"], values["words"]
        await save(said if picked == other or said.strip() else picked)

    return Form(
        f"Never contact {whom} again",
        [
            ChoiceField(
                "reason",
                "Reason",
                [Option(each, each) for each in (*never.REASONS, other)],
                never.REASONS[0],
            ),
            LineField("words", "Other words"),
        ],
        save=store,
        verb=f"Never contact {whom} again" if many else "Never contact again",
        about=styled(
            "Not called, mailed or texted any more, at any of their addresses. "
            "Open follow-ups are closed.",
            Role.QUIET,
        ),
    )


def field_form(whom: str, save: Callable[[str, str], Awaitable[None]]) -> Form:
    """One field of many leads, to be set to one value."""

    async def store(values: Mapping[str, str]) -> None:
        await save(values["field"], values["value"])

    return Form(
        f"Set a field of {whom}",
        [
            ChoiceField(
                "field",
                "Field",
                [Option(name, field_words([name])) for name in _SHARED],
                _SHARED[0],
            ),
            LineField("value", "Value", hint="empty clears it"),
        ],
        save=store,
        verb="Set field",
    )


def consent_form(
    whom: str, here: Here | None, save: Callable[[str, datetime | None], Awaitable[None]]
) -> Form:
    """How somebody agreed to text messages, and when; of several at once it is now."""

    async def store(values: Mapping[str, str]) -> None:
        at = read_when(values["when"], here) if here is not None else None
        await save(values["how"], at)

    fields: list[Field] = [LineField("how", "How", hint="asked for it on the phone, signed up …")]
    if here is not None:
        fields.append(_when_field(here, None))
    return Form(f"{whom} agreed to text messages", fields, save=store, verb="Save consent")


def withdraw_form(whom: str, how: str, save: Callable[[str], Awaitable[None]]) -> Form:
    """That somebody takes it back, and why."""

    async def store(values: Mapping[str, str]) -> None:
        await save(values["why"])

    return Form(
        f"{whom} takes the consent to text messages back",
        [LineField("why", "Why", hint="said so on the phone")],
        save=store,
        verb="Take it back",
        about=styled(f"Agreed: {how}", Role.QUIET),
    )


def export_form(whom: str, stem: str, save: SaveFile) -> Form:
    """Leads to be written to a file; one that is there is replaced when that was said twice."""
    file = ChosenFile()

    async def store(values: Mapping[str, str]) -> None:
        form: ExportFormat = "json" if values["format"] == "json" else "csv"
        path = await file.path(values["path"], f"{stem}.{form}")
        await save(path, form, lossless=values["format"] == _LOSSLESS)

    return Form(
        f"Export {whom}",
        [
            ChoiceField(
                "format",
                "Format",
                [
                    Option("csv", "CSV, safe to open in a spreadsheet"),
                    Option(_LOSSLESS, "CSV, cells exactly as they are"),
                    Option("json", "JSON"),
                ],
            ),
            LineField("path", "File", hint=f"{stem}, in the folder crm-tui was started in"),
        ],
        save=store,
        verb="Export",
    )


def fields_form(page: LeadPage, save: Callable[[Mapping[str, str]], Awaitable[None]]) -> Form:
    """The lead's own fields; only those that were changed are saved."""
    before = {name: visible(page.business[name] or "") for name in EDITABLE}
    before["phone"] = phone_words(before["phone"])

    async def store(values: Mapping[str, str]) -> None:
        await save({name: text for name, text in values.items() if text != before[name]})

    return Form(
        f"Edit {visible(before['name'], 50)}",
        [
            LineField(
                name, _LABELS.get(name, name.capitalize()), before[name], _HINTS.get(name, "")
            )
            for name in EDITABLE
        ],
        save=store,
    )


def field_words(names: Iterable[str]) -> str:
    """The names of fields in a sentence: "postal code, phone"."""
    return ", ".join(_LABELS.get(name, name).lower() for name in names)


def _when_field(here: Here, old: TimelineEntry | None) -> LineField:
    was = clock.local_stamp(old.at, zone=here.zone) if old else ""
    return LineField("when", "When", was, WHEN_HINT)

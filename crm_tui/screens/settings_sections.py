"""The sections of the settings beside the accounts: what is set, and where it is changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crm_tui.config import default_config_path
from crm_tui.errors import BadInput
from crm_tui.text import plural, visible
from crm_tui.widgets.choice import Option
from crm_tui.widgets.columns import Cell, Column
from crm_tui.widgets.facts import Fact
from crm_tui.widgets.forms import ChoiceField, Field, Form, LineField, TextField

if TYPE_CHECKING:
    from crm_tui.config import Settings
    from crm_tui.screens.base import Host
    from crm_tui.services.config_file import Changes
    from crm_tui.widgets.forms import Save

PROVIDERS, PLANS, APPEARANCE = "providers", "plans", "appearance"

_YES_NO = (Option("yes", "Yes"), Option("no", "No"))
_EDITED = "e changes it."


@dataclass(frozen=True, slots=True)
class Section:
    """A section: its name, what it is called, and where it is changed."""

    id: int
    name: str
    title: str
    note: str = ""


SECTIONS: tuple[Section, ...] = (
    Section(1, PROVIDERS, "Providers"),
    Section(2, "sender", "Sender", _EDITED),
    Section(3, "sending", "Sending limits", _EDITED),
    Section(4, "score", "Score", "Set under [score] in config.toml."),
    Section(5, "publishing", "Publishing", "Set under [publishing] in config.toml."),
    Section(
        8,
        PLANS,
        "Plans",
        "enter opens the plans and their prices; the rest is set under [money] in config.toml.",
    ),
    Section(
        6,
        APPEARANCE,
        "Appearance",
        "enter chooses a theme; the rest is set under [appearance] in config.toml.",
    ),
    Section(7, "files", "Files", "What is in config.toml holds from the next start on."),
)
"""What there is, in the order of the list."""

SECTION_COLUMNS: tuple[Column[Section], ...] = (
    Column("title", "Settings", lambda row, _now: Cell(row.title), width=14, sortable=False),
)


def section_facts(section: Section, host: Host) -> Sequence[Fact]:
    """What is set in a section."""
    if section.name in _FACTS:
        return _FACTS[section.name](host.settings)
    return _appearance(host) if section.name == APPEARANCE else _files(host)


def _sender(settings: Settings) -> Sequence[Fact]:
    sender = settings.sender
    return [
        Fact("Name", sender.name or "not set"),
        Fact("Address", sender.email or "not set"),
        Fact("Postal address", sender.postal_address or "not set"),
    ]


def _sending(settings: Settings) -> Sequence[Fact]:
    sending, sms = settings.sending, settings.sms
    facts = [
        Fact("Mail an hour", _limit(sending.per_hour)),
        Fact("Mail a day", _limit(sending.per_day)),
        Fact(
            "Warm-up", "10 on the first day, 10 more on each day after" if sending.warm_up else "no"
        ),
        Fact("Quiet hours", sending.quiet_hours or "none", "where the recipient is"),
        Fact("Days", "Monday to Friday" if sending.weekdays_only else "every day"),
        Fact("info@, office@", "are written to" if sending.role_addresses else "are left out"),
        Fact("Written to", _contacted(sending.contacted_days)),
    ]
    if sms.provider:
        facts += [
            Fact("Texts an hour", _limit(sms.per_hour)),
            Fact("Texts a day", _limit(sms.per_day)),
        ]
    return facts


def _limit(number: int) -> str:
    return f"{number:,}" if number else "no limit"


def _contacted(days: int) -> str:
    return f"left out for {plural(days, 'day')}" if days else "nobody is left out for it"


def _money(settings: Settings) -> Sequence[Fact]:
    money = settings.money
    return [
        Fact("Currency", money.currency, "where nothing else is said"),
        Fact("Gross margin", f"{money.gross_margin:.0%}"),
        Fact("Bank details", money.bank_details or "not set"),
        Fact("Asked to pay", f"within {plural(money.payment_days, 'day')}"),
    ]


def _score(settings: Settings) -> Sequence[Fact]:
    score, weights = settings.score, settings.score.weights
    facts = [
        Fact("Qualified", f"from {score.threshold} on"),
        Fact("Trades", ", ".join(score.categories) or "those this program knows"),
    ]
    return facts + [
        Fact(words, f"{getattr(weights, name):g}")
        for name, words in (
            ("no_website", "No website"),
            ("rating", "Rating"),
            ("reviews", "Reviews"),
            ("photos", "Photos"),
            ("email", "Has e-mail"),
            ("phone", "Has phone"),
            ("category", "Trade fits"),
            ("freshness", "Freshness"),
        )
    ]


def _publishing(settings: Settings) -> Sequence[Fact]:
    publishing = settings.publishing
    return [
        Fact("Folder", publishing.path or "none: nothing is published"),
        Fact("Address", publishing.base_url),
        Fact("Then runs", " ".join(publishing.command)),
    ]


def _appearance(host: Host) -> Sequence[Fact]:
    looks = host.settings.appearance
    return [
        Fact("Theme", host.session.theme or looks.theme),
        Fact("Shapes", "ASCII only" if looks.ascii else "all"),
        Fact("Motion", "yes, but never over SSH" if looks.motion else "no"),
    ]


def _files(host: Host) -> Sequence[Fact]:
    backup = host.settings.backup
    return [
        Fact("Configuration", str(host.config or default_config_path())),
        Fact("Store", str(host.store_path)),
        Fact(
            "Backups", f"the last {backup.daily} days and {plural(backup.weekly, 'week')} are kept"
        ),
    ]


_FACTS: dict[str, Callable[[Settings], Sequence[Fact]]] = {
    PLANS: _money,
    "sender": _sender,
    "sending": _sending,
    "score": _score,
    "publishing": _publishing,
}


# Changing them


def section_form(section: Section, settings: Settings, save: Save) -> Form | None:
    """Asks for what is set in a section; None where nothing of it is changed here."""
    if section.name == "sender":
        return Form(section.title, _sender_fields(settings), save=save)
    if section.name == "sending":
        return Form(section.title, _sending_fields(settings), save=save)
    return None


def _sender_fields(settings: Settings) -> Sequence[Field]:
    sender = settings.sender
    return [
        LineField("name", "Name", sender.name, hint="who writes, as the mails say"),
        LineField("email", "Address", sender.email, hint="me@example.com"),
        TextField("postal_address", "Postal address", sender.postal_address),
    ]


def _sending_fields(settings: Settings) -> Sequence[Field]:
    sending, sms = settings.sending, settings.sms
    fields: list[Field] = [
        LineField("per_hour", "Mail an hour", str(sending.per_hour), hint="0 is no limit"),
        LineField("per_day", "Mail a day", str(sending.per_day), hint="0 is no limit"),
    ]
    if sms.provider:
        fields += [
            LineField("sms_per_hour", "Texts an hour", str(sms.per_hour), hint="0 is no limit"),
            LineField("sms_per_day", "Texts a day", str(sms.per_day), hint="0 is no limit"),
        ]
    return [
        *fields,
        LineField("quiet_hours", "Quiet hours", sending.quiet_hours, hint="none"),
        ChoiceField("warm_up", "Warm-up", _YES_NO, _word(sending.warm_up)),
        ChoiceField("weekdays_only", "Weekdays only", _YES_NO, _word(sending.weekdays_only)),
    ]


def _word(value: bool) -> str:  # noqa: FBT001 - a setting
    return "yes" if value else "no"


def section_changes(section: Section, values: Mapping[str, str]) -> Changes:
    """What a form about a section sets.

    Raises:
        BadInput: a number is none.
    """
    if section.name == "sender":
        return {"sender": {name: value.strip() for name, value in values.items()}}
    sending: dict[str, object] = {"quiet_hours": values["quiet_hours"].replace(" ", "")}
    texts: dict[str, object] = {}
    for name in ("warm_up", "weekdays_only"):
        sending[name] = values[name] == "yes"
    for name, value in values.items():
        if name.endswith(("per_hour", "per_day")):
            into = texts if name.startswith("sms_") else sending
            into[name.removeprefix("sms_")] = _number(value)
    return {"sending": sending} | ({"sms": texts} if texts else {})


def _number(typed: str) -> int:
    text = typed.strip().replace(",", "")
    if not (text.isascii() and text.isdigit()):
        raise BadInput(f"A limit is a number, and 0 is none, not {visible(typed.strip(), 20)!r}.")
    return int(text)

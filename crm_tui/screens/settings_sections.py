"""The sections of the settings beside the accounts: what is set, and where it is changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crm_tui.config import default_config_path
from crm_tui.text import plural
from crm_tui.widgets.columns import Cell, Column
from crm_tui.widgets.facts import Fact

if TYPE_CHECKING:
    from crm_tui.config import Settings
    from crm_tui.screens.base import Host

PROVIDERS, APPEARANCE = "providers", "appearance"


@dataclass(frozen=True, slots=True)
class Section:
    """A section: its name, what it is called, and where it is changed."""

    id: int
    name: str
    title: str
    note: str = ""


SECTIONS: tuple[Section, ...] = (
    Section(1, PROVIDERS, "Providers"),
    Section(2, "sender", "Sender", "Set under [sender] in config.toml."),
    Section(3, "sending", "Sending limits", "Set under [sending] and [sms] in config.toml."),
    Section(4, "score", "Score", "Set under [score] in config.toml."),
    Section(5, "publishing", "Publishing", "Set under [publishing] in config.toml."),
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
    if section.name == "files":
        return _files(host)
    return _FACTS[section.name](host.settings)


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


def _appearance(settings: Settings) -> Sequence[Fact]:
    looks = settings.appearance
    return [
        Fact("Theme", looks.theme),
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
    "sender": _sender,
    "sending": _sending,
    "score": _score,
    "publishing": _publishing,
    APPEARANCE: _appearance,
}

"""Setting a follow-up: what is to be done and when, with what is understood of "when" in sight.

A form of its own (`follow_up_form`, for one lead or many), one to put a follow-up off
(`snooze_form`), and the line for other forms (`when_field`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

from crm_tui.errors import BadInput
from crm_tui.services.when import QUICK, read_when, say_date, say_reading
from crm_tui.text import visible
from crm_tui.widgets.forms import Form, LineField
from crm_tui.widgets.look import Role

if TYPE_CHECKING:
    from crm_tui.screens.base import Host
    from crm_tui.services.tasks import FollowUp

CALL_BACK = "call back"
"""What is most often to be done."""

_HINT = "tomorrow 9, in 2 weeks, mon 14:30, 1 dec"


@dataclass(frozen=True, slots=True)
class Ahead:
    """How times ahead are read and said where the operator is.

    Attributes:
        now: The clock, aware UTC.
        zone: The operator's zone; the machine's own when None.
        hour: The hour of a day named without one.
    """

    now: Callable[[], datetime]
    zone: tzinfo | None = None
    hour: int = 9

    @classmethod
    def of(cls, host: Host) -> Ahead:
        """As the settings say."""
        return cls(host.now, host.settings.operator.zone, host.settings.tasks.hour)

    def read(self, text: str) -> datetime:
        """The time a text names, aware UTC.

        Raises:
            BadInput: it is no time ahead.
        """
        return read_when(text, now=self.now(), zone=self.zone, hour=self.hour)

    def say(self, at: datetime) -> str:
        """A time in words: "Mon 30 Nov 9:00"."""
        return say_date(at, now=self.now(), zone=self.zone)

    def reading(self, text: str) -> tuple[str, Role]:
        """What is understood of a text that is being typed; nothing is of an empty one."""
        if not text.strip():
            return "", Role.QUIET
        try:
            at = self.read(text)
        except BadInput as error:
            return str(error).partition(";")[0], Role.ATTENTION
        return say_reading(at, now=self.now(), zone=self.zone), Role.GOOD


def when_field(
    ahead: Ahead, *, name: str = "due", label: str = "When", value: str = "", hint: str = _HINT
) -> LineField:
    """A line for a time ahead: its reading is told below, the arrows go through the usual ones."""
    return LineField(name, label, value, hint, picks=QUICK, reading=ahead.reading)


def follow_up_form(
    whom: str,
    ahead: Ahead,
    save: Callable[[str, datetime], Awaitable[None]],
    *,
    what: str = CALL_BACK,
    when: str | None = None,
    old: FollowUp | None = None,
) -> Form:
    """A follow-up to set, or an old one to change.

    Args:
        whom: The lead's name, or how many they are: "148 leads".
        ahead: Where and when the operator is.
        save: Stores what is to be done and when (aware UTC); a UserError of it is shown.
        what: What the line begins with.
        when: The time the line begins with; that of `old`, else the most usual one when None.
        old: The follow-up that is changed.
    """
    was = ahead.say(old.due_at) if old else QUICK[0]

    async def store(values: Mapping[str, str]) -> None:
        stays = old is not None and values["due"] == was
        await save(values["what"], old.due_at if old and stays else ahead.read(values["due"]))

    return Form(
        f"Change the follow-up with {whom}" if old else f"Follow up with {whom}",
        [
            when_field(ahead, value=was if when is None else when),
            LineField("what", "What", visible(old.what) if old else what, "call back"),
        ],
        save=store,
        verb="Save follow-up",
    )


def snooze_form(
    what: str, ahead: Ahead, save: Callable[[datetime], Awaitable[None]], *, when: str = QUICK[0]
) -> Form:
    """A time to put a follow-up off to.

    Args:
        what: What is put off, such as "call back, Woodhaven Plumbing".
        ahead: Where and when the operator is.
        save: Stores the time, aware UTC.
        when: The time the line begins with.
    """

    async def store(values: Mapping[str, str]) -> None:
        await save(ahead.read(values["due"]))

    return Form(f"Put off: {what}", [when_field(ahead, value=when)], save=store, verb="Put off")

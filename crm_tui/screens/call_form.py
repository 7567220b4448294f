"""A call: what is needed to make it, and what is said of it after.

`CallFields` go into the form (`call_form`) and into the call sheet alike; they offer a time to call
again that fits the outcome, until another one is typed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from textual import on
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Digits, Input, Static

from crm_tui import clock
from crm_tui.errors import BadInput
from crm_tui.screens import lead_facts
from crm_tui.screens.follow_up import Ahead, when_field
from crm_tui.screens.lead_forms import WHEN_HINT, Here, read_when
from crm_tui.services.contacts import phone_words
from crm_tui.services.leads import LeadPage
from crm_tui.services.timeline import CALL_WORDS
from crm_tui.services.when import EXAMPLES
from crm_tui.text import visible
from crm_tui.vocabulary import CallOutcome
from crm_tui.widgets.choice import Choice, Option
from crm_tui.widgets.facts import styled
from crm_tui.widgets.forms import ChoiceField, Field, Fields, Form, LineField
from crm_tui.widgets.look import Role

TALL = 32
"""Lines from which on there is room for the number in large digits."""

_NAME = 50
_FRIDAY = 4
_ROLES = {
    CallOutcome.TALKED: Role.GOOD,
    CallOutcome.LATER: Role.ATTENTION,
    CallOutcome.NO: Role.BAD,
    CallOutcome.WRONG_NUMBER: Role.BAD,
}


@dataclass(frozen=True, slots=True)
class Said:
    """What is said of a call; times are aware UTC, `at` is None for a call made just now."""

    outcome: CallOutcome
    note: str
    again_at: datetime | None
    at: datetime | None

    def words(self, ahead: Ahead) -> str:
        """In a few words: "no answer, again tomorrow 9:00"."""
        again = f", again {ahead.say(self.again_at)}" if self.again_at else ""
        return CALL_WORDS[self.outcome] + again


class CallFields(Fields):
    """How a call went, a line about it, and when to call again.

    Args:
        ahead: Where and when the operator is, for the time ahead.
        here: The same for the time of the call; None where it is always now.
        id: The widget's id.
    """

    def __init__(self, ahead: Ahead, here: Here | None = None, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        options = [
            Option(outcome, words, _ROLES.get(outcome, Role.TEXT))
            for outcome, words in CALL_WORDS.items()
        ]
        self._ahead = ahead
        self._here = here
        self._offered = _again(CallOutcome.NO_ANSWER, ahead)
        fields: list[Field] = [
            ChoiceField("outcome", "Outcome", options, CallOutcome.NO_ANSWER),
            LineField("text", "Note"),
            when_field(ahead, name="again", label="Call again", value=self._offered),
        ]
        if here is not None:
            fields.append(LineField("when", "Called", hint=WHEN_HINT))
        super().__init__(fields, id=id)

    @property
    def outcome(self) -> CallOutcome:
        """The one that is picked."""
        return CallOutcome(self.values()["outcome"])

    def said(self) -> Said:
        """What the fields say.

        Raises:
            BadInput: A time cannot be read, or who is to be called later is not said when.
        """
        values = self.values()
        again, outcome = values["again"], self.outcome
        if outcome is CallOutcome.LATER and not again.strip():
            raise BadInput(f"Say when to call again: {EXAMPLES}.")
        return Said(
            outcome,
            values["text"],
            self._ahead.read(again) if again.strip() else None,
            read_when(values["when"], self._here) if self._here else None,
        )

    def begin(self) -> None:
        """Empty, for the next call."""
        self._offered = _again(CallOutcome.NO_ANSWER, self._ahead)
        self.fill({"outcome": CallOutcome.NO_ANSWER, "text": "", "again": self._offered})
        self.of("outcome").focus()

    def typed(self, before: Mapping[str, str]) -> bool:
        """Whether a text was typed that would be lost; a time that is only offered is none."""
        values = self.values()
        offered = {"again": values["again"]} if values["again"] == self._offered else {}
        return super().typed({**before, **offered})

    @on(Choice.Picked)
    def _offer(self, message: Choice.Picked) -> None:
        """Offer when to call again, unless a time was typed."""
        line = self.query_one("#again", Input)
        before, self._offered = self._offered, _again(CallOutcome(message.value), self._ahead)
        if line.value == before:
            line.value = self._offered

    def ask_when(self) -> bool:
        """Go to the time to call again where it has to be said and is not; False where it need not."""
        missing = self.outcome is CallOutcome.LATER and not self.values()["again"].strip()
        if missing:
            self.of("again").focus()
        return missing

    @on(Choice.Entered)
    def _entered(self, message: Choice.Entered) -> None:
        """Who asked to be called later is asked for the time before anything is saved."""
        if self.ask_when():
            message.stop()


def call_form(
    page: LeadPage,
    ahead: Ahead,
    here: Here,
    save: Callable[[Said], Awaitable[None]],
    *,
    region: str,
    large: bool = False,
) -> Form:
    """A call to log.

    Args:
        page: The lead.
        ahead: Where and when the operator is.
        here: The same for times past.
        save: Stores what is said; a UserError of it is shown.
        region: Where numbers are shown without the code of the country (ISO 3166).
        large: Whether there is room for the number in large digits.
    """
    words = about(page, now=ahead.now(), region=region)
    fields = CallFields(ahead, here)

    async def store(_values: Mapping[str, str]) -> None:
        await save(fields.said())

    return Form(
        f"Call {visible(page.business['name'], _NAME)}",
        fields,
        save=store,
        verb="Save and go on",
        about=WithDigits(large_number(page, region), words) if large else words,
    )


class WithDigits(Vertical):
    """A number in large digits, and words below it."""

    DEFAULT_CSS = """
    WithDigits {
        height: auto;
        & Digits { height: 3; width: 1fr; margin: 1 0; color: $text-accent; }
    }
    """

    def __init__(self, number: str, words: Content) -> None:
        super().__init__(Digits(number), Static(words, id="form-about"))


def large_number(page: LeadPage, region: str) -> str:
    """The number to call as it is shown in large digits; "" where there is none."""
    point = lead_facts.phone_to_call(page)
    number = phone_words(point.value, region) if point else ""
    return number if number.isascii() else ""


def about(page: LeadPage, *, now: datetime, region: str) -> Content:
    """The number, whether somebody is there, and what came last."""
    lines = [lead_facts.phone_line(page, now=now, region=region)]
    if warning := lead_facts.warning(page):
        lines.insert(0, warning)
    if last := page.business["last_activity"]:
        when = clock.ago(page.business["last_activity_at"], now)
        lines.append(styled(f"last {when}  ", Role.QUIET) + styled(last))
    return Content("\n").join(lines)


def _again(outcome: CallOutcome, ahead: Ahead) -> str:
    """When to call again after such a call, in words; "" where nothing is agreed."""
    if outcome is CallOutcome.VOICEMAIL:
        return "in 3 days"
    if outcome is not CallOutcome.NO_ANSWER:
        return ""
    tomorrow = (ahead.now().astimezone(ahead.zone) + timedelta(days=1)).weekday()
    return "mon" if tomorrow > _FRIDAY else "tomorrow"

"""The second page of the wizard: what it says, step by step."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from textual import on
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from crm_tui.errors import BadInput
from crm_tui.screens.dialogs import Pick, Picker
from crm_tui.screens.mail_texts import templates_of
from crm_tui.screens.step_forms import DELAY_HINT, step_form
from crm_tui.screens.wizard_pages import PageList, PlanPage, delay_words
from crm_tui.services.campaigns.preview import about_size
from crm_tui.services.campaigns.steps import OWN_TEXT, Step, sendable, step_of
from crm_tui.services.campaigns.text_checks import why_no_texts
from crm_tui.services.campaigns.variants import LETTERS, OWN, SECOND, Variant
from crm_tui.services.sending.hours import read_delay
from crm_tui.services.templating.files import Kind, Template, read_template
from crm_tui.text import visible_lines
from crm_tui.vocabulary import Channel
from crm_tui.widgets.columns import Cell, Column
from crm_tui.widgets.facts import styled
from crm_tui.widgets.forms import Form, LineField
from crm_tui.widgets.look import Role
from crm_tui.widgets.row_messages import RowHighlighted

_MOST_ROWS = 6
"""Messages that are seen at once; more are scrolled through."""

_USUAL_DELAY = "3 business days"


class _StepRow(NamedTuple):
    """One text of a message; a message of which two are tried has two rows."""

    id: int
    number: int
    letter: str
    step: Step
    share: int | None

    @property
    def called(self) -> str:
        """How it is called: "1", or "1B" where two texts are tried."""
        return f"{self.number}" + (self.letter.upper() if self.share else "")


def _rows(steps: Iterable[Step]) -> list[_StepRow]:
    return [
        _StepRow(
            _id(number, letter),
            number,
            letter,
            text,
            None if step.variant is None else _share(step.variant, letter),
        )
        for number, step in enumerate(steps, start=1)
        for letter, text in step.texts.items()
    ]


def _share(variant: Variant, letter: str) -> int:
    return variant.share if letter == SECOND else 100 - variant.share


def _id(number: int, letter: str) -> int:
    return number * len(LETTERS) + LETTERS.index(letter)


def _when(row: _StepRow) -> str:
    """When it goes, and to how many of those who get the message."""
    said = delay_words(row.step) or "at once" if row.letter == OWN else ""
    if row.share is None:
        return said
    return f"{said}, to {row.share} of 100" if said else f"to {row.share} of 100"


_STEPS: tuple[Column[_StepRow], ...] = (
    Column(
        "number",
        "",
        lambda row, _: Cell(row.called, Role.QUIET),
        width=2,
        sortable=False,
    ),
    Column(
        "subject",
        "Subject",
        lambda row, _: Cell(_title(row.step), Role.STRONG),
        width=30,
        widest=60,
        sortable=False,
    ),
    Column(
        "delay",
        "When",
        lambda row, _: Cell(_when(row)),
        width=22,
        rank=1,
        sortable=False,
    ),
    Column(
        "template",
        "Template",
        lambda row, _: Cell(row.step.template, Role.QUIET),
        width=16,
        widest=30,
        rank=2,
        sortable=False,
    ),
)

_TEXT = "text message"
_ABOUT_SECOND = "Half of them get it in place of the first, to see which does better."
_NO_MESSAGE = "There is no message yet. t takes a template, e writes one."


def _title(step: Step) -> str:
    """The subject of a mail, or how a text message begins."""
    return f"Text: {step.title}" if step.channel is Channel.SMS else step.subject


class MessagePage(PlanPage, inherit_bindings=False):
    """What it says: one message, or several with delays."""

    AREA = "message"
    TITLE = "Message"
    FOOTER = (
        "message.template",
        "message.edit",
        "message.add",
        "message.delay",
        "message.variant",
    )
    DEFAULT_CSS = """
    MessagePage {
        & #stops { height: 1; margin-top: 1; padding: 0 3; }
        & #source-pane { height: 1fr; margin-top: 1; padding: 0 3; background: $surface; }
        & #source { height: auto; max-width: 88; }
    }
    """

    def compose(self) -> Iterable[Widget]:
        """The messages, and the text of the one under the cursor."""
        self._table: PageList[_StepRow] = PageList(_STEPS, now=self.paged_now)
        self._table.nothing = _NO_MESSAGE
        yield self._table
        yield Static(id="stops")
        with VerticalScroll(id="source-pane", can_focus=False):
            yield Static(id="source")

    async def enter(self) -> None:
        """Show the messages."""
        self._show()

    def _show(self, at: int | None = None) -> None:
        rows = _rows(self.plan.steps)
        self._table.styles.height = 1 + min(max(len(rows), 1), _MOST_ROWS)
        self._table.show(array("q", (row.id for row in rows)), rows, keep="place")
        if at is not None:
            self._table.go_to(at)
        words = "It ends for a lead who answers, buys, opts out or cannot be reached."
        self.query_one("#stops", Static).update(styled(words if rows else "", Role.QUIET))
        self._show_source()

    @on(RowHighlighted)
    def _show_source(self) -> None:
        row = self._table.cursor_row if self.plan.steps else None
        self._show_text(row.step.read() if row else None)

    def _show_text(self, template: Template | None) -> None:
        """What a template says; of a text message its size, and why it cannot be sent."""
        said = Content("" if template is None else visible_lines(template.body))
        if template is not None and template.channel is Channel.SMS:
            why = why_no_texts(self.wizard.host.settings)
            about = styled(why, Role.ATTENTION) if why else styled(about_size(template), Role.QUIET)
            said = Content("\n\n").join([about, said])
        self.query_one("#source", Static).update(said)

    @property
    def _row(self) -> _StepRow | None:
        """The text under the cursor; None where there is no message."""
        return self._table.cursor_row if self.plan.steps else None

    def why_not(self, action_id: str) -> str | None:
        """What is done to a message needs one."""
        row = self._row
        if action_id in {"message.delay", "message.remove", "message.variant"} and row is None:
            return _NO_MESSAGE
        if action_id == "message.delay" and row is not None and row.number == 1:
            return "The first message goes at once, or at the time of the campaign."
        return None

    async def _keep(self, steps: Iterable[Step], number: int, letter: str = OWN) -> None:
        """Keep other messages, and go to one of their texts."""
        steps = tuple(steps)
        for step in steps:
            sendable(step)
        self.plan.choose(steps=steps)
        await self.wizard.keep_draft()
        self._show(_id(number, letter))

    async def _keep_step(self, step: Step, number: int, letter: str = OWN) -> None:
        """Keep another message in the place of one."""
        steps = list(self.plan.steps)
        steps[number - 1 : number] = [step]
        await self._keep(steps, number, letter)

    def action_template(self) -> None:
        """Take a template for the text under the cursor."""
        row = self._row
        if row is None:
            self.action_add()
        else:
            self._pick(lambda template: self._put(template, row.number, row.letter))

    def action_add(self) -> None:
        """Add a message, to be sent some time after the one before."""
        self._pick(lambda template: self._put(template, 0))

    def _pick(self, take: Callable[[Template], None]) -> None:
        templates = templates_of(self.wizard.host).every()
        why = why_no_texts(self.wizard.host.settings)
        remark = f"{_TEXT}, not set up" if why else _TEXT
        picks = [Pick(name, name, each.subject or remark) for name, each in templates.items()]

        def look(name: str) -> None:
            self._show_text(templates[name])

        def picked(name: str | None) -> None:
            if name is None:
                self._show_source()
            elif why and templates[name].channel is Channel.SMS:
                self.wizard.host.say(why, Role.ATTENTION)
            else:
                take(templates[name])

        self.app.push_screen(Picker("Which template", picks, preview=look), picked)

    def _put(self, template: Template, number: int, letter: str = OWN) -> None:
        """Have a text say what a template says; at 0 that of a new message."""
        self.wizard.in_order(self._put_in(template, number, letter), group="step")

    async def _put_in(self, template: Template, number: int, letter: str) -> None:
        steps = self.plan.steps
        if number:
            step = steps[number - 1]
            changed = step.with_text(letter, step_of(template, delay=step.delay))
            await self._keep_step(changed, number, letter)
        else:
            new = step_of(template, delay=_USUAL_DELAY if steps else None)
            await self._keep_step(new, len(steps) + 1)

    def action_edit(self) -> None:
        """Write what the text under the cursor says."""
        row = self._row
        if row is not None:
            self._write(row.number, row.letter, row.step, f"Message {row.called}")
            return
        blank = read_template("", name=OWN_TEXT, kind=Kind.TEXT)

        async def save(changed: Template, delay: str | None) -> None:
            await self._keep_step(replace(step_of(changed, delay=delay), template=OWN_TEXT), 1)

        self.app.push_screen(step_form("Message 1", blank, None, save))

    def _write(self, number: int, letter: str, text: Step, title: str, *, about: str = "") -> None:
        """Ask for one text of a message, which is to be as this one to begin with."""
        step = self.plan.steps[number - 1]
        delay = text.delay if letter == OWN else None

        async def save(changed: Template, after: str | None) -> None:
            name = text.template if changed.source == text.source else OWN_TEXT
            delayed = step_of(changed, delay=after if letter == OWN else step.delay)
            said = replace(delayed, template=name)
            known = replace(step, delay=said.delay) if letter == OWN else step
            await self._keep_step(known.with_text(letter, said), number, letter)

        self.app.push_screen(step_form(title, text.read(), delay, save, about=about))

    def action_variant(self) -> None:
        """Write a second text, which a part of them get; where there is one, say how many do."""
        row = self._row
        if row is None:
            return
        step = self.plan.steps[row.number - 1]
        if step.variant is None:
            title = f"Message {row.number}, second text"
            self._write(row.number, SECOND, row.step, title, about=_ABOUT_SECOND)
            return
        variant = step.variant

        async def save(values: Mapping[str, str]) -> None:
            shared = replace(step, variant=replace(variant, share=_number(values["share"])))
            await self._keep_step(shared, row.number, row.letter)

        field = LineField("share", "Of a hundred", f"{variant.share}", "1 to 99")
        form = Form(f"How many get the second text of message {row.number}", [field], save=save)
        self.app.push_screen(form)

    def action_delay(self) -> None:
        """Say how long after the one before the message goes."""
        row = self._row
        if row is None:
            return
        step = self.plan.steps[row.number - 1]

        async def save(values: Mapping[str, str]) -> None:
            delay = str(read_delay(values["delay"]))
            await self._keep_step(replace(step, delay=delay), row.number, row.letter)

        before = read_delay(step.delay).words if step.delay else ""
        field = LineField("delay", "After", before, DELAY_HINT)
        form = Form(f"How long after message {row.number - 1}", [field], save=save)
        self.app.push_screen(form)

    def action_remove(self) -> None:
        """Take the message under the cursor out, or its second text alone."""
        row = self._row
        if row is None:
            return
        steps = list(self.plan.steps)
        if row.letter == SECOND:
            steps[row.number - 1] = replace(steps[row.number - 1], variant=None)
        else:
            del steps[row.number - 1]
            if steps:
                steps[0] = replace(steps[0], delay=None)
        at = row.number if row.letter == SECOND else max(row.number - 1, 1)
        self.wizard.in_order(self._keep(steps, at), group="step")

    def why_not_done(self) -> str:
        """There has to be something to say."""
        return "" if self.plan.steps else _NO_MESSAGE


def _number(text: str) -> int:
    typed = text.strip().rstrip("%").strip()
    if not typed.isascii() or not typed.isdigit():
        raise BadInput("Say how many of a hundred get the second text, such as 50.")
    return int(typed[:4])

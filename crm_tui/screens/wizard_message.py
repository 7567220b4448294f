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

from crm_tui.screens.dialogs import Pick, Picker
from crm_tui.screens.mail_texts import templates_of
from crm_tui.screens.step_forms import DELAY_HINT, step_form
from crm_tui.screens.wizard_pages import PageList, PlanPage, delay_words
from crm_tui.services.campaigns.drafts import OWN_TEXT, Step, step_of
from crm_tui.services.campaigns.preview import about_size
from crm_tui.services.campaigns.text_checks import why_no_texts
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
    id: int
    step: Step


_STEPS: tuple[Column[_StepRow], ...] = (
    Column(
        "number",
        "",
        lambda row, _: Cell(str(row.id), Role.QUIET),
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
        lambda row, _: Cell(delay_words(row.step) or "at once"),
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
_NO_MESSAGE = "There is no message yet. t takes a template, e writes one."


def _title(step: Step) -> str:
    """The subject of a mail, or how a text message begins."""
    return f"Text: {step.title}" if step.channel is Channel.SMS else step.subject


class MessagePage(PlanPage, inherit_bindings=False):
    """What it says: one message, or several with delays."""

    AREA = "message"
    TITLE = "Message"
    FOOTER = ("message.template", "message.edit", "message.add", "message.delay")
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
        rows = [_StepRow(number, step) for number, step in enumerate(self.plan.steps, start=1)]
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
    def _at(self) -> int:
        """The number of the message under the cursor, from 1; 0 where there is none."""
        return (self._table.cursor_id or 0) if self.plan.steps else 0

    def why_not(self, action_id: str) -> str | None:
        """What is done to a message needs one."""
        if action_id in {"message.delay", "message.remove"} and not self.plan.steps:
            return _NO_MESSAGE
        if action_id == "message.delay" and self._at == 1:
            return "The first message goes at once, or at the time of the campaign."
        return None

    async def _keep(self, steps: Iterable[Step], at: int) -> None:
        self.plan.choose(steps=tuple(steps))
        await self.wizard.keep_draft()
        self._show(at)

    def action_template(self) -> None:
        """Take a template for the message under the cursor."""
        self._pick(lambda template: self._put(template, self._at))

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

    def _put(self, template: Template, at: int) -> None:
        """Have a message say what a template says; at 0 a new one."""
        steps = list(self.plan.steps)
        delay = _USUAL_DELAY if steps else None
        if at:
            steps[at - 1] = step_of(template, delay=steps[at - 1].delay)
        else:
            steps.append(step_of(template, delay=delay))
        self.wizard.in_order(self._keep(steps, at or len(steps)), group="step")

    def action_edit(self) -> None:
        """Write what the message under the cursor says."""
        at = self._at or 1
        step = self.plan.steps[at - 1] if self.plan.steps else None
        template = step.read() if step else read_template("", name=OWN_TEXT, kind=Kind.TEXT)

        async def save(changed: Template, delay: str | None) -> None:
            steps = list(self.plan.steps)
            same = step is not None and changed.source == step.source
            name = step.template if step is not None and same else OWN_TEXT
            steps[at - 1 : at] = [replace(step_of(changed, delay=delay), template=name)]
            await self._keep(steps, at)

        delay = step.delay if step else None
        self.app.push_screen(step_form(f"Message {at}", template, delay, save))

    def action_delay(self) -> None:
        """Say how long after the one before the message goes."""
        at = self._at
        step = self.plan.steps[at - 1]

        async def save(values: Mapping[str, str]) -> None:
            steps = list(self.plan.steps)
            delayed = step_of(step.read(), delay=values["delay"].strip() or None)
            steps[at - 1] = replace(delayed, template=step.template)
            await self._keep(steps, at)

        before = read_delay(step.delay).words if step.delay else ""
        field = LineField("delay", "After", before, DELAY_HINT)
        form = Form(f"How long after message {at - 1}", [field], save=save)
        self.app.push_screen(form)

    def action_remove(self) -> None:
        """Take the message under the cursor out."""
        steps = list(self.plan.steps)
        del steps[self._at - 1]
        if steps:
            steps[0] = replace(steps[0], delay=None)
        self.wizard.in_order(self._keep(steps, max(self._at - 1, 1)), group="step")

    def why_not_done(self) -> str:
        """There has to be something to say."""
        return "" if self.plan.steps else _NO_MESSAGE

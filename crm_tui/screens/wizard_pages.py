"""The first pages of the wizard: whom it is for, what it says, and how that looks to each."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, NamedTuple, cast

from textual import on
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Static

from crm_tui.errors import BadInput, CrmError, UserError
from crm_tui.screens.campaign_columns import LeftOutLine
from crm_tui.screens.dialogs import Pick, Picker
from crm_tui.screens.left_out import LeftOutScreen
from crm_tui.screens.mail_texts import templates_of
from crm_tui.screens.step_forms import DELAY_HINT, step_form
from crm_tui.services.campaigns import preview, trial
from crm_tui.services.campaigns.audience import Audience, Looked
from crm_tui.services.campaigns.drafts import OWN_TEXT, Step, step_of
from crm_tui.services.filters import QueryError
from crm_tui.services.sending.hours import read_delay
from crm_tui.services.templating.files import Kind, Template, read_template
from crm_tui.text import plural, visible, visible_lines
from crm_tui.widgets.columns import Cell, Column
from crm_tui.widgets.facts import styled
from crm_tui.widgets.filter_line import FilterLine
from crm_tui.widgets.forms import Form, LineField
from crm_tui.widgets.keys import KeyArea
from crm_tui.widgets.look import TROUBLE, Role
from crm_tui.widgets.row_list import RowList
from crm_tui.widgets.row_messages import RowHighlighted
from crm_tui.widgets.row_window import RowT

if TYPE_CHECKING:
    from crm_tui.screens.wizard import WizardScreen
    from crm_tui.screens.wizard_plan import Plan

_TYPING_PAUSE = 0.3
"""Seconds after a keystroke before an audience is looked at."""

_REASONS, _REASONS_IF_TALL = 4, 12
"""Reasons that are shown for who is left out; the list of them has all."""

_USUAL_DELAY = "3 business days"


class Page(Vertical, KeyArea, inherit_bindings=False):
    """A page of the wizard.

    Args:
        plan: What was chosen so far.
    """

    TITLE: ClassVar[str]
    FOOTER: ClassVar[tuple[str, ...]]

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan

    def wizard_now(self) -> datetime:
        """The clock, for the lists."""
        return self.wizard.host.now()

    @property
    def wizard(self) -> WizardScreen:
        """The screen it is on."""
        return cast("WizardScreen", self.screen)

    async def enter(self) -> None:
        """Show what was chosen."""

    async def read_again(self) -> None:
        """The store was changed; everybody is looked at again before the start in any case."""

    def take_focus(self) -> None:
        """Have the keys come here."""
        target = next((each for each in self.query("*") if each.focusable), None)
        self.screen.set_focus(target)

    def why_not_done(self) -> str:
        """Why one cannot go on from here, as a sentence; "" where one can."""
        return ""

    def back(self) -> bool:
        """One step back within the page; False when there was none to take."""
        return False

    async def finish(self) -> None:
        """What comes after the last page."""


class PageList(RowList[RowT], inherit_bindings=False):
    """A list on a page: enter goes on to the next one, whether there are rows or not."""

    def action_open(self) -> None:
        """To the next page."""
        cast("WizardScreen", self.screen).action_next()


def delay_words(step: Step) -> str:
    """How long after the one before a message goes: "3 business days later"; "" for the first."""
    return f"{read_delay(step.delay).words} later" if step.delay else ""


# Audience


class _Person(NamedTuple):
    id: int
    name: str
    address: str
    person: str


_PEOPLE: tuple[Column[_Person], ...] = (
    Column(
        "name",
        "Lead",
        lambda row, _: Cell(row.name, Role.STRONG),
        width=24,
        widest=40,
        sortable=False,
    ),
    Column(
        "address", "Address", lambda row, _: Cell(row.address), width=28, widest=44, sortable=False
    ),
    Column(
        "person",
        "Person",
        lambda row, _: Cell(row.person, Role.QUIET),
        width=16,
        widest=30,
        rank=1,
        sortable=False,
    ),
)


class AudiencePage(Page, inherit_bindings=False):
    """Who gets it, and who is left out and why."""

    AREA = "audience"
    TITLE = "Audience"
    FOOTER = ("audience.filter", "audience.left_out")
    DEFAULT_CSS = """
    AudiencePage {
        & #chosen { height: 1; padding: 0 3; display: none; }
        & #who { height: auto; padding: 0 3; margin: 1 0; }
    }
    """

    def compose(self) -> Iterable[Widget]:
        """The filter, what comes of it, and the recipients."""
        self._line = FilterLine("all leads; status:pending city:Queens has:email -has:website")
        yield self._line
        yield Static(id="chosen")
        yield Static(id="who")
        self._table: PageList[_Person] = PageList(_PEOPLE, now=self.wizard_now)
        self._table.nothing = "Nobody gets it."
        yield self._table
        self._pause: Timer | None = None
        self._people: dict[int, _Person] = {}

    async def enter(self) -> None:
        """Show the audience, and look at it if that was not done."""
        asked = self.plan.draft.audience
        by_filter = asked.query is not None
        self._line.display = by_filter
        chosen = self.query_one("#chosen", Static)
        chosen.display = not by_filter
        if by_filter:
            self._line.put(asked.query or "", quietly=True)
        else:
            chosen.update(styled(f"{plural(len(asked.ids), 'lead')} chosen one by one."))
        await self._look()

    def take_focus(self) -> None:
        """The filter is for who types; else the keys go through the recipients."""
        self.screen.set_focus(self._table)

    async def _look(self) -> None:
        if self.plan.looked is None:
            self._say(styled("Looking at everybody …", Role.QUIET))
        try:
            looked = await self.plan.look(self._progress)
        except QueryError as error:
            self._line.show_problem(str(error), error.column)
            return
        self._line.clear_problem()
        self._show(looked)

    def _progress(self, done: int, total: int) -> None:
        if total > 2000:
            self._say(styled(f"Looking at everybody: {done:,} of {total:,}", Role.QUIET))

    def _show(self, looked: Looked) -> None:
        people = [
            _Person(each.business_id, each.name, each.address, each.person or "")
            for each in looked.recipients
        ]
        self._people = {each.id: each for each in people}
        self._table.show(array("q", self._people), people, keep="place")
        get = "gets" if len(people) == 1 else "get"
        lines = [styled(f"{plural(len(people), 'lead')} {get} it", Role.STRONG)]
        if looked.held:
            lines[0] += styled(f"   {looked.held:,} of them once their site is published")
        if looked.left_out:
            lines.append(styled(f"{plural(len(looked.left_out), 'lead')} left out:", Role.TEXT))
            reasons = looked.excluded
            most = _REASONS_IF_TALL if self.wizard.has_class("-tall") else _REASONS
            lines += [
                styled(f"{each.count:>7,}  ") + styled(each.reason, Role.QUIET)
                for each in reasons[:most]
            ]
            if rest := reasons[most:]:
                count = sum(each.count for each in rest)
                words = f"{count:>7,}  for {plural(len(rest), 'other reason')}: o lists them"
                lines.append(styled(words, Role.QUIET))
        self._say(Content("\n").join(lines))

    def _say(self, words: Content) -> None:
        self.query_one("#who", Static).update(words)

    def action_filter(self) -> None:
        """Type whom it is for."""
        if self.plan.draft.audience.query is None:
            self.plan.choose(audience=Audience(query=""))
            self._line.display = True
            self.query_one("#chosen", Static).display = False
        self._line.edit()

    @on(FilterLine.Changed)
    def _typed(self) -> None:
        if self._pause is not None:
            self._pause.stop()
        self._line.clear_problem()
        self._pause = self.set_timer(_TYPING_PAUSE, self._apply)

    def _apply(self) -> None:
        self._pause = None
        text = self._line.value.strip()
        if text != self.plan.draft.audience.query:
            self.plan.choose(audience=Audience(query=text))
            self.wizard.work(self._look(), group="audience")

    @on(FilterLine.Left)
    @on(FilterLine.Entered)
    def _left(self) -> None:
        if self._pause is not None:
            self._pause.stop()
            self._apply()
        self.screen.set_focus(self._table)

    def action_left_out(self) -> None:
        """See who is left out, and why."""
        looked = self.plan.looked
        if looked is None:
            return
        found = [
            LeftOutLine(each.business_id, each.name, each.address, each.reason)
            for each in looked.left_out
        ]

        async def wanted() -> list[LeftOutLine]:
            return found

        name = self.plan.draft.name or "this campaign"
        self.app.push_screen(LeftOutScreen(name, wanted))

    def why_not_done(self) -> str:
        """Somebody has to get it."""
        if self.plan.looked is None:
            return "Nobody is known to get it yet: the filter has to be read first."
        if not self.plan.looked.recipients:
            return "Nobody gets it. / changes whom it is for, o says why they are left out."
        return ""


# Message


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
        lambda row, _: Cell(row.step.subject, Role.STRONG),
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

_NO_MESSAGE = "There is no message yet. t takes a template, e writes one."


class MessagePage(Page, inherit_bindings=False):
    """What it says: one message, or several with delays."""

    AREA = "message"
    TITLE = "Message"
    FOOTER = ("message.template", "message.edit", "message.add", "message.delay")
    DEFAULT_CSS = """
    MessagePage {
        & PageList { height: 6; }
        & #stops { height: 1; padding: 0 3; }
        & #source-pane { height: 1fr; margin-top: 1; padding: 0 3; background: $surface; }
        & #source { height: auto; }
    }
    """

    def compose(self) -> Iterable[Widget]:
        """The messages, and the text of the one under the cursor."""
        self._table: PageList[_StepRow] = PageList(_STEPS, now=self.wizard_now)
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
        self._table.show(array("q", (row.id for row in rows)), rows, keep="place")
        if at is not None:
            self._table.go_to(at)
        words = "It ends for a lead who answers, buys, opts out or cannot be reached."
        self.query_one("#stops", Static).update(styled(words if rows else "", Role.QUIET))
        self._show_source()

    @on(RowHighlighted)
    def _show_source(self) -> None:
        row = self._table.cursor_row if self.plan.steps else None
        text = visible_lines(row.step.read().body) if row else ""
        self.query_one("#source", Static).update(Content(text))

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
        templates = templates_of(self.wizard.host).all()
        picks = [Pick(name, name, each.subject) for name, each in templates.items()]

        def look(name: str) -> None:
            self.query_one("#source", Static).update(Content(visible_lines(templates[name].body)))

        def picked(name: str | None) -> None:
            if name is None:
                self._show_source()
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


# Preview


class PreviewPage(Page, inherit_bindings=False):
    """Each mail as its recipient will get it, those that lack something first."""

    AREA = "preview"
    TITLE = "Preview"
    FOOTER = ("preview.person", "preview.person_before", "preview.other", "preview.try")
    DEFAULT_CSS = """
    PreviewPage {
        & #whose { height: auto; padding: 0 3; }
        & #mail-pane { height: 1fr; margin-top: 1; padding: 1 3; background: $surface; }
        & #mail { height: auto; }
    }
    """

    def compose(self) -> Iterable[Widget]:
        """Whose mail, and the mail."""
        yield Static(id="whose")
        with VerticalScroll(id="mail-pane"):
            yield Static(id="mail")
        self._person = 0
        self._position = 1

    async def enter(self) -> None:
        """Find who lacks something, and show the first mail."""
        self._person, self._position = 0, min(self._position, len(self.plan.steps) or 1)
        if self.plan.looked is None:
            await self.plan.look(lambda _done, _total: None)
        if self.plan.lacking is None:
            self.query_one("#whose", Static).update(styled("Looking at each mail …", Role.QUIET))
            await self.plan.find_lacking()
        await self._show()

    async def _show(self) -> None:
        ids, lacking = self.plan.recipients, self.plan.lacking or {}
        if not ids or not self.plan.steps:
            self.query_one("#whose", Static).update(styled("There is no mail to show."))
            return
        lead = ids[self._person % len(ids)]
        db = await self.wizard.host.store()
        async with db.read() as session:
            shown = await preview.mail(
                session,
                self.plan.steps,
                self._position,
                lead,
                settings=self.wizard.host.settings,
            )
        place = f"{self._person % len(ids) + 1:,} of {len(ids):,}"
        if len(self.plan.steps) > 1:
            place += f" · message {self._position} of {len(self.plan.steps)}"
        if lacking:
            place += f" · {plural(len(lacking), 'lead')} held for what is missing, first"
        lines = [styled(place, Role.QUIET), styled("To       ", Role.QUIET) + styled(shown.to)]
        lines.append(styled("Subject  ", Role.QUIET) + styled(shown.subject, Role.STRONG))
        if why := shown.missing or lacking.get(lead, ""):
            words = f"{TROUBLE} Held: {why}. An example stands in its place."
            lines.append(styled(words, Role.ATTENTION))
        self.query_one("#whose", Static).update(Content("\n").join(lines))
        self.query_one("#mail", Static).update(Content(visible_lines(shown.text)))
        self.query_one("#mail-pane", VerticalScroll).scroll_home(animate=False)

    def action_person(self) -> None:
        """The next recipient's mail."""
        self._go(1)

    def action_person_before(self) -> None:
        """The mail of the recipient before."""
        self._go(-1)

    def _go(self, by: int) -> None:
        self._person += by
        self.wizard.in_order(self._show(), group="preview")

    def action_other(self) -> None:
        """The next message to the same recipient."""
        self._position = self._position % max(len(self.plan.steps), 1) + 1
        self.wizard.in_order(self._show(), group="preview")

    def action_try(self) -> None:
        """Send this mail to oneself."""
        host = self.wizard.host
        ids = self.plan.recipients
        lead = ids[self._person % len(ids)] if ids else None

        async def save(values: Mapping[str, str]) -> None:
            try:
                tried = await trial.send(
                    await host.store(),
                    self.plan.steps,
                    self._position,
                    values["to"].strip(),
                    business_id=lead,
                    settings=host.settings,
                    environment=host.mail_work.environ,
                    now=host.now(),
                )
            except UserError:
                raise
            except CrmError as error:  # what the provider said
                raise BadInput(str(error)) from None
            host.say(f"Sent to {tried.to}: {visible(tried.subject, 60)}", Role.GOOD)

        field = LineField("to", "To", host.settings.sender.email)
        self.app.push_screen(Form("Send this mail to yourself", [field], save=save, verb="Send"))

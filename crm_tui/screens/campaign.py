"""One campaign: its figures, and every message with what became of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Literal

from textual import on
from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from crm_tui.errors import BadInput, NotFound
from crm_tui.screens.campaign_columns import LeftOutLine, ledger_columns
from crm_tui.screens.campaign_desk import CampaignDesk, Subject
from crm_tui.screens.campaign_head import head
from crm_tui.session import Place
from crm_tui.text import plural
from crm_tui.vocabulary import CampaignState
from crm_tui.widgets.filter_line import FilterLine
from crm_tui.widgets.look import Role
from crm_tui.widgets.row_messages import RowOpened, RowsWanted
from crm_tui.widgets.row_table import RowTable

if TYPE_CHECKING:
    from crm_tui.services.campaigns.drafts import Kept
    from crm_tui.services.campaigns.figures import Figures
    from crm_tui.services.campaigns.ledger import LedgerRow
    from crm_tui.services.templating.files import Template

_TYPING_PAUSE = 0.08
"""Seconds after a keystroke before the filter is applied."""

_PADDING = 3
"""Cells at either side of the figures."""

_AT_ONCE = 1000
"""Leads that were left out are read by so many."""

_NOTHING = "Nothing matches. esc shows everything again."
_FILTER_HINT = "state:failed  step:2  is:held  or a name"


class CampaignScreen(CampaignDesk):
    """A campaign and its ledger.

    Args:
        campaign_id: Which.
    """

    AREA = "ledger"
    OWNS = (AREA, "campaign")
    FOOTER = ("list.open", "campaign.state", "campaign.add", "campaign.retry", "ledger.filter")
    TAB = "campaigns"
    AUTO_FOCUS = "#ledger"
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]  # noqa: RUF012 - Textual's own type
    DEFAULT_CSS = """
    CampaignScreen {
        & #campaign-head { height: auto; padding: 0 3; }
        & #campaign-head > Static { height: auto; max-height: 6; text-wrap: nowrap; text-overflow: ellipsis; }
        & #campaign-head > #campaign-rates, & #campaign-head > #campaign-why { text-wrap: wrap; }
        & #campaign-why { display: none; }
        & #campaign-steps, & #campaign-texts { display: none; }
        &.-tall #campaign-head { margin: 1 0; }
        &.-tall FilterLine { margin-bottom: 1; }
        &.-tall #campaign-steps, &.-tall #campaign-texts { margin-top: 1; }
    }
    """

    def __init__(self, campaign_id: int) -> None:
        super().__init__()
        self._campaign_id = campaign_id
        self._kept: Kept | None = None
        self._figures: Figures | None = None
        self._asked = ""

    @property
    def _zone(self) -> tzinfo | None:
        return self.host.settings.operator.zone

    def _local_now(self) -> datetime:
        return self.host.now().astimezone(self._zone)

    def compose_body(self) -> Iterable[Widget]:
        """What it came to, above the filter and the ledger."""
        with Vertical(id="campaign-head"):
            yield Static(id="campaign-name")
            yield Static(id="campaign-why")
            yield Static(id="campaign-counts")
            yield Static(id="campaign-rates")
            yield Static(id="campaign-steps")
            yield Static(id="campaign-texts")
        self._line = FilterLine(_FILTER_HINT, pause=_TYPING_PAUSE)
        yield self._line
        self._table: RowTable[LedgerRow] = RowTable(
            ledger_columns(self._zone, steps=1), now=self._local_now, id="ledger"
        )
        yield self._table

    def on_mount(self) -> None:
        """Read it as soon as the store is open."""
        self._read("nothing")

    # Reading

    def _read(self, keep: Literal["place", "nothing"]) -> None:
        self.work(self._read_all(keep), group="ledger")

    async def _read_all(self, keep: Literal["place", "nothing"]) -> None:
        db = await self.host.store()
        from crm_tui.services.campaigns import drafts, figures, ledger

        try:
            async with db.read() as session:
                self._kept = await drafts.load(session, self._campaign_id)
                self._figures = await figures.figures(session, self._campaign_id)
        except NotFound:
            self.campaign_is_gone()
            return
        steps = len(self._figures.steps)
        texts = any(each.variants for each in self._figures.steps)
        columns = ledger_columns(self._zone, steps=steps, texts=texts)
        if len(columns) != len(self._table.column_keys):
            self._table.set_columns(columns)
        self._show_head(self._kept, self._figures)
        wanted = ledger.read_filter(self._asked)
        order = await ledger.order(db, self._campaign_id, wanted)
        near = self._table.near_ids_in(order)
        async with db.read() as session:
            rows = await ledger.rows(session, near)
        self._table.nothing = _NOTHING if self._asked else "Nobody was added yet."
        self._table.show(order, rows, keep=keep)
        self._line.show_count(plural(len(order), "message"))

    @on(RowsWanted)
    def _fetch(self, message: RowsWanted) -> None:
        self.work(self._fetch_rows(message.ids), group="rows")

    async def _fetch_rows(self, ids: list[int]) -> None:
        db = await self.host.store()
        from crm_tui.services.campaigns import ledger

        async with db.read() as session:
            self._table.put_rows(await ledger.rows(session, ids))

    def data_changed(self) -> None:
        """Read it again; cursor, selection and scroll stay."""
        self._read("place")

    async def show_again(self) -> None:
        """Show what an action wrote."""
        if self.is_mounted:
            await self._read_all("place")

    def campaign_is_gone(self) -> None:
        """Back to the list: there is nothing to show any more."""
        if self.is_current:
            self.dismiss()

    # The head

    def _show_head(self, kept: Kept, figures: Figures) -> None:
        room = self.size.width - 2 * _PADDING
        told = head(kept, figures, now=self.host.now(), zone=self._zone, room=room)
        for name, words in told.items():
            self._say(name, words)

    def on_resize(self) -> None:
        """There is more room for the figures, or less."""
        if self._kept is not None and self._figures is not None:
            self._show_head(self._kept, self._figures)

    def _say(self, name: str, words: Content) -> None:
        self.query_one(f"#campaign-{name}").display = bool(words)
        self.say_in(f"#campaign-{name}", words)

    # The filter

    def action_filter(self) -> None:
        """Type which messages are shown."""
        self._line.edit()

    @on(FilterLine.Rested)
    def _rested(self) -> None:
        self._apply()

    def _apply(self, *, say: bool = False) -> None:
        """Show what matches; a filter that cannot be read leaves the ledger as it is."""
        from crm_tui.services.campaigns import ledger

        text = self._line.value.strip()
        try:
            ledger.read_filter(text)
        except BadInput as error:
            if say:
                self._line.show_problem(str(error), 1)
            return
        if text != self._asked:
            self._asked = text
            self._read("nothing")

    @on(FilterLine.Left)
    @on(FilterLine.Entered)
    def _left_line(self) -> None:
        self._line.end_pause()
        self._apply(say=True)
        self.set_focus(self._table)

    def back(self) -> bool:
        """Let go what was selected, then the filter; then back to the list."""
        if self._table.clear_selection():
            return True
        if self._line.value:
            self._line.put("", quietly=True)
            self._line.clear_problem()
            self._apply()
            return True
        return False

    @property
    def ledger_filter(self) -> str:
        """What the ledger is narrowed to."""
        return self._asked

    # What is done to it

    @property
    def campaign(self) -> Subject | None:
        """The one that is shown."""
        if self._kept is None or self._figures is None:
            return None
        counts = self._figures.counts
        again = counts.failed + counts.held
        return Subject(
            self._campaign_id, self._kept.draft.name, self._kept.state, counts.queued, again
        )

    def chosen_messages(self) -> list[int]:
        """The messages that are selected."""
        if self._table.selected_count or self._table.marking:
            return list(self._table.selected_ids())
        return []

    def filtered_messages(self) -> list[int]:
        """The messages that match the filter."""
        return list(self._table.order) if self._asked else []

    def why_not(self, action_id: str) -> str | None:
        """A step is edited while nothing is sent; taken out is who still waits."""
        if action_id == "campaign.retry" and self._asked and not self._table.total:
            return "No message matches the filter. esc shows everything again."
        if action_id == "ledger.skip" and self._kept is not None:
            if self._kept.state not in (CampaignState.RUNNING, CampaignState.PAUSED):
                return f"The campaign is {_state_words(self._kept.state)}: nobody waits."
            if self._table.cursor_row is None:
                return "There is no message here."
        if action_id == "ledger.edit" and self._kept is not None:
            if self._kept.state is CampaignState.RUNNING:
                return "Steps are edited while the campaign is paused: S pauses it."
            if self._kept.state is not CampaignState.PAUSED:
                return f"The campaign is {_state_words(self._kept.state)}: its steps stay."
        return super().why_not(action_id)

    def action_edit(self) -> None:
        """Edit what a step says to those who have not got it yet."""
        if self._kept is None:
            return
        texts = [
            (
                number,
                letter,
                f"step {number}" + (f", text {letter.upper()}" if step.variant else ""),
            )
            for number, step in enumerate(self._kept.draft.steps, start=1)
            for letter in step.texts
        ]
        if len(texts) == 1:
            self._edit(*texts[0])
            return
        from crm_tui.screens.dialogs import Pick, Picker

        picks = []
        for at, (number, letter, called) in enumerate(texts):
            text = self._kept.draft.steps[number - 1].texts[letter]
            picks.append(
                Pick(str(at), f"{called.removeprefix('step ')}  {text.title}", text.template)
            )

        def edit(picked: str | None) -> None:
            if picked is not None:
                self._edit(*texts[int(picked)])

        self.app.push_screen(Picker("Which step", picks), edit)

    def _edit(self, position: int, letter: str, called: str) -> None:
        from crm_tui.screens.step_forms import step_form

        assert self._kept is not None
        text = self._kept.draft.steps[position - 1].texts[letter]

        async def save(changed: Template, delay: str | None) -> None:
            db = await self.host.store()
            from crm_tui.services.campaigns import mending, steps

            said = replace(steps.step_of(changed, delay=delay), template=text.template)
            now = self.host.now()
            async with db.write() as session:
                await mending.edit_step(
                    session, self._campaign_id, position, said, letter=letter, now=now
                )
            named = f"{called[:1].upper()}{called[1:]}"
            self.host.say(f"{named} is changed for those who wait for it.", Role.GOOD)
            await self.show_again()

        about = "Who has got it already keeps what they got."
        form = step_form(f"Edit {called}", text.read(), text.delay, save, about=about)
        self.app.push_screen(form)

    def action_skip(self) -> None:
        """Take the leads of the selected mails out, or the one under the cursor."""
        ids = self.chosen_messages()
        row = self._table.cursor_row
        if not ids and row is not None:
            ids = [row.id]
        if ids:
            self.in_order(self._take_out(ids), group="write")

    async def _take_out(self, message_ids: list[int]) -> None:
        db = await self.host.store()
        from crm_tui.services.campaigns import ledger, mending

        async with db.read() as session:
            leads = await ledger.leads_of(session, message_ids)
        number = await mending.take_out(db, self._campaign_id, leads, now=self.host.now())
        if number:
            words = f"{plural(len(leads), 'lead')} taken out: {plural(number, 'message')} skipped."
            self.host.say(f"{words} u takes it back.", Role.GOOD)
            self._table.clear_selection()
        else:
            self.host.say("Nothing was waiting to be sent to them.")
        await self.show_again()

    def action_left_out(self) -> None:
        """See who was left out, and why."""
        from crm_tui.screens.left_out import LeftOutScreen

        if self._kept is not None:
            self.app.push_screen(LeftOutScreen(self._kept.draft.name, self._left_out))

    async def _left_out(self) -> list[LeftOutLine]:
        db = await self.host.store()
        from crm_tui.services.campaigns import ledger

        found: list[LeftOutLine] = []
        async with db.read() as session:
            while more := await ledger.left_out(
                session, self._campaign_id, most=_AT_ONCE, offset=len(found)
            ):
                found += [LeftOutLine(*row) for row in more]
        return found

    def action_leave(self) -> None:
        """Back to the list."""
        self.dismiss()

    @on(RowOpened)
    def _open(self) -> None:
        row = self._table.cursor_row
        if row is not None:
            from crm_tui.screens.lead import LeadScreen

            LeadScreen.open(self, row.business_id, neighbours=self)

    # The lead screen's way through the ledger

    def step(self, by: int) -> int | None:
        """Move the cursor to the next message; its lead, None at the end or where it is not read."""
        place = self._table.cursor + by
        if not 0 <= place < self._table.total:
            return None
        self._table.move_to(place)
        row = self._table.cursor_row
        return None if row is None else row.business_id

    def place(self) -> tuple[int, int]:
        """Where the cursor stands, counted from 1, and how long the ledger is."""
        return self._table.cursor + 1, self._table.total

    def keep(self) -> Place | None:
        """Not kept: the list of campaigns begins at this one."""
        return None


def _state_words(state: CampaignState) -> str:
    return "a draft" if state is CampaignState.DRAFT else str(state)

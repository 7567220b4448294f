"""The first page of the wizard: whom it is for, and who is left out."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import NamedTuple

from textual import on
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from crm_tui.screens.campaign_columns import LeftOutLine
from crm_tui.screens.left_out import LeftOutScreen
from crm_tui.screens.wizard_pages import Page, PageList
from crm_tui.services.campaigns.audience import Audience, Looked
from crm_tui.services.filters import QueryError
from crm_tui.text import plural
from crm_tui.widgets.columns import Cell, Column
from crm_tui.widgets.facts import styled
from crm_tui.widgets.filter_line import FilterLine
from crm_tui.widgets.look import Role

_TYPING_PAUSE = 0.3
"""Seconds after a keystroke before an audience is looked at."""

_REASONS, _REASONS_IF_TALL = 4, 12
"""Reasons that are shown for who is left out; the list of them has all."""


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
        self._line = FilterLine(
            "all leads; status:pending city:Queens has:email -has:website", pause=_TYPING_PAUSE
        )
        yield self._line
        yield Static(id="chosen")
        yield Static(id="who")
        self._table: PageList[_Person] = PageList(_PEOPLE, now=self.wizard_now)
        self._table.nothing = "Nobody gets it."
        yield self._table
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

    @on(FilterLine.Rested)
    def _apply(self) -> None:
        text = self._line.value.strip()
        if text != self.plan.draft.audience.query:
            self.plan.choose(audience=Audience(query=text))
            self.wizard.work(self._look(), group="audience")

    @on(FilterLine.Left)
    @on(FilterLine.Entered)
    def _left(self) -> None:
        if self._line.end_pause():
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

"""The first page of the wizard: whom it is for, and who is left out."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from textual import on
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from crm_tui.screens.campaign_columns import LeftOutLine
from crm_tui.screens.left_out import LeftOutScreen
from crm_tui.screens.wizard_pages import Page, PageList
from crm_tui.services.campaigns.audience import LATELY, Audience, Looked
from crm_tui.services.campaigns.reasons import ELSEWHERE, contacted
from crm_tui.services.campaigns.text_checks import why_no_texts
from crm_tui.services.filters import QueryError
from crm_tui.text import plural
from crm_tui.vocabulary import Channel
from crm_tui.widgets.columns import Cell, Column
from crm_tui.widgets.facts import styled
from crm_tui.widgets.filter_line import FilterLine
from crm_tui.widgets.look import Role

if TYPE_CHECKING:
    from crm_tui.screens.wizard_plan import Whom

_TYPING_PAUSE = 0.3
"""Seconds after a keystroke before an audience is looked at."""

_MAKE_LINKS = "L in the list of leads makes them"

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
        widest=54,
        sortable=False,
    ),
    Column(
        "address", "Address", lambda row, _: Cell(row.address), width=28, widest=50, sortable=False
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
    """Who gets it, and who is left out and why.

    Args:
        whom: Whom it is for.
    """

    AREA = "audience"
    TITLE = "Audience"
    FOOTER = ("audience.filter", "audience.left_out", "audience.recent")
    DEFAULT_CSS = """
    AudiencePage {
        & #chosen { height: 1; padding: 0 3; display: none; }
        & #who { height: auto; padding: 0 3; margin: 1 0; }
    }
    """

    def __init__(self, whom: Whom) -> None:
        super().__init__()
        self.whom = whom
        self._people: dict[int, _Person] = {}
        self._about_domains = ""

    def compose(self) -> Iterable[Widget]:
        """The filter, what comes of it, and the recipients."""
        self._line = FilterLine(
            "all leads; status:pending city:Queens has:email -has:website", pause=_TYPING_PAUSE
        )
        yield self._line
        yield Static(id="chosen")
        yield Static(id="who")
        self._table: PageList[_Person] = PageList(_PEOPLE, now=self.paged_now)
        self._table.nothing = "Nobody is new." if self.whom.joins else "Nobody gets it."
        yield self._table

    async def enter(self) -> None:
        """Show the audience, and look at it."""
        asked = self.whom.audience
        self._line.display = asked.query is not None
        if asked.query is not None:
            self._line.put(asked.query, quietly=True)
        self._show_chosen(len(asked.ids), beside=asked.query is not None)
        self.whom.forget_offline()
        await self._look()

    def _show_chosen(self, number: int, *, beside: bool) -> None:
        """Say how many leads were chosen one by one, beside a filter or without one."""
        words = f"{'and ' if beside else ''}{plural(number, 'lead')} chosen one by one."
        chosen = self.query_one("#chosen", Static)
        chosen.display = bool(number)
        chosen.update(styled(words, Role.QUIET if beside else Role.TEXT))

    def take_focus(self) -> None:
        """The filter is for who types; else the keys go through the recipients."""
        self.screen.set_focus(self._table)

    async def read_again(self) -> None:
        """Look at everybody again; the cursor stays where it is."""
        if self.whom.looked is not None:
            await self._look()

    async def _look(self) -> None:
        if self.whom.looked is None:
            self._say(styled("Looking at everybody …", Role.QUIET))
        try:
            looked = await self.whom.look(self._progress)
        except QueryError as error:
            self._line.show_problem(str(error), error.column)
            return
        self._line.clear_problem()
        self._show(looked)
        self.paged.work(self._look_up(), group="domains", exclusive=False)

    def _progress(self, done: int, total: int) -> None:
        if total > 2000 and self.whom.looked is None:
            self._say(styled(f"Looking at everybody: {done:,} of {total:,}", Role.QUIET))

    # Domains, while one reads the page or goes on

    async def _look_up(self) -> None:
        """Look up which of their domains take mail, and leave out whose do not."""

        def progress(done: int, total: int) -> None:
            self._show_domains(f"Looking up {plural(total, 'domain')}: {done:,} done")

        looked_up = await self.whom.look_up_domains(progress)
        offline = "Domains could not be looked up just now; nobody is left out for that."
        self._about_domains = offline if self.whom.is_offline else ""
        if looked_up and not self.whom.is_offline:
            await self._look()
        else:
            self._show_domains(self._about_domains)

    def _show_domains(self, words: str) -> None:
        self._about_domains = words
        if self.whom.looked is not None:
            self._say_who(self.whom.looked)

    # Who gets it

    def _show(self, looked: Looked) -> None:
        people = [
            _Person(each.business_id, each.name, each.address, each.person or "")
            for each in looked.recipients
        ]
        self._people = {each.id: each for each in people}
        self._table.show(array("q", self._people), people, keep="place")
        self._say_who(looked)

    def _say_who(self, looked: Looked) -> None:
        number = len(looked.recipients)
        if self.whom.joins:
            said = f"{'is' if number < 2 else 'are'} new"
        else:
            said = f"{'gets' if number < 2 else 'get'} it"
        if not self.whom.has_messages and Channel.SMS in self.whom.channels:
            said += " as a text message"
        lines = [styled(f"{plural(number, 'lead') if number else 'Nobody'} {said}", Role.STRONG)]
        if looked.held:
            lines[0] += styled(f"   {looked.held:,} of them once their site is published")
        if looked.without_link:
            words = f"{looked.without_link:,} of {number:,} have no payment link: {_MAKE_LINKS}"
            lines.append(styled(words, Role.ATTENTION))
        if looked.no_consent:
            words = f"{looked.no_consent:,} of {number:,} have no consent to text messages: held"
            lines.append(styled(words, Role.ATTENTION))
        if looked.recent:
            lines.append(self._recent_line(looked.recent))
        if self._about_domains:
            lines.append(styled(self._about_domains, Role.QUIET))
        self._say(Content("\n").join([*lines, *self._left_out_lines(looked)]))

    def _recent_line(self, number: int) -> Content:
        """How many were written to lately, and the key that leaves them out."""
        spared = self.whom.audience.spares(self.paged.host.settings)
        words = f"{number:,} of them got mail in the last {spared or LATELY} days, or will"
        return styled(words) + styled("   f leaves them out", Role.QUIET)

    def _left_out_lines(self, looked: Looked) -> Iterable[Content]:
        if not looked.left_out:
            return
        yield styled(f"{plural(len(looked.left_out), 'lead')} left out:", Role.TEXT)
        reasons = looked.excluded
        most = _REASONS_IF_TALL if self.screen.has_class("-tall") else _REASONS
        spared = contacted(self.whom.audience.spares(self.paged.host.settings)), ELSEWHERE
        for each in reasons[:most]:
            words = each.reason + ("   f takes them in" if each.reason in spared else "")
            yield styled(f"{each.count:>7,}  ") + styled(words, Role.QUIET)
        if rest := reasons[most:]:
            count = sum(each.count for each in rest)
            words = f"{count:>7,}  for {plural(len(rest), 'other reason')}: o lists them"
            yield styled(words, Role.QUIET)

    def _say(self, words: Content) -> None:
        self.query_one("#who", Static).update(words)

    # What is done to it

    def action_filter(self) -> None:
        """Type whom it is for."""
        asked = self.whom.audience
        if asked.query is None:
            self._ask(replace(asked, query="", ids=()))
            self._line.display = True
            self._show_chosen(0, beside=False)
        self._line.edit()

    @on(FilterLine.Rested)
    def _apply(self) -> None:
        text = self._line.value.strip()
        if text != self.whom.audience.query:
            self._ask(replace(self.whom.audience, query=text))

    def _ask(self, asked: Audience) -> None:
        self.whom.ask_for(asked)
        self.paged.work(self._look(), group="audience")

    @on(FilterLine.Left)
    @on(FilterLine.Entered)
    def _left(self) -> None:
        if self._line.end_pause():
            self._apply()
        self.screen.set_focus(self._table)

    def action_recent(self) -> None:
        """Leave out who was written to lately, or take them in again."""
        asked = self.whom.audience
        days = asked.spares(self.paged.host.settings)
        self._ask(replace(asked, spared_days=0 if days else LATELY))

    def action_channel(self) -> None:
        """Have the first message be a text message, or a mail again."""
        host, texts = self.paged.host, Channel.SMS in self.whom.channels
        if not texts and (why := why_no_texts(host.settings)):
            host.say(why, Role.ATTENTION)
            return
        self.whom.go_through(Channel.EMAIL if texts else Channel.SMS)
        self.paged.work(self._look(), group="audience")

    def why_not(self, action_id: str) -> str | None:
        """There has to be somebody to leave out."""
        if action_id == "audience.channel" and self.whom.has_messages:
            return "Each message has its channel already, that of its template."
        if action_id == "audience.recent" and (looked := self.whom.looked) is not None:
            spares = self.whom.audience.spares(self.paged.host.settings)
            if not spares and not looked.recent:
                return f"None of them was written to in the last {LATELY} days."
        return None

    def action_left_out(self) -> None:
        """See who is left out, and why."""
        looked = self.whom.looked
        if looked is None:
            return
        found = [
            LeftOutLine(each.business_id, each.name, each.address, each.reason)
            for each in looked.left_out
        ]

        async def wanted() -> list[LeftOutLine]:
            return found

        name = self.whom.name or "this campaign"
        self.app.push_screen(LeftOutScreen(name, wanted))

    def why_not_done(self) -> str:
        """Somebody has to get it."""
        if self.whom.looked is None:
            return "Nobody is known to get it yet: the filter has to be read first."
        if not self.whom.looked.recipients:
            nobody = "Nobody is new." if self.whom.joins else "Nobody gets it."
            more = "" if self.whom.has_messages else " c texts them instead of mailing."
            more = "" if Channel.SMS in self.whom.channels else more
            return f"{nobody} / changes whom it is for, o says why they are left out.{more}"
        return ""

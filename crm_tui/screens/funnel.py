"""The funnel: how far leads come, what that is worth, and the records behind every number."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from textual import on
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from crm_tui.errors import BadInput
from crm_tui.screens import funnel_export, funnel_spend
from crm_tui.screens.base import AppScreen, Job
from crm_tui.screens.funnel_counting import Counting
from crm_tui.screens.funnel_leads import leads_query, show_leads
from crm_tui.screens.funnel_period import EVERYTHING, Span, choose_span, read_span
from crm_tui.screens.funnel_sheet import Line, Sheet
from crm_tui.screens.funnel_views import VIEWS, place_of
from crm_tui.screens.lead_filter import LeadFilter
from crm_tui.session import Place
from crm_tui.widgets.chart import ChartArea
from crm_tui.widgets.facts import styled
from crm_tui.widgets.filter_line import FilterLine
from crm_tui.widgets.frame import Footer
from crm_tui.widgets.headed_list import HeadedList
from crm_tui.widgets.look import Role
from crm_tui.widgets.row_messages import RowHighlighted, RowOpened
from crm_tui.widgets.view_line import ViewLine

if TYPE_CHECKING:
    from crm_tui.db.engine import Database
    from crm_tui.services.figures.aside import Aside
    from crm_tui.services.figures.base import Scope

T = TypeVar("T")

_WIDE = 100
"""Cells from which on there is room for the days of the period beside its name."""

_OF_SPEND = ("funnel.add", "funnel.remove", "funnel.period", "funnel.next", "funnel.export")
"""What matters where spend is listed."""

_ALWAYS = "#about"
"""The line that is there without words, too: what is below it stands still."""

_HINT = "all leads; source:maps category:Plumber city:Queens campaign:Spring"
_NO_LEADS = "There are no leads yet, so there is nothing to count."
_WHAT_TO_DO = "1 goes to the leads: import a list there with I, or look around in a demo."


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be shown.

    Attributes:
        place: Of the view in VIEWS.
        span: The time the figures are of.
        text: The filter; it can be read.
    """

    place: int = 0
    span: Span = EVERYTHING
    text: str = ""


class FunnelScreen(AppScreen):
    """The funnel, its figures, and the other ways to look at them.

    Attributes:
        asked: What is shown, or will be as soon as it is counted.
        shown: Set while that is on the screen.
    """

    AREA = "funnel"
    FOOTER = ("list.open", "funnel.filter", "funnel.period", "funnel.next", "funnel.export")
    TAB = "funnel"
    AUTO_FOCUS = "#figures"
    VERTICAL_BREAKPOINTS = [(0, "-low"), (16, "-short"), (30, "-tall")]  # noqa: RUF012 - Textual's
    DEFAULT_CSS = """
    FunnelScreen {
        & #about { height: 1; padding: 0 3; text-wrap: nowrap; text-overflow: ellipsis; }
        & #rule { height: auto; max-height: 7; padding: 0 3; margin-top: 1; display: none; }
        & #empty { height: 1fr; padding: 1 3; display: none; }
        & #figures { height: 1fr; }
        & ChartArea { display: none; }
        &.-tall FilterLine { margin: 1 0; }
        &.-tall #about { margin-bottom: 1; }
        &.-charts ChartArea { display: block; }
        &.-empty #empty { display: block; }
        &.-empty #figures, &.-empty #rule, &.-empty ChartArea { display: none; }
        &.-low #rule { max-height: 0; margin-top: 0; }
        &.-low ChartArea { padding: 0 3; }
        &.-counting #figures { & > .row-view--text, & > .row-view--strong { color: $text-muted; } }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self.asked = Asked()
        self.shown = asyncio.Event()
        self._sheet: Sheet | None = None
        self._counted: dict[tuple[Asked, date], Sheet] = {}
        self._begins = True
        self._columns: object = None
        self._kept: Place | None = None
        self._aside: Aside | None = None

    def compose_body(self) -> Iterable[Widget]:
        """The filter, the views and the time, what is said of a line; the lines, and a chart."""
        self._line = FilterLine(_HINT)
        yield self._line
        self._views = ViewLine([view.title for view in VIEWS])
        yield self._views
        yield Static(id="about")
        self._table: HeadedList[Line] = HeadedList((), now=self.host.now, id="figures")
        yield self._table
        self._chart = ChartArea()
        yield self._chart
        yield Static(id="rule")
        words = [styled(_NO_LEADS), styled(_WHAT_TO_DO, Role.QUIET)]
        yield Static(Content("\n").join(words), id="empty")

    def on_mount(self) -> None:
        """Count as soon as the store is open."""
        self._counting = Counting(self, self._count, self._tell)
        self._filter = LeadFilter(self, self._line, self.shown, self._show_filtered)
        if (kept := self._kept) is not None:
            text = self._filter.begin_with(kept.filter)
            self.asked = Asked(place_of(kept.view), self._span_of(kept), text)
        self._read()

    def _today(self) -> date:
        return self.host.now().astimezone(self.host.settings.operator.zone).date()

    # Counting

    def _ask(self, asked: Asked) -> None:
        """Show something else; what was being counted is stopped."""
        if asked != self.asked:
            self._begins = self._begins or asked.place != self.asked.place
            self.asked = asked
            self._read()

    def _read(self) -> None:
        """Show what was counted before, or count it; the numbers before stay until it is."""
        self._say_what()
        sheet = self._counted.get((self.asked, self._today()))
        if sheet is not None:
            self._counting.stop()
            self._show(sheet)
        else:
            self.shown.clear()
            self.host.keys_wait_for(self.shown)
            self._counting.begin()

    async def _count(self) -> None:
        asked, today, scope = self.asked, self._today(), self.scope()
        sheet = await self.aside(lambda db: VIEWS[asked.place].read(db, scope))
        if not self._counting.is_outdated:
            self._counted[asked, today] = sheet
        self._show(sheet)

    async def aside(self, count: Callable[[Database], Awaitable[T]]) -> T:
        """Have something counted where it holds up no key."""
        db = await self.host.store()
        from crm_tui.services.figures.aside import Aside

        before = self._aside
        if before is None or before.path != db.path:
            self._aside = Aside(db.path)
            if before is not None:
                await before.close()
        assert self._aside is not None
        return await self._aside.run(count)

    async def on_unmount(self) -> None:
        """Count no more."""
        if self._aside is not None:
            await self._aside.close()

    def _tell(self, *, takes_long: bool) -> None:
        self.set_class(takes_long, "-counting")
        if takes_long:
            self._line.show_count("counting …")

    def data_changed(self) -> None:
        """Count again what is shown; where that takes long, not with every change."""
        self._counted.clear()
        self._counting.again()

    def scope(self) -> Scope:
        """What the figures are of.

        Raises:
            QueryError: the filter cannot be read.
        """
        from crm_tui.services.figures.asking import scope_of

        span = self.asked.span
        return scope_of(
            self.host.settings,
            since=span.since.isoformat() if span.since else None,
            until=span.until.isoformat() if span.until else None,
            query=self.asked.text or None,
            now=self.host.now(),
        )

    # Showing

    def _show(self, sheet: Sheet) -> None:
        """Show what was counted; only lines that differ are painted."""
        is_all = self.asked.span == EVERYTHING and not self.asked.text
        self._sheet = sheet
        self.set_class(sheet.is_empty and is_all, "-empty")
        self.set_class(any(line.chart for line in sheet.lines), "-charts")
        self._table.styles.height = len(sheet.lines) + 1 if self.has_class("-charts") else "1fr"
        self._table.nothing = sheet.nothing
        self._set_columns()
        order = array("q", (line.id for line in sheet.lines))
        self._table.show(order, sheet.lines, keep="nothing" if self._begins else "place")
        if self._begins and self._kept is not None:
            self._table.go_to(self._kept.cursor or 0)
            self._kept = None
        self._begins = False
        self._line.show_count(sheet.count)
        self._say_about()
        if self.focused is None:
            self.call_after_refresh(self._table.focus)  # it was hidden while it was empty
        self.shown.set()

    def _set_columns(self) -> None:
        if self._sheet is None:
            return
        width = self._table.size.width or self.size.width
        wanted = (self.asked.place, width, self._sheet.shape)
        if wanted != self._columns:
            self._columns = wanted
            self._table.set_columns(self._sheet.columns(width))

    def on_resize(self) -> None:
        """Bars are as long as there is room."""
        self.call_after_refresh(self._set_columns)

    def _say_what(self) -> None:
        """Which view of which time."""
        self._views.show(self.asked.place, self._time_words())
        is_spend = VIEWS[self.asked.place].name == "spend"
        self.query_one(Footer).show(_OF_SPEND if is_spend else self.FOOTER)

    def _time_words(self) -> str:
        span = self.asked.span
        if self.size.width < _WIDE or span.days in {"", span.title}:
            return span.title
        return f"{span.title}, {span.days}"

    @on(RowHighlighted)
    def _say_about(self) -> None:
        """What is to be known of the line under the cursor, and its chart."""
        line = self._table.cursor_row
        rule = self._sheet.rule if self._sheet is not None else ""
        if self.has_class("-empty"):
            line = None
        self._say_in("#about", line.about if line is not None else "")
        self._say_in("#rule", (line.rule if line is not None else "") or rule)
        self._chart.show(line.chart if line is not None else None)

    def _say_in(self, selector: str, words: str) -> None:
        """Say something above the lines or below them; repaints only other words."""
        place, said = self.query_one(selector, Static), styled(words, Role.QUIET)
        if place.content != said:
            place.update(said)
            place.display = bool(words) or selector == _ALWAYS

    # Views, time and filter

    def _to(self, place: int) -> None:
        self._ask(replace(self.asked, place=place % len(VIEWS)))

    @on(ViewLine.Chosen)
    def _clicked(self, message: ViewLine.Chosen) -> None:
        self._to(message.place)

    def action_next(self) -> None:
        """To the next view."""
        self._to(self.asked.place + 1)

    def action_previous(self) -> None:
        """To the view before."""
        self._to(self.asked.place - 1)

    def action_stages(self) -> None:
        """To the funnel and its figures."""
        self._to(place_of("stages"))

    def action_campaigns(self) -> None:
        """To what campaigns and sources cost and brought."""
        self._to(place_of("campaigns"))

    def action_revenue(self) -> None:
        """To which campaigns revenue is owed to."""
        self._to(place_of("revenue"))

    def action_cohorts(self) -> None:
        """To the weeks leads were found in, and how many of them bought."""
        self._to(place_of("cohorts"))

    def action_charts(self) -> None:
        """To the charts over time."""
        self._to(place_of("charts"))

    def action_spend(self) -> None:
        """To what was spent."""
        self._to(place_of("spend"))

    def action_period(self) -> None:
        """Choose the time the figures are of."""

        def use(span: Span) -> None:
            self._ask(replace(self.asked, span=span))

        choose_span(self.app, self.asked.span, self._today(), use)

    def action_filter(self) -> None:
        """Type which leads the figures are of."""
        self._line.edit()

    @on(FilterLine.Changed)
    def _typed(self) -> None:
        self._filter.typed()

    @on(FilterLine.CompletionWanted)
    def _complete(self) -> None:
        self._filter.complete()

    def _show_filtered(self, text: str) -> None:
        if text == self.asked.text:
            self.shown.set()
        self._ask(replace(self.asked, text=text))

    @on(FilterLine.Entered)
    def _entered(self) -> None:
        if self._filter.entered():
            self._to_table()

    @on(FilterLine.Left)
    def _left(self) -> None:
        self._filter.left()
        self._to_table()

    def _to_table(self) -> None:
        """The keys that follow are for the figures as they are filtered now."""
        self.set_focus(self._table)
        if not self.shown.is_set():
            self.host.keys_wait_for(self.shown)

    def back(self) -> bool:
        """Let go the filter."""
        if self._filter.text:
            self._show_filtered(self._filter.begin_with(""))
            return True
        return False

    # What is behind a line

    @on(RowOpened)
    def _open(self) -> None:
        """The leads of a bar, the records of a figure, the ledger of a campaign."""
        line = self._table.cursor_row
        if line is None:
            return
        behind = line.behind
        if behind.campaign is not None:
            from crm_tui.screens.campaign import CampaignScreen

            self.app.push_screen(CampaignScreen(behind.campaign))
        elif behind.query:
            query = leads_query(behind.query, self.asked.span, self.asked.text)
            self.in_order(show_leads(self, query, behind.leads), group="open")
        elif behind.name:
            from crm_tui.screens.figure import FigureScreen

            words = "   ".join(filter(None, (self._time_words(), self.asked.text)))
            self.app.push_screen(FigureScreen(self.scope(), behind, words, self.aside))

    # Spend

    def action_add(self) -> None:
        """Write down what was spent."""
        self.work(funnel_spend.add(self), group="form")

    def action_remove(self) -> None:
        """Take back what was written down as spent."""
        if (line := self._table.cursor_row) is not None:
            funnel_spend.remove(self, line)

    def why_not(self, action_id: str) -> str | None:
        """Spend is removed where it is listed; what is not counted yet cannot be exported."""
        if action_id == "funnel.remove" and VIEWS[self.asked.place].name != "spend":
            return "Spend is removed in its list: s shows it."
        if action_id == "funnel.remove" and self._table.cursor_row is None:
            return "Nothing was spent in this time."
        if action_id == "funnel.export" and self._sheet is None:
            return "It is still being counted."
        return None

    def action_export(self) -> None:
        """Write what is shown to a file."""
        if self._sheet is not None:
            scope = self.scope()

            async def report(path: Path, job: Job) -> None:
                from crm_tui.services.report import Report, gather, write_html

                loop = asyncio.get_running_loop()

                def tell(done: int, total: int) -> None:
                    loop.call_soon_threadsafe(job.progress, done, total)

                async def count(db: Database) -> Report:
                    return await gather(db, scope, progress=tell, cancelled=lambda: job.cancelled)

                await write_html(await self.aside(count), path)

            name = VIEWS[self.asked.place].name
            funnel_export.ask(self, self._sheet.tables, name, report)

    # The next start

    def keep(self) -> Place:
        """The view, its time and filter, and the line under the cursor."""
        if self._kept is not None:
            return self._kept
        asked = self.asked
        return Place(
            view=VIEWS[asked.place].name,
            filter=self._filter.text,
            period=asked.span.text,
            cursor=self._table.cursor_id,
        )

    def restore(self, place: Place) -> None:
        """Begin with these."""
        self._kept = place

    def _span_of(self, place: Place) -> Span:
        """The time that was kept; all of it where that cannot be read any more."""
        with suppress(BadInput):
            return read_span(place.period, self._today())
        return EVERYTHING

"""The leads: all of them, filtered as one types, in any order, with what can be done to many."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from textual import events, on
from textual.containers import Container
from textual.widget import Widget

from crm_tui.actions import ANY_LETTER, key_words
from crm_tui.errors import UserError
from crm_tui.screens.business_actions import BusinessScreen, Target
from crm_tui.screens.lead_arrangement import Arrangement, choose_sort
from crm_tui.screens.lead_columns import LEAD_COLUMNS, USUAL, arranged
from crm_tui.screens.lead_completing import choose_facet
from crm_tui.screens.lead_filter import LeadFilter
from crm_tui.screens.lead_listing import Asked, LeadListing
from crm_tui.screens.lead_pane import BELOW, BESIDE, LeadPane
from crm_tui.screens.lead_place import place_of, take_up, take_up_rest
from crm_tui.screens.lead_views import SHOW_ALL, choose_view, learn_views
from crm_tui.screens.lead_words import list_words, selection_words
from crm_tui.session import Place
from crm_tui.widgets.filter_line import FilterLine
from crm_tui.widgets.frame import Footer
from crm_tui.widgets.row_messages import (
    RowHighlighted,
    RowOpened,
    RowsWanted,
    SelectionChanged,
    SortRequested,
)
from crm_tui.widgets.row_table import RowTable
from crm_tui.widgets.welcome import Offer, Welcome

if TYPE_CHECKING:
    from crm_tui.services.campaigns.audience import Audience
    from crm_tui.services.lead_rows import LeadRow
    from crm_tui.services.views import View

_OFFERS = (
    Offer("leads.import", "A list of businesses as CSV or JSON, from a scraper or a spreadsheet."),
    Offer("leads.demo", "500 invented businesses in a store of its own; yours stays as it is."),
)

_READ_WITHIN = 0.3
"""Seconds that keys typed ahead wait for a changed list."""
_KEYS = [column.key for column in LEAD_COLUMNS]
_TO_SELECTED = (
    "business.tag",
    "business.status",
    "business.follow_up",
    "business.campaign",
    "business.build",
    "business.archive",
    "business.export",
)
"""What is most often done to a selection; what has room is in the footer."""


class LeadsScreen(BusinessScreen):
    """The list of leads.

    Attributes:
        asked: What the list shows.
        table: Where it shows it.
        listing: What reads it.
        arrangement: Its columns, and the saved view it shows.
        pane: The lead under the cursor, beside the list.
    """

    AREA = "leads"
    OWNS = (AREA, "business")
    FOOTER = ("list.open", "list.select", "business.call", "business.build", "leads.filter")
    TAB = "leads"
    AUTO_FOCUS = "#leads"
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]  # noqa: RUF012 - Textual's own type
    DEFAULT_CSS = """
    LeadsScreen {
        &.-tall FilterLine { margin: 1 0; }
        & Welcome { display: none; }
        &.-empty Welcome { display: block; }
        &.-empty #list, &.-empty RowTable, &.-empty FilterLine { display: none; }
        & #list { height: 1fr; layout: horizontal; }
        & #list.-stacked { layout: vertical; }
        & RowTable { width: 3fr; }
        & .-stacked RowTable { width: 100%; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self.asked = Asked()
        self._place: Place | None = None

    def compose_body(self) -> Iterable[Widget]:
        """The filter above the table, the lead under the cursor beside it."""
        self.table: RowTable[LeadRow] = RowTable(arranged(USUAL), now=self._local_now, id="leads")
        self.arrangement = Arrangement(self.table)
        self.listing = LeadListing(self.host, self.table, self.show_counts)
        self._line, self.pane = FilterLine(), LeadPane()
        yield self._line
        with Container(id="list"):
            yield self.table
            yield self.pane
        yield Welcome("There are no leads yet.", _OFFERS)

    def on_mount(self) -> None:
        """Read the list as soon as the store is open."""
        self.filter = LeadFilter(self, self._line, self.listing.shown, self._show_filtered)
        if self._place is not None:
            take_up(self, self._place)
            self.work(take_up_rest(self, self._place), group="restore")
        self.host.keys_wait_for(self.listing.shown, at_most=15)  # typed while the program starts
        self._read("nothing")
        self.work(learn_views(self), group="views")

    def _local_now(self) -> datetime:
        return self.host.now().astimezone(self.host.settings.operator.zone)

    # Where the operator is

    def keep(self) -> Place | None:
        """Filter, order, columns, cursor, selection and pane."""
        return place_of(self) if self.listing.shown.is_set() else self._place

    def restore(self, place: Place) -> None:
        """Begin with these."""
        self._place = place

    # Reading

    def _read(self, keep: Literal["place", "selection", "nothing"]) -> None:
        """Read the list in the background; what was being read is stopped."""
        self.listing.whole.clear()
        if keep == "place":
            self.work(self.listing.read_again(self.asked), group="list")
        else:
            self.work(self.listing.read_anew(self.asked, keep), group="list")

    @on(RowsWanted)
    def _fetch(self, message: RowsWanted) -> None:
        self.work(self.listing.fetch(message.ids), group="rows")

    def data_changed(self) -> None:
        """Read the list again; cursor, selection and scroll stay."""
        self._read("place")
        self.pane.read_again()
        self.work(learn_views(self), group="views")

    async def show_again(self, lead_ids: array[int], key: str | None = None) -> None:
        """Show the changed rows at once, and then the list as it is now.

        Keys that were typed ahead find it so, but do not wait long for a list that is.
        """
        del key
        near = set(self.table.near_ids_in(self.table.order))
        await self.listing.fetch([each for each in lead_ids if each in near])
        self.data_changed()
        with suppress(TimeoutError):
            await asyncio.wait_for(self.listing.whole.wait(), _READ_WITHIN)

    # Filter and order

    def action_filter(self) -> None:
        """Type what the leads should match."""
        self._line.edit()

    @on(FilterLine.Changed)
    def _typed(self) -> None:
        self.filter.typed()

    @on(FilterLine.CompletionWanted)
    def _complete(self) -> None:
        self.filter.complete()

    def _show_filtered(self, text: str) -> None:
        self.asked = replace(self.asked, text=text)
        if not text and self.arrangement.view is not None and self.arrangement.view.query:
            self._leave_view()
        self._read("nothing")

    def show_matching(self, query: str) -> None:
        """Show the leads of a filter that another screen asks for."""
        self._leave_view()
        self.listing.shown.clear()
        self.host.keys_wait_for(self.listing.shown)
        self._show_filtered(self.filter.begin_with(query))

    @on(FilterLine.Entered)
    def _entered(self) -> None:
        if self.filter.entered():
            self._to_table()

    @on(FilterLine.Left)
    def _left(self) -> None:
        self.filter.left()
        self._to_table()

    def _to_table(self) -> None:
        """The keys that follow are for the list as it is filtered now."""
        self.set_focus(self.table)
        if not self.listing.shown.is_set():
            self.host.keys_wait_for(self.listing.shown)

    def action_facets(self) -> None:
        """Count the list by a field, and narrow it down to one of the values."""
        choose_facet(self, self.listing.query(self.asked), self._line.put)

    def action_sort(self) -> None:
        """Choose the column to sort by; the same one again turns the order round."""
        choose_sort(self.app, self.asked.sort, self._sort_by)

    @on(SortRequested)
    def _header_clicked(self, message: SortRequested) -> None:
        self._sort_by(message.key)

    def _sort_by(self, key: str) -> None:
        self.asked = replace(self.asked, sort=self.asked.sorted_by(key))
        self._read("selection")

    # Columns, views, pane

    def action_columns(self) -> None:
        """Choose the columns, their order and their widths."""
        from crm_tui.screens.columns_chooser import ColumnsChooser

        def left(_kept: bool | None) -> None:  # noqa: FBT001 - Textual's callback
            self.arrangement.keep()
            self.show_counts()

        chooser = ColumnsChooser(self.arrangement.columns, self.arrangement.show)
        self.app.push_screen(chooser, left)

    def action_view(self, letter: str = SHOW_ALL) -> None:
        """Show the saved view of a letter; `v v` shows all views."""
        ready = asyncio.Event()

        async def choose() -> None:
            try:
                await choose_view(self, letter)
            finally:
                ready.set()

        self.host.keys_wait_for(ready)
        self.work(choose(), group="view")

    def second_keys(self) -> list[tuple[str, str]]:
        """Where any letter can follow, those of the views."""
        keys = super().second_keys()
        if key_words(ANY_LETTER) not in dict(keys):
            return keys
        return [*self.arrangement.letters(), (SHOW_ALL, "all views")]

    def show_view(self, view: View) -> None:
        """Filter, order and columns as the view has them."""
        text = self.filter.begin_with(view.query)
        self.asked = Asked(text, Asked.sort_of(view.sort, _KEYS))
        self.arrangement.enter(view)
        self.listing.shown.clear()
        self.host.keys_wait_for(self.listing.shown)
        self._read("nothing")

    def _leave_view(self) -> None:
        view = self.arrangement.view
        if view is not None and view.sort is not None:
            self.asked = Asked(self.asked.text)
        self.arrangement.leave()

    def action_pane(self) -> None:
        """Show the lead under the cursor beside the list, or no more."""
        self.pane.wanted = not self.pane.wanted
        if not self.pane.place(self.size) and self.pane.wanted:
            self.pane.wanted = False
            room = f"{BESIDE} columns or {BELOW} lines"
            self.host.say(f"There is no room for the lead here: it takes {room}.")

    def on_resize(self, event: events.Resize) -> None:
        """The pane goes where there is room now."""
        self.pane.place(event.size)

    @on(RowHighlighted)
    def _followed(self, message: RowHighlighted) -> None:
        self.pane.follow(message.row_id)

    # What actions are done to

    @property
    def target(self) -> Target | None:
        """The lead under the cursor."""
        row = self.table.cursor_row
        return None if row is None else Target.of(row)

    @property
    def selected_count(self) -> int:
        """How many leads are selected, a range being marked included."""
        return self.table.selected_count + self.table.marking

    def selected_ids(self) -> array[int]:
        """The selected leads, those included that the filter hides.

        Raises:
            UserError: all are selected, and not all of them are known yet.
        """
        if not self.selected_count:
            return array("q")
        in_part = self.table.selection.open_ended or self.table.marking
        if in_part and not self.listing.whole.is_set():
            raise UserError("The list is still being read. Try again in a moment.")
        return self.table.selected_ids()

    async def audience(self) -> Audience:
        """The selected leads; without a selection those of the filter."""
        if self.selected_count:
            return await super().audience()
        from crm_tui.services.campaigns.audience import Audience

        return Audience(query=self.asked.text)

    def action_calls(self) -> None:
        """Call through the selected leads, or through the list from the top."""
        from crm_tui.screens.calling import call_through

        self.with_form(call_through(self))

    # Opening, and the lead screen's way through the list

    @on(RowOpened)
    def _open(self, message: RowOpened) -> None:
        self.open_lead(message.row_id)

    def open_lead(self, lead_id: int) -> None:
        """Show a lead's page."""
        from crm_tui.screens.lead import LeadScreen

        LeadScreen.open(self, lead_id, neighbours=self)

    def step(self, by: int) -> int | None:
        """Move the cursor by so many rows; the lead it came to, None at the list's end."""
        place = self.table.cursor + by
        if not 0 <= place < self.table.total:
            return None
        self.table.move_to(place)
        return self.table.cursor_id

    def place(self) -> tuple[int, int]:
        """Where the cursor stands, counted from 1, and how long the list is."""
        return self.table.cursor + 1, self.table.total

    def go_on_from(self, lead_id: int) -> None:
        """One row down, unless the cursor has left the lead already."""
        if self.table.cursor_id == lead_id:
            self.step(1)

    def back(self) -> bool:
        """Let go what was selected, then the filter and the view."""
        if self.table.clear_selection():
            return True
        if self.filter.text or self.arrangement.view is not None:
            self._leave_view()
            self.filter.begin_with("")
            self.listing.shown.clear()
            self._show_filtered("")
        return True

    # Without leads

    def action_demo(self) -> None:
        """Make a demo in a folder that goes with the app, and look at it instead."""
        self.host.start_job("Making the demo", self.host.open_demo)

    def action_import(self) -> None:
        """Choose a list to import."""
        from crm_tui.screens.import_file import choose_list

        self.work(choose_list(self), group="import")

    # What is said about the list

    def show_counts(self) -> None:
        """How many leads there are, in which view; without a single one, what to do about it."""
        empty = self.listing.all == 0 and self.listing.matching == 0
        if empty != self.has_class("-empty"):
            self.set_class(empty, "-empty")
            self.set_focus(self.query_one(Welcome) if empty else self.table)
            self._show_keys()
        self._line.show_count(list_words(self.listing, self.asked, self.arrangement))

    @on(SelectionChanged)
    def _selected(self) -> None:
        """Actions that follow at once are for all that is selected."""
        if self.table.selection.open_ended and not self.listing.whole.is_set():
            self.host.keys_wait_for(self.listing.whole)
        self._show_keys()

    def _show_keys(self) -> None:
        """The keys that matter here; while something is selected, what can be done to it."""
        about = selection_words(self.table)
        keys = _TO_SELECTED if about else () if self.has_class("-empty") else self.FOOTER
        self.query_one(Footer).show(keys, about)

"""Leads that may be the same: the suggestions, the surest first, merged or told apart in place."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

from textual import on
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Static

from crm_tui.screens.deciding import DecidingScreen
from crm_tui.screens.pair_columns import PAIR_COLUMNS, PairRow
from crm_tui.services import duplicates
from crm_tui.services.duplicates import Suggestion
from crm_tui.text import plural
from crm_tui.widgets.facts import styled
from crm_tui.widgets.look import Role
from crm_tui.widgets.row_list import RowList
from crm_tui.widgets.row_messages import RowOpened

_LOOKING = "Looking for leads that may be the same."
_NONE = "No two leads look the same. To compare two by hand, go to one of them and press M."
_MOST = 200


class DuplicatesScreen(DecidingScreen):
    """The list of suggestions; what was decided leaves it, and comes back when that is undone."""

    AREA = "duplicates"
    FOOTER = ("list.open", "duplicates.merge", "duplicates.distinct", "duplicates.again")
    TAB = "leads"
    AUTO_FOCUS = "#pairs"
    DEFAULT_CSS = """
    DuplicatesScreen {
        & #about { height: 1; padding: 0 1; }
        & #title { width: 1fr; height: 1; }
        & #count { width: auto; height: 1; }
        & #nothing { height: 1fr; padding: 1 2; display: none; }
        &.-empty #nothing { display: block; }
        &.-empty #pairs { display: none; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._found: Sequence[Suggestion] = ()
        self._looking = False

    def compose_body(self) -> Iterable[Widget]:
        """What this is and how much there is, above the list."""
        with Horizontal(id="about"):
            yield Static(styled("Leads that may be the same", Role.STRONG), id="title")
            yield Static(id="count")
        self._table: RowList[PairRow] = RowList(PAIR_COLUMNS, now=self.host.now, id="pairs")
        yield self._table
        yield Static(styled(_LOOKING, Role.QUIET), id="nothing")

    def on_mount(self) -> None:
        """Begin to look."""
        self.action_again()

    # Looking

    def action_again(self) -> None:
        """Look through all leads, from the start."""
        self._found = ()
        self._looking = True
        self.work(self._look(), group="look")

    async def _look(self) -> None:
        db = await self.host.store()
        await self.read_pairs()
        try:
            found = await duplicates.suggestions(db, limit=_MOST, so_far=self._found_so_far)
        finally:
            self._looking = False
        self._found = found
        await self.read_pairs()

    def _found_so_far(self, found: Sequence[Suggestion]) -> None:
        self._found = found
        self.data_changed()

    def data_changed(self) -> None:
        """Show what is left to decide; looking through all leads again is asked for."""
        self.work(self.read_pairs(), group="show")

    async def read_pairs(self) -> None:
        """Show what is left to decide of what was found."""
        db = await self.host.store()
        async with db.read() as session:
            left = await duplicates.remaining(session, self._found)
            names = await self.names(session, left)
        rows = [
            PairRow(number, names[each.keep_id], names[each.other_id], each.reason, each)
            for number, each in enumerate(left)
        ]
        self.set_class(not rows, "-empty")
        self._table.show(array("q", range(len(rows))), rows, keep="place")
        words = _LOOKING if self._looking else _NONE
        self.query_one("#nothing", Static).update(styled(words, Role.QUIET))
        count = plural(len(rows), "pair") + (", still looking" if self._looking else "")
        self.query_one("#count", Static).update(styled(count if rows else "", Role.QUIET))
        if rows and self.focused is None:
            self.call_after_refresh(self._table.focus)  # it was hidden while it was empty

    # Deciding

    @property
    def _pair(self) -> Suggestion | None:
        row = self._table.cursor_row
        return None if row is None else row.at_hand

    def why_not(self, action_id: str) -> str | None:
        """Without a pair there is nothing to decide."""
        if action_id in {"duplicates.merge", "duplicates.distinct"} and self._pair is None:
            return "There is no pair here."
        return None

    def action_merge(self) -> None:
        """Merge the pair as it is: what the first says wins."""
        if pair := self._pair:
            self.decide(self.merge_pair(pair, {}))

    def action_distinct(self) -> None:
        """The two are not the same."""
        if pair := self._pair:
            self.decide(self.tell_apart(pair))

    @on(RowOpened)
    def _open(self) -> None:
        if pair := self._pair:
            from crm_tui.screens.merging import MergeScreen

            self.app.push_screen(MergeScreen(self._found, begin_at=pair))

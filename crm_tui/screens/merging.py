"""Two leads side by side: whose value is taken, field by field, and merging them into one."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import replace

from textual import on
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from crm_tui.screens.deciding import DecidingScreen
from crm_tui.screens.pair_columns import FieldRow, field_columns, field_rows
from crm_tui.services import duplicates, merge
from crm_tui.services.duplicates import Suggestion
from crm_tui.widgets.facts import styled
from crm_tui.widgets.look import NOTHING, REACHED, Role
from crm_tui.widgets.row_list import RowList
from crm_tui.widgets.row_messages import RowHighlighted, RowOpened

_ABOUT = (
    f"{REACHED} is what the merged lead says, {NOTHING} is let go. "
    "Contacts, tags, timeline and sites of both are kept."
)


class MergeScreen(DecidingScreen):
    """One pair of leads after the other.

    Args:
        pairs: The pairs to decide, in their order.
        begin_at: The one to begin with; the first when None.
    """

    AREA = "merge"
    FOOTER = ("merge.choose", "merge.swap", "merge.merge", "merge.distinct")
    TAB = "leads"
    AUTO_FOCUS = "RowList"
    DEFAULT_CSS = """
    MergeScreen {
        & #head { height: 1; padding: 0 1; }
        & #why { width: 1fr; height: 1; }
        & #place { width: auto; height: 1; }
        & #hint { padding: 0 1; height: auto; max-height: 2; margin-bottom: 1; }
        & #whole { padding: 0 3; height: auto; max-height: 4; margin-bottom: 1; }
    }
    """

    def __init__(self, pairs: Sequence[Suggestion], *, begin_at: Suggestion | None = None) -> None:
        super().__init__()
        self._pairs = list(pairs)
        self._pair = begin_at or self._pairs[0]
        self._left: list[Suggestion] = []
        self._sides: tuple[merge.Side, merge.Side] | None = None
        self._swapped = False
        self._from_other: dict[str, bool] = {}

    def compose_body(self) -> Iterable[Widget]:
        """Why they may be the same and how many there are, above the fields."""
        with Horizontal(id="head"):
            yield Static(id="why")
            yield Static(id="place")
        yield Static(styled(_ABOUT, Role.QUIET), id="hint")
        self._table: RowList[FieldRow] = RowList((), now=self.host.now)
        yield self._table
        yield Static(id="whole")

    def on_mount(self) -> None:
        """Read the pair."""
        self.data_changed()

    def on_resize(self) -> None:
        """The two leads share the width there is now."""
        self._show()

    # Reading

    def data_changed(self) -> None:
        """Read the pair again; where it was decided, the next one that was not."""
        self.work(self.read_pairs(), group="pair")

    async def read_pairs(self) -> None:
        """Show the pair at hand as it is now, or where it was decided the next one."""
        db = await self.host.store()
        async with db.read() as session:
            self._left = await duplicates.remaining(session, self._pairs)
            if not self._left:
                self._leave()
                return
            if not any(_same(each, self._pair) for each in self._left):
                self._go_to(self._following(self._pair))
            keep, other = self._ids
            one, two = await merge.lead_sides(session, [keep, other])
        self._sides = (one, two)
        self._show(keep_place=True)

    def _leave(self) -> None:
        """Go back to where this came from, and say there what was decided last."""
        if self.is_current:
            self.app.pop_screen()
            if self.decided:
                self.host.say(self.decided, Role.GOOD)

    def _following(self, decided: Suggestion) -> Suggestion:
        """The first pair that is left after one that was decided; the first of all at the end."""
        places = [n for n, each in enumerate(self._pairs) if _same(each, decided)]
        after = self._pairs[places[0] + 1 :] if places else []
        for each in after:
            for left in self._left:
                if left.reason == each.reason and left.other_id == each.other_id:
                    return left
        return self._left[0]

    @property
    def _ids(self) -> tuple[int, int]:
        """The lead that is kept, and the other."""
        keep, other = self._pair.keep_id, self._pair.other_id
        return (other, keep) if self._swapped else (keep, other)

    def _go_to(self, pair: Suggestion) -> None:
        self._pair = pair
        self._swapped = False
        self._from_other = {}
        self._sides = None

    def _show(self, *, keep_place: bool = False) -> None:
        if self._sides is None or not self.is_mounted:
            return
        one, two = self._sides
        rows = field_rows(one, two, self._from_other)
        self._table.set_columns(field_columns(one, two, self.size.width))
        self._table.show(
            array("q", range(len(rows))), rows, keep="place" if keep_place else "nothing"
        )
        why = self._pair.reason or "two leads side by side"
        why = f"{why[:1].upper()}{why[1:]}"
        self.query_one("#why", Static).update(styled(why, Role.STRONG))
        place = next(n for n, each in enumerate(self._left, 1) if _same(each, self._pair))
        words = f"{place} of {len(self._left)}" if len(self._left) > 1 else ""
        self.query_one("#place", Static).update(styled(words, Role.QUIET))

    @on(RowHighlighted)
    def _show_whole(self) -> None:
        """Show the values under the cursor whole: in the columns they may be cut."""
        row = self._table.cursor_row
        said = [] if row is None else [value for value in (row.kept, row.other) if value]
        lines = [styled(value, Role.QUIET) for value in dict.fromkeys(said)]
        self.query_one("#whole", Static).update(Content("\n").join(lines))

    # Choosing

    @on(RowOpened)
    def action_choose(self) -> None:
        """Take the field from the other lead, or from the kept one again."""
        row = self._table.cursor_row
        if row is None:
            return
        if not row.can_be_chosen:
            self.host.say(_why_no_choice(row))
            return
        self._from_other[row.field] = not self._from_other.get(row.field, False)
        self._show(keep_place=True)

    def action_swap(self) -> None:
        """Keep the other lead instead."""
        self._swapped = not self._swapped
        self._from_other = {}
        self.data_changed()

    # Deciding

    def action_merge(self) -> None:
        """Make one lead of the two."""
        if self._sides is not None:
            keep, other = self._ids
            pair = replace(self._pair, keep_id=keep, other_id=other)
            choices = {name: other for name, chosen in self._from_other.items() if chosen}
            self.decide(self.merge_pair(pair, choices))

    def action_distinct(self) -> None:
        """The two are not the same."""
        if self._sides is not None:
            self.decide(self.tell_apart(self._pair))

    # Going through the pairs

    def action_next(self) -> None:
        """Leave this pair undecided, and go to the next."""
        self._step(1)

    def action_previous(self) -> None:
        """Go to the pair before."""
        self._step(-1)

    def _step(self, by: int) -> None:
        places = [n for n, each in enumerate(self._left) if _same(each, self._pair)]
        if places:
            self._go_to(self._left[(places[0] + by) % len(self._left)])
            self.data_changed()

    def why_not(self, action_id: str) -> str | None:
        """Where there is one pair only, there is no other to go to."""
        if action_id in {"merge.next", "merge.previous"} and len(self._left) < 2:
            return "There is no other pair."
        return None


def _same(one: Suggestion, other: Suggestion) -> bool:
    return {one.keep_id, one.other_id} == {other.keep_id, other.other_id}


def _why_no_choice(row: FieldRow) -> str:
    if not row.field:
        return f"{row.label} of both is kept; there is nothing to choose."
    if not (row.kept and row.other):
        return f"Only one of them says something as {row.label.lower()}; that is taken."
    return "Both say the same."

"""A lead's history as one virtual widget: newest first, entries of different heights.

Nothing is mounted per entry. A line of the screen is painted from the entries when it is asked
for, and heights are worked out only as far down as somebody has looked.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from typing import Any, ClassVar, Generic

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.cache import LRUCache
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from crm_tui.text import visible, visible_lines
from crm_tui.vocabulary import EventKind
from crm_tui.widgets.columns import fit
from crm_tui.widgets.entries import Columns, Entry, EntryT, day_words, mark_of, when_words
from crm_tui.widgets.heights import Heights
from crm_tui.widgets.keys import KeyArea
from crm_tui.widgets.look import Role
from crm_tui.widgets.wrap import wrap

BODY_LINES = 12
"""The most lines of an entry's text shown in place; its reader shows the rest."""

_MORE = "… enter shows the rest"


@dataclass(frozen=True, slots=True)
class _Place:
    """The entry under the cursor and its line on the screen; None while nothing is scrolled."""

    entry: Entry | None
    line: int | None


@dataclass
class EntryChosen(Message):
    """An entry was picked, with enter or a second click."""

    timeline: Timeline[Any]
    entry: Any

    @property
    def control(self) -> Timeline[Any]:
        """The timeline it was picked in."""
        return self.timeline


class Timeline(ScrollView, KeyArea, Generic[EntryT], can_focus=True, inherit_bindings=False):
    """The history of one lead; `set_entries` fills it, `EntryChosen` tells what was picked."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "timeline--accent",
        "timeline--attention",
        "timeline--bad",
        "timeline--cursor",
        "timeline--good",
        "timeline--quiet",
        "timeline--text",
    }

    DEFAULT_CSS = """
    Timeline {
        height: 1fr;
        scrollbar-gutter: stable;
        scrollbar-size-vertical: 1;
        overflow-x: hidden;

        & > .timeline--accent { color: $text-accent; }
        & > .timeline--attention { color: $text-warning; }
        & > .timeline--bad { color: $text-error; }
        & > .timeline--cursor { background: $surface; }
        & > .timeline--good { color: $text-success; }
        & > .timeline--quiet { color: $text-muted; }
        & > .timeline--text { color: $foreground; }

        &:focus > .timeline--cursor { background: $panel; }
    }
    """

    AREA = "list"

    def __init__(self, *, empty: str = "Nothing has happened yet.", id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._empty = empty
        self._entries: Sequence[EntryT] = ()
        self._filled = False
        self._kinds: Collection[EventKind] | None = None
        self._now = datetime.min.replace(tzinfo=UTC)
        self._zone: tzinfo | None = None
        self._shown: Sequence[int] = ()
        self._cursor = 0
        self._columns = Columns.of(0)
        self._heights = Heights(0, self._height_of)
        self._wrapped: LRUCache[int, list[str]] = LRUCache(256)
        self._styles: dict[tuple[Role, bool], Style] = {}

    # What it shows

    @property
    def entry(self) -> EntryT | None:
        """The entry under the cursor."""
        return self._entry_at(self._cursor) if self._shown else None

    def set_entries(
        self,
        entries: Sequence[EntryT],
        *,
        now: datetime,
        zone: tzinfo | None = None,
        select: int | None = None,
    ) -> None:
        """Show these, newest first; the cursor stays on its entry and its place on the screen.

        Args:
            entries: All of the lead's history, in the order it is shown.
            now: What "2h" is counted from.
            zone: Where days begin and end; the machine's own when None.
            select: The id of the entry the cursor goes to, where it shall not stay.
        """
        keep = self._place()
        self._entries, self._now, self._zone = entries, now, zone
        self._filled = True
        if select is not None:
            wanted = next((entry for entry in entries if entry.id == select), keep.entry)
            keep = _Place(wanted, keep.line)
        self._lay_out(keep)

    def set_kinds(self, kinds: Collection[EventKind] | None) -> None:
        """Show only entries of these kinds, or all of them."""
        keep = self._place()
        self._kinds = kinds
        self._lay_out(keep)

    def _entry_at(self, position: int) -> EntryT:
        return self._entries[self._shown[position]]

    def _place(self) -> _Place:
        entry, scrolled = self.entry, self.scroll_offset.y
        if entry is None or scrolled == 0:
            return _Place(entry, None)
        return _Place(entry, self._heights.top(self._cursor) - scrolled)

    def _lay_out(self, keep: _Place) -> None:
        kinds = self._kinds
        self._shown = range(len(self._entries))
        if kinds is not None:
            self._shown = [i for i in self._shown if self._entries[i].kind in kinds]
        self._wrapped.clear()
        self._heights = Heights(len(self._shown), self._height_of)
        self._cursor = self._nearest(keep.entry)
        y = 0 if keep.line is None else max(self._heights.top(self._cursor) - keep.line, 0)
        self._grow(y)
        self.scroll_to(y=y, animate=False, force=True)
        self._reveal()
        self.refresh()

    def _nearest(self, entry: Entry | None) -> int:
        """The position of the same entry, else of the next older one, else the last."""
        if entry is None:
            return 0
        older: int | None = None
        for position, index in enumerate(self._shown):
            other = self._entries[index]
            if other.id == entry.id:
                return position
            if older is None and other.at <= entry.at:
                older = position
        return older if older is not None else max(len(self._shown) - 1, 0)

    # Heights and scrolling

    def _height_of(self, position: int) -> int:
        body = self._entry_at(position).body
        return 1 + len(self._body_lines(body)) if body else 1

    def _body_lines(self, body: str) -> list[str]:
        width = self._columns.text
        limit = BODY_LINES * max(width, 1) + 1
        start = body[:limit]
        if not (start.isascii() and start.isprintable()):
            start = visible_lines(start)
        lines = wrap(start.strip("\n"), width)
        if len(lines) > BODY_LINES or len(body) > limit:
            lines[BODY_LINES - 1 :] = [fit(_MORE, width).rstrip()]
        return lines

    def _grow(self, line: int) -> None:
        """Know the heights a screen past a line, and tell the scrollbar about the rest."""
        self._heights.grow(lines=line + 2 * max(self.size.height, 1))
        self.virtual_size = Size(self._columns.width, self._heights.total())

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Scroll, and measure what comes into sight."""
        self._grow(round(new_value))
        super().watch_scroll_y(old_value, new_value)

    def on_resize(self) -> None:
        """Wrap again when the width changed; the cursor keeps its place on the screen."""
        width = self.scrollable_content_region.width
        if width != self._columns.width:
            keep = self._place()
            self._columns = Columns.of(width)
            self._lay_out(keep)
        else:
            self._grow(self.scroll_offset.y)
            self._reveal()

    def _reveal(self) -> None:
        """Bring the entry under the cursor into sight, its first line before its last."""
        if not self._shown:
            return
        height = self.scrollable_content_region.height
        top, bottom = self._heights.top(self._cursor), self._heights.top(self._cursor + 1)
        y = self.scroll_offset.y
        if bottom > y + height:
            y = bottom - height
        y = min(y, top)
        if y != self.scroll_offset.y:
            self._grow(y)
            self.scroll_to(y=y, animate=False, force=True)

    # Moving

    def _move_to(self, position: int) -> None:
        position = max(0, min(position, len(self._shown) - 1))
        if position == self._cursor or not self._shown:
            return
        before, self._cursor = self._cursor, position
        self._repaint(before)
        self._repaint(position)
        self._reveal()

    def _repaint(self, position: int) -> None:
        top = self._heights.top(position)
        self.refresh_lines(top, self._heights.top(position + 1) - top)

    def _turn(self, pages: float) -> None:
        """Move by a part of the height of the screen, at least by one entry."""
        if not self._shown:
            return
        step = round(pages * max(self.scrollable_content_region.height - 1, 2))
        target = self._heights.at(max(self._heights.top(self._cursor) + step, 0))
        if target is None:
            target = len(self._shown) - 1
        elif target == self._cursor:
            target += 1 if pages > 0 else -1
        self._move_to(target)

    def action_down(self) -> None:
        """To the next older entry."""
        self._move_to(self._cursor + 1)

    def action_up(self) -> None:
        """To the next newer entry."""
        self._move_to(self._cursor - 1)

    def action_half_down(self) -> None:
        """Half a page towards older entries."""
        self._turn(0.5)

    def action_half_up(self) -> None:
        """Half a page towards newer entries."""
        self._turn(-0.5)

    def action_page_down(self) -> None:
        """A page towards older entries."""
        self._turn(1)

    def action_page_up(self) -> None:
        """A page towards newer entries."""
        self._turn(-1)

    def action_first(self) -> None:
        """To the newest entry."""
        self._move_to(0)

    def action_last(self) -> None:
        """To the oldest entry."""
        self._move_to(len(self._shown) - 1)

    def action_open(self) -> None:
        """Tell which entry is under the cursor."""
        if self.entry is not None:
            self.post_message(EntryChosen(self, self.entry))

    def on_click(self, event: events.Click) -> None:
        """Move to the entry that was clicked; on a second click, choose it."""
        position = self._heights.at(event.y + self.scroll_offset.y)
        if position is not None:
            self._move_to(position)
            if event.chain > 1:
                self.action_open()

    # Painting

    def notify_style_update(self) -> None:
        """Forget the colours of the theme before."""
        super().notify_style_update()
        self._styles.clear()

    def _style(self, role: Role, *, cursor: bool) -> Style:
        if (role, cursor) not in self._styles:
            style = self.get_component_rich_style(f"timeline--{role}")
            if cursor:
                line = self.get_component_rich_style("timeline--cursor")
                style += Style(bgcolor=line.bgcolor)
            self._styles[role, cursor] = style
        return self._styles[role, cursor]

    def render_line(self, y: int) -> Strip:
        """The line of the screen at `y`, from the entry that covers it."""
        line = y + self.scroll_offset.y
        position = self._heights.at(line)
        cursor = position is not None and position == self._cursor
        if position is None:
            text = self._empty if y == 0 and self._filled and not self._shown else ""
            segments = [Segment("  " + text, self._style(Role.QUIET, cursor=False))]
        elif below := line - self._heights.top(position):
            segments = self._body_line(position, below - 1, y, cursor=cursor)
        else:
            segments = self._head_line(position, y, cursor=cursor)
        style = self._style(Role.TEXT, cursor=cursor)
        return Strip(segments).adjust_cell_length(self._columns.width, style)

    def _head_line(self, position: int, y: int, *, cursor: bool) -> list[Segment]:
        entry, columns = self._entry_at(position), self._columns
        shape, role = mark_of(entry)
        words = Role.QUIET if role is Role.QUIET else Role.TEXT
        quiet = self._style(Role.QUIET, cursor=cursor)
        source = min(cell_len(visible(entry.source, columns.source)), columns.source)
        room = columns.width - columns.text_at - (source + 3 if source else 1)
        return [
            Segment("▸ " if cursor else "  ", self._style(Role.ACCENT, cursor=cursor)),
            Segment(self._day_cell(position, y) + self._when_cell(entry.at) + "  ", quiet),
            Segment(shape + " ", self._style(role, cursor=cursor)),
            Segment(fit(entry.summary, room), self._style(words, cursor=cursor)),
            Segment("  " + fit(entry.source, source), quiet),
        ]

    def _body_line(self, position: int, number: int, y: int, *, cursor: bool) -> list[Segment]:
        entry = self._entry_at(position)
        if entry.id not in self._wrapped:
            self._wrapped[entry.id] = self._body_lines(entry.body)
        text = self._wrapped[entry.id][number]
        day = self._day_cell(position, y) if y == 0 else ""
        quiet = self._style(Role.QUIET, cursor=cursor)
        return [
            Segment(f"  {day}".ljust(self._columns.text_at), quiet),
            Segment(text, quiet if text == _MORE else self._style(Role.TEXT, cursor=cursor)),
        ]

    def _day_cell(self, position: int, y: int) -> str:
        """The day, on the first entry of that day and at the top of the screen."""
        if not self._columns.day:
            return ""
        day = self._day_of(position)
        if y > 0 and position > 0 and self._day_of(position - 1) == day:
            return " " * (self._columns.day + 2)
        today = self._now.astimezone(self._zone).date()
        return day_words(day, today).ljust(self._columns.day + 2)

    def _day_of(self, position: int) -> date:
        return self._entry_at(position).at.astimezone(self._zone).date()

    def _when_cell(self, at: datetime) -> str:
        words = when_words(at, self._now, zone=self._zone, dated=bool(self._columns.day))
        return words.rjust(self._columns.when)

"""The lead under the cursor beside the list: who it is, how to reach it, what happened last."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from textual.containers import Container, Vertical
from textual.content import Content
from textual.geometry import Size
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Static

from crm_tui.clock import ago
from crm_tui.text import visible
from crm_tui.widgets.columns import fit
from crm_tui.widgets.facts import Facts, styled
from crm_tui.widgets.look import Role

if TYPE_CHECKING:
    from crm_tui.screens.base import AppScreen
    from crm_tui.services.timeline import TimelineEntry

_PAUSE = 0.08
"""Seconds the cursor has to rest on a lead before it is read."""

_ENTRIES = 12
"""The most entries of the timeline that are shown, the newest first."""

_GROUPS = 3
"""Groups of facts that are shown: what is due, how to reach it, site and tags."""

_LABELS = 10

BESIDE, BELOW = 110, 34
"""The columns and the lines a window needs for the lead beside the list, or below it."""


class LeadPane(Container):
    """Follows the cursor, a moment behind it; what is read for a lead one has left is stopped."""

    DEFAULT_CSS = """
    LeadPane {
        display: none;
        background: $surface;
        padding: 0 2;
        overflow: hidden;
        &.-beside { display: block; width: 2fr; max-width: 60; height: 100%; }
        &.-below { display: block; width: 100%; height: 13; layout: horizontal; }
        &.-below > * { width: 1fr; }
        & Static, & Vertical { height: auto; }
        & Facts, & #pane-entries { margin-top: 1; }
        &.-below #pane-entries { margin-left: 2; }
        &.-pending > * { visibility: hidden; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self.wanted = False
        self._lead: int | None = None
        self._pause: Timer | None = None

    def compose(self) -> Iterable[Widget]:
        """Name and statuses, facts, and the last entries of the timeline."""
        with Vertical():
            yield Static(id="pane-name")
            yield Static(id="pane-statuses")
            yield Static(id="pane-warning")
            for _ in range(_GROUPS):
                yield Facts(label_width=_LABELS)
        yield Static(id="pane-entries")

    def place(self, size: Size) -> bool:
        """Go where there is room in a window of this size; False where there is none."""
        beside = self.wanted and size.width >= BESIDE
        below = self.wanted and not beside and size.height >= BELOW
        self.set_class(beside, "-beside")
        self.set_class(below, "-below")
        assert isinstance(self.parent, Widget)
        self.parent.set_class(below, "-stacked")
        if beside or below:
            self.read_again()
        return beside or below

    @property
    def is_shown(self) -> bool:
        """Whether it is wanted, and has room."""
        return self.has_class("-beside") or self.has_class("-below")

    def follow(self, lead_id: int | None) -> None:
        """The cursor came to this lead."""
        if lead_id != self._lead:
            self._lead = lead_id
            self.read_again()

    def read_again(self) -> None:
        """Read the lead at hand, once the cursor rests."""
        if self._pause is not None:
            self._pause.stop()
            self._pause = None
        if self.is_shown:
            self._pause = self.set_timer(_PAUSE, self._read)

    def _read(self) -> None:
        screen = cast("AppScreen", self.screen)
        screen.work(self._show(screen, self._lead), group="pane")

    async def _show(self, screen: AppScreen, lead_id: int | None) -> None:
        if lead_id is None:
            self.add_class("-pending")
            return
        host = screen.host
        db, now = await host.store(), host.now()
        from crm_tui.errors import NotFound
        from crm_tui.screens import lead_facts
        from crm_tui.services import leads, timeline

        try:
            async with db.read() as session:
                page = await leads.page(session, lead_id, settings=host.settings, now=now)
                entries = await timeline.entries(session, lead_id, limit=_ENTRIES)
        except NotFound:
            self.add_class("-pending")
            return
        zone, threshold = host.settings.operator.zone, host.settings.score.threshold
        self._say("#pane-name", styled(visible(page.business["name"], 200), Role.STRONG))
        room = self.query_one("#pane-name").size.width
        statuses = lead_facts.statuses_within(page, room, threshold=threshold)
        self._say("#pane-statuses", statuses)
        self._say("#pane-warning", lead_facts.warning(page))
        groups = lead_facts.groups(page, now=now, zone=zone, threshold=threshold)
        for widget, facts in zip(self.query(Facts), groups[:_GROUPS], strict=True):
            widget.set_facts(facts)
        width = max(self.query_one("#pane-entries").size.width, 1)
        lines = [
            styled(f"{ago(entry.at, now, zone=zone):<11}", Role.QUIET)
            + styled(fit(_entry_words(entry), max(width - 11, 1)).rstrip())
            for entry in entries
        ]
        self._say("#pane-entries", Content("\n").join(lines) if lines else None)
        self.remove_class("-pending")

    def _say(self, selector: str, content: Content | None) -> None:
        widget = self.query_one(selector, Static)
        widget.display = content is not None
        widget.update(content or "")


def _entry_words(entry: TimelineEntry) -> str:
    """An entry in one line: what happened, and the beginning of what was written."""
    text = " ".join(entry.body.split())
    return f"{entry.summary}: {text}" if text and text not in entry.summary else entry.summary

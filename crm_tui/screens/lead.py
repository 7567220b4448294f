"""One lead: who it is, how to reach it, what is due, and everything that happened.

The screen wires widgets to services and holds no rules. Every action is one transaction; after it,
and when another process changed the store, the screen shows the lead again in place.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Collection
from datetime import datetime, tzinfo
from typing import ClassVar, Protocol

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from crm_tui.db.engine import WriteSession
from crm_tui.screens import lead_facts
from crm_tui.screens.answering import REPLY, WRITTEN
from crm_tui.screens.base import AppScreen
from crm_tui.screens.business_actions import Target
from crm_tui.screens.dealing import DealingScreen
from crm_tui.screens.lead_entry import EntryReader
from crm_tui.screens.lead_forms import Here, correct_call_form, note_form
from crm_tui.services import leads, machine_marks, merged, timeline
from crm_tui.services.leads import LeadPage
from crm_tui.services.timeline import CORRECTABLE, TimelineEntry
from crm_tui.session import Place
from crm_tui.text import visible
from crm_tui.vocabulary import CallOutcome, ContactStatus, EventKind
from crm_tui.widgets.facts import Facts, styled
from crm_tui.widgets.look import Role
from crm_tui.widgets.timeline import EntryChosen, Timeline

_AT_ONCE = {"lead.leave", "lead.next", "lead.previous"}
"""What can be done before the lead is read."""

_ON_A_FOLLOW_UP = {"lead.done", "lead.snooze"}

_GROUPS = 5
_LABEL_WIDTH = 10

_MESSAGES = {
    EventKind.EMAIL_SENT,
    EventKind.SMS_SENT,
    EventKind.OPENED,
    EventKind.CLICKED,
    EventKind.REPLIED,
    EventKind.PURCHASED,
}
_SITE = {kind for kind in EventKind if kind.startswith("site_")} | {EventKind.PREVIEWED}
_MONEY = {EventKind.PURCHASED, EventKind.REFUNDED, EventKind.DISPUTED, EventKind.DISPUTE_CLOSED} | {
    kind for kind in EventKind if kind.startswith(("payment_", "subscription_"))
}
KINDS: tuple[tuple[str, Collection[EventKind] | None], ...] = (
    ("everything", None),
    ("notes and calls", CORRECTABLE),
    ("messages", _MESSAGES),
    ("site", _SITE),
    ("money", _MONEY),
)
"""What the timeline can be narrowed to, in the order `/` goes through it."""

_IF_ANY = "money"
"""What most leads have none of is not offered where there is none."""


class Neighbours(Protocol):
    """The list a lead was opened from, with an order and a cursor of its own."""

    def step(self, by: int) -> int | None:
        """Move the list's cursor by so many rows; the lead it came to, None at the list's end."""

    def place(self) -> tuple[int, int]:
        """Where the cursor stands, counted from 1, and how long the list is."""


class FactsPane(VerticalScroll):
    """All facts, to be scrolled with the keys of a list."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", "Down", show=False),
        Binding("k", "scroll_up", "Up", show=False),
        Binding("ctrl+d", "page_down", "Page down", show=False),
        Binding("ctrl+u", "page_up", "Page up", show=False),
        Binding("G", "scroll_end", "To the end", show=False),
    ]

    def compose(self) -> ComposeResult:
        """The groups under each other."""
        for _ in range(_GROUPS):
            yield Facts(label_width=_LABEL_WIDTH)


class LeadScreen(DealingScreen):
    """Everything about one lead.

    Args:
        lead_id: The lead shown first.
        neighbours: The list it was opened from, for the keys to the next and previous lead.

    Attributes:
        shown: Set once the lead is read and shown.
    """

    CSS_PATH = "lead.tcss"
    AREA = "lead"
    OWNS = (AREA, "answer", "business")
    FOOTER = (
        "business.call",
        "business.note",
        "business.follow_up",
        "business.build",
        "business.preview",
    )
    TAB = "leads"
    AUTO_FOCUS = "Timeline"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012 - Textual's own type

    def __init__(self, lead_id: int, *, neighbours: Neighbours | None = None) -> None:
        super().__init__()
        self._lead_id = lead_id
        self.shown = asyncio.Event()
        self._neighbours = neighbours
        self._page: LeadPage | None = None
        self._entries: list[TimelineEntry] = []
        self._kinds = 0

    @classmethod
    def open(cls, opener: AppScreen, lead_id: int, *, neighbours: Neighbours | None = None) -> None:
        """Show a lead over a screen; keys typed ahead are for its page, and wait until it is read."""
        page = cls(lead_id, neighbours=neighbours)
        opener.host.keys_wait_for(page.shown)
        opener.app.push_screen(page)

    def compose_body(self) -> ComposeResult:
        """A header over the facts and the timeline."""
        with Vertical(id="lead-header"):
            with Horizontal(id="lead-title"):
                yield Static(id="lead-name")
                yield Static(id="lead-position")
            yield Static(id="lead-statuses")
            yield Static(id="lead-warning")
            yield Static(id="lead-reach", classes="compact")
            yield Static(id="lead-where", classes="compact")
            yield Static(id="lead-next", classes="compact")
        with Horizontal(id="lead-body"):
            yield FactsPane(id="lead-facts")
            with Vertical(id="lead-history"):
                yield Static(id="lead-kinds")
                yield Timeline[TimelineEntry]()

    @property
    def _zone(self) -> tzinfo | None:
        """Where the operator's days begin and end; None is the machine's own."""
        return self.host.settings.operator.zone

    @property
    def lead_id(self) -> int:
        """The lead that is shown, or will be."""
        return self._lead_id

    @property
    def timeline(self) -> Timeline[TimelineEntry]:
        """The widget that shows what happened."""
        return self.query_one(Timeline)

    # Showing

    def on_mount(self) -> None:
        """Paint first, then read the lead."""
        self.work(self.reload(), group="lead")

    def data_changed(self) -> None:
        """Show what changed in place."""
        self.work(self.reload(), group="lead")

    async def reload(self, *, select: str | None = None) -> None:
        """Read the lead again and show it in place.

        Args:
            select: The key of the entry the cursor goes to; it stays where it is when None.
        """
        db, now, asked = await self.host.store(), self.host.now(), self._lead_id
        async with db.read() as session:
            lead_id = await merged.standing(session, asked)
            if self._lead_id == asked:
                self._lead_id = lead_id
            page = await leads.page(session, lead_id, settings=self.host.settings, now=now)
            entries = await timeline.entries(session, lead_id)
        if lead_id == self._lead_id and (page, entries) != (self._page, self._entries):
            self._show(page, entries, now, select)

    def _show(
        self, page: LeadPage, entries: list[TimelineEntry], now: datetime, select: str | None
    ) -> None:
        other = self._page is None or self._page.business["id"] != page.business["id"]
        self._page, self._entries = page, entries
        zone, threshold = self._zone, self.host.settings.score.threshold
        place = self._neighbours.place() if self._neighbours else None
        self._say("#lead-name", styled(visible(page.business["name"], 300), Role.STRONG))
        self._say(
            "#lead-position", styled("{} of {}".format(*place), Role.QUIET) if place else None
        )
        self._say("#lead-statuses", lead_facts.statuses(page, threshold=threshold))
        self._say("#lead-warning", lead_facts.warning(page))
        self._say("#lead-reach", lead_facts.reach(page))
        self._say("#lead-where", lead_facts.place(page, now=now))
        self._say("#lead-next", lead_facts.next_step(page, now=now, zone=zone))
        groups = lead_facts.groups(page, now=now, zone=zone, threshold=threshold)
        for widget, facts in zip(self.query(Facts), groups, strict=True):
            widget.set_facts(facts)
        if other:
            self.timeline.set_entries([], now=now)
            self.query_one(FactsPane).scroll_home(animate=False)
        chosen = next((entry.id for entry in entries if entry.key == select), None)
        self.timeline.set_entries(entries, now=now, zone=zone, select=chosen)
        self._show_kinds()
        self.shown.set()

    def _say(self, selector: str, content: Content | None) -> None:
        widget = self.query_one(selector, Static)
        widget.set_class(not content, "-empty")
        widget.update(content or "")

    def _show_kinds(self) -> None:
        self.timeline.set_kinds(KINDS[self._kinds][1])
        words = []
        for number, (name, kinds) in enumerate(KINDS):
            count = sum(1 for entry in self._entries if kinds is None or entry.kind in kinds)
            if name == _IF_ANY and not count and number != self._kinds:
                continue
            role = Role.STRONG if number == self._kinds else Role.QUIET
            words.append(styled(name, role) + styled(f" {count}", Role.QUIET))
        self._say("#lead-kinds", styled("/ ", Role.QUIET) + Content("   ").join(words))

    def keep(self) -> Place:
        """Which lead is shown."""
        return Place(cursor=self._lead_id)

    # Moving

    def _go(self, by: int) -> None:
        lead_id = self._neighbours.step(by) if self._neighbours else None
        if lead_id is None:
            self.host.say(f"This is the {'last' if by > 0 else 'first'} lead of the list.")
            return
        self._lead_id = lead_id
        self.work(self.reload(), group="lead")

    def go_on_from(self, lead_id: int) -> None:
        """To the next lead of the list, where there is one."""
        if lead_id == self._lead_id and self._neighbours and (n := self._neighbours.step(1)):
            self._lead_id = n

    def action_next(self) -> None:
        """To the next lead of the list."""
        self._go(1)

    def action_previous(self) -> None:
        """To the previous lead of the list."""
        self._go(-1)

    def action_facts(self) -> None:
        """Facts instead of the timeline and back; where both are shown, the focus changes."""
        showing = not self.has_class("-facts")
        self.set_class(showing, "-facts")
        (self.query_one(FactsPane) if showing else self.timeline).focus()

    def action_reply(self) -> None:
        """Answer the newest mail of the lead."""
        if lead := self.target:
            from crm_tui.screens.answering import reply

            self.with_form(reply(self, lead))

    def action_kinds(self) -> None:
        """Narrow the timeline to the next group of kinds, after the last one to everything."""
        self._kinds = (self._kinds + 1) % len(KINDS)
        name, kinds = KINDS[self._kinds]
        if name == _IF_ANY and not any(entry.kind in (kinds or ()) for entry in self._entries):
            self._kinds = 0
        self._show_kinds()

    def back(self) -> bool:
        """Everything again, then the timeline again."""
        if self._kinds:
            self._kinds = 0
            self._show_kinds()
            return True
        if self.has_class("-facts"):
            self.action_facts()
            return True
        return False

    def action_leave(self) -> None:
        """Back to the list."""
        self.dismiss()

    # What actions are done to

    @property
    def target(self) -> Target | None:
        """The lead that is shown."""
        if self._page is None:
            return None
        known = self._page.business
        return Target(**{name: known[name] for name in Target._fields})

    async def show_again(self, lead_ids: array[int], key: str | None = None) -> None:
        """Show what an action wrote, with the cursor on it."""
        del lead_ids
        await self.reload(select=key)

    def why_not(self, action_id: str) -> str | None:
        """Nothing can be done to a lead before it is shown."""
        if self._page is None and action_id not in _AT_ONCE:
            return "The lead is not shown yet."
        if action_id in _ON_A_FOLLOW_UP and self.task_at_hand is None:
            return "No follow-up is open here."
        if action_id.startswith("answer.") and not self._has_answered:
            return "Nobody there has answered yet."
        if action_id == REPLY and not self._has_written:
            return "Nobody there has written a mail yet."
        if action_id == "lead.human":
            return machine_marks.why_not(self.timeline.entry, self._entries)
        return super().why_not(action_id)

    @property
    def task_at_hand(self) -> int | None:
        """The follow-up that is due first."""
        tasks = lead_facts.open_tasks(self._page) if self._page else []
        return tasks[0].id if tasks else None

    @property
    def _has_written(self) -> bool:
        return any(entry.kind in WRITTEN and entry.data.get("from") for entry in self._entries)

    @property
    def _has_answered(self) -> bool:
        return (
            self._page is not None
            and self._page.business["contact_status"] is ContactStatus.REPLIED
        )

    def action_human(self) -> None:
        """Say that a person opened or clicked, and no machine."""
        lead, entry = self.target, self.timeline.entry
        if lead is not None and entry is not None:
            self.write_in_order(self._mark_human(lead, entry))

    async def _mark_human(self, lead: Target, entry: TimelineEntry) -> None:
        now = self.host.now()

        async def mark(session: WriteSession) -> str:
            return await machine_marks.mark_human(session, lead.id, entry.id, now=now)

        await self.change(lead.id, f"said that a person read the mail to {lead.called}", mark)

    # Correcting

    @on(EntryChosen)
    def _open_entry(self, message: EntryChosen) -> None:
        """Correct a note or call; read anything else."""
        entry: TimelineEntry = message.entry
        if entry.kind not in CORRECTABLE:
            self.app.push_screen(EntryReader(entry, zone=self._zone))
        elif entry.kind is EventKind.NOTE:
            self._correct_note(entry)
        else:
            self._correct_call(entry)

    def _correct_note(self, old: TimelineEntry) -> None:
        lead = self.target
        assert lead is not None

        async def save(text: str, at: datetime | None) -> None:
            await self._correct(lead, old, text, None, at)

        form = note_form(lead.called, Here.of(self.host), save, old=old)
        form.keep_for("business.note", lead.id)
        self.app.push_screen(form)

    def _correct_call(self, old: TimelineEntry) -> None:
        lead = self.target
        assert lead is not None
        assert self._page is not None

        async def save(outcome: CallOutcome, text: str, at: datetime | None) -> None:
            await self._correct(lead, old, text, outcome, at)

        number = lead_facts.phone_line(self._page, now=self.host.now())
        here = Here.of(self.host)
        self.app.push_screen(correct_call_form(lead.called, here, save, about=number, old=old))

    async def _correct(
        self,
        lead: Target,
        old: TimelineEntry,
        text: str,
        outcome: CallOutcome | None,
        at: datetime | None,
    ) -> None:
        now = self.host.now()

        async def correct(session: WriteSession) -> str:
            return await timeline.correct(
                session, old.id, text=text, outcome=outcome, at=at or now, now=now
            )

        await self.change(lead.id, f"corrected a {old.kind} with {lead.called}", correct)

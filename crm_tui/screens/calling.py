"""The call sheet: one lead after the other of a list, with what is needed to call it.

The outcome is a key and enter saves it and goes on. Who was called today, must not be contacted or
has no number to call is left out; so the sheet can be left and taken up again at any time.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

from textual import on
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Digits, Input, Static

from crm_tui import clock
from crm_tui.errors import NotFound
from crm_tui.screens import lead_facts
from crm_tui.screens.business_actions import BusinessScreen, Target
from crm_tui.screens.call_form import TALL, CallFields, Said, large_number
from crm_tui.screens.follow_up import Ahead
from crm_tui.services import calling, lead_rows, timeline
from crm_tui.services.calling import Round
from crm_tui.services.leads import LeadPage
from crm_tui.services.timeline import TimelineEntry
from crm_tui.session import Draft
from crm_tui.text import plural, visible
from crm_tui.widgets.choice import Choice
from crm_tui.widgets.facts import styled
from crm_tui.widgets.look import Role

if TYPE_CHECKING:
    from crm_tui.screens.leads import LeadsScreen

_REMEMBERED = 60
"""Entries of a timeline that are shown at most, the newest."""


class CallsScreen(BusinessScreen):
    """Calls through a list.

    Args:
        wanted: Reads which leads, in which order.
        title: What the list is called: "Hot", "3 selected leads".

    Attributes:
        shown: Set once the first lead is shown.
    """

    CSS_PATH = "calling.tcss"
    AREA = "calls"
    OWNS = (AREA, "business")
    FOOTER = ("calls.save", "calls.skip", "calls.previous", "calls.leave")
    TAB = "leads"
    AUTO_FOCUS = "Choice"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]  # noqa: RUF012 - Textual's own type
    VERTICAL_BREAKPOINTS = [(0, "-short"), (TALL, "-tall")]  # noqa: RUF012 - likewise

    def __init__(self, wanted: Callable[[], Awaitable[array[int]]], title: str) -> None:
        super().__init__()
        self._wanted = wanted
        self._title = title
        self.shown = asyncio.Event()
        self._round = Round()
        self._lead_id: int | None = None
        self._page: LeadPage | None = None
        self._skipped: set[int] = set()
        self._saving = False
        self._warned = False

    def compose_body(self) -> Iterable[Widget]:
        """How far it is; the lead and what is said of the call; what happened before."""
        with Horizontal(id="calls-title"):
            yield Static(
                styled(f"Calling {visible(self._title, 60)}", Role.STRONG), id="calls-list"
            )
            yield Static(id="calls-progress")
        with Horizontal(id="calls-body"):
            with Vertical(id="calls-lead"):
                yield Static(id="calls-name")
                yield Digits(id="calls-number")
                for line in ("warning", "phone", "statuses", "where", "facts", "next"):
                    yield Static(id=f"calls-{line}", classes="line")
                yield CallFields(Ahead.of(self.host), id="calls-fields")
            yield Static(id="calls-history")
        yield Static(id="calls-end")

    def on_mount(self) -> None:
        """Read the list, and begin with the first lead that was not called today."""
        self.work(self._begin(), group="begin")

    # Reading

    async def _begin(self) -> None:
        """Read who is to be called and who was today; the list stays as it is now."""
        db, ids = await self.host.store(), await self._wanted()
        self._round = await calling.round_of(db, ids, now=self.host.now(), zone=self._zone)
        await self._go_to(self._round.following(None))
        self.shown.set()

    async def _go_to(self, lead_id: int | None, *, by: int = 1) -> None:
        """Show another lead, with empty fields; None is the end of the list.

        Who cannot be called any more since the list was read is passed over.
        """
        self._lead_id, self._warned = lead_id, False
        while not await self._read_lead() and self._lead_id is not None:
            gone = self._lead_id
            self._lead_id = self._round.following(gone, by)
            self._round = self._round.without(gone)
        self.query_one(CallFields).begin()
        if self._lead_id is None:
            self.set_focus(None)  # the fields are gone with the next paint; keys are not theirs now

    async def _read_lead(self) -> bool:
        """Read and show the lead; False where there is none, or none that can be called."""
        lead_id = self._lead_id
        if lead_id is None:
            self._show(None, [])
            return False
        try:
            page = await self.page_of(lead_id)
        except NotFound:
            return False
        async with (await self.host.store()).read() as session:
            entries = await timeline.entries(session, lead_id)
        if not lead_facts.can_be_called(page):
            return False
        if lead_id == self._lead_id:
            self._show(page, entries)
        return True

    def data_changed(self) -> None:
        """Bring the lead and the progress up to date; what is typed stays."""
        if self.shown.is_set() and not self._saving:
            self.work(self._read_again(), group="again")

    async def _read_again(self) -> None:
        async with (await self.host.store()).read() as session:
            called = await calling.called_today(session, now=self.host.now(), zone=self._zone)
        self._round.done = called.intersection(self._round.ids)
        if not await self._read_lead():
            await self._go_to(self._lead_id)

    async def show_again(self, lead_ids: array[int], key: str | None = None) -> None:
        """Show what an action wrote; who must not be called any more is left."""
        del lead_ids, key
        await self._read_again()

    # Showing

    def _show(self, page: LeadPage | None, entries: Sequence[TimelineEntry]) -> None:
        self._page, now = page, self.host.now()
        self.set_class(page is None, "-ended")
        self._say("progress", self._progress())
        if page is None:
            self._say("end", self._end())
            return
        settings = self.host.settings
        home = settings.imports.default_region
        self._say("name", styled(visible(page.business["name"], 200), Role.STRONG))
        self.query_one("#calls-number", Digits).update(large_number(page, home))
        self._say("warning", lead_facts.warning(page))
        self._say("phone", lead_facts.phone_line(page, now=now, region=home))
        self._say("statuses", lead_facts.statuses(page, threshold=settings.score.threshold))
        self._say("where", lead_facts.about_business(page))
        self._say("facts", lead_facts.presence(page))
        self._say("next", lead_facts.next_step(page, now=now, zone=self._zone))
        self._say("history", Content("\n").join(_history(entries, now, self._zone)))

    def _say(self, name: str, words: Content | None) -> None:
        widget = self.query_one(f"#calls-{name}", Static)
        widget.display = bool(words)
        widget.update(words or "")

    def _progress(self) -> Content:
        done, left = len(self._round.done), self._round.left
        place = ""
        if self._lead_id is not None and self._lead_id in self._round.ids:
            place = f"{self._round.place(self._lead_id):,} of {len(self._round.ids):,} · "
        return styled(f"{place}{done:,} done today · {left:,} left", Role.QUIET)

    def _end(self) -> Content:
        """What there is to say where there is nobody to call."""
        skipped = len(self._skipped - self._round.done)
        if not self._round.ids:
            words = ["Nobody in this list can be called: a lead needs a phone that is not marked"]
            words.append("as wrong, and must not be barred from contact.")
        elif skipped:
            words = [f"That was the last one. {skipped:,} skipped; they come up again when the"]
            words.append("sheet is opened again, and [ goes back.")
        else:
            words = ["Everybody in this list was called today."]
        return styled(" ".join(words))

    @property
    def _zone(self) -> tzinfo | None:
        return self.host.settings.operator.zone

    # What actions are done to

    @property
    def target(self) -> Target | None:
        """The lead that is shown."""
        if self._page is None:
            return None
        known = self._page.business
        return Target(**{name: known[name] for name in Target._fields})

    def why_not(self, action_id: str) -> str | None:
        """A call is logged here without a form; nothing can be saved where nobody is shown."""
        if action_id == "business.call":
            return "This is the call: 1 to 6 say how it went, enter saves it."
        if action_id in {"calls.save", "calls.skip"} and self._page is None:
            return "There is nobody left to call here."
        return super().why_not(action_id)

    # Going through the list

    def action_save(self) -> None:
        """Keep what is said of the call, and go on; who is to be called later is asked when."""
        if not self.query_one(CallFields).ask_when():
            self._keep_call()

    @on(Choice.Entered)
    @on(Input.Submitted)
    def _keep_call(self) -> None:
        if not self._saving and self._page is not None:
            self._saving = True
            self.write_in_order(self._save())

    async def _save(self) -> None:
        try:
            lead, page = self.target, self._page
            if lead is None or page is None:
                return
            said: Said = self.query_one(CallFields).said()
            point = lead_facts.phone_to_call(page)
            logged = await self.log_call(lead, said, point.value if point else None)
            self._round.done.add(lead.id)
            stays = logged.next_phone is not None
            await self._go_to(lead.id if stays else self._round.following(lead.id))
        finally:
            self._saving = False

    def action_skip(self) -> None:
        """Leave this lead for later, and go on."""
        if self._lead_id is not None and self.may_close():
            self._skipped.add(self._lead_id)
            self.with_form(self._go_to(self._round.following(self._lead_id)))

    def action_previous(self) -> None:
        """Back to the lead before, called or not."""
        before = self._round.following(self._lead_id, by=-1)
        if before is None:
            self.host.say("This is the first lead of the list.")
        elif self.may_close():
            self.with_form(self._go_to(before, by=-1))

    def action_leave(self) -> None:
        """End calling."""
        if self.may_close():
            self.dismiss()

    def back(self) -> bool:
        """From a line back to the outcome; from there the end, unless a note would be lost."""
        choice = self.query_one(Choice)
        if self._page is not None and not choice.has_focus:
            choice.focus()
            return True
        return not self.may_close()

    def may_close(self) -> bool:
        """Whether nothing typed would be lost, or that was said already."""
        if self._saving:
            self.host.say("The call is still being saved; the store is busy.")
            return False
        if self._warned or not self.query_one(CallFields).values()["text"].strip():
            return True
        self._warned = True
        self.host.say("The note is not saved. enter saves the call, the same key again drops it.")
        return False

    @on(Input.Changed)
    def _typed_on(self) -> None:
        self._warned = False

    # The next start

    def draft(self, now: datetime) -> Draft | None:
        """What is typed about the call at hand and would be lost."""
        values = self.query_one(CallFields).values() if self.is_mounted else {}
        if self._page is None or not values.get("text", "").strip():
            return None
        lead = self._page.business
        title = f"Call {visible(lead['name'], 50)}"
        return Draft("business.call", lead["id"], title, values, now)


def _history(
    entries: Sequence[TimelineEntry], now: datetime, zone: tzinfo | None
) -> Iterable[Content]:
    """What happened before, a line each, the newest first."""
    for entry in entries[:_REMEMBERED]:
        when = clock.ago(entry.at, now, zone=zone)
        text = f"  {' '.join(entry.body.split())}" if entry.body else ""
        yield (
            styled(f"{when:>10}  ", Role.QUIET)
            + styled(entry.summary)
            + styled(visible(text, 400), Role.QUIET)
        )


async def call_through(screen: LeadsScreen) -> None:
    """Show the sheet of what is selected in the list, or else of the list."""
    ids, query = screen.selected_ids(), screen.listing.query(screen.asked)

    async def wanted() -> array[int]:
        return ids or await lead_rows.order(await screen.host.store(), query)

    view, title = screen.arrangement.view, screen.asked.text or "all leads"
    if ids:
        title = plural(len(ids), "selected lead")
    elif view is not None and view.query == screen.asked.text:
        title = view.name
    sheet = CallsScreen(wanted, title)
    await screen.app.push_screen(sheet)
    await sheet.shown.wait()

"""What can be done to a business, in the lead list and on the lead's page alike.

A `BusinessScreen` owns the area "business" of the registry and says what its actions are done to:
`target` is the one lead under the cursor or on the page, `selected_ids` those of a selection. What
is done to one lead is one transaction and one undo entry, whose words the footer repeats.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from array import array
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from crm_tui.screens.base import AppScreen, Job
from crm_tui.screens.dialogs import Confirm
from crm_tui.screens.site_work import build_words
from crm_tui.text import visible
from crm_tui.vocabulary import ContactStatus, WebsiteStatus
from crm_tui.widgets.keys import keymap_of
from crm_tui.widgets.look import Role

if TYPE_CHECKING:
    from crm_tui.db.engine import WriteSession
    from crm_tui.screens.call_form import Said
    from crm_tui.services.calling import Logged
    from crm_tui.services.lead_rows import LeadRow
    from crm_tui.services.leads import LeadPage

T = TypeVar("T")

_AREA = "business"
_UNDO = "everywhere.undo"
_NAME = 50
"""Characters of a name in a title or a sentence."""


class Target(NamedTuple):
    """One lead, as far as what can be done to it depends on it."""

    id: int
    name: str
    phone: str | None
    email: str | None
    website_status: WebsiteStatus
    do_not_contact: bool

    @classmethod
    def of(cls, row: LeadRow) -> Target:
        """The lead of a row of the list."""
        return cls(row.id, row.name, row.phone, row.email, row.website_status, row.do_not_contact)

    @property
    def called(self) -> str:
        """Its name, safe to show and not too long."""
        return visible(self.name, _NAME)


class BusinessScreen(AppScreen):
    """A screen whose rows or page are businesses."""

    @property
    @abstractmethod
    def target(self) -> Target | None:
        """The lead under the cursor or on the page; None while there is none to act on."""

    @abstractmethod
    async def show_again(self, lead_ids: array[int], key: str | None = None) -> None:
        """Show what an action wrote.

        Args:
            lead_ids: The leads it wrote to.
            key: The key of the event it wrote on the timeline, if it wrote one.
        """

    def go_on_from(self, lead_id: int) -> None:
        """Go on to the next lead of the list, unless that was done; stay where there is none."""

    @property
    def selected_count(self) -> int:
        """How many leads are selected; 0 where there is no selection."""
        return 0

    def selected_ids(self) -> array[int]:
        """The selected leads."""
        return array("q")

    def why_not(self, action_id: str) -> str | None:
        """What a lead lacks for an action."""
        area, _, name = action_id.partition(".")
        if area != _AREA:
            return None
        lead = self.target
        if lead is None:
            return None if self.selected_count and name in _FOR_MANY else "There is no lead here."
        return _lacking(lead, name)

    # How things are done

    def with_form(self, work: Coroutine[Any, Any, None]) -> None:
        """Do what ends in a form; keys typed ahead wait for it."""
        ready = asyncio.Event()

        async def open_form() -> None:
            try:
                await work
            finally:
                ready.set()

        self.host.keys_wait_for(ready)
        self.work(open_form(), group="form")

    async def change(
        self, lead_id: int, words: str, change: Callable[[WriteSession], Awaitable[str | None]]
    ) -> None:
        """Do one thing to one lead, and show it.

        Args:
            lead_id: The lead.
            words: What is done, in the past tense: "tagged Woodhaven Plumbing vip".
            change: Does it; returns the key of the event it wrote, where that is to be shown.
        """
        key = await self.write(words, change)
        await self.show_again(array("q", (lead_id,)), key)

    async def write(self, words: str, change: Callable[[WriteSession], Awaitable[T]]) -> T:
        """Do one thing in one transaction, as one undo entry, and say so.

        Args:
            words: What is done, as in `change`.
            change: Does it; what it returns is returned.
        """
        db = await self.host.store()
        from crm_tui.services import undo

        entry = undo.Entry()
        async with undo.action(db, words, now=self.host.now(), entry=entry) as session:
            done = await change(session)
        self.say_done(words if entry.id is not None else "")
        return done

    def say_done(self, words: str) -> None:
        """Say what was done, and the key that takes it back."""
        if not words:
            self.host.say("Nothing was different.")
            return
        keys = [each.keys for each in keymap_of(self).actions_in("everywhere") if each.id == _UNDO]
        back = f" {keys[0][0]} takes it back." if keys and keys[0] else ""
        self.host.say(f"{words[:1].upper()}{words[1:]}.{back}", Role.GOOD)

    async def page_of(self, lead_id: int) -> LeadPage:
        """Everything about a lead.

        Raises:
            NotFound: It is gone.
        """
        db = await self.host.store()
        from crm_tui.services import leads

        async with db.read() as session:
            return await leads.page(
                session, lead_id, settings=self.host.settings, now=self.host.now()
            )

    # Facts and history

    def action_call(self) -> None:
        """Log a call."""
        if lead := self.target:
            self.with_form(self._call(lead))

    async def _call(self, lead: Target) -> None:
        page = await self.page_of(lead.id)
        from crm_tui.screens import lead_facts
        from crm_tui.screens.call_form import call_form
        from crm_tui.screens.follow_up import Ahead
        from crm_tui.screens.lead_forms import Here

        ahead = Ahead.of(self.host)
        point = lead_facts.phone_to_call(page)

        async def save(said: Said) -> None:
            await self.log_call(lead, said, point.value if point else None)

        form = call_form(
            page,
            ahead,
            Here.of(self.host),
            save,
            region=self.host.settings.imports.default_region,
        )
        self.ask(form, action="business.call", lead=lead.id)

    async def log_call(self, lead: Target, said: Said, phone: str | None) -> None:
        """Keep what is said of a call, and go on to the next lead, or to the lead's next number."""
        from crm_tui.screens.follow_up import Ahead
        from crm_tui.services import calling

        ahead = Ahead.of(self.host)

        async def log(session: WriteSession) -> Logged:
            return await calling.log(
                session,
                lead.id,
                said.outcome,
                note=said.note,
                follow_up_at=said.again_at,
                phone=phone,
                at=said.at,
                now=ahead.now(),
                zone=ahead.zone,
            )

        logged = await self.write(f"call to {lead.called}: {said.words(ahead)}", log)
        if logged.next_phone is None:
            self.go_on_from(lead.id)
        else:
            self.host.say(f"That number is marked as wrong. {lead.called} has another: a calls it.")
        await self.show_again(array("q", (lead.id,)))

    def action_note(self) -> None:
        """Write a note."""
        if lead := self.target:
            self.with_form(self._note(lead))

    async def _note(self, lead: Target) -> None:
        from crm_tui.screens.lead_forms import Here, note_form
        from crm_tui.services import timeline

        async def save(text: str, at: datetime | None) -> None:
            async def note(session: WriteSession) -> None:
                await timeline.add_note(session, lead.id, text, at=at, now=self.host.now())

            await self.change(lead.id, f"note on {lead.called}", note)

        form = note_form(lead.called, Here.of(self.host), save)
        self.ask(form, action="business.note", lead=lead.id)

    def action_edit(self) -> None:
        """Edit the fields of a lead."""
        if lead := self.target:
            self.with_form(self._edit(lead))

    async def _edit(self, lead: Target) -> None:
        page = await self.page_of(lead.id)
        from crm_tui.screens.lead_forms import field_words, fields_form
        from crm_tui.services import leads

        async def save(changes: Mapping[str, str]) -> None:
            async def edit(session: WriteSession) -> None:
                await leads.edit(
                    session,
                    lead.id,
                    changes,
                    settings=self.host.settings,
                    now=self.host.now(),
                )

            words = f"changed {field_words(changes)} of {lead.called}"
            await self.change(lead.id, words, edit)

        self.ask(fields_form(page, save), action="business.edit", lead=lead.id)

    def action_status(self) -> None:
        """Set the contact status by hand."""
        if lead := self.target:
            self.with_form(self._status(lead))

    async def _status(self, lead: Target) -> None:
        page = await self.page_of(lead.id)
        from crm_tui.screens.lead_forms import status_form
        from crm_tui.services import timeline

        async def save(status: ContactStatus) -> None:
            async def set_status(session: WriteSession) -> None:
                await timeline.set_status(session, lead.id, status, now=self.host.now())

            await self.change(lead.id, f"set {lead.called} to {status}", set_status)

        form = status_form(lead.called, page.business["contact_status"], save)
        await self.app.push_screen(form)

    def action_follow_up(self) -> None:
        """Set a follow-up."""
        if lead := self.target:
            self.with_form(self._follow_up(lead))

    async def _follow_up(self, lead: Target) -> None:
        from crm_tui.screens.follow_up import Ahead, follow_up_form
        from crm_tui.services import tasks

        ahead = Ahead.of(self.host)

        async def save(what: str, due: datetime) -> None:
            async def add(session: WriteSession) -> None:
                await tasks.add(session, lead.id, what, due, now=self.host.now(), zone=ahead.zone)

            words = f"follow-up with {lead.called} {ahead.say(due)}"
            await self.change(lead.id, words, add)

        form = follow_up_form(lead.called, ahead, save)
        self.ask(form, action="business.follow_up", lead=lead.id)

    # Sites

    def action_build(self) -> None:
        """Build the sites of the selected leads, or of the one at hand."""
        ids = self.selected_ids()
        if len(ids) > 1:
            verb = f"Build {len(ids):,} sites"
            question = f"{verb}? Those that are up to date are left as they are."

            def build(wanted: bool | None) -> None:  # noqa: FBT001 - Textual's callback
                if wanted:
                    self._build(ids)

            self.app.push_screen(Confirm(question, verb=verb), build)
        elif lead := self.target:
            self._build(ids or array("q", (lead.id,)))

    def _build(self, ids: array[int]) -> None:
        async def body(job: Job) -> None:
            report = await self.host.site_work.build(ids, job)
            self.host.say(*build_words(report, len(ids)))
            await self.show_again(ids)

        self.host.start_job("Building sites" if len(ids) > 1 else "Building the site", body)

    def action_preview(self) -> None:
        """Look at the lead's site in the browser."""
        if lead := self.target:
            self.work(self._preview(lead), group="preview")

    async def _preview(self, lead: Target) -> None:
        shown = await self.host.site_work.show(lead.id)
        from crm_tui.screens.address import AddressScreen
        from crm_tui.services.sites.browser import Shown

        await self.show_again(array("q", (lead.id,)))
        if isinstance(shown, Shown):
            await self.app.push_screen(AddressScreen(shown))
        else:
            self.host.say(f"{shown.words}.")


_FOR_MANY = frozenset({"edit", "status", "follow_up", "tag", "untag", "build"})
"""What can be done to a selection, whatever the cursor is on."""


def _lacking(lead: Target, name: str) -> str | None:
    """What this lead lacks for an action, as a sentence."""
    if name in {"call", "copy_phone"} and not lead.phone:
        return f"{lead.called} has no phone; e adds one."
    if name == "copy_email" and not lead.email:
        return f"{lead.called} has no e-mail address; e adds one."
    if name in {"preview", "copy_site"} and lead.website_status is WebsiteStatus.NONE:
        return f"{lead.called} has no site yet; b builds one."
    return None

"""A screen whose rows or page are businesses: what actions are done to, and how they are done.

What is done to one lead is one transaction and one entry of undo, whose words the footer repeats;
what is done to a selection is a job with progress, and one entry of undo as well.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from array import array
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from crm_tui.screens.base import AppScreen, Job
from crm_tui.screens.dialogs import Confirm
from crm_tui.text import plural, visible
from crm_tui.vocabulary import WebsiteStatus
from crm_tui.widgets.look import Role

if TYPE_CHECKING:
    from crm_tui.db.engine import WriteSession
    from crm_tui.services.bulk import BulkResult, Change
    from crm_tui.services.lead_rows import LeadRow
    from crm_tui.services.leads import LeadPage

T = TypeVar("T")

MANY = 50
"""What is done to more leads than these asks before."""

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


class Subjects(NamedTuple):
    """Whom an action is done to: the selected leads, or the one at hand.

    Attributes:
        ids: Which.
        whom: How they are called: "148 leads", or the name of the only one.
    """

    ids: array[int]
    whom: str

    @property
    def only(self) -> int | None:
        """The lead, where it is one alone."""
        return self.ids[0] if len(self.ids) == 1 else None


class BusinessDesk(AppScreen):
    """A screen whose rows or page are businesses, without what can be done to them."""

    @property
    @abstractmethod
    def target(self) -> Target | None:
        """The lead under the cursor or on the page; None while there is none to act on."""

    @abstractmethod
    async def show_again(self, lead_ids: array[int], key: str | None = None) -> None:
        """Show what an action wrote.

        Args:
            lead_ids: The leads it wrote to.
            key: The key of the event it wrote on the timeline, if that is to be shown.
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

    async def subjects(self) -> Subjects:
        """Whom an action is done to.

        Raises:
            NotFound: The only one that is selected is gone.
        """
        lead = self.target
        ids = self.selected_ids()
        if not ids and lead is not None:
            return Subjects(array("q", (lead.id,)), lead.called)
        if len(ids) != 1:
            return Subjects(ids, plural(len(ids), "lead"))
        db = await self.host.store()
        from crm_tui.services import leads

        async with db.read() as session:
            return Subjects(ids, visible(await leads.require(session, ids[0]), _NAME))

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

    # How things are done

    def with_form(self, work: Coroutine[Any, Any, None]) -> None:
        """Do what may end in a form; keys typed ahead wait until that has the focus."""
        self.in_order(work, group="form")

    def write_in_order(self, work: Coroutine[Any, Any, None]) -> None:
        """Write something; keys typed ahead wait until it is written and shown."""
        self.in_order(work, group="write")

    async def write(self, words: str, change: Callable[[WriteSession], Awaitable[T]]) -> T:
        """Do one thing in one transaction, as one entry of undo, and say so.

        Args:
            words: What is done, in the past tense: "tagged Woodhaven Plumbing vip".
            change: Does it; what it returns is returned.
        """
        db = await self.host.store()
        from crm_tui.services import undo

        entry = undo.Entry()
        async with undo.action(db, words, now=self.host.now(), entry=entry) as session:
            done = await change(session)
        self.say_done(words if entry.id is not None else "")
        return done

    async def change(
        self, lead_id: int, words: str, change: Callable[[WriteSession], Awaitable[str | None]]
    ) -> None:
        """Do one thing to one lead, as `write` does, and show it.

        Args:
            lead_id: The lead.
            words: What is done, in the past tense.
            change: Does it; returns the key of the event it wrote, where that is to be shown.
        """
        key = await self.write(words, change)
        await self.show_again(array("q", (lead_id,)), key)

    async def apply(
        self, subjects: Subjects, change: Change, *, asked: bool = False, careful: bool = False
    ) -> None:
        """Do to one lead what can be done to many; or to many at once, asking before.

        Args:
            subjects: To whom.
            change: What.
            asked: Whether the operator has seen how many there are and agreed.
            careful: Whether to ask however few they are.

        Raises:
            UserError: It cannot be done to these, or another job is running.
        """
        change.admit(len(subjects.ids))
        if subjects.only is not None:
            await self._apply_to_one(subjects, change)
        elif asked or (len(subjects.ids) <= MANY and not careful):
            self._apply_to_many(subjects, change)
        else:
            self._ask_first(subjects, change)

    def _ask_first(self, subjects: Subjects, change: Change) -> None:
        """Ask, once the form that led here is gone; keys typed ahead wait for the question."""
        ready = asyncio.Event()
        words = _sentence(change.asks(subjects.whom))
        question = Confirm(f"{words}?", verb=words)

        def do(wanted: bool | None) -> None:  # noqa: FBT001 - Textual's callback
            if wanted:
                self._apply_to_many(subjects, change)

        def ask() -> None:
            self.app.push_screen(question, do)
            question.call_later(ready.set)

        self.host.keys_wait_for(ready)
        self.call_later(ask)

    async def _apply_to_one(self, subjects: Subjects, change: Change) -> None:
        async def do(session: WriteSession) -> None:
            await change.apply(session, list(subjects.ids), now=self.host.now())

        await self.write(change.done(subjects.whom), do)
        await self.show_again(subjects.ids)

    def _apply_to_many(self, subjects: Subjects, change: Change) -> None:
        async def body(job: Job) -> None:
            db = await self.host.store()
            from crm_tui.services import bulk

            result = await bulk.run(
                db,
                subjects.ids,
                change,
                now=self.host.now(),
                progress=job.progress,
                cancelled=lambda: job.cancelled,
            )
            await self.show_again(subjects.ids)
            self.host.say(*self._result_words(result))  # last: then the job is over, and u works

        self.host.start_job("Changing leads", body)

    # What is said

    def say_done(self, words: str) -> None:
        """Say what was done, and the key that takes it back; "" where nothing was different."""
        if words:
            self.host.say(f"{_sentence(words)}.{self.way_back()}", Role.GOOD)
        else:
            self.host.say("Nothing was different.")

    def _result_words(self, result: BulkResult) -> tuple[str, Role]:
        """What became of a change to many leads."""
        words = _sentence(result.words) if result.changed else "Nothing was different"
        if result.changed and result.unchanged:
            words += f"; {result.unchanged:,} were so already"
        if result.cancelled:
            words = f"Stopped after {result.reached:,} of {result.matched:,}. {words}"
        back = self.way_back() if result.entry_id is not None else ""
        role = Role.ATTENTION if result.cancelled else Role.GOOD if result.changed else Role.TEXT
        return f"{words}.{back}", role


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}"

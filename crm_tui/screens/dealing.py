"""Dealing with a lead's answer and its next follow-up, in Today and on the lead's page alike."""

from __future__ import annotations

from abc import abstractmethod
from datetime import datetime
from typing import TYPE_CHECKING

from crm_tui.screens.business_actions import BusinessScreen, Target
from crm_tui.screens.follow_up import Ahead, follow_up_form
from crm_tui.services.when import QUICK
from crm_tui.text import visible
from crm_tui.vocabulary import Outcome

if TYPE_CHECKING:
    from crm_tui.db.engine import WriteSession
    from crm_tui.services.tasks import FollowUp

_WHAT = 50
"""Characters of what is to be done, in a sentence."""


class DealingScreen(BusinessScreen):
    """A screen with a lead whose answer can be sorted and whose follow-up can be dealt with."""

    @property
    @abstractmethod
    def task_at_hand(self) -> int | None:
        """The follow-up that is meant; None while there is none."""

    @property
    def ahead(self) -> Ahead:
        """How times ahead are read and said."""
        return Ahead.of(self.host)

    # A follow-up

    def action_done(self) -> None:
        """Tick the follow-up off."""
        if (task_id := self.task_at_hand) is not None:
            self.write_in_order(self._finish(task_id))

    async def _finish(self, task_id: int) -> None:
        task = await self._task_named(task_id)
        from crm_tui.services import tasks

        async def finish(session: WriteSession) -> None:
            await tasks.done(session, [task_id], now=self.host.now())

        await self.change(task.business_id, f"did {_words(task)}", finish)

    def action_snooze(self) -> None:
        """Put the follow-up off, or say it in other words."""
        if (task_id := self.task_at_hand) is not None:
            self.with_form(self._put_off(task_id))

    async def _put_off(self, task_id: int) -> None:
        task, ahead = await self._task_named(task_id), self.ahead
        from crm_tui.services import tasks

        async def save(what: str, due: datetime) -> None:
            async def put_off(session: WriteSession) -> None:
                await tasks.edit(session, task_id, what, due, now=self.host.now(), zone=ahead.zone)

            await self.change(
                task.business_id, f"put off {_words(task)}, to {ahead.say(due)}", put_off
            )

        whom = visible(task.business, _WHAT)
        form = follow_up_form(whom, ahead, save, old=task, when=QUICK[0])
        # Text that was not saved is taken up again here and on the lead's page alike.
        self.ask(form, action="lead.snooze", lead=task.business_id)

    async def _task_named(self, task_id: int) -> FollowUp:
        db = await self.host.store()
        from crm_tui.services import tasks

        async with db.read() as session:
            return await tasks.required(session, task_id)

    # An answer

    def action_interested(self) -> None:
        """The lead is interested."""
        self._sort(Outcome.INTERESTED)

    def action_no(self) -> None:
        """The lead said no."""
        self._sort(Outcome.LOST)

    def action_wrong(self) -> None:
        """Somebody else answered."""
        self._sort(Outcome.WRONG_CONTACT)

    def action_later(self) -> None:
        """The lead asked for later: when?"""
        if lead := self.target:
            self.with_form(self._ask_when(lead))

    def _sort(self, outcome: Outcome) -> None:
        if lead := self.target:
            self.write_in_order(self._sort_answer(lead, outcome))

    async def _sort_answer(self, lead: Target, outcome: Outcome) -> None:
        from crm_tui.services.outcomes import ANSWERS, set_outcome

        said = ANSWERS[outcome]

        async def sort(session: WriteSession) -> None:
            await set_outcome(session, [lead.id], outcome, reason=said, now=self.host.now())

        await self.change(lead.id, f"sorted the answer of {lead.called}: {said}", sort)

    async def _ask_when(self, lead: Target) -> None:
        from crm_tui.services import tasks
        from crm_tui.services.outcomes import ANSWERS, set_outcome

        ahead, later = self.ahead, Outcome.LATER

        async def save(what: str, due: datetime) -> None:
            async def sort(session: WriteSession) -> None:
                now = self.host.now()
                await set_outcome(session, [lead.id], later, reason=ANSWERS[later], now=now)
                await tasks.add(session, lead.id, what, due, now=now, zone=ahead.zone)

            words = f"sorted the answer of {lead.called}: later, {ahead.say(due)}"
            await self.change(lead.id, words, sort)

        form = follow_up_form(lead.called, ahead, save, when="in 2 weeks")
        self.ask(form, action="answer.later", lead=lead.id)


def _words(task: FollowUp) -> str:
    return f"{visible(task.what, _WHAT)}, {visible(task.business, _WHAT)}"

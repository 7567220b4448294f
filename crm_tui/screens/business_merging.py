"""Leads that are one business, and leads that are to be none: merging and erasing."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from crm_tui.screens.base import Job
from crm_tui.screens.business_screen import BusinessDesk, Target
from crm_tui.widgets.look import Role

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crm_tui.services.duplicates import Suggestion

MOST = 50
"""Leads that can be compared one after the other."""


class MergeActions(BusinessDesk):
    """Comparing leads that may be the same, and erasing one."""

    def action_merge(self) -> None:
        """Compare the selected leads; of one, those that may be the same, or another to find."""
        self.with_form(self._merge())

    async def _merge(self) -> None:
        subjects = await self.subjects()
        if len(subjects.ids) > MOST:
            self.host.say(f"Select {MOST} leads at most to merge them.")
            return
        db = await self.host.store()
        from crm_tui.services import duplicates

        async with db.read() as session:
            if subjects.only is None:
                pairs = await duplicates.pairs_of(session, subjects.ids)
            else:
                pairs = await duplicates.suggestions_for(session, subjects.only)
        if pairs:
            self._compare(pairs)
        elif subjects.only is not None:
            await self._find_another(subjects.only, subjects.whom)

    async def _find_another(self, lead_id: int, name: str) -> None:
        from crm_tui.screens.lead_finder import LeadFinder

        def compare(other: int | None) -> None:
            if other is not None:
                self.work(self._compare_two(lead_id, other), group="merge")

        hint = f"The lead that is the same as {name}"
        await self.app.push_screen(LeadFinder(hint, self, but=lead_id), compare)

    async def _compare_two(self, lead_id: int, other: int) -> None:
        db = await self.host.store()
        from crm_tui.services import duplicates

        async with db.read() as session:
            self._compare(await duplicates.pairs_of(session, [lead_id, other]))

    def _compare(self, pairs: Sequence[Suggestion]) -> None:
        from crm_tui.screens.merging import MergeScreen

        self.app.push_screen(MergeScreen(pairs))

    # Erasing

    def action_erase(self) -> None:
        """Erase the lead at hand for good, once the word for it is typed."""
        if lead := self.target:
            self.with_form(self._erase(lead))

    async def _erase(self, lead: Target) -> None:
        db = await self.host.store()
        from crm_tui.screens.erase import erase_form
        from crm_tui.services import erase

        found = await erase.extent(db, lead.id)

        async def start() -> None:
            self.host.start_job(f"Erasing {lead.called}", body)

        async def body(_job: Job) -> None:
            from crm_tui.screens.erase import erased_words

            done = await erase.erase(db, lead.id, settings=self.host.settings, now=self.host.now())
            for each in found.ids:
                self.host.session.forget(each)
            role = Role.ATTENTION if done.problems or done.backups else Role.GOOD
            self.host.say(erased_words(done), role)
            await self.show_again(array("q", (lead.id,)))

        await self.app.push_screen(erase_form(found, start))

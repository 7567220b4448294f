"""The site of a business: building it, looking at it, and copying its address."""

from __future__ import annotations

from array import array

from crm_tui.screens.base import Job
from crm_tui.screens.business_screen import BusinessDesk, Target
from crm_tui.screens.dialogs import Confirm
from crm_tui.screens.site_work import build_words


class SiteActions(BusinessDesk):
    """What is done with the sites of businesses."""

    def action_build(self) -> None:
        """Build the sites of the selected leads, or of the one at hand."""
        ids, lead = self.selected_ids(), self.target
        if len(ids) > 1:
            verb = f"Build {len(ids):,} sites"
            question = f"{verb}? Those that are up to date are left as they are."

            def build(wanted: bool | None) -> None:  # noqa: FBT001 - Textual's callback
                if wanted:
                    self._build(ids)

            self.app.push_screen(Confirm(question, verb=verb), build)
        elif ids:
            self._build(ids)
        elif lead is not None:
            self._build(array("q", (lead.id,)))

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

    def action_copy_site(self) -> None:
        """Copy the address of the lead's site."""
        if lead := self.target:
            self.work(self._copy_site(lead), group="copy")

    async def _copy_site(self, lead: Target) -> None:
        self.host.copy(await self.host.site_work.address(lead.id), "Address of the site")

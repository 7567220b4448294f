"""The site of a business: building and publishing it, looking at it, copying its address."""

from __future__ import annotations

from array import array

from crm_tui.screens.base import Job
from crm_tui.screens.business_screen import BusinessDesk, Target
from crm_tui.screens.dialogs import Confirm
from crm_tui.screens.publishing_words import (
    ask_to_publish,
    ask_to_take_down,
    publish_words,
    takedown_words,
)
from crm_tui.screens.site_work import build_words
from crm_tui.text import plural


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
            await self.show_again(ids)
            self.host.say(*build_words(report, len(ids)))

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
        public = await self.host.site_work.public_address(lead.id)
        if isinstance(shown, Shown):
            await self.app.push_screen(AddressScreen(shown, public=public))
        else:
            where = f" The public reads it at {public} ." if public else ""
            self.host.say(f"{shown.words}.{where}")

    def action_publish(self) -> None:
        """Publish the sites of the selected leads, or of the one at hand."""
        self.with_form(self._publish())

    async def _publish(self) -> None:
        subjects = await self.subjects()
        db = await self.host.store()
        from crm_tui.services.publishing import choosing

        async with db.read() as session:
            sites = await choosing.to_publish(session, subjects.ids)
        if not sites:
            self.host.say(f"There is no site to publish of {subjects.whom}; b builds one.")
            return

        async def body(job: Job) -> None:
            report = await self.host.site_work.publish(sites, job)
            await self.show_again(subjects.ids)
            self.host.say(*publish_words(report, len(sites)))

        def publish(wanted: bool | None) -> None:  # noqa: FBT001 - Textual's callback
            if wanted:
                self.host.start_job("Publishing", body)

        if subjects.only is not None:
            publish(wanted=True)
        else:
            verb = f"Publish {plural(len(sites), 'site')}"
            await self.app.push_screen(Confirm(ask_to_publish(len(sites)), verb=verb), publish)

    def action_unpublish(self) -> None:
        """Take the sites of the selected leads, or of the one at hand, off the web."""
        self.with_form(self._unpublish())

    async def _unpublish(self) -> None:
        subjects = await self.subjects()
        db = await self.host.store()
        from crm_tui.services.publishing import choosing

        async with db.read() as session:
            sites = await choosing.to_take_down(session, subjects.ids)
        if not sites:
            self.host.say(f"Nothing of {subjects.whom} is published.")
            return

        async def body(job: Job) -> None:
            report = await self.host.site_work.unpublish(sites, job)
            await self.show_again(subjects.ids)
            self.host.say(*takedown_words(report))

        def take_down(wanted: bool | None) -> None:  # noqa: FBT001 - Textual's callback
            if wanted:
                self.host.start_job("Taking down", body)

        verb = f"Take down {plural(len(sites), 'site')}"
        question = Confirm(ask_to_take_down(len(sites)), verb=verb, careful=True)
        await self.app.push_screen(question, take_down)

    def action_copy_site(self) -> None:
        """Copy the address of the lead's site."""
        if lead := self.target:
            self.work(self._copy_site(lead), group="copy")

    async def _copy_site(self, lead: Target) -> None:
        public = await self.host.site_work.public_address(lead.id)
        if public is not None:
            self.host.copy(public, "Public address of the site")
        else:
            self.host.copy(await self.host.site_work.address(lead.id), "Address of the preview")

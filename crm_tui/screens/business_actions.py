"""What can be done to a business, in the lead list and on the lead's page alike.

A `BusinessScreen` owns the area "business" of the registry. Writing about a lead, calling it and
looking at its site are done to the one at hand; everything else to the selection, if there is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from crm_tui.screens.base import Job
from crm_tui.screens.business_contact import ContactActions
from crm_tui.screens.business_links import LinkActions
from crm_tui.screens.business_merging import MergeActions
from crm_tui.screens.business_money import MoneyActions
from crm_tui.screens.business_screen import Subjects, Target
from crm_tui.screens.business_sites import SiteActions
from crm_tui.text import plural
from crm_tui.vocabulary import ContactStatus, Outcome, WebsiteStatus
from crm_tui.widgets.look import Role

if TYPE_CHECKING:
    from crm_tui.db.engine import WriteSession
    from crm_tui.services.export import ExportFormat

__all__ = ["BusinessScreen", "Target"]

_AREA = "business"


_FOR_ONE = frozenset(
    {
        "call",
        "mail",
        "erase",
        "note",
        "pay",
        "preview",
        "copy_phone",
        "copy_email",
        "copy_site",
        "copy_address",
    }
)
"""What is done to the lead at hand, whatever is selected."""


class BusinessScreen(ContactActions, LinkActions, SiteActions, MergeActions, MoneyActions):
    """A screen whose rows or page are businesses, with all that can be done to them."""

    def why_not(self, action_id: str) -> str | None:
        """What a lead lacks for an action."""
        area, _, name = action_id.partition(".")
        if area == _AREA and name in {"publish", "unpublish"}:
            missing = self.host.site_work.why_not_publish()
            if missing is not None:
                return missing
        if area != _AREA or (self.selected_count and name not in _FOR_ONE):
            return None
        lead = self.target
        return "There is no lead here." if lead is None else _lacking(lead, name)

    # Facts and statuses

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
        """Edit the fields of a lead, or one field of the selected ones."""
        self.with_form(self._edit())

    async def _edit(self) -> None:
        subjects = await self.subjects()
        from crm_tui.screens.lead_forms import field_form, field_words, fields_form
        from crm_tui.services import bulk, leads

        async def set_field(name: str, text: str) -> None:
            change = bulk.set_field(name, text, self.host.settings)
            await self.apply(subjects, change, careful=not text.strip())

        lead = subjects.only
        if lead is None:
            await self.app.push_screen(field_form(subjects.whom, set_field))
            return

        async def save(changes: Mapping[str, str]) -> None:
            async def edit(session: WriteSession) -> None:
                await leads.edit(
                    session, lead, changes, settings=self.host.settings, now=self.host.now()
                )

            await self.change(lead, f"changed {field_words(changes)} of {subjects.whom}", edit)

        form = fields_form(await self.page_of(lead), save)
        self.ask(form, action="business.edit", lead=lead)

    def action_status(self) -> None:
        """Set the contact status by hand."""
        self.with_form(self._status())

    async def _status(self) -> None:
        subjects = await self.subjects()
        from crm_tui.screens.lead_forms import status_form
        from crm_tui.services import bulk

        async def save(status: ContactStatus) -> None:
            await self.apply(subjects, bulk.set_status(status))

        now = ContactStatus.PENDING
        if subjects.only is not None:
            now = (await self.page_of(subjects.only)).business["contact_status"]
        await self.app.push_screen(status_form(subjects.whom, now, save))

    def action_outcome(self) -> None:
        """Say what came of it."""
        self.with_form(self._outcome())

    async def _outcome(self) -> None:
        subjects = await self.subjects()
        from crm_tui.screens.lead_forms import outcome_form
        from crm_tui.services import bulk

        async def save(outcome: Outcome, reason: str) -> None:
            await self.apply(subjects, bulk.set_outcome(outcome, reason))

        now, why = Outcome.OPEN, ""
        if subjects.only is not None:
            known = (await self.page_of(subjects.only)).business
            now, why = known["outcome"], known["outcome_reason"] or ""
        await self.app.push_screen(outcome_form(subjects.whom, now, why, save))

    def action_follow_up(self) -> None:
        """Set a follow-up."""
        self.with_form(self._follow_up())

    async def _follow_up(self) -> None:
        subjects = await self.subjects()
        from crm_tui.screens.follow_up import Ahead, follow_up_form
        from crm_tui.services import bulk

        ahead = Ahead.of(self.host)

        async def save(what: str, due: datetime) -> None:
            now = self.host.now()
            await self.apply(subjects, bulk.add_follow_up(what, due, zone=ahead.zone, now=now))

        form = follow_up_form(subjects.whom, ahead, save)
        if subjects.only is None:
            await self.app.push_screen(form)
        else:
            self.ask(form, action="business.follow_up", lead=subjects.only)

    # Sorting

    def action_tag(self) -> None:
        """Tag leads, with a tag that is there or a new one."""
        self.with_form(self._tag())

    async def _tag(self) -> None:
        subjects = await self.subjects()
        db = await self.host.store()
        from crm_tui.screens.tagging import tag_picker
        from crm_tui.services import bulk, tags

        async with db.read() as session:
            there = await tags.in_use(session)
            worn = await tags.worn(session, subjects.ids) if subjects.only is not None else []

        def tag(name: str | None) -> None:
            if name is not None:
                self.write_in_order(self.apply(subjects, bulk.add_tag(name)))

        names = {each.name for each in worn}
        offered = [each for each in there if each.name not in names]
        await self.app.push_screen(tag_picker(f"Tag {subjects.whom}", offered, new=True), tag)

    def action_untag(self) -> None:
        """Take a tag off leads."""
        self.with_form(self._untag())

    async def _untag(self) -> None:
        subjects = await self.subjects()
        db = await self.host.store()
        from crm_tui.screens.tagging import tag_picker
        from crm_tui.services import bulk, tags

        async with db.read() as session:
            worn = await tags.worn(session, subjects.ids)
        if not worn:
            self.host.say(f"There is no tag on {subjects.whom}.")
            return

        def untag(name: str | None) -> None:
            if name is not None:
                self.write_in_order(self.apply(subjects, bulk.remove_tag(name)))

        await self.app.push_screen(tag_picker(f"Take a tag off {subjects.whom}", worn), untag)

    def action_archive(self) -> None:
        """Put leads away; those that are away come back."""
        self.write_in_order(self._archive())

    async def _archive(self) -> None:
        subjects = await self.subjects()
        db = await self.host.store()
        from crm_tui.services import bulk, shelving

        async with db.read() as session:
            all_away = await shelving.all_archived(session, subjects.ids)
        await self.apply(subjects, bulk.unarchive() if all_away else bulk.archive())

    def action_rescore(self) -> None:
        """Score leads again."""
        self.write_in_order(self._rescore())

    async def _rescore(self) -> None:
        subjects = await self.subjects()
        from crm_tui.services import bulk

        await self.apply(subjects, bulk.rescore(self.host.settings.score))

    def action_export(self) -> None:
        """Write leads to a file."""
        self.with_form(self._export())

    async def _export(self) -> None:
        subjects = await self.subjects()
        from crm_tui.screens.lead_forms import export_form

        async def save(path: Path, form: ExportFormat, *, lossless: bool) -> None:
            self._write_file(subjects, path, form, lossless=lossless)

        day = self.host.now().astimezone(self.host.settings.operator.zone).date()
        await self.app.push_screen(export_form(subjects.whom, f"leads-{day}", save))

    def _write_file(
        self, subjects: Subjects, path: Path, form: ExportFormat, *, lossless: bool
    ) -> None:
        async def body(job: Job) -> None:
            db = await self.host.store()
            from crm_tui.services import export

            done = await export.export_leads(
                db,
                subjects.ids,
                form=form,
                target=path,
                lossless=lossless,
                now=self.host.now(),
                progress=job.progress,
                cancelled=lambda: job.cancelled,
            )
            self.host.say(f"Exported {plural(done.written, 'lead')} to {done.path}.", Role.GOOD)

        self.host.start_job("Exporting", body)


def _lacking(lead: Target, name: str) -> str | None:
    """What this lead lacks for an action, as a sentence."""
    if name in {"call", "copy_phone", "consent"} and not lead.phone:
        return f"{lead.called} has no phone; e adds one."
    if name in {"call", "mail", "consent"} and lead.do_not_contact:
        return f"{lead.called} must not be contacted; D says why."
    if name in {"mail", "copy_email"} and not lead.email:
        return f"{lead.called} has no e-mail address; e adds one."
    if name in {"preview", "copy_site", "publish"} and lead.website_status is WebsiteStatus.NONE:
        return f"{lead.called} has no site yet; b builds one."
    if name == "allow" and not lead.do_not_contact:
        return f"{lead.called} may be contacted already."
    return None

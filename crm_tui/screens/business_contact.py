"""Reaching a business: calling it, copying how it is reached, and never contacting it again."""

from __future__ import annotations

from array import array
from datetime import datetime
from typing import TYPE_CHECKING

from crm_tui.screens.business_screen import BusinessDesk, Subjects, Target
from crm_tui.screens.dialogs import Confirm

if TYPE_CHECKING:
    from crm_tui.db.engine import WriteSession
    from crm_tui.screens.call_form import Said
    from crm_tui.services.calling import Logged


class ContactActions(BusinessDesk):
    """What is done to reach a business, or never to reach it again."""

    def action_call(self) -> None:
        """Log a call."""
        if lead := self.target:
            self.with_form(self._call(lead))

    async def _call(self, lead: Target) -> None:
        page = await self.page_of(lead.id)
        from crm_tui.screens import lead_facts
        from crm_tui.screens.call_form import TALL, call_form
        from crm_tui.screens.follow_up import Ahead
        from crm_tui.screens.lead_forms import Here

        point = lead_facts.phone_to_call(page)

        async def save(said: Said) -> None:
            logged = await self.log_call(lead, said, point.value if point else None)
            if logged.next_phone is None:
                self.go_on_from(lead.id)
            await self.show_again(array("q", (lead.id,)))

        form = call_form(
            page,
            Ahead.of(self.host),
            Here.of(self.host),
            save,
            region=self.host.settings.imports.default_region,
            large=self.size.height >= TALL,
        )
        self.ask(form, action="business.call", lead=lead.id)

    async def log_call(self, lead: Target, said: Said, phone: str | None) -> Logged:
        """Keep what is said of a call, and say what was kept.

        Args:
            lead: Who was called.
            said: How it went, and when to call again.
            phone: The number that was called (E.164); the lead's first when None.
        """
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
        if logged.next_phone is not None:
            self.host.say(f"That number is marked as wrong. {lead.called} has another to call.")
        return logged

    # Never again

    def action_consent(self) -> None:
        """Note that leads agreed to text messages; of one that did, that it takes that back."""
        self.with_form(self._consent())

    async def _consent(self) -> None:
        subjects = await self.subjects()
        from crm_tui.screens.lead_forms import Here, consent_form, withdraw_form
        from crm_tui.services import bulk, consent

        lead = subjects.only
        if lead is None:

            async def save_all(how: str, _at: datetime | None) -> None:
                await self.apply(subjects, bulk.give_consent(how))

            form = consent_form(subjects.whom, None, save_all)
            await self.app.push_screen(form)
            return

        async def save(how: str, at: datetime | None) -> None:
            async def give(session: WriteSession) -> None:
                now = self.host.now()
                await consent.for_lead(session, lead, how, given_at=at, now=now)

            await self.change(lead, f"recorded the consent of {subjects.whom}", give)

        async def take_back(why: str) -> None:
            async def withdraw(session: WriteSession) -> None:
                await consent.for_lead(session, lead, why, withdraw_it=True, now=self.host.now())

            await self.change(lead, f"took back the consent of {subjects.whom}", withdraw)

        db = await self.host.store()
        async with db.read() as session:
            given = await consent.standing(session, lead)
        here = Here.of(self.host)
        form = (
            consent_form(subjects.whom, here, save)
            if given is None
            else withdraw_form(subjects.whom, given.how, take_back)
        )
        self.ask(form, action="business.consent", lead=lead)

    def action_never(self) -> None:
        """Never contact leads again; of one that must not be contacted, say why."""
        self.with_form(self._never())

    async def _never(self) -> None:
        subjects = await self.subjects()
        from crm_tui.screens.lead_forms import never_form
        from crm_tui.services import bulk

        if subjects.only is not None:
            known = (await self.page_of(subjects.only)).business
            if known["do_not_contact"]:
                await self._offer_to_allow(subjects, known["do_not_contact_reason"])
                return

        async def save(reason: str) -> None:
            await self.apply(subjects, bulk.never_contact(reason), asked=True)

        await self.app.push_screen(never_form(subjects.whom, save, many=subjects.only is None))

    async def _offer_to_allow(self, subjects: Subjects, reason: str) -> None:
        question = f"{subjects.whom} must never be contacted: {reason}."
        dialog = Confirm(question, verb="Allow contact again", careful=True)

        def allow(wanted: bool | None) -> None:  # noqa: FBT001 - Textual's callback
            if wanted:
                self.write_in_order(self._allow(subjects))

        await self.app.push_screen(dialog, allow)

    def action_allow(self) -> None:
        """Allow contact with leads again."""
        self.write_in_order(self._allow_selected())

    async def _allow_selected(self) -> None:
        await self._allow(await self.subjects())

    async def _allow(self, subjects: Subjects) -> None:
        from crm_tui.services import bulk

        await self.apply(subjects, bulk.allow_contact())

    # Copying

    def action_copy_phone(self) -> None:
        """Copy the number to call."""
        if (lead := self.target) and lead.phone:
            self.host.copy(lead.phone, "Phone")

    def action_copy_email(self) -> None:
        """Copy the e-mail address."""
        if (lead := self.target) and lead.email:
            self.host.copy(lead.email, "E-mail address")

    def action_copy_address(self) -> None:
        """Copy the postal address."""
        if lead := self.target:
            self.work(self._copy_address(lead), group="copy")

    async def _copy_address(self, lead: Target) -> None:
        page = await self.page_of(lead.id)
        from crm_tui.screens import lead_facts

        lines = lead_facts.address(page.business)
        if lines:
            self.host.copy(", ".join([page.business["name"], *lines]), "Postal address")
        else:
            self.host.say(f"{lead.called} has no postal address; e adds one.")

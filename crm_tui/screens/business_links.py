"""Asking businesses to pay: a page to pay at, or a payment request with bank details."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from crm_tui.errors import BadInput
from crm_tui.money import amount_words
from crm_tui.screens.base import Job
from crm_tui.screens.business_mail import MailActions
from crm_tui.screens.business_screen import Subjects, Target
from crm_tui.screens.chosen_file import ChosenFile
from crm_tui.screens.dialogs import Confirm, Pick, Picker
from crm_tui.text import plural, visible
from crm_tui.widgets.look import Role

if TYPE_CHECKING:
    from crm_tui.services.money.links import LinkRow
    from crm_tui.services.money.plans import PlanRow
    from crm_tui.services.money.requests import Request
    from crm_tui.services.sending.single import Letter
    from crm_tui.widgets.forms import Form

_LINK, _BANK = "link", "bank"
_MAIL, _PAGE = "mail", "page"
_NO_PLANS = "There is no plan to pay for yet: crm-tui plans add."


class LinkActions(MailActions):
    """What is done to have businesses pay."""

    def action_pay_link(self) -> None:
        """Make the payment link of the lead at hand and copy it; or those of the selected leads."""
        self.with_form(self._pay_link())

    async def _pay_link(self) -> None:
        subjects, lead = await self.subjects(), self.target
        db = await self.host.store()
        from crm_tui.services.money import links, plans

        async with db.read() as session:
            offered = await plans.listed(session)
            there = []
            if lead is not None and not self.selected_count:
                there = await links.listed(session, business_id=lead.id, standing_only=True)
        if not offered:
            self.host.say(_NO_PLANS, Role.ATTENTION)
        elif self.selected_count:
            await self._ask_for_many(subjects, offered)
        elif lead is not None:
            await self._ask_for_one(lead, offered, there)

    async def _ask_for_one(
        self, lead: Target, offered: Sequence[PlanRow], there: Sequence[LinkRow]
    ) -> None:
        from crm_tui.services.money.links import BANK

        known = {(each.provider == BANK, each.plan_id) for each in there}
        picks = []
        for plan in offered:
            make = f"make a link: {amount_words(plan.first, plan.currency)}"
            do = "copy the link" if (False, plan.id) in known else make
            picks.append(Pick(f"{_LINK} {plan.id}", visible(plan.name, 30), do))
        for plan in offered:
            do = "asked already" if (True, plan.id) in known else "ask for it"
            name = f"{visible(plan.name, 30)}, by bank transfer"
            picks.append(Pick(f"{_BANK} {plan.id}", name, do))

        def picked(value: str | None) -> None:
            kind, _, plan_id = (value or "").partition(" ")
            if kind == _LINK:
                self._make_link(lead, int(plan_id))
            elif kind == _BANK:
                self.with_form(self._request(lead, int(plan_id)))

        await self.app.push_screen(Picker(f"What {lead.called} is to pay for", picks), picked)

    def _make_link(self, lead: Target, plan_id: int) -> None:
        async def body(_job: Job) -> None:
            db = await self.host.store()
            from crm_tui.services.money.provider import make_link

            made = await make_link(
                db,
                lead.id,
                plan_id,
                settings=self.host.settings,
                environment=self.host.mail_work.environ,
                clock=self.host.now,
            )
            await self.show_again(array("q", (lead.id,)))
            assert made.link.url is not None
            self.host.copy(made.link.url, f"Payment link of {lead.called}")

        self.host.start_job("Payment link", body)

    # Of many

    async def _ask_for_many(self, subjects: Subjects, offered: Sequence[PlanRow]) -> None:
        picks = [Pick(str(plan.id), visible(plan.name, 40), plan.price) for plan in offered]
        names = {str(plan.id): visible(plan.name, 40) for plan in offered}

        def picked(value: str | None) -> None:
            if value in names:
                self._confirm_many(subjects, int(value), names[value])

        hint = f"A payment link for each of {subjects.whom}: for which plan"
        await self.app.push_screen(Picker(hint, picks), picked)

    def _confirm_many(self, subjects: Subjects, plan_id: int, plan: str) -> None:
        async def body(job: Job) -> None:
            db = await self.host.store()
            from crm_tui.services.money.provider import make_links

            report = await make_links(
                db,
                subjects.ids,
                plan_id,
                settings=self.host.settings,
                environment=self.host.mail_work.environ,
                clock=self.host.now,
                progress=job.progress,
                cancelled=lambda: job.cancelled,
            )
            await self.show_again(subjects.ids)
            wrong = report.problem or report.failures
            self.host.say(" ".join(report.sentences), Role.BAD if wrong else Role.GOOD)

        def make(wanted: bool | None) -> None:  # noqa: FBT001 - Textual's callback
            if wanted:
                self.host.start_job("Payment links", body)

        verb = f"Make {plural(len(subjects.ids), 'link')}"
        question = (
            f"Make a payment link for {plan} for each of {subjects.whom}? Those who have bought get "
            "none, and a public site names its link from then on."
        )
        self.app.push_screen(Confirm(question, verb=verb), make)

    # By bank transfer

    async def _request(self, lead: Target, plan_id: int) -> None:
        db, settings = await self.host.store(), self.host.settings
        from crm_tui.services.money import requests

        async with db.write() as session:
            number = await requests.ask(
                session, lead.id, plan_id, settings=settings, now=self.host.now()
            )
        async with db.read() as reading:
            asked = await requests.request(reading, number, settings=settings)
        await self.show_again(array("q", (lead.id,)))
        picks = [
            Pick(_MAIL, "Write it as a mail", f"reference {asked.reference}"),
            Pick(_PAGE, "Write it as a page to print", f"to pay: {asked.amount}"),
        ]

        def picked(value: str | None) -> None:
            if value == _MAIL:
                self.with_form(self._mail_request(lead, asked))
            elif value == _PAGE:
                self.app.push_screen(self._page_form(asked))

        await self.app.push_screen(Picker(f"The payment request of {lead.called}", picks), picked)

    async def _mail_request(self, lead: Target, asked: Request) -> None:
        from crm_tui.screens.mail_texts import letter_form
        from crm_tui.services.money.requests import as_text
        from crm_tui.services.sending import single

        db, mine = await self.host.store(), await self._account()
        async with db.read() as session:
            blank = await single.blank(session, lead.id)
        letter = replace(blank, subject=asked.subject, text=as_text(asked))

        async def save(written: Letter) -> None:
            await self._send(lead, written, mine)

        await self.app.push_screen(letter_form(letter, lead.called, save))

    def _page_form(self, asked: Request) -> Form:
        from crm_tui.services.money.requests import as_page
        from crm_tui.services.sites.browser import Opened, show_page
        from crm_tui.widgets.forms import Form, LineField

        usual = f"request-{asked.reference}.html"
        file = ChosenFile()

        async def save(values: Mapping[str, str]) -> None:
            path = await file.path(values["path"], usual)
            try:
                await asyncio.to_thread(path.write_text, as_page(asked), "utf-8")
            except OSError as error:
                reason = error.strerror or str(error)
                raise BadInput(f"{visible(path.name, 60)} cannot be written: {reason}.") from None
            shown = await asyncio.to_thread(
                show_page,
                path.as_uri(),
                self.host.mail_work.environ,
                no_browser=not self.host.settings.preview.browser,
            )
            opened = " and opened it" if isinstance(shown, Opened) else ""
            self.host.say(f"Wrote {visible(str(path), 200)}{opened}.", Role.GOOD)

        field = LineField("path", "File", hint=f"{usual}, in the folder crm-tui was started in")
        return Form("A payment request to print", [field], save=save, verb="Write")

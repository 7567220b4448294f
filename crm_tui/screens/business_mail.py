"""Writing to businesses: a mail to one, a campaign to many."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from crm_tui.screens.business_screen import BusinessDesk, Target
from crm_tui.session import draft_key
from crm_tui.widgets.look import Role

if TYPE_CHECKING:
    from crm_tui.services.campaigns.audience import Audience
    from crm_tui.services.sending.account import Account
    from crm_tui.services.sending.single import Letter
    from crm_tui.services.templating.files import Template

_MAIL = "business.mail"


class MailActions(BusinessDesk):
    """What is done to write to a business."""

    def action_mail(self) -> None:
        """Write a mail, from a template or blank."""
        if lead := self.target:
            self.with_form(self._mail(lead))

    async def _mail(self, lead: Target) -> None:
        if not self.host.settings.sender.email:
            self.host.say("Nobody is set who writes: [sender] name and email in the settings.")
            return
        from crm_tui.screens.mail_texts import template_picker, templates_of

        if draft_key(_MAIL, lead.id) in self.host.session.drafts:
            await self._write_letter(lead, None)
            return
        templates = templates_of(self.host).all()

        def picked(name: str | None) -> None:
            if name is not None:
                self.with_form(self._write_letter(lead, templates.get(name)))

        await self.app.push_screen(template_picker(templates), picked)

    async def _write_letter(self, lead: Target, template: Template | None) -> None:
        from crm_tui.screens.mail_texts import letter_form
        from crm_tui.services.sending import single

        db, mine = await self.host.store(), await self._account()
        async with db.read() as session:
            if template is None:
                letter = await single.blank(session, lead.id)
            else:
                letter = await single.from_template(session, lead.id, template, mine)

        async def save(written: Letter) -> None:
            await self._send(lead, written, mine)

        self.ask(letter_form(letter, lead.called, save), action=_MAIL, lead=lead.id)

    async def _account(self) -> Account:
        """Who sends."""
        db = await self.host.store()
        from crm_tui.services.sending import account, standing

        settings = self.host.settings
        async with db.read() as session:
            known = await standing.read_standing(
                session, settings.email.provider, home=standing.home_of(db.path)
            )
        return account.account(settings, plus=known.plus)

    async def _send(self, lead: Target, letter: Letter, mine: Account) -> None:
        from crm_tui.services.sending import single

        db = await self.host.store()
        async with db.write() as session:
            await single.queue(session, letter, mine, now=self.host.now())
        words = f"The mail to {lead.called} goes as soon as the limits let it."
        self.host.say(words, Role.GOOD)
        await self.show_again(array("q", (lead.id,)))

    # To many

    def action_campaign(self) -> None:
        """Put a campaign to these leads together."""
        self.with_form(self._campaign())

    async def _campaign(self) -> None:
        from crm_tui.screens.wizard import WizardScreen

        await self.app.push_screen(WizardScreen(await self.audience()))

    def action_join(self) -> None:
        """Add these leads to a campaign that was started."""
        self.with_form(self._join())

    async def _join(self) -> None:
        from crm_tui.screens.campaign_adding import choose_campaign

        await choose_campaign(self, await self.audience())

    async def audience(self) -> Audience:
        """Whom a campaign made here is for."""
        from crm_tui.services.campaigns.audience import Audience

        return Audience(ids=tuple((await self.subjects()).ids))

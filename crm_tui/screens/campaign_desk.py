"""What is done to one campaign, in the list of campaigns and on its page alike."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import NamedTuple

from textual.content import Content
from textual.widgets import Static

from crm_tui.screens.base import AppScreen
from crm_tui.screens.dialogs import Confirm
from crm_tui.text import plural, visible
from crm_tui.vocabulary import CampaignState
from crm_tui.widgets.look import Role

_NAME = 50
"""Characters of a name in a title or a sentence."""

_OVER = (CampaignState.FINISHED, CampaignState.CANCELED)


class Subject(NamedTuple):
    """A campaign, as far as what can be done to it depends on it.

    Attributes:
        unsent: How many of its mails were not sent and could be.
        again: How many of them failed or are held.
    """

    id: int
    name: str
    state: CampaignState
    unsent: int
    again: int

    @property
    def called(self) -> str:
        """Its name, safe to show and not too long."""
        return visible(self.name, _NAME)


class CampaignDesk(AppScreen):
    """A screen whose rows or page are campaigns, with what can be done to one."""

    @property
    @abstractmethod
    def campaign(self) -> Subject | None:
        """The campaign under the cursor or on the page; None while there is none."""

    @abstractmethod
    async def show_again(self) -> None:
        """Show what an action wrote."""

    def say_in(self, selector: str, words: Content) -> None:
        """Show words in a line; nothing is painted where they are there already."""
        line = self.query_one(selector, Static)
        if line.content != words:
            line.update(words)

    def why_not(self, action_id: str) -> str | None:
        """What can be done depends on how far the campaign is."""
        area, _, name = action_id.partition(".")
        if area != "campaign":
            return None
        campaign = self.campaign
        if campaign is None:
            return "There is no campaign here."
        return _why_not(campaign, name)

    def action_add(self) -> None:
        """Look at whom the campaign could have besides."""
        if campaign := self.campaign:
            from crm_tui.screens.campaign_adding import AddingScreen

            self.app.push_screen(AddingScreen(campaign.id))

    def action_state(self) -> None:
        """Pause what runs, and go on with what is paused."""
        if campaign := self.campaign:
            self.in_order(self._pause_or_resume(campaign), group="write")

    async def _pause_or_resume(self, campaign: Subject) -> None:
        db = await self.host.store()
        from crm_tui.services.campaigns import running

        runs = campaign.state is CampaignState.RUNNING
        async with db.write() as session:
            change = running.pause if runs else running.resume
            await change(session, campaign.id, now=self.host.now())
        if runs:
            self.host.say(f"{campaign.called} is paused. S goes on with it.", Role.GOOD)
        else:
            self.host.say(f"{campaign.called} goes on.", Role.GOOD)
        await self.show_again()

    def action_cancel(self) -> None:
        """End a campaign for good, or delete a draft."""
        campaign = self.campaign
        if campaign is None:
            return
        if campaign.state is CampaignState.DRAFT:
            question = f"Delete the draft {campaign.called}? This cannot be undone."
            dialog = Confirm(question, verb="Delete the draft", careful=True)
        else:
            never = plural(campaign.unsent, "message")
            question = (
                f"Cancel {campaign.called}? {never} not sent yet will never be; what was sent "
                "stays. This cannot be undone."
            )
            dialog = Confirm(question, verb="Cancel the campaign", careful=True)

        def cancel(wanted: bool | None) -> None:  # noqa: FBT001 - Textual's callback
            if wanted:
                self.in_order(self._cancel(campaign), group="write")

        self.app.push_screen(dialog, cancel)

    async def _cancel(self, campaign: Subject) -> None:
        db = await self.host.store()
        from crm_tui.services.campaigns import drafts, running

        if campaign.state is CampaignState.DRAFT:
            await drafts.delete(db, campaign.id)
            self.host.say(f"{campaign.called} is deleted.", Role.GOOD)
            self.campaign_is_gone()
        else:
            number = await running.cancel(db, campaign.id, now=self.host.now())
            never = plural(number, "message")
            self.host.say(f"{campaign.called} is canceled; {never} will not be sent.", Role.GOOD)
        await self.show_again()

    def campaign_is_gone(self) -> None:
        """The campaign does not exist any more."""

    def action_retry(self) -> None:
        """Send again what failed, and look again at what is held."""
        if campaign := self.campaign:
            ids = self.chosen_messages() or self.filtered_messages()
            self.in_order(self._retry(campaign, ids), group="write")

    def chosen_messages(self) -> list[int]:
        """The messages that are selected."""
        return []

    def filtered_messages(self) -> list[int]:
        """The messages the ledger is narrowed to; none where it shows all."""
        return []

    async def _retry(self, campaign: Subject, ids: list[int]) -> None:
        db = await self.host.store()
        from crm_tui.services.campaigns import mending

        async with db.write() as session:
            number = await mending.retry(session, campaign.id, now=self.host.now(), ids=ids)
        if number:
            waits = "waits" if number == 1 else "wait"
            self.host.say(f"{plural(number, 'message')} {waits} to be sent again.", Role.GOOD)
        else:
            self.host.say("None of these failed or is held.")
        await self.show_again()

    def action_export(self) -> None:
        """Write every message, with what became of it, to a file."""
        if campaign := self.campaign:
            from crm_tui.screens.campaign_forms import ledger_form

            async def save(path: Path) -> None:
                await self._export(campaign, path)

            day = self.host.now().astimezone(self.host.settings.operator.zone).date()
            form = ledger_form(campaign.called, f"campaign-{campaign.id}-{day}.csv", save)
            self.app.push_screen(form)

    async def _export(self, campaign: Subject, path: Path) -> None:
        db = await self.host.store()
        from crm_tui.services.campaigns import ledger

        wanted = ledger.read_filter(self.ledger_filter)
        rows = await ledger.export(db, campaign.id, wanted, path)
        self.host.say(f"Exported {plural(rows, 'message')} to {path}.", Role.GOOD)

    @property
    def ledger_filter(self) -> str:
        """What the ledger is narrowed to."""
        return ""


def _why_not(campaign: Subject, name: str) -> str | None:
    """Why this cannot be done to the campaign, as a sentence."""
    state = campaign.state
    if state is CampaignState.DRAFT and name != "cancel":
        return f"{campaign.called} was not started yet."
    if state in _OVER and name in {"state", "cancel", "add"}:
        return f"{campaign.called} is {state}."
    if name == "retry" and state is CampaignState.CANCELED:
        return f"{campaign.called} is canceled: nothing more is sent for it."
    if name == "retry" and not campaign.again:
        return "No message of it failed or is held."
    return None

"""More leads for a campaign that was started: who is new, who is left out and why."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Static

from crm_tui.errors import BadInput, UserError
from crm_tui.screens.base import Job
from crm_tui.screens.campaign_forms import ask_to_send
from crm_tui.screens.dialogs import Pick, Picker
from crm_tui.screens.wizard_audience import AudiencePage
from crm_tui.screens.wizard_pages import PagedScreen
from crm_tui.screens.wizard_plan import Whom
from crm_tui.services.campaigns import drafts, freezing, listing
from crm_tui.services.campaigns.audience import Audience
from crm_tui.text import plural, visible
from crm_tui.vocabulary import CampaignState
from crm_tui.widgets.facts import styled
from crm_tui.widgets.frame import Footer
from crm_tui.widgets.look import Role, status_mark

if TYPE_CHECKING:
    from crm_tui.screens.base import AppScreen

_STARTED = (CampaignState.RUNNING, CampaignState.PAUSED)


class AddingScreen(PagedScreen):
    """The audience page for more leads of a campaign that runs or is paused.

    Args:
        campaign_id: Which.
        asked: Whom to add, to begin with; None is whoever matches its own filter by now.
    """

    AREA = "adding"
    FOOTER = ("adding.add", *AudiencePage.FOOTER)
    TAB = "campaigns"
    AUTO_FOCUS = ""
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]  # noqa: RUF012 - Textual's own type
    DEFAULT_CSS = """
    AddingScreen {
        & #adding-head { height: 1; padding: 0 3; }
        & #adding-name { width: 1fr; height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
        & #adding-what { width: auto; height: 1; }
        & AudiencePage { height: 1fr; margin-top: 1; }
    }
    """

    def __init__(self, campaign_id: int, asked: Audience | None = None) -> None:
        super().__init__()
        self._campaign_id = campaign_id
        self._asked = asked
        self._ready = asyncio.Event()
        self._whom: Whom | None = None
        self._page: AudiencePage | None = None

    def compose_body(self) -> Iterable[Widget]:
        """The name of the campaign; the page comes when that is read."""
        with Horizontal(id="adding-head"):
            yield Static(id="adding-name")
            yield Static(styled("Add leads", Role.ACCENT), id="adding-what")

    def on_mount(self) -> None:
        """Read the campaign, and look at whom it could have besides."""
        self.host.keys_wait_for(self._ready)
        self.work(self._begin(), group="begin")

    async def _begin(self) -> None:
        try:
            db = await self.host.store()
            async with db.read() as session:
                kept = await drafts.load(session, self._campaign_id)
            if kept.state not in _STARTED:
                raise BadInput(f"{visible(kept.draft.name, 50)} is {kept.state}: nobody can join.")
            mark = status_mark(kept.state)
            name = styled(visible(kept.draft.name, 100), Role.STRONG)
            name += "   " + styled(mark.label, mark.role)
            self.query_one("#adding-name", Static).update(name)
            self._whom = Whom(
                self.host,
                self._asked or _whoever_matches(kept.draft.audience),
                name=kept.draft.name,
                joins=kept.id,
                uses_site=kept.draft.uses_site,
                uses_payment=kept.draft.uses_payment,
                channels=kept.draft.channels,
            )
            self._page = AudiencePage(self._whom)
            await self.mount(self._page, before=self.query_one(Footer))
            await self._page.enter()
            self._page.take_focus()
        except UserError:
            self.dismiss()
            raise
        finally:
            self._ready.set()

    @property
    def page(self) -> AudiencePage:
        """The page in front."""
        assert self._page is not None
        return self._page

    def data_changed(self) -> None:
        """Look at them again."""
        if self._page is not None and self._ready.is_set():
            self.work(self.read_page_again(), group="again", exclusive=False)

    # Adding them

    def action_add(self) -> None:
        """Add those that are new."""
        self.action_next()

    def action_next(self) -> None:
        """Ask, and add them."""
        if self._page is None or self._whom is None:
            return
        looked = self._whom.looked
        if why := self._page.why_not_done():
            self.host.say(why)
            return
        assert looked is not None
        agreed = tuple(each.business_id for each in looked.recipients)
        number = len(agreed)
        question = (
            f"Add {plural(number, 'lead')}? They get it from the first message on. u takes them "
            "out again, but for what was sent."
        )
        # Once the question is gone: the campaign takes the place of what is in front.
        add = partial(self.call_later, self._begin_to_add, agreed)
        ask_to_send(self.app, number, question, verb="Add", then=add)

    def _begin_to_add(self, agreed: Sequence[int]) -> None:
        self.host.start_job("Adding leads", partial(self._add, agreed))

    async def _add(self, agreed: Sequence[int], job: Job) -> None:
        assert self._whom is not None
        added = await freezing.add(
            await self.host.store(),
            self._campaign_id,
            self._whom.audience,
            settings=self.host.settings,
            now=self.host.now(),
            agreed=agreed,
            progress=job.progress,
            cancelled=lambda: job.cancelled,
        )
        await self._show_campaign()
        words = f"{plural(added.recipients, 'lead')} added."
        if fewer := len(agreed) - added.recipients:
            words += f" {fewer:,} of them could not be; o says why."
        self.host.say(words, Role.GOOD)

    async def _show_campaign(self) -> None:
        """The campaign, in the place of this screen."""
        from crm_tui.screens.campaign import CampaignScreen

        if not self.is_current:
            return
        below = self.app.screen_stack[-2]
        if isinstance(below, CampaignScreen):
            self.dismiss()
            await below.show_again()
        else:
            await self.app.switch_screen(CampaignScreen(self._campaign_id))

    def action_leave(self) -> None:
        """Back to where one came from."""
        self.dismiss()


def _whoever_matches(asked: Audience) -> Audience:
    """Whoever a campaign asks for by its filter; everybody where it has none."""
    return replace(asked, query=asked.query or "", ids=())


async def choose_campaign(screen: AppScreen, asked: Audience) -> None:
    """Have the campaign chosen that leads are to join, and show who of them could.

    Args:
        screen: Where they are.
        asked: Which leads.
    """
    db = await screen.host.store()
    async with db.read() as session:
        rows = await listing.campaigns(session)
    picks = [
        Pick(str(row.id), row.name, f"{row.state}, {plural(row.recipients, 'lead')}")
        for row in rows
        if row.state in _STARTED
    ]
    if not picks:
        screen.host.say("No campaign runs or is paused. c makes one.")
        return

    def picked(value: str | None) -> None:
        if value is not None:
            screen.app.push_screen(AddingScreen(int(value), asked))

    await screen.app.push_screen(Picker("Which campaign they join", picks), picked)

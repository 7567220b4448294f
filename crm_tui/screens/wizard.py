"""Making a campaign, one thing a page: audience, message, preview, when, review.

One goes forward and back without losing anything: with every page one leaves, and every change of
a message, the draft is kept, so that a killed program goes on where it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from crm_tui.errors import UserError
from crm_tui.screens.wizard_audience import AudiencePage
from crm_tui.screens.wizard_message import MessagePage
from crm_tui.screens.wizard_pages import Page, PagedScreen
from crm_tui.screens.wizard_plan import Plan
from crm_tui.screens.wizard_preview import PreviewPage
from crm_tui.screens.wizard_review import ReviewPage, WhenPage
from crm_tui.services.campaigns.audience import Audience
from crm_tui.text import visible
from crm_tui.widgets.facts import styled
from crm_tui.widgets.forms import Form, LineField
from crm_tui.widgets.frame import Footer
from crm_tui.widgets.look import Role

if TYPE_CHECKING:
    from collections.abc import Mapping

_UNNAMED = "New campaign"


class WizardScreen(PagedScreen):
    """A campaign that is put together.

    Args:
        chosen: Whom it is for, to begin with.
        campaign_id: The draft to go on with; None for a new one.

    Attributes:
        plan: What was chosen so far.
    """

    AREA = "wizard"
    FOOTER = ("wizard.next", "wizard.previous")
    TAB = "campaigns"
    AUTO_FOCUS = ""
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]  # noqa: RUF012 - Textual's own type
    DEFAULT_CSS = """
    WizardScreen {
        & #wizard-head { height: 1; padding: 0 3; }
        & #wizard-name { width: 1fr; height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
        & #wizard-steps { width: auto; height: 1; }
        & Page { height: 1fr; display: none; margin-top: 1; }
        & Page.-shown { display: block; }
    }
    """

    def __init__(self, chosen: Audience | None = None, campaign_id: int | None = None) -> None:
        super().__init__()
        self._chosen = chosen
        self._campaign_id = campaign_id
        self._at = 0
        self._ready = asyncio.Event()
        self._moving = False

    def compose_body(self) -> Iterable[Widget]:
        """Its name and where one is, above the page."""
        self.plan = Plan(self.host, self._chosen, self._campaign_id)
        with Horizontal(id="wizard-head"):
            yield Static(id="wizard-name")
            yield Static(id="wizard-steps")
        self._pages: Sequence[Page] = (
            AudiencePage(self.plan),
            MessagePage(self.plan),
            PreviewPage(self.plan),
            WhenPage(self.plan),
            ReviewPage(self.plan),
        )
        yield from self._pages

    def on_mount(self) -> None:
        """Begin where the draft was left."""
        self.host.keys_wait_for(self._ready)
        self.work(self._begin(), group="begin")

    async def _begin(self) -> None:
        try:
            left_on = await self.plan.load()
            names = [page.AREA for page in self._pages]
            await self._show(names.index(left_on) if left_on in names else 0)
        except UserError:
            self.dismiss()
            raise
        finally:
            self._ready.set()

    @property
    def page(self) -> Page:
        """The page in front."""
        return self._pages[self._at]

    async def _show(self, at: int) -> None:
        self._at = at
        for number, page in enumerate(self._pages):
            page.set_class(number == at, "-shown")
        self.show_head()
        on = () if at == len(self._pages) - 1 else ("wizard.next",)
        first, rest = self.page.FOOTER[:3], self.page.FOOTER[3:]
        self.query_one(Footer).show((*on, *first, "wizard.previous", *rest))
        await self.page.enter()
        self.page.take_focus()

    def show_head(self) -> None:
        """The name, and the pages with the one in front."""
        name = self.plan.draft.name or _UNNAMED
        title = styled(visible(name, 100), Role.STRONG) + styled("  draft", Role.QUIET)
        self.query_one("#wizard-name", Static).update(title)
        words = [
            styled(f"{number} {page.TITLE}", Role.ACCENT if number - 1 == self._at else Role.QUIET)
            for number, page in enumerate(self._pages, start=1)
        ]
        if self.size.width < 100:
            words = [
                styled(f"{self._at + 1} of {len(self._pages)}  ", Role.QUIET),
                styled(self.page.TITLE, Role.ACCENT),
            ]
            self.query_one("#wizard-steps", Static).update(Content("").join(words))
        else:
            self.query_one("#wizard-steps", Static).update(Content("   ").join(words))

    def on_resize(self) -> None:
        """There is room for all pages' names, or there is not."""
        if self._ready.is_set():
            self.show_head()

    async def keep_draft(self) -> None:
        """Keep what was chosen so far.

        Raises:
            BadInput: It cannot be kept as it is.
        """
        await self.plan.save(self.page.AREA)

    def why_not(self, action_id: str) -> str | None:
        """One goes on once the page is done."""
        if action_id == "wizard.next" and self._ready.is_set():
            return self.page.why_not_done() or None
        return None

    # From page to page

    def action_next(self) -> None:
        """To the next page; from the last one, the start."""
        self._move(1)

    def action_previous(self) -> None:
        """To the page before."""
        self._move(-1)

    def _move(self, by: int) -> None:
        if not self._moving:
            self._moving = True
            self.in_order(self._moved(by), group="page")

    async def _moved(self, by: int) -> None:
        try:
            if by > 0 and (why := self.page.why_not_done()):
                self.host.say(why)
                return
            if by > 0 and self._at == len(self._pages) - 1:
                await self.keep_draft()
                await self.page.finish()
                return
            if by < 0 and self._at == 0:
                self.host.say("This is the first page.")
                return
            at = self._at + by
            await self.plan.save(self._pages[at].AREA)
            await self._show(at)
        finally:
            self._moving = False

    async def started(self, campaign_id: int) -> None:
        """It runs: show its ledger in the place of the wizard."""
        from crm_tui.screens.campaign import CampaignScreen

        if self.is_current:
            await self.app.switch_screen(CampaignScreen(campaign_id))

    def action_name(self) -> None:
        """Give it a name."""

        async def save(values: Mapping[str, str]) -> None:
            self.plan.choose(name=values["name"].strip())
            await self.keep_draft()
            self.show_head()

        field = LineField("name", "Name", self.plan.draft.name, "such as Plumbers in Queens, May")
        self.app.push_screen(Form("Name of the campaign", [field], save=save, verb="Name it"))

    def back(self) -> bool:
        """To the page before, from the first one out of the wizard; the draft is kept."""
        if self.page.back():
            return True
        if self._at > 0:
            self.action_previous()
            return True
        return False

    def data_changed(self) -> None:
        """What the page shows may be different now."""
        if self._ready.is_set():
            self.work(self.read_page_again(), group="again", exclusive=False)

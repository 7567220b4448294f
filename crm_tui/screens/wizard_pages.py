"""What the pages of the wizard have in common."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from datetime import datetime
from time import monotonic
from typing import TYPE_CHECKING, ClassVar, cast

from textual.containers import Vertical

from crm_tui.screens.base import AppScreen
from crm_tui.services.campaigns.steps import Step
from crm_tui.services.sending.hours import read_delay
from crm_tui.widgets.keys import KeyArea
from crm_tui.widgets.row_list import RowList
from crm_tui.widgets.row_window import RowT

if TYPE_CHECKING:
    from crm_tui.screens.wizard import WizardScreen
    from crm_tui.screens.wizard_plan import Plan


_REST = 3
"""How many times as long as it took to read a page again nothing is read, where more changed."""


class PagedScreen(AppScreen):
    """A screen with a page in front, which is read again when the store changes."""

    _is_stale = False
    _is_reading = False

    @property
    @abstractmethod
    def page(self) -> Page:
        """The page in front."""

    @abstractmethod
    def action_next(self) -> None:
        """On from this page."""

    async def read_page_again(self) -> None:
        """Read the page again, and once more for what changed meanwhile, without pressing on."""
        self._is_stale = True
        if self._is_reading:
            return
        self._is_reading = True
        try:
            while self._is_stale:
                self._is_stale = False
                began = monotonic()
                await self.page.read_again()
                if self._is_stale:
                    await asyncio.sleep(_REST * (monotonic() - began))
        finally:
            self._is_reading = False


class Page(Vertical, KeyArea, inherit_bindings=False):
    """A page, of which one is in front."""

    TITLE: ClassVar[str]
    FOOTER: ClassVar[tuple[str, ...]]

    @property
    def paged(self) -> PagedScreen:
        """The screen it is on."""
        return cast("PagedScreen", self.screen)

    def paged_now(self) -> datetime:
        """The clock, for the lists."""
        return self.paged.host.now()

    async def enter(self) -> None:
        """Show what was chosen."""

    async def read_again(self) -> None:
        """Show what is different in the store by now, in place."""

    def take_focus(self) -> None:
        """Have the keys come here."""
        target = next((each for each in self.query("*") if each.focusable), None)
        self.screen.set_focus(target)

    def why_not_done(self) -> str:
        """Why one cannot go on from here, as a sentence; "" where one can."""
        return ""

    def back(self) -> bool:
        """One step back within the page; False when there was none to take."""
        return False

    async def finish(self) -> None:
        """What comes after the last page."""


class PlanPage(Page, inherit_bindings=False):
    """A page of the wizard about a campaign that is put together.

    Args:
        plan: What was chosen so far.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan

    @property
    def wizard(self) -> WizardScreen:
        """The screen it is on."""
        return cast("WizardScreen", self.screen)


class PageList(RowList[RowT], inherit_bindings=False):
    """A list on a page: enter goes on to the next one, whether there are rows or not."""

    def action_open(self) -> None:
        """To the next page."""
        cast("PagedScreen", self.screen).action_next()


def delay_words(step: Step) -> str:
    """How long after the one before a message goes: "3 business days later"; "" for the first."""
    return f"{read_delay(step.delay).words} later" if step.delay else ""

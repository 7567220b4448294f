"""What the pages of the wizard have in common."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, cast

from textual.containers import Vertical

from crm_tui.services.campaigns.drafts import Step
from crm_tui.services.sending.hours import read_delay
from crm_tui.widgets.keys import KeyArea
from crm_tui.widgets.row_list import RowList
from crm_tui.widgets.row_window import RowT

if TYPE_CHECKING:
    from crm_tui.screens.wizard import WizardScreen
    from crm_tui.screens.wizard_plan import Plan


class Page(Vertical, KeyArea, inherit_bindings=False):
    """A page of the wizard.

    Args:
        plan: What was chosen so far.
    """

    TITLE: ClassVar[str]
    FOOTER: ClassVar[tuple[str, ...]]

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan

    def wizard_now(self) -> datetime:
        """The clock, for the lists."""
        return self.wizard.host.now()

    @property
    def wizard(self) -> WizardScreen:
        """The screen it is on."""
        return cast("WizardScreen", self.screen)

    async def enter(self) -> None:
        """Show what was chosen."""

    async def read_again(self) -> None:
        """The store was changed; everybody is looked at again before the start in any case."""

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


class PageList(RowList[RowT], inherit_bindings=False):
    """A list on a page: enter goes on to the next one, whether there are rows or not."""

    def action_open(self) -> None:
        """To the next page."""
        cast("WizardScreen", self.screen).action_next()


def delay_words(step: Step) -> str:
    """How long after the one before a message goes: "3 business days later"; "" for the first."""
    return f"{read_delay(step.delay).words} later" if step.delay else ""

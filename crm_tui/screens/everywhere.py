"""What can be done everywhere: going to an area, undo, help, choosing a theme, leaving."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

from textual import on
from textual.screen import Screen

from crm_tui.actions import Action
from crm_tui.palettes import hard_to_read
from crm_tui.screens.base import AppScreen
from crm_tui.screens.dialogs import Confirm, Pick, Picker
from crm_tui.screens.jobs import Jobs
from crm_tui.screens.lasting import LastingApp
from crm_tui.screens.leads import LeadsScreen
from crm_tui.screens.mail_work import MailWork
from crm_tui.widgets.appearance import DressedApp
from crm_tui.widgets.frame import ActionPressed
from crm_tui.widgets.keys import KeyArea, Refused, at_hand


def _today() -> Screen[None]:
    from crm_tui.screens.today import TodayScreen

    return TodayScreen()


def _campaigns() -> Screen[None]:
    from crm_tui.screens.campaigns import CampaignsScreen

    return CampaignsScreen()


def _funnel() -> Screen[None]:
    from crm_tui.screens.funnel import FunnelScreen

    return FunnelScreen()


def _sites() -> Screen[None]:
    from crm_tui.screens.sites import SitesScreen

    return SitesScreen()


def _settings() -> Screen[None]:
    from crm_tui.screens.settings import SettingsScreen

    return SettingsScreen()


class Everywhere(LastingApp, DressedApp, KeyArea, inherit_bindings=False):
    """An app with areas, whose keys for what can be done everywhere are pressed on any screen."""

    AREA = "everywhere"
    MODES: ClassVar[dict[str, str | Callable[[], Screen[Any]]]] = {
        "leads": LeadsScreen,
        "today": _today,
        "campaigns": _campaigns,
        "funnel": _funnel,
        "sites": _sites,
        "settings": _settings,
    }
    DEFAULT_MODE = "leads"

    mail_work: MailWork
    _jobs: Jobs
    _throw_away: bool

    @abstractmethod
    def _front(self) -> AppScreen:
        """The full screen in front, under any dialog."""

    # To somewhere

    def action_leads(self) -> None:
        """To the leads."""
        self._go_to("leads")

    def action_today(self) -> None:
        """To what there is to deal with today."""
        self._go_to("today")

    def action_campaigns(self) -> None:
        """To the campaigns."""
        self._go_to("campaigns")

    def action_funnel(self) -> None:
        """To the funnel and the figures."""
        self._go_to("funnel")

    def action_sites(self) -> None:
        """To the sites."""
        self._go_to("sites")

    def action_settings(self) -> None:
        """To the settings."""
        self._go_to("settings")

    @property
    def is_demo(self) -> bool:
        """Whether all of this is made up and goes with the app."""
        return self._throw_away

    def action_palette(self) -> None:
        """Find an action, a lead or something done by its name."""
        from crm_tui.screens.palette import Palette

        palette = Palette(self._front())
        self.push_screen(palette, palette.do)

    def action_help(self) -> None:
        """Show all keys."""
        from crm_tui.screens.help import HelpScreen

        self.push_screen(HelpScreen(at_hand(self._front())))

    async def action_back(self) -> None:
        """One step back within the screen, or to the one before; on the first screen nothing."""
        if isinstance(self.screen, AppScreen) and not self.screen.back():
            self._close_top()

    async def action_close(self) -> None:
        """Close the screen on top; on the first one, quit."""
        if isinstance(self.screen, AppScreen) and not self.screen.may_close():
            return
        if not self._close_top():
            self._quit()

    def action_stop(self) -> None:
        """Cancel what is running; where nothing is, offer to quit."""
        if self._jobs.running is not None:
            self._jobs.running.cancel()
        else:
            question = " ".join(filter(None, ("Quit crm-tui?", self._mail_left_behind())))
            self.push_screen(Confirm(question, verb="Quit", leave="Stay"), self._quit_if)

    def action_undo(self) -> None:
        """Take the last action back."""
        from crm_tui.screens.undoing import turn_back

        turn_back(self._front().host)

    def action_redo(self) -> None:
        """Do again what was taken back last."""
        from crm_tui.screens.undoing import turn_back

        turn_back(self._front().host, again=True)

    def why_not(self, action_id: str) -> str | None:
        """Why something cannot be done anywhere just now."""
        if action_id == "everywhere.theme" and self.no_color:
            return "There is no colour here, because NO_COLOR is set."
        return None

    def action_duplicates(self) -> None:
        """To the leads that may be the same."""
        from crm_tui.screens.duplicates import DuplicatesScreen

        if not isinstance(self._front(), DuplicatesScreen):
            self.push_screen(DuplicatesScreen())

    def action_worker_log(self) -> None:
        """To what the worker did."""
        from crm_tui.screens.worker_log import WorkerLogScreen

        if not isinstance(self._front(), WorkerLogScreen):
            self.push_screen(WorkerLogScreen())

    def action_plans(self) -> None:
        """What is sold, over what is shown now."""
        from crm_tui.screens.plans import PlansScreen

        if not isinstance(self._front(), PlansScreen):
            self.push_screen(PlansScreen())

    def action_suppression(self) -> None:
        """To who is not to be contacted."""
        from crm_tui.screens.suppression import SuppressionScreen

        if not isinstance(self._front(), SuppressionScreen):
            self.push_screen(SuppressionScreen())

    def action_theme(self) -> None:
        """Choose a theme, each shown as one comes to it."""
        before = self.theme

        def choose(theme: str | None) -> None:
            self.wear(theme or before)
            if theme is not None:
                asked = self.settings.appearance.theme
                self.session.theme = "" if theme == asked else theme
                self.save_session()

        picks = [
            Pick(each.name, each.name, "hard to read" if hard_to_read([each]) else "")
            for each in self.palettes
        ]
        self.push_screen(Picker("Theme", picks, current=before, preview=self.wear), choose)

    def _go_to(self, mode: str) -> None:
        if self.current_mode != mode:
            self.switch_mode(mode)

    def _close_top(self) -> bool:
        if len(self.screen_stack) == 1:
            return False
        self.pop_screen()
        return True

    def _mail_left_behind(self) -> str:
        """What does not go on without the app; nothing of a demo does."""
        return "" if self._throw_away else self.mail_work.left_behind()

    def _quit(self) -> None:
        mail, job = self._mail_left_behind(), self._jobs.running
        if job is not None:
            words = f"{job}. Quitting stops it; what is done stays done."
            question = Confirm(
                f"{words} {mail}".rstrip(), verb="Stop and quit", leave="Stay", careful=True
            )
            self.push_screen(question, self._quit_if)
        elif mail:
            self.push_screen(Confirm(mail, verb="Quit", leave="Stay"), self._quit_if)
        else:
            self.exit()

    async def _quit_if(self, wanted: bool | None) -> None:  # noqa: FBT001 - Textual's callback
        if wanted:
            await self.stop_work()
            self.exit()

    # Keys

    @on(Refused)
    def _refused(self, message: Refused) -> None:
        self.say(message.why)

    @on(ActionPressed)
    async def _pressed(self, message: ActionPressed) -> None:
        await self.perform(message.action)

    async def perform(self, wanted: Action) -> None:
        """Do an action as if its key had been pressed."""
        there = {each.action.id: each for each in at_hand(self._front())}
        if wanted.id in there:
            await there[wanted.id].owner.do(wanted)

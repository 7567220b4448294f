"""What every full screen has in common: its frame, its keys, and how it reaches the app.

A screen names its area of the registry (crm_tui/actions.py) and its footer, composes its body,
and calls services in workers; its keys are bound by themselves:

    class SitesScreen(AppScreen):
        AREA = "sites"
        FOOTER = ("sites.preview", "sites.repair")

        def compose_body(self) -> ComposeResult:
            yield ...

        def on_mount(self) -> None:
            self.work(self._load(), group="sites")

        async def _load(self) -> None:
            db = await self.host.store()
            ...
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast
from weakref import finalize

from textual import on
from textual.app import ComposeResult
from textual.screen import Screen
from textual.worker import Worker, WorkType

from crm_tui.actions import actions_in
from crm_tui.clock import since_words
from crm_tui.session import Draft, Place, Session, draft_key
from crm_tui.widgets.frame import Footer, TopLine
from crm_tui.widgets.keys import FirstKey, KeyArea, at_hand, keymap_of
from crm_tui.widgets.look import Role

if TYPE_CHECKING:
    from crm_tui.config import Settings
    from crm_tui.db.engine import Database
    from crm_tui.screens.mail_work import MailWork
    from crm_tui.screens.site_work import SiteWork
    from crm_tui.widgets.forms import Form


_HINT_AFTER = 0.5
"""Seconds after the first of two keys until it is said which can follow."""


class Job(Protocol):
    """A long piece of work that is running; what its body reports to."""

    def progress(self, done: int, total: int) -> None:
        """Say how far it is."""

    @property
    def cancelled(self) -> bool:
        """Whether the operator asked it to stop."""


class Host(Protocol):
    """What the app does for its screens."""

    settings: Settings
    store_path: Path
    config: Path | None
    """The configuration file, where one was named."""
    site_work: SiteWork
    """Builds sites and shows them."""
    mail_work: MailWork
    """Sends and reads mail, and knows how that stands."""
    session: Session
    """What is kept for the next start."""
    changes: int
    """How often the store was seen to have changed since the start."""

    @property
    def is_demo(self) -> bool:
        """Whether all of this is made up and goes with the app."""

    async def use_settings(self, settings: Settings) -> None:
        """Go on with other settings, as the configuration file has them now."""

    def now(self) -> datetime:
        """The current time, aware UTC."""

    async def store(self) -> Database:
        """The open store; waits until it is."""

    def say(self, words: str, role: Role = Role.TEXT) -> None:
        """Show a sentence until the next key."""

    def copy(self, text: str, what: str) -> None:
        """Send a text to the operator's clipboard, and say what is known of it.

        Args:
            text: What to copy; it goes as one plain line.
            what: What it is, as a sentence begins: "Phone", "Address of the site".
        """

    async def copied(self, text: str, what: str) -> str:
        """As `copy`, for who shows the sentence elsewhere than in the footer.

        Raises:
            UserError: The operator's own command did not take it.
        """

    def save_session(self) -> None:
        """Write the session now rather than at the end, after a choice of the operator's."""

    def settle(self, key: str) -> None:
        """Let an unsaved text go: it is saved now, or not wanted."""

    def show_error(self, error: Exception) -> None:
        """The one place for errors: a UserError is shown, a defect is logged and named."""

    def keys_wait_for(self, ready: asyncio.Event, *, at_most: float | None = None) -> None:
        """Keep keys typed ahead until `ready` is set, for two seconds (or `at_most`)."""

    def start_job(self, title: str, body: Callable[[Job], Awaitable[None]]) -> None:
        """Run a long piece of work with progress at the top right; ctrl+c cancels it.

        Raises:
            UserError: another one is still running.
        """

    async def open_demo(self, job: Job) -> None:
        """Make a demo that goes with the app, and show it instead of the store."""

    def status(self) -> tuple[str, Role]:
        """What the top line says at the right."""

    async def guarded(self, work: Awaitable[None]) -> None:
        """Await the work and show its error, if it has one."""

    async def look_for_changes(self) -> None:
        """See at once whether the store was changed, and have the screen in front show it."""


class AppScreen(Screen[None], KeyArea):
    """A full screen. Subclasses set AREA and FOOTER, and OWNS where they own another area too."""

    FOOTER: ClassVar[tuple[str, ...]]
    """Ids of the actions in the footer, the most wanted first; five at most."""

    TAB: ClassVar[str] = ""
    """The name of the area tab this screen belongs to."""

    AUTO_FOCUS = "*"

    _changes_seen = 0

    @property
    def host(self) -> Host:
        """The app, as far as screens use it."""
        return cast("Host", self.app)

    def compose(self) -> ComposeResult:
        """The frame around the body."""
        tabs = [each for each in actions_in("everywhere") if each.keys and each.keys[0].isdigit()]
        yield TopLine(tabs)
        yield from self.compose_body()
        yield Footer(self.FOOTER)
        if (place := self.host.session.places.get(self.AREA)) is not None:
            self.restore(place)

    @abstractmethod
    def compose_body(self) -> Iterable[Any]:
        """The widgets between the top line and the footer."""

    def work(
        self, work: Coroutine[Any, Any, None], *, group: str, exclusive: bool = True
    ) -> Worker[None]:
        """Run a coroutine beside the screen; its errors are shown, not raised.

        Args:
            work: what to do; it is cancelled with the screen.
            group: a name of its own for every kind of work.
            exclusive: whether it takes the place of work of its group that is still running.
        """
        begin: WorkType[None] = partial(self.host.guarded, work)
        worker = self.run_worker(begin, group=group, exclusive=exclusive, exit_on_error=False)
        # A worker that is cancelled before its first step, as when the app ends, leaves its
        # coroutine unbegun; Python would complain of that in the middle of the terminal.
        finalize(worker, work.close).atexit = False
        return worker

    def way_back(self) -> str:
        """The key that takes back what was just done, after its sentence: " u takes it back."."""
        keys = keymap_of(self).action("everywhere.undo").keys
        return f" {keys[0]} takes it back." if keys else ""

    def in_order(self, work: Coroutine[Any, Any, None], *, group: str) -> None:
        """Do what the keys that follow must find done: typed ahead, they wait for its end.

        What comes next does not take its place.

        Args:
            work: what to do, such as writing to the store and showing that.
            group: a name of its own for every kind of work.
        """
        ready = asyncio.Event()

        async def do() -> None:
            try:
                await work
            finally:
                # What the screen in front was sent before comes first, such as taking the focus.
                # Where the app ends meanwhile, there is none any more.
                front = self.app.screen_stack[-1:] or [self]
                front[0].call_later(ready.set)

        self.host.keys_wait_for(ready)
        worker = self.work(do(), group=group, exclusive=False)
        finalize(worker, work.close).atexit = False  # as in `work`, for what has not begun

    def keep(self) -> Place | None:
        """Where the operator is on this screen, for the next start; None to keep nothing.

        Asked when the app ends, in whatever state the screen is then.
        """
        return None

    def draft(self, now: datetime) -> Draft | None:
        """What is typed here, outside of forms, and would be lost now; None where nothing is.

        Its action opens a form with fields of the same names.
        """
        del now
        return None

    def restore(self, place: Place) -> None:
        """Begin where the operator was at the last end, as `keep` told it.

        Called once, when the body is composed and nothing is mounted, read or painted yet. What
        it names (a lead, a view) may be gone.
        """

    def ask(
        self,
        form: Form,
        *,
        action: str,
        lead: int,
        then: Callable[[bool], None] | None = None,
    ) -> None:
        """Show a form; what is typed into it and not saved is kept for the next start.

        Where such a text was kept, the form begins with it.

        Args:
            form: The form, not shown yet.
            action: The id of the action that opens it ("business.note").
            lead: The lead it is about.
            then: Called when the form is left, with whether it was saved.
        """
        form.keep_for(action, lead)
        key = draft_key(action, lead)
        if (draft := self.host.session.drafts.get(key)) is not None:
            since = since_words(draft.at, self.host.now(), zone=self.host.settings.operator.zone)
            form.take_up(draft, f"This was not saved, from {since}. ctrl+s saves it.")

        def left(saved: bool | None) -> None:  # noqa: FBT001 - Textual's callback
            self.host.settle(key)
            if then is not None:
                then(bool(saved))

        self.app.push_screen(form, left)

    def back(self) -> bool:
        """One step back within the screen, for esc; False when there was none to take."""
        return False

    def may_close(self) -> bool:
        """Whether the screen can be closed without losing anything; says why where it cannot."""
        return True

    def data_changed(self) -> None:
        """The store was changed, here or by another program: read again what is shown, in place."""

    def see_changes(self) -> None:
        """Let the screen know of changes it has not seen."""
        if self._changes_seen != self.host.changes:
            self._changes_seen = self.host.changes
            self.data_changed()

    def on_screen_resume(self) -> None:
        """Catch up with what happened while another screen was in front."""
        self.show_status()
        self.see_changes()

    def on_idle(self) -> None:
        """Dim what cannot be done just now."""
        if self.is_mounted:
            refused = [each.action.id for each in at_hand(self) if each.why_not]
            self.query_one(Footer).mark(refused)

    @on(FirstKey)
    def _first_of_two_keys(self, message: FirstKey) -> None:
        self.set_timer(_HINT_AFTER, partial(self._say_second_keys, message.owner, message.key))

    def _say_second_keys(self, owner: KeyArea, first: str) -> None:
        """Who waits with the second key sees which there are."""
        if owner.first_key == first:
            keys = "   ".join(
                f"{key} {title[:1].lower()}{title[1:]}" for key, title in owner.second_keys()
            )
            self.host.say(f"{first} …   {keys}")

    def show_status(self) -> None:
        """Bring the top line up to date."""
        if self.is_mounted:
            self.query_one(TopLine).show(self.TAB, *self.host.status())

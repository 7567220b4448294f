"""An app that ends in order however it is asked to, and begins where the operator was.

What is kept stands in the session (crm_tui/session.py); screens tell and take it with `keep`,
`restore` and `ask` (screens/base.py).
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from abc import abstractmethod
from collections.abc import Awaitable, Sequence
from contextlib import ExitStack, suppress
from datetime import datetime
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from rich.console import RenderableType
from rich.text import Text
from textual import events, on, work
from textual.screen import Screen
from textual.worker import Worker, WorkerError, WorkerState, WorkType

from crm_tui.actions import actions_in
from crm_tui.clock import since_words
from crm_tui.defects import report_defect
from crm_tui.ending import end_within, on_signals
from crm_tui.errors import NotFound, UserError
from crm_tui.screens.base import AppScreen
from crm_tui.screens.dialogs import Confirm
from crm_tui.session import Draft, Session
from crm_tui.text import plural, visible
from crm_tui.widgets.clipboard import copy_sequence, copy_with, sent_words
from crm_tui.widgets.frame import Footer
from crm_tui.widgets.look import Role
from crm_tui.widgets.ordered_keys import OrderedKeysApp
from crm_tui.widgets.terminal import LeanDriver

if TYPE_CHECKING:
    from crm_tui.config import Settings

_SHOWN = 160
"""Characters of an unsaved text that are shown when it is offered."""

_LOOK_EVERY = 1.0
"""Seconds between looks whether there is still a terminal."""

_WORK_MAY_TAKE = 1.5
"""Seconds work may take to come to the end of the piece at hand, when the app has to end."""

_LONGEST_END = 5.0
"""Seconds after which the app ends in any case, once a signal asked for it."""


@runtime_checkable
class Keeps(Protocol):
    """A screen that knows what is typed on it and not saved: a form, or a screen with fields."""

    def draft(self, now: datetime) -> Draft | None:
        """What there is to keep."""


class LastingApp(OrderedKeysApp, inherit_bindings=False):
    """An app whose end loses nothing.

    Args:
        session: What was kept at the last end.

    Attributes:
        session: What is kept for the next start.
    """

    settings: Settings

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        if session.area in self.MODES:
            self._screen_stacks = {session.area: []}
            self._current_mode = session.area
        self._offering = False
        self._ended_by = 0
        self._can_leave = False
        self._let_go = ExitStack()
        self._unexpected_before = ""

    # What the app is

    @abstractmethod
    def now(self) -> datetime:
        """The current time, aware UTC."""

    @abstractmethod
    def say(self, words: str, role: Role = Role.TEXT) -> None:
        """Show a sentence until the next key."""

    @abstractmethod
    def show_error(self, error: Exception) -> None:
        """Show an error as a sentence."""

    @abstractmethod
    async def guarded(self, work: Awaitable[None]) -> None:
        """Await the work and show its error, if it has one."""

    @abstractmethod
    async def go_on_with(self, draft: Draft) -> None:
        """Open the form a draft belongs to; `AppScreen.ask` fills it.

        Raises:
            NotFound: The lead it is about is gone.
        """

    @abstractmethod
    async def stop_work(self) -> None:
        """Have what is running stop after the piece at hand, and wait for that."""

    def keys_are_lost(self, number: int) -> None:
        """Say that what was typed meanwhile is not done."""
        keys = plural(number, "key")
        words = f"That took too long: {keys} typed meanwhile did nothing."
        self.say(words, Role.ATTENTION)

    def say_too(self, words: str, role: Role = Role.TEXT) -> None:
        """Show a sentence after what is being said, rather than in its place."""
        front = next(each for each in reversed(self.screen_stack) if isinstance(each, AppScreen))
        front.query_one(Footer).say_too(words, role)

    # Ending

    def on_load(self) -> None:
        """End in order when asked from outside, from the moment the terminal is taken over.

        Errors nobody waits for would be printed over what is drawn: they are defects, too.
        """
        loop = asyncio.get_running_loop()
        self._let_go.callback(on_signals(self._asked_to_end))
        self._let_go.callback(setattr, threading, "excepthook", threading.excepthook)
        threading.excepthook = lambda failed: self._thread_failed(loop, failed.exc_value)
        self._let_go.callback(loop.set_exception_handler, loop.get_exception_handler())
        loop.set_exception_handler(lambda _loop, told: self._unexpected(told.get("exception")))

    def on_mount(self) -> None:
        """Keep an eye on the terminal."""
        self.set_interval(_LOOK_EVERY, self._see_terminal)
        self.call_after_refresh(self._begun)

    def _begun(self) -> None:
        """The first screen stands; Textual cannot leave in an orderly way before."""
        self._can_leave = True
        if self._ended_by:
            self._end_in_order()

    @on(events.Unmount)
    def _leave_all_as_it_was(self) -> None:
        self._let_go.close()

    def _asked_to_end(self, number: int, _frame: FrameType | None = None) -> None:
        """A signal came: keep what must not be lost at once, and end in order.

        Runs between any two steps of the program, perhaps while the event loop stands still.
        """
        if self._ended_by or self._loop is None:
            return
        self._ended_by = number
        self.keep()
        give_back = self._driver.give_back if isinstance(self._driver, LeanDriver) else lambda: None
        end_within(_LONGEST_END, 128 + number, last=give_back)
        if self._can_leave:
            self._loop.call_soon_threadsafe(self._end_in_order)

    @work(group="end", exclusive=True, exit_on_error=False)
    async def _end_in_order(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_WORK_MAY_TAKE):
                await self.stop_work()
        self.exit(return_code=128 + self._ended_by)

    def _see_terminal(self) -> None:
        """End where the terminal is gone and no signal said so: there is nothing more to read."""
        if isinstance(self._driver, LeanDriver) and self._driver.gone:
            self._asked_to_end(signal.SIGHUP)

    def exit(
        self, result: None = None, return_code: int = 0, message: RenderableType | None = None
    ) -> None:
        """Leave, and keep for the next start where the operator is."""
        lost = self.keep()
        super().exit(result, return_code, message or Text(visible(lost)))

    # Errors nobody waited for

    @on(Worker.StateChanged)
    def _worker_changed(self, event: Worker.StateChanged) -> None:
        if event.state is WorkerState.ERROR:
            self._unexpected(event.worker.error)

    def _thread_failed(self, loop: asyncio.AbstractEventLoop, error: BaseException | None) -> None:
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(self._unexpected, error)

    def _unexpected(self, error: BaseException | None) -> None:
        """Show an error, but not over and over, as one that comes with every tick would be."""
        if error is None or repr(error) == self._unexpected_before:
            return
        self._unexpected_before = repr(error)
        if self.is_running and isinstance(error, Exception):
            self.show_error(error)
        else:
            report_defect(error)

    # Keeping

    def keep(self) -> str:
        """Write the session; in whatever state the screens are, that is not in the way.

        Returns:
            What to say where a text that was not saved is lost by that; else "".
        """
        stacks = [self.get_screen_stack(mode) for mode in self._screen_stacks]
        if not any(stacks):
            return ""
        try:
            self.session.area = self.current_mode
            for stack in stacks:
                self._keep_texts(stack)
            for stack in stacks:
                self._keep_place(stack)
        except Exception as error:  # noqa: BLE001 - what was kept so far is worth writing
            report_defect(error)
        try:
            self.session.save()
        except (UserError, ValueError) as error:  # the disk is full, a text cannot be written
            return f"What was not saved is lost. {error}" if self.session.drafts else ""
        return ""

    def _keep_texts(self, stack: Sequence[Screen[Any]]) -> None:
        """What is typed and not saved."""
        for screen in stack:
            draft = screen.draft(self.now()) if isinstance(screen, Keeps) else None
            if draft is not None:
                self.session.keep(draft)

    def _keep_place(self, stack: Sequence[Screen[Any]]) -> None:
        """Where one is in an area: in its list, and on the page of which row above it."""
        screens = [each for each in stack if isinstance(each, AppScreen) and each.is_mounted]
        place, *above = [screen.keep() for screen in screens] or [None]
        if place is not None:
            place.opened = next((page.cursor for page in above if page is not None), None)
            self.session.places[screens[0].AREA] = place

    def save_session(self) -> None:
        """Write the session now rather than at the end; say why where that is not possible."""
        try:
            self.session.save()
        except UserError as error:
            self.show_error(error)

    # Beginning again

    @work(group="drafts", exit_on_error=False)
    async def begin_again(self) -> None:
        """Say what is wrong with what was kept, and offer the texts that were not saved.

        Waits for the screens that take up their places first (workers of the group "restore").
        """
        for worker in [each for each in self.workers if each.group == "restore"]:
            with suppress(WorkerError):  # it was cancelled
                await worker.wait()
        if self.session.trouble:
            self.say_too(self.session.trouble, Role.ATTENTION)
        self._offer_draft()

    def settle(self, key: str) -> None:
        """Let an unsaved text go: it is saved now, or not wanted. The next one is offered."""
        if self.session.settle(key) is not None:
            self.save_session()
            if self._offering:
                self._offer_draft()

    def _offer_draft(self) -> None:
        """Offer the newest unsaved text; those not wanted now are offered at the next start.

        Forms of other areas than "business" take up their text when they are opened again.
        """
        offered = {each.id for each in actions_in("business")}
        drafts = reversed(self.session.drafts.values())
        draft = next((each for each in drafts if each.action in offered), None)
        self._offering = draft is not None
        if draft is None:
            return
        since = since_words(draft.at, self.now(), zone=self.settings.operator.zone)
        question = f"{draft.title}, from {since}, was not saved: “{draft.words(_SHOWN)}”"

        def answer(wanted: bool | None) -> None:  # noqa: FBT001 - Textual's callback
            self._offering = bool(wanted)
            if wanted:
                self._go_on_with(draft)

        self.push_screen(Confirm(question, verb="Go on with it", leave="Later"), answer)

    @work(group="drafts", exit_on_error=False)
    async def _go_on_with(self, draft: Draft) -> None:
        try:
            await self.go_on_with(draft)
        except NotFound as error:
            self.show_error(error)
            self.settle(draft.key)

    # Copying

    def copy(self, text: str, what: str) -> None:
        """Send a text to the operator's clipboard, and say what is known of it."""

        async def copy() -> None:
            await self.guarded(self._copy(text, what))

        begin: WorkType[None] = copy
        self.run_worker(begin, group="copy", exit_on_error=False)

    async def _copy(self, text: str, what: str) -> None:
        self.say(await self.copied(text, what))

    async def copied(self, text: str, what: str) -> str:
        """Send a text to the operator's clipboard; what is known of it, as a sentence.

        Raises:
            UserError: The operator's own command did not take it.
        """
        if command := self.settings.clipboard.command:
            return f"{what} copied with {await copy_with(command, text)}."
        sequence = copy_sequence(text, os.environ)
        if sequence and self._driver is not None:
            self._driver.write(sequence)
        return f"{sent_words(what, sequence, os.environ)}."

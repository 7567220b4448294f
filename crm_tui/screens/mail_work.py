"""The worker while the app runs: begun when there is an account, and what is known of sending.

Nothing of it is loaded before the store is open, nor where no account is set. What is known is
read when the store has changed, and shown at the top right when its words are others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from textual.app import App
from textual.worker import Worker as Running
from textual.worker import WorkerCancelled, WorkType

from crm_tui.clock import since_words
from crm_tui.text import plural
from crm_tui.widgets.look import REACHED, TROUBLE, Role

if TYPE_CHECKING:
    from crm_tui.config import Settings
    from crm_tui.db.engine import Database
    from crm_tui.services.sending.overview import Overview
    from crm_tui.worker import Worker

GROUP = "worker"
"""The group of the app's workers in which it runs; it has no end of its own."""

_AGAIN = 5.0
"""Seconds until it is tried again whether the store is free, or what went wrong is over."""


class MailWork:
    """Sends and reads mail while the app runs.

    Args:
        app: Runs it.
        settings: Which account.
        environ: Where passwords may be.
        now: The clock.
        show_error: Shows what went wrong.
        changed: Called when the worker has changed the store.
        on_change: Called when there are other words to be shown.

    Attributes:
        elsewhere: Which other worker has the store, as a sentence; "" where none has.
    """

    def __init__(
        self,
        app: App[Any],
        settings: Settings,
        *,
        environ: Mapping[str, str],
        now: Callable[[], datetime],
        show_error: Callable[[Exception], None],
        changed: Callable[[], Awaitable[None]],
        on_change: Callable[[], None],
    ) -> None:
        self._app = app
        self._settings = settings
        self.environ = environ
        self._now = now
        self._show_error = show_error
        self._changed = changed
        self._on_change = on_change
        self._worker: Worker | None = None
        self._running: Running[None] | None = None
        self._ended = False
        self._known: Overview | None = None
        self._shown: object = None
        self.elsewhere = ""

    @property
    def has_account(self) -> bool:
        """Whether there is something to send through, or a mailbox to read."""
        settings = self._settings
        sends = settings.email.provider != "smtp" or bool(settings.providers.smtp.host)
        reads, texts = settings.providers.imap.host, settings.sms.provider
        return bool((settings.sender.email and sends) or reads or texts)

    @property
    def _publishes(self) -> bool:
        """Whether there is a place for public pages, and what fails there to be tried again."""
        from crm_tui.services.publishing.publisher import not_set_up

        return not not_set_up(self._settings.publishing)

    @property
    def known(self) -> Overview | None:
        """How sending stands, as it was last seen; None before."""
        return self._known

    @property
    def is_at_work(self) -> bool:
        """Whether the worker of this store is here."""
        return self._worker is not None and not self.elsewhere

    # Beginning and ending

    async def begin(self, db: Database, *, is_invented: bool) -> None:
        """Begin to work for a store, if there is an account to do it with, or pages are published.

        Args:
            db: The store.
            is_invented: Whether its leads are; then nothing goes out through a real account.
        """
        self._ended = False
        await self.look(db)
        if not (self.has_account or self._publishes):
            return
        if is_invented and self._settings.email.provider != "outbox":
            return

        def load() -> None:
            import crm_tui.worker  # noqa: F401 - with all providers: not on the event loop

        await asyncio.to_thread(load)
        if self._ended or self._running is not None:  # stopped, or begun twice, meanwhile
            return
        begin: WorkType[None] = partial(self._work, db)
        self._running = self._app.run_worker(begin, group=GROUP, exit_on_error=False)

    async def stop(self) -> None:
        """End after the mail that is on its way."""
        self._ended = True
        running, self._running = self._running, None
        if running is None:
            return
        if self._worker is not None and not self.elsewhere:
            self._worker.stop()
        else:
            running.cancel()
        with suppress(WorkerCancelled):
            await running.wait()
        self._worker, self._known, self.elsewhere = None, None, ""

    async def _work(self, db: Database) -> None:
        """Work until stopped; where another worker has the store, wait until it is free."""
        from msgspec.structs import replace

        from crm_tui.config.sections import SenderSettings
        from crm_tui.worker import AtWork, Worker

        settings = self._settings
        if not self.has_account:
            settings = replace(settings, sender=SenderSettings())  # nobody sends; pages go out
        worker = self._worker = Worker(
            db, settings, environment=self.environ, now=self._now, changed=self._told
        )
        before = ""
        while True:
            try:
                self._is_elsewhere("")
                await worker.run()
            except AtWork as error:
                self._is_elsewhere(str(error))
            except Exception as error:  # noqa: BLE001 - it goes on when that is over
                if repr(error) != before:
                    self._show_error(error)
                before = repr(error)
            else:
                return
            await asyncio.sleep(_AGAIN)

    def _told(self) -> None:
        self._app.call_later(self._changed)

    def _is_elsewhere(self, words: str) -> None:
        self.elsewhere = words
        self._show()

    # What is known

    async def look(self, db: Database) -> None:
        """See how sending stands."""
        from crm_tui.services.sending import overview, standing

        home = await asyncio.to_thread(standing.home_of, db.path)
        async with db.read() as session:
            self._known = await overview.overview(session, self._settings.email.provider, home=home)
        self._show()

    def _show(self) -> None:
        """Have the words shown if there are others; that the mailbox was read again are none."""
        shown = self._words(with_times=False)
        if shown != self._shown:
            self._shown = shown
            self._on_change()

    def words(self) -> tuple[str, Role] | None:
        """How sending stands, in a few words; None where nobody sends."""
        return self._words(with_times=True)

    def _words(self, *, with_times: bool) -> tuple[str, Role] | None:
        known = self._known
        if known is None or not (
            self.has_account or known.queued or known.stopped or known.unread_since
        ):
            return None
        if known.stopped:
            return f"{TROUBLE} sending stopped: {known.stopped}", Role.BAD
        what, role = self._state(known, with_times=with_times)
        words = [what] if what else []
        words += [f"{known.queued:,} queued"] if known.queued or self.has_account else []
        words += [f"{known.on_way:,} on the way"] if known.on_way else []
        if with_times and known.read_at and role is Role.QUIET and not self.elsewhere:
            words.append(f"read {self._time(known.read_at)}")
        return " · ".join(words), role

    def _state(self, known: Overview, *, with_times: bool) -> tuple[str, Role]:
        """What to know of the worker or its provider, and what it means to the eye."""
        if not self.has_account and (known.queued or known.unread_since is None):
            return f"{TROUBLE} no mailbox set", Role.ATTENTION
        if self.elsewhere:
            return "worker elsewhere", Role.QUIET
        if known.unread_since is not None:
            since = f" since {self._time(known.unread_since)}" if with_times else ""
            what = f"{known.unread} fails" if known.unread else "offline"
            return f"{TROUBLE} {what}{since}", Role.ATTENTION
        if known.problem:
            return f"{TROUBLE} sending fails", Role.ATTENTION
        return (f"{REACHED} online" if known.read_at else ""), Role.QUIET

    def _time(self, at: datetime) -> str:
        return since_words(at, self._now(), zone=self._settings.operator.zone)

    def left_behind(self) -> str:
        """What does not go on without the app, as sentences; "" where there is nothing."""
        known = self._known
        if known is None or not self.is_at_work:
            return ""
        said = []
        if known.on_way:
            are = "is" if known.on_way == 1 else "are"
            said.append(f"{plural(known.on_way, 'mail')} {are} on the way and waited for.")
        if known.queued:
            waits = "waits" if known.queued == 1 else "wait"
            said.append(
                f"{plural(known.queued, 'mail')} {waits} to be sent, which goes on when crm-tui "
                "runs again."
            )
        return " ".join(said)

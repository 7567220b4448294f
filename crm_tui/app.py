"""The app: builds nothing but itself, opens the store after the first paint, and hosts the screens.

For those who write screens:

- A full screen is an `AppScreen` (screens/base.py); its base gives it the frame, its keys from the
  registry (crm_tui/actions.py), and `self.host`, which is this app as far as screens use it.
- The store: `db = await self.host.store()` in a worker; it waits until the store is open. The
  settings are `self.host.settings`, the clock is `self.host.now()`.
- A service runs in a worker: `self.work(self._load(), group="sites")`. What it raises is shown.
  Import services inside the coroutine: nothing may import SQLAlchemy before the first paint.
- Long work is a job: `self.host.start_job("Building sites", body)`; `body(job)` reports with
  `job.progress(done, total)` and stops when `job.cancelled`. There is one job at a time.
- To say something: `self.host.say(words)`; it stands in the footer until the next key.
- To copy: `self.host.copy(text, what="Phone")`, which says what is known of it.
- For the next start: `keep()` tells where the operator is on a screen and `restore(place)` begins
  there. A form is shown with `self.ask(form, action="business.note", lead=12)`: what is typed into
  it is kept when the app ends, and offered again. What is chosen stands in `self.host.session`.
- Errors: raise UserError, or let the service's one through. `self.host.show_error(error)` shows an
  error caught elsewhere. Everything else is a defect: it is logged, and one sentence is shown.
- When the store was changed (by us or another program), `data_changed()` of the screen in front is
  called, and of the others when they come to the front: read again, keep the place.
- Keys: add lines to the registry and methods `action_<name>`; nothing else. A new area also gets a
  title in AREA_TITLES, a new screen its areas in SCREENS; a new tab is a line "everywhere.<mode>"
  with a digit, and a mode in screens/everywhere.py. What cannot be done just now says why in
  `why_not(action_id)`.
- Dialogs: `Confirm` and `Picker` in screens/dialogs.py, forms in widgets/forms.py.
"""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from rich.text import Text
from textual import events, work
from textual.css.query import NoMatches
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.worker import WorkType

from crm_tui.clock import utc_now
from crm_tui.config import default_config_path
from crm_tui.defects import report_defect
from crm_tui.errors import Cancelled, UserError
from crm_tui.keymap import read_keymap
from crm_tui.palettes import FOLDER, SHIPPED, read_own
from crm_tui.screens.base import AppScreen, Job
from crm_tui.screens.everywhere import Everywhere
from crm_tui.screens.jobs import Jobs
from crm_tui.screens.mail_work import GROUP, MailWork
from crm_tui.screens.site_work import SiteWork
from crm_tui.session import Draft, Session
from crm_tui.text import visible
from crm_tui.widgets.frame import Footer
from crm_tui.widgets.look import Role
from crm_tui.widgets.terminal import LeanDriver

if TYPE_CHECKING:
    from crm_tui.config import Settings
    from crm_tui.db.engine import Database

_WATCH_EVERY = 2.0
"""Seconds between looks whether the store was changed."""
_UPKEEP_AFTER = 3.0
"""Seconds after the store is open: a start has other things to do."""
_MAIL_AFTER = 1.0
"""Likewise, until mail is sent and read."""


class CrmApp(Everywhere, inherit_bindings=False):
    """The terminal program.

    Args:
        store_path: the SQLite file; it is opened (created, migrated) after the first paint.
        settings: what the operator set.
        config: the configuration file, where one was named.
        now: the clock.
        throw_away: whether the store goes with the app, and needs no upkeep.
        environ: the environment, which has a say in how it looks and where pages are opened.
    """

    TITLE = "crm-tui"
    ENABLE_COMMAND_PALETTE = False

    def __init__(
        self,
        store_path: Path,
        settings: Settings,
        *,
        config: Path | None = None,
        now: Callable[[], datetime] = utc_now,
        throw_away: bool = False,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        super().__init__(Session() if throw_away else Session.load(store_path))
        self._throw_away = throw_away
        self.store_path = store_path
        self.settings = settings
        self.config = config
        self.site_work = SiteWork(
            self, themes=(config or default_config_path()).with_name("themes"), environ=environ
        )
        self._clock = now
        self._environ = environ
        self.mail_work = self._mail_of(settings)
        self._rooms = AsyncExitStack()
        self.changes = 0
        self._version: int | None = None
        self._jobs = Jobs(self, self.guarded, self._show_status)
        self._db: Database | None = None
        self._opened = asyncio.Event()
        self.keymap, key_warnings = read_keymap(settings.keys)
        own, theme_warnings = read_own((config or default_config_path()).with_name(FOLDER))
        wishes = self.dress(
            (*SHIPPED, *own), settings.appearance, environ, theme=self.session.theme
        )
        self._warnings = [*key_warnings, *theme_warnings, *wishes]

    def _mail_of(self, settings: Settings) -> MailWork:
        return MailWork(
            self,
            settings,
            environ=self._environ,
            now=self._clock,
            show_error=self.show_error,
            changed=self.look_for_changes,
            on_change=self._show_status,
        )

    # Start and end

    def get_driver_class(self) -> type[Driver]:
        """Textual's driver, or where it is the common one, ours that writes fewer bytes."""
        driver = super().get_driver_class()
        return LeanDriver if driver is LinuxDriver else driver

    def on_mount(self) -> None:
        """Open the store once the first frame is out."""
        self.call_after_refresh(self._warn)
        self.call_after_refresh(self._open_store)
        self.set_interval(_WATCH_EVERY, self._watch_store)

    def _warn(self) -> None:
        """Say which of the operator's wishes could not be met, all else being as it is."""
        if self._warnings:
            first, *more = self._warnings
            others = f" {len(more)} more: crm-tui config show lists them." if more else ""
            self.say_too(first + others, Role.ATTENTION)

    @work(group="store", exit_on_error=False)
    async def _open_store(self) -> None:
        def load() -> None:
            import crm_tui.services.lead_rows
            import crm_tui.services.store  # noqa: F401 - half a second, not on the event loop

        try:
            await asyncio.to_thread(load)
            await self._use(self.store_path)
            self.set_timer(_UPKEEP_AFTER, self._tend)
            self.set_timer(_MAIL_AFTER, self._begin_mail)
            self.begin_again()
        except UserError as error:
            self.exit(return_code=1, message=Text(visible(str(error))))
        except Exception as error:  # noqa: BLE001 - without a store there is no program
            self._handle_exception(error)

    async def _use(self, path: Path) -> None:
        """Open a store and show it, in place of the one before if there was one."""
        from crm_tui.services.store import open_store

        db = await open_store(path, now=self.now())
        await self.mail_work.stop()
        before, self._db = self._db, db
        self.store_path, self._version = path, await db.data_version()
        self._opened.set()
        if not gc.isenabled():
            gc.freeze()  # what a start loads stays: no need to look through it again and again
            gc.enable()
        if before is not None:
            await asyncio.to_thread(self.site_work.close)
            await before.close()
            self.changes += 1
            self._front().see_changes()

    @work(group="upkeep", exit_on_error=False)
    async def _tend(self) -> None:
        """See to the backup of the day, and to what was cut off; say what there is to say."""
        from crm_tui.services.upkeep import tend

        db = await self.store()
        if self._throw_away:
            return
        said = await tend(db, settings=self.settings, config_path=self.config, now=self.now())
        if said:
            self.say_too(" ".join(said))

    @work(group="mail", exit_on_error=False)
    async def _begin_mail(self) -> None:
        db = await self.store()
        await self.guarded(self.mail_work.begin(db, is_invented=self._throw_away))
        if self._throw_away and self.settings.email.provider == "outbox":
            begin: WorkType[None] = partial(self._live, db)
            self.run_worker(begin, group=GROUP, exit_on_error=False)

    async def _live(self, db: Database) -> None:
        """Have the demo's recipients answer, for as long as the app runs."""
        from crm_tui.screens.demo_guide import begins, tells
        from crm_tui.services.demo.world import World

        world, said = World(db, self.settings), begins(self.keymap)
        self._remark(said)

        async def step() -> None:
            nonlocal said
            if came := await world.step(self.now()):
                await self.look_for_changes()
                before, said = said, tells(came, self.keymap) or said
                self._remark(said, before)

        while True:
            await self.guarded(step())
            await asyncio.sleep(_WATCH_EVERY)

    def _remark(self, words: str, before: str = "") -> None:
        """Say something where nothing is being said, or only what was remarked before."""
        if self._front().query_one(Footer).words in {"", before}:
            self.say(words)

    @work(group="watch", exclusive=True, exit_on_error=False)
    async def _watch_store(self) -> None:
        await self.look_for_changes()

    async def look_for_changes(self) -> None:
        """See whether the store was changed, and tell the screen in front."""
        db = await self.store()
        version = await db.data_version()
        if version != self._version:
            self._version = version
            self.changes += 1
            self._front().see_changes()
            await self.mail_work.look(db)

    async def on_unmount(self) -> None:
        """Close the store when nobody uses it; its threads would keep the program alive."""
        await self.mail_work.stop()
        self.workers.cancel_all()
        await asyncio.gather(*(each.wait() for each in self.workers), return_exceptions=True)
        await asyncio.to_thread(self.site_work.close)
        if self._db is not None:
            await self._db.close()
        await self._rooms.aclose()

    async def stop_work(self) -> None:
        """Have the job that runs, if any, stop after the piece at hand, and the mail likewise."""
        await self._jobs.stop()
        await self.mail_work.stop()

    async def go_on_with(self, draft: Draft) -> None:
        """Show the lead of a draft, and open the form it belongs to.

        Raises:
            NotFound: The lead is gone.
        """
        from crm_tui.screens.lead import LeadScreen
        from crm_tui.services import leads

        db = await self.store()
        async with db.read() as session:
            await leads.require(session, draft.lead)
        front = self._front()
        if not (isinstance(front, LeadScreen) and front.lead_id == draft.lead):
            front = LeadScreen(draft.lead)
            await self.push_screen(front)
        await front.shown.wait()
        await self.perform(self.keymap.action(draft.action))

    # What screens use (screens.base.Host)

    def now(self) -> datetime:
        """The current time, aware UTC."""
        return self._clock()

    async def store(self) -> Database:
        """The open store; waits until it is."""
        await self._opened.wait()
        assert self._db is not None
        return self._db

    def say(self, words: str, role: Role = Role.TEXT) -> None:
        """Show a sentence in the footer of the screen in front, until the next key."""
        with suppress(NoMatches):  # at the end the screens are gone before the last work is
            self._front().query_one(Footer).say(words, role)

    def show_error(self, error: Exception) -> None:
        """Show a UserError as it is written; log a defect and say where it is."""
        if isinstance(error, UserError | Cancelled):
            self.say(str(error), Role.BAD)
        else:
            self.say(report_defect(error), Role.BAD)

    async def guarded(self, work: Awaitable[None]) -> None:
        """Await the work and show its error, if it has one."""
        try:
            await work
        except Exception as error:  # noqa: BLE001 - the one place where workers' errors are shown
            self.show_error(error)

    def start_job(self, title: str, body: Callable[[Job], Awaitable[None]]) -> None:
        """Run a long piece of work with progress at the top right; ctrl+c cancels it.

        Raises:
            UserError: another one is still running.
        """
        self._jobs.start(title, body)

    async def open_demo(self, job: Job) -> None:
        """Make a demo that goes with the app, and show it instead of the store."""
        from crm_tui.services.demo import open_world

        folder = await asyncio.to_thread(TemporaryDirectory, prefix="crm-tui-")
        self._rooms.push_async_callback(asyncio.to_thread, folder.cleanup)
        path, settings = await open_world(Path(folder.name), self.settings, now=self.now())
        if not job.cancelled:
            self.keep()
            self._throw_away = True
            self.session = Session()
            await self._use(path)
            await self.use_settings(settings)

    async def use_settings(self, settings: Settings) -> None:
        """Go on with other settings; who sends and reads mail begins anew with them."""
        await self.mail_work.stop()
        self.settings, self.mail_work = settings, self._mail_of(settings)
        self._begin_mail()

    def status(self) -> tuple[str, Role]:
        """What the top line says at the right: the job that runs, else the mail or the store."""
        if self._jobs.running is not None:
            return f"{self._jobs.running}  ctrl+c cancels", Role.ATTENTION
        words = self.mail_work.words()
        if self._throw_away:
            said = f" · {words[0]}" if words else ""
            return f"demo: nothing is sent{said}", Role.ATTENTION
        return words or (self.store_path.name, Role.QUIET)

    def _show_status(self) -> None:
        for screen in self.screen_stack:
            if isinstance(screen, AppScreen):
                screen.show_status()

    def _front(self) -> AppScreen:
        """The full screen in front, under any dialog."""
        return next(s for s in reversed(self.screen_stack) if isinstance(s, AppScreen))

    # Events and errors

    async def on_event(self, event: events.Event) -> None:
        """What cancels a job does so wherever one is, in the middle of a text too."""
        if isinstance(event, events.Key) and self.is_urgent(event) and not event.is_printable:
            self.action_stop()
        else:
            await super().on_event(event)

    def is_urgent(self, key: events.Key) -> bool:
        """What cancels a job does not wait for its end."""
        stop = self.keymap.action("everywhere.stop")
        return self._jobs.running is not None and key.key in stop.keys

    def key_arrives(self) -> None:
        """A key takes away the sentence in the footer, before it does what it does."""
        with suppress(StopIteration, NoMatches):  # the screens are gone before the last keys are
            self._front().query_one(Footer).clear()

    def _handle_exception(self, error: Exception) -> None:
        """An error in a handler: shown if it is for people, else the program ends in a sentence."""
        if isinstance(error, UserError) and self.is_running:
            self.show_error(error)
        else:
            super()._handle_exception(error)

    def _fatal_error(self) -> None:
        assert self._exception is not None
        self.keep()
        self.panic(Text(report_defect(self._exception)))

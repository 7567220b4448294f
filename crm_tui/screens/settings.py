"""The settings: the accounts with all that is known of them, and what else is set."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from textual import events, on
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from crm_tui.clock import since_words
from crm_tui.screens.base import AppScreen
from crm_tui.screens.dialogs import Confirm
from crm_tui.screens.settings_accounts import (
    ACCOUNT_COLUMNS,
    KEY_FIELD,
    AccountRow,
    account_form,
    capability_facts,
    standing_facts,
    told,
    trial_facts,
)
from crm_tui.screens.settings_sections import (
    APPEARANCE,
    PROVIDERS,
    SECTION_COLUMNS,
    SECTIONS,
    Section,
    section_facts,
)
from crm_tui.widgets.facts import Facts, styled
from crm_tui.widgets.look import Role
from crm_tui.widgets.row_list import RowList
from crm_tui.widgets.row_messages import RowHighlighted, RowOpened

if TYPE_CHECKING:
    from crm_tui.config import Settings
    from crm_tui.services.accounts.about import Can, Check
    from crm_tui.services.accounts.listing import Account

_BESIDE = 130
"""The columns a window needs for an account beside their list."""
_LABELS = 12
_DEMO = "This is a demo: its accounts are made up, and nothing is changed."


class SettingsScreen(AppScreen):
    """The sections at the left; in the first the accounts, and the one under the cursor."""

    AREA = "settings"
    FOOTER = (
        "settings.edit",
        "settings.test",
        "settings.use",
        "settings.forget",
        "settings.sections",
    )
    TAB = "settings"
    AUTO_FOCUS = "#accounts"
    DEFAULT_CSS = """
    SettingsScreen {
        & #about { height: 1; padding: 0 3; text-wrap: nowrap; text-overflow: ellipsis; }
        & #settings { height: 1fr; layout: horizontal; }
        & #sections { width: 19; }
        & #body { width: 1fr; height: 100%; }
        & #providers { height: 100%; }
        & #accounts { width: 100%; height: 7; }
        & #pane { width: 100%; height: 1fr; padding: 0 1 0 3; scrollbar-size-vertical: 1; }
        & #section { height: 100%; padding: 1 1 0 3; scrollbar-size-vertical: 1; display: none; }
        & Facts { margin-top: 1; }
        & #pane > Facts { margin-top: 1; }
        & #pane Static { height: auto; }
        & #trial-title { margin-top: 1; display: none; }
        & #pane-title { margin-top: 1; }
        &.-beside #providers { layout: horizontal; }
        &.-beside #accounts { width: 1fr; height: 100%; }
        &.-beside #pane { width: 1fr; height: 100%; }
        &.-beside #pane-title { margin-top: 0; }
        &.-other #providers { display: none; }
        &.-other #section { display: block; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[AccountRow] = []
        self._keys: Mapping[str, str] = {}
        self._can: dict[str, Can] = {}
        self._trials: dict[str, tuple[datetime, list[Check] | None]] = {}

    def compose_body(self) -> Iterable[Widget]:
        """What sends, above the sections and what is in them."""
        yield Static(id="about")
        self._sections: RowList[Section] = RowList(
            SECTION_COLUMNS, now=self.host.now, id="sections"
        )
        self._table: RowList[AccountRow] = RowList(
            ACCOUNT_COLUMNS, now=self.host.now, id="accounts"
        )
        with Container(id="settings"):
            yield self._sections
            with Container(id="body"):
                with Container(id="providers"):
                    yield self._table
                    with VerticalScroll(id="pane", can_focus=True):
                        yield Static(id="pane-title")
                        yield Facts(label_width=_LABELS, id="standing")
                        yield Static(id="trial-title")
                        yield Facts(label_width=_LABELS, id="trial")
                        yield Facts(label_width=_LABELS, id="can")
                with VerticalScroll(id="section", can_focus=True):
                    yield Static(id="section-title")
                    yield Facts(label_width=16, id="section-facts")
                    yield Static(id="section-note")

    def on_mount(self) -> None:
        """Read how the accounts stand."""
        order = array("q", (each.id for each in SECTIONS))
        self._sections.show(order, SECTIONS, keep="nothing")
        self._read(look_for_keys=True)

    def on_resize(self, event: events.Resize) -> None:
        """The account beside the list where there is room, else below it."""
        self.set_class(event.size.width >= _BESIDE, "-beside")

    # Reading

    def _read(self, *, look_for_keys: bool = False) -> None:
        self.work(self._read_accounts(look_for_keys=look_for_keys), group="accounts")

    async def _read_accounts(self, *, look_for_keys: bool = False) -> None:
        db = await self.host.store()
        await asyncio.to_thread(_load)
        from crm_tui.services.accounts import keys, known, listing, telling
        from crm_tui.services.sending.standing import home_of

        settings, environ = self.host.settings, self.host.mail_work.environ
        if look_for_keys or not self._keys:
            self._keys = await keys.places(known.NAMES, settings, environ)
        home = await asyncio.to_thread(home_of, db.path)
        now, zone = self.host.now(), settings.operator.zone
        async with db.read() as session:
            found = await listing.accounts(session, settings, self._keys, home=home, now=now)
        self._rows = [
            AccountRow(number, each, telling.state_words(each, now=now, zone=zone))
            for number, each in enumerate(found, start=1)
        ]
        self._table.show(array("q", (row.id for row in self._rows)), self._rows, keep="place")
        self._show_about()
        self._follow()
        self._show_section()

    def data_changed(self) -> None:
        """Read again how they stand, in place."""
        self._read()

    def _show_about(self) -> None:
        settings = self.host.settings
        known = {row.account.name: row.account for row in self._rows}
        through = known.get(settings.email.provider)
        words = "Mail is written into the outbox; nothing is sent."
        if through is not None:
            missing = "" if through.is_set else ", which is not set up"
            words = f"Mail goes through {through.title}{missing}."
        if settings.sms.provider:
            words += f" Text messages go through {known[settings.sms.provider].title}."
        self._say_in("#about", styled(words, Role.QUIET))

    # What is shown of the account under the cursor, or of the section

    @property
    def _row(self) -> AccountRow | None:
        return self._table.cursor_row

    @on(RowHighlighted, "#accounts")
    def _follow(self) -> None:
        if self._row is not None:
            self.work(self._show_account(self._row), group="pane")

    async def _show_account(self, row: AccountRow) -> None:
        name = row.account.name
        if name not in self._can:
            from crm_tui.services.accounts.about import about

            self._can[name] = await asyncio.to_thread(about, name)
        now, zone = self.host.now(), self.host.settings.operator.zone
        self._say_in("#pane-title", styled(row.account.title, Role.STRONG))
        self.query_one("#standing", Facts).set_facts(standing_facts(row, now=now, zone=zone))
        at, checks = self._trials.get(name, (now, None))
        tried = name in self._trials
        words = f"Tried at {since_words(at, now, zone=zone)}" if checks is not None else "Trying …"
        self._say_in("#trial-title", styled(words, Role.QUIET))
        self.query_one("#trial-title").display = tried
        self.query_one("#trial", Facts).set_facts(trial_facts(checks or []))
        facts = capability_facts(self._can[name], acknowledged=row.account.acknowledged)
        self.query_one("#can", Facts).set_facts(facts)

    @on(RowHighlighted, "#sections")
    def _show_section(self) -> None:
        section = self._sections.cursor_row or SECTIONS[0]
        self.set_class(section.name != PROVIDERS, "-other")
        if section.name == PROVIDERS:
            return
        self._say_in("#section-title", styled(section.title, Role.STRONG))
        facts = section_facts(section, self.host)
        self.query_one("#section-facts", Facts).set_facts(facts)
        self._say_in("#section-note", Content("\n") + styled(section.note, Role.QUIET))

    def _say_in(self, where: str, words: Content) -> None:
        line = self.query_one(where, Static)
        if line.content != words:
            line.update(words)

    # Sections

    def action_sections(self) -> None:
        """To the sections."""
        self.set_focus(self._sections)

    @on(RowOpened, "#sections")
    def _go_in(self) -> None:
        section = self._sections.cursor_row
        if section is None or section.name == PROVIDERS:
            self.set_focus(self._table)
        elif section.name == APPEARANCE:
            self.work(self._choose_theme(), group="theme")

    async def _choose_theme(self) -> None:
        await self.app.run_action("theme")

    def back(self) -> bool:
        """From another section to the accounts."""
        if self.focused is self._table and not self.has_class("-other"):
            return False
        self._sections.move_to(0)
        self.set_focus(self._table)
        return True

    # What is done with an account

    def why_not(self, action_id: str) -> str | None:
        """What an account does not do, or lacks."""
        name = action_id.partition(".")[2]
        if name not in {"edit", "test", "use", "forget"}:
            return None
        row = self._row
        if row is None or self.has_class("-other"):
            return "That is done with an account: esc leads to them."
        if self.host.is_demo:
            return _DEMO
        return next((why for each, why in _reasons(row.account) if each == name), None)

    @on(RowOpened, "#accounts")
    def action_edit(self) -> None:
        """Change an account, or add it."""
        if (why := self.why_not("settings.edit")) is not None:
            self.host.say(why)
        elif self._row is not None:
            self.work(self._edit(self._row.account), group="edit")

    async def _edit(self, account: Account) -> None:
        from crm_tui.services.accounts.about import about

        can = await asyncio.to_thread(about, account.name)

        async def save(values: Mapping[str, str]) -> None:
            await self._save(account, values)

        form = account_form(account, self.host.settings, can, save)
        self.app.push_screen(form, partial(self._saved, account))

    async def _save(self, account: Account, values: Mapping[str, str]) -> None:
        from crm_tui.services.accounts import changing

        host = self.host
        added = await changing.add(
            host.config,
            account.name,
            told(values),
            values[KEY_FIELD].strip(),
            settings=host.settings,
            environment=host.mail_work.environ,
        )
        if added.changed:
            host.settings = added.settings
        self._problem = added.problem

    _problem = ""

    def _saved(self, account: Account, saved: bool | None) -> None:  # noqa: FBT001 - Textual's callback
        if saved:
            self.work(self._take_up(account), group="take up")

    async def _take_up(self, account: Account) -> None:
        await self.host.use_settings(self.host.settings)
        await self._read_accounts(look_for_keys=True)
        if self._problem:
            self.host.say(self._problem, Role.ATTENTION)
            return
        await self._try(account.name)

    def action_test(self) -> None:
        """Try the account out."""
        if self._row is not None:
            self.work(self._try(self._row.account.name), group="try")

    async def _try(self, name: str) -> None:
        from crm_tui.services.trying import try_account

        host = self.host
        self._trials[name] = (host.now(), None)
        self._follow()
        try:
            checks = await try_account(name, host.settings, host.mail_work.environ)
        except BaseException:
            del self._trials[name]
            self._follow()
            raise
        self._trials[name] = (host.now(), checks)
        self._follow()
        title = self._rows[[row.account.name for row in self._rows].index(name)].account.title
        wrong = next((each for each in checks if not each.ok), None)
        if wrong is None:
            host.say(f"{title} works.", Role.GOOD)
        else:
            host.say(f"{title}: {wrong.words}", Role.BAD)

    def action_use(self) -> None:
        """Send through the account."""
        row = self._row
        if row is None:
            return
        account, can = row.account, self._can.get(row.account.name)
        what = "text messages" if account.channel == "sms" else "mail"
        policy = f"{can.policy} " if can else ""
        question = f"{policy}Send {what} through {account.title} from now on?"
        dialog = Confirm(question, verb=f"Send {what} through it", careful=True)

        def use(wanted: bool | None) -> None:  # noqa: FBT001 - Textual's callback
            if wanted:
                self.work(self._use(account), group="write")

        self.app.push_screen(dialog, use)

    async def _use(self, account: Account) -> None:
        from crm_tui.services.accounts import changing

        host = self.host
        elsewhere = host.mail_work.elsewhere
        settings = await changing.use(host.config, account.name, settings=host.settings)
        await self._go_on(settings)
        what = "Text messages go" if account.channel == "sms" else "Mail goes"
        again = " The worker that runs elsewhere has to be started again." if elsewhere else ""
        host.say(f"{what} through {account.title}.{again}", Role.GOOD)

    async def _go_on(self, settings: Settings) -> None:
        await self.host.use_settings(settings)
        await self._read_accounts(look_for_keys=True)

    def action_forget(self) -> None:
        """Forget the key of the account."""
        row = self._row
        if row is None:
            return
        account = row.account
        question = (
            f"Forget the key of {account.title}? What is set and what it told stays. It cannot be"
            " brought back from here."
        )
        if account.does:
            question += " What goes through it waits until there is one."
        dialog = Confirm(question, verb="Forget the key", careful=True)

        def forget(wanted: bool | None) -> None:  # noqa: FBT001 - Textual's callback
            if wanted:
                self.work(self._forget(account), group="write")

        self.app.push_screen(dialog, forget)

    async def _forget(self, account: Account) -> None:
        from crm_tui.services.accounts import changing

        host = self.host
        settings, environ = host.settings, host.mail_work.environ
        done = await changing.remove(account.name, settings=settings, environment=environ)
        self._trials.pop(account.name, None)
        await self._go_on(settings)
        words = changing.removed_words(account.name, done, settings)
        host.say(words, Role.ATTENTION if done.left else Role.GOOD)


def _reasons(account: Account) -> Iterable[tuple[str, str]]:
    """What cannot be done with an account, and why."""
    title = account.title
    if not account.is_set:
        yield "test", f"{title} is not set up yet: e does that."
        yield "use", f"{title} is not set up yet: e does that."
    if account.name == "imap":
        yield "use", "IMAP reads mail, and does not send."
    if account.does:
        yield "use", f"{title} {account.does} already."
    if account.key != "keyring":
        yield "forget", f"There is no key of {title} in the keyring."


def _load() -> None:
    """Load what reads accounts: not on the event loop."""
    import crm_tui.services.accounts.changing
    import crm_tui.services.accounts.listing
    import crm_tui.services.trying  # noqa: F401

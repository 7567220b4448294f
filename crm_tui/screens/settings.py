"""The settings: the accounts with all that is known of them, and what else is set."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from textual import events, on
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from crm_tui.clock import since_words
from crm_tui.screens.settings_accounts import (
    ACCOUNT_COLUMNS,
    AccountRow,
    capability_facts,
    standing_facts,
    trial_facts,
)
from crm_tui.screens.settings_desk import DEMO, AccountDesk
from crm_tui.screens.settings_sections import (
    APPEARANCE,
    PLANS,
    PROVIDERS,
    SECTION_COLUMNS,
    SECTIONS,
    Section,
    section_changes,
    section_facts,
    section_form,
)
from crm_tui.session import Place
from crm_tui.widgets.facts import Facts, styled
from crm_tui.widgets.look import Role
from crm_tui.widgets.row_list import RowList
from crm_tui.widgets.row_messages import RowHighlighted, RowOpened

if TYPE_CHECKING:
    from crm_tui.services.accounts.listing import Account

_BESIDE = 130
"""The columns a window needs for an account beside their list."""
_LABELS = 12


class SettingsScreen(AccountDesk):
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
        & #accounts { width: 100%; height: 8; }
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
        self._rows: Sequence[AccountRow] = ()
        self._reading = asyncio.Lock()
        self._keys: Mapping[str, str] = {}
        self._begin_at: int | None = None
        self._begin_with = ""

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
        self.work(self.read_accounts(look_for_keys=look_for_keys), group="accounts")

    async def read_accounts(self, *, look_for_keys: bool = False) -> None:
        """Read how the accounts stand."""
        db = await self.host.store()
        await asyncio.to_thread(_load)
        from crm_tui.services.accounts import keys, known, listing, telling
        from crm_tui.services.sending.standing import home_of

        async with self._reading:  # each with the settings it finds, the last one last
            settings, environ = self.host.settings, self.host.mail_work.environ
            if self.host.is_demo:
                self._keys = dict.fromkeys(known.NAMES, "")  # nobody's own keyring is asked
            elif look_for_keys or not self._keys:
                self._keys = await keys.places(known.NAMES, settings, environ)
            home = await asyncio.to_thread(home_of, db.path)
            now, zone = self.host.now(), settings.operator.zone
            async with db.read() as session:
                found = await listing.accounts(session, settings, self._keys, home=home, now=now)
            self._show_rows(
                [
                    AccountRow(number, each, telling.state_words(each, now=now, zone=zone))
                    for number, each in enumerate(found, start=1)
                ]
            )

    def _show_rows(self, rows: Sequence[AccountRow]) -> None:
        self._rows = rows
        self._table.show(array("q", (row.id for row in self._rows)), self._rows, keep="place")
        if self._begin_with:
            named = (row.id for row in rows if row.account.title == self._begin_with)
            self._begin_at = next(named, self._begin_at)
            self._begin_with = ""
        if self._begin_at is not None:
            self._table.go_to(self._begin_at)
            self._begin_at = None
        self._show_about()
        self.show_account()
        self._show_section()

    def data_changed(self) -> None:
        """Read again how they stand, in place."""
        self._read()

    def on_screen_resume(self) -> None:
        """Look for the keys again: they may have been put elsewhere meanwhile."""
        if self.is_mounted and self._rows:
            self._read(look_for_keys=True)

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
    def account(self) -> Account | None:
        """The account under the cursor."""
        row = self._table.cursor_row
        return None if row is None else row.account

    @on(RowHighlighted, "#accounts")
    def show_account(self) -> None:
        """Show what is known of the account under the cursor."""
        row = self._table.cursor_row
        if row is not None:
            self.work(self._show_account(row), group="pane")

    async def _show_account(self, row: AccountRow) -> None:
        name = row.account.name
        if name not in self.abilities:
            from crm_tui.services.accounts.about import about

            self.abilities[name] = await asyncio.to_thread(about, name)
        now, zone = self.host.now(), self.host.settings.operator.zone
        self._say_in("#pane-title", styled(row.account.title, Role.STRONG))
        self.query_one("#standing", Facts).set_facts(standing_facts(row, now=now, zone=zone))
        at, checks = self.trials.get(name, (now, None))
        tried = name in self.trials
        words = f"Tried at {since_words(at, now, zone=zone)}" if checks is not None else "Trying …"
        self._say_in("#trial-title", styled(words, Role.QUIET))
        self.query_one("#trial-title").display = tried
        self.query_one("#trial", Facts).set_facts(trial_facts(checks or []))
        facts = capability_facts(self.abilities[name], acknowledged=row.account.acknowledged)
        self.query_one("#can", Facts).set_facts(facts)

    @property
    def _section(self) -> Section:
        return self._sections.cursor_row or SECTIONS[0]

    @on(RowHighlighted, "#sections")
    def _show_section(self) -> None:
        section = self._section
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

    def go_to(self, title: str) -> None:
        """Go to the account that is called so; before the screen is shown, begin there."""
        self._begin_with = title
        if self._rows:
            self._sections.move_to(0)
            self.set_focus(self._table)
            self._read()

    # The next start

    def keep(self) -> Place:
        """The account under the cursor."""
        return Place(cursor=self._table.cursor_id)

    def restore(self, place: Place) -> None:
        """Begin there."""
        self._begin_at = place.cursor

    # Sections

    def action_sections(self) -> None:
        """To the sections."""
        self.set_focus(self._sections)

    @on(RowOpened, "#sections")
    def _go_in(self) -> None:
        if self._section.name == PROVIDERS:
            self.set_focus(self._table)
        elif self._section.name == PLANS:
            self.work(self._run("plans"), group="plans")
        elif self._section.name == APPEARANCE:
            self.work(self._run("theme"), group="theme")
        else:
            self.set_focus(self.query_one("#section"))

    async def _run(self, action: str) -> None:
        await self.app.run_action(action)

    def back(self) -> bool:
        """From another section to the accounts."""
        if self.focused is self._table and not self.has_class("-other"):
            return False
        self._sections.move_to(0)
        self.set_focus(self._table)
        return True

    # What is changed here

    def why_not(self, action_id: str) -> str | None:
        """What an account does not do or lacks; what of a section is not changed here."""
        name = action_id.partition(".")[2]
        if name not in {"edit", "test", "use", "forget"}:
            return None
        return (
            self._why_not_section(name) if self.has_class("-other") else self.why_not_account(name)
        )

    @on(RowOpened, "#accounts")
    def action_edit(self) -> None:
        """Change what is under the cursor."""
        if (why := self.why_not("settings.edit")) is not None:
            self.host.say(why)
        elif self.has_class("-other"):
            self._edit_section(self._section)
        else:
            self.edit_account()

    def _why_not_section(self, name: str) -> str | None:
        """Why a section, or what is in it, cannot be changed here."""
        section = self._section
        if name != "edit":
            return "That is done with an account: esc leads to them."
        if self.host.is_demo:
            return DEMO
        if section.name == PLANS:
            return "enter opens the plans."
        if section.name == APPEARANCE:
            return "enter chooses a theme; the rest is set in config.toml."
        if section_form(section, self.host.settings, _nothing) is None:
            return section.note or "It is set in config.toml."
        return None

    def _edit_section(self, section: Section) -> None:
        async def save(values: Mapping[str, str]) -> None:
            from crm_tui.services.config_file import change, read_again

            host = self.host
            changes = section_changes(section, values)
            await asyncio.to_thread(change, host.config, changes)
            host.settings = await asyncio.to_thread(read_again, host.config, host.settings)

        def saved(done: bool | None) -> None:  # noqa: FBT001 - Textual's callback
            if done:
                self.work(self.go_on(self.host.settings), group="take up")

        form = section_form(section, self.host.settings, save)
        if form is not None:
            self.app.push_screen(form, saved)


async def _nothing(_values: Mapping[str, str]) -> None:
    """For asking whether there is a form at all."""


def _load() -> None:
    """Load what reads accounts: not on the event loop."""
    import crm_tui.services.accounts.changing
    import crm_tui.services.accounts.listing
    import crm_tui.services.trying  # noqa: F401

"""What is done with an account of the settings: changing, trying and using it, forgetting its key."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from crm_tui.screens.base import AppScreen
from crm_tui.screens.dialogs import Confirm
from crm_tui.screens.settings_accounts import KEY_FIELD, account_form, told
from crm_tui.widgets.look import Role

if TYPE_CHECKING:
    from crm_tui.config import Settings
    from crm_tui.services.accounts.about import Can, Check
    from crm_tui.services.accounts.listing import Account

DEMO = "This is a demo: its accounts are made up, and nothing is changed."


class AccountDesk(AppScreen):
    """A screen with an account under its cursor.

    Attributes:
        abilities: what the providers can do that were looked at, by their names.
        trials: when accounts were tried out, and what was found; None while that goes on.
    """

    def __init__(self) -> None:
        super().__init__()
        self.abilities: dict[str, Can] = {}
        self.trials: dict[str, tuple[datetime, list[Check] | None]] = {}
        self._problem = ""

    @property
    @abstractmethod
    def account(self) -> Account | None:
        """The account under the cursor; None before it is read."""

    @abstractmethod
    async def read_accounts(self, *, look_for_keys: bool = False) -> None:
        """Read again how the accounts stand, and where their keys are if that is asked for."""

    @abstractmethod
    def show_account(self) -> None:
        """Show again all that is known of the account."""

    def why_not_account(self, name: str) -> str | None:
        """Why something cannot be done with the account under the cursor."""
        account = self.account
        if account is None:
            return "How the accounts stand is still being read."
        if self.host.is_demo:
            return DEMO
        return next((why for each, why in _reasons(account) if each == name), None)

    def edit_account(self) -> None:
        """Change the account, or add it."""
        if self.account is not None:
            self.work(self._edit(self.account), group="edit")

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

    def _saved(self, account: Account, saved: bool | None) -> None:  # noqa: FBT001 - Textual's callback
        if saved:
            self.work(self._take_up(account), group="take up")

    async def _take_up(self, account: Account) -> None:
        await self.host.use_settings(self.host.settings)
        await self.read_accounts(look_for_keys=True)
        if self._problem:
            self.host.say(self._problem, Role.ATTENTION)
            return
        await self._try(account)

    def action_test(self) -> None:
        """Try the account out."""
        if self.account is not None:
            self.work(self._try(self.account), group="try")

    async def _try(self, account: Account) -> None:
        from crm_tui.services.trying import try_account

        host, name = self.host, account.name
        begun = self.trials[name] = (host.now(), None)
        self.show_account()
        try:
            checks = await try_account(name, host.settings, host.mail_work.environ)
        except BaseException:
            if self.trials.get(name) is begun:
                del self.trials[name]
                self.show_account()
            raise
        self.trials[name] = (host.now(), checks)
        self.show_account()
        wrong = next((each for each in checks if not each.ok), None)
        if wrong is None:
            host.say(f"{account.title} works.", Role.GOOD)
        else:
            host.say(f"{account.title}: {wrong.words}", Role.BAD)

    def action_use(self) -> None:
        """Send through the account."""
        account = self.account
        if account is None:
            return
        can = self.abilities.get(account.name)
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
        await self.go_on(settings)
        what = "Text messages go" if account.channel == "sms" else "Mail goes"
        again = " The worker that runs elsewhere has to be started again." if elsewhere else ""
        host.say(f"{what} through {account.title}.{again}", Role.GOOD)

    async def go_on(self, settings: Settings) -> None:
        """Go on with other settings, and show them."""
        await self.host.use_settings(settings)
        await self.read_accounts(look_for_keys=True)

    def action_forget(self) -> None:
        """Forget the key of the account."""
        account = self.account
        if account is None:
            return
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
        self.trials.pop(account.name, None)
        await self.go_on(settings)
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
    if account.channel == "payments":
        yield "use", f"{title} sends nothing; L on a lead makes its page to pay at."
    if account.does:
        yield "use", f"{title} {account.does} already."
    if account.key != "keyring":
        yield "forget", f"There is no key of {title} in the keyring."

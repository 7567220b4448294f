"""Adding an account, having it send, and forgetting its key."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from crm_tui.config import Settings
from crm_tui.errors import BadInput, WrongUsage
from crm_tui.providers.catalog import OUTBOX, TITLES
from crm_tui.providers.keys import variable_of
from crm_tui.services.accounts import keys
from crm_tui.services.accounts.known import (
    MAIL,
    TEXTS,
    key_title,
    require,
    sends,
    to_set,
    username_of,
)
from crm_tui.services.config_file import Changes, change, read_again


@dataclass(frozen=True, slots=True)
class Added:
    """What came of adding an account.

    Attributes:
        settings: as they are now.
        changed: whether the configuration file was changed.
        key: where the key is found now; "" where nowhere.
        problem: why the key that was given was not kept, and what to do; "" where it was.
    """

    settings: Settings
    changed: bool
    key: str
    problem: str


async def add(
    config: Path | None,
    name: str,
    values: Mapping[str, str],
    key: str,
    *,
    settings: Settings,
    environment: Mapping[str, str],
    use: bool = False,
) -> Added:
    """Set an account in the configuration file, and keep its key in the keyring.

    Args:
        config: the configuration file; the default one where none is named.
        name: which account.
        values: what it is told, by the names of `known.NEEDED`.
        key: its key; "" leaves the one there is.
        settings: as they are before.
        environment: the environment's variables.
        use: whether mail, or text messages, go through it from now on.

    Raises:
        WrongUsage: there is no such account, or it does not have or do that.
        BadInput: a value cannot be set; nothing was changed.
    """
    changes: dict[str, Mapping[str, str | int]] = {}
    written = to_set(require(name), values)
    if key and not written.get("username", username_of(name, settings)):
        raise BadInput(f"A {key_title(name)} is somebody's: the user is missing.")
    if written:
        changes[f"providers.{name}"] = written
    if use:
        changes |= _use(name)
    changed = await asyncio.to_thread(change, config, changes) if changes else False
    now = await asyncio.to_thread(read_again, config, settings) if changed else settings
    problem = ""
    if key:
        try:
            await keys.keep(name, now, key)
        except BadInput as error:
            problem = str(error)
    return Added(now, changed, await keys.place(name, now, environment), problem)


async def use(config: Path | None, name: str, *, settings: Settings) -> Settings:
    """Have mail, or text messages, go through an account; the settings as they are then.

    Raises:
        WrongUsage: nothing can go through it.
        BadInput: it is not set up.
    """
    await asyncio.to_thread(change, config, _use(name))
    return await asyncio.to_thread(read_again, config, settings)


def _use(name: str) -> Changes:
    if name in {*MAIL, OUTBOX}:
        return {"email": {"provider": name}}
    if name in TEXTS:
        return {"sms": {"provider": name}}
    raise WrongUsage(f"{require(name)} does not send; mail goes through {', '.join(MAIL)}.")


@dataclass(frozen=True, slots=True)
class Removed:
    """What came of forgetting a key: whether there was one, and where one is found still."""

    forgotten: bool
    left: str


async def remove(name: str, *, settings: Settings, environment: Mapping[str, str]) -> Removed:
    """Forget the key of an account; what is set and what it told stays.

    Raises:
        WrongUsage: there is no such account.
    """
    forgotten = await keys.forget(require(name), settings)
    return Removed(forgotten, await keys.place(name, settings, environment))


def removed_words(name: str, done: Removed, settings: Settings) -> str:
    """What became of a key, in sentences."""
    title, what = TITLES[name], key_title(name)
    words = f"The {what} of {title} is forgotten." if done.forgotten else ""
    if done.left == "environment":
        words += f" {variable_of(name)} is set in the environment, which cannot be changed here."
    elif done.left:
        words += f" One is still found: {done.left}."
    elif not done.forgotten:
        words = f"There was no {what} of {title} in the keyring."
    if sends(name, settings) and not done.left:
        words += f" Messages still go through {title}, and wait until there is one."
    return words.strip()

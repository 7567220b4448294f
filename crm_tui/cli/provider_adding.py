"""`crm-tui providers add`: asking for what an account needs, and saying what came of it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from getpass import getpass
from typing import TYPE_CHECKING

import typer

from crm_tui.cli.output import Exit, invocation, say, show_json
from crm_tui.errors import BadInput, WrongUsage
from crm_tui.providers.catalog import TITLES
from crm_tui.services.accounts import changing, keys, known
from crm_tui.services.campaigns.gate import ACKNOWLEDGE
from crm_tui.services.campaigns.policies import policy_of
from crm_tui.services.trying import try_account

if TYPE_CHECKING:
    from crm_tui.config import Settings

_STDIN = "-"


def add_account(
    context: typer.Context,
    name: str,
    given: Mapping[str, str],
    *,
    key: str | None,
    use: bool,
    test: bool,
    json: bool,
) -> None:
    """Add an account; ends the program with what was left undone.

    Raises:
        UserError: it cannot be added; nothing was changed.
    """
    asked = invocation(context)
    settings = asked.settings if asked.config is None or asked.config.exists() else _defaults()
    known.require(name)
    values = _values(name, settings, given)
    secret = _key(name, settings, values, key)
    added = asyncio.run(
        changing.add(
            asked.config,
            name,
            values,
            secret,
            settings=settings,
            environment=os.environ,
            use=use,
        )
    )
    _say_added(name, added, settings, use=use)
    checks = []
    if test:
        typed = keys.given(secret) if secret else None
        checks = asyncio.run(try_account(name, added.settings, os.environ, key=typed))
    for check in checks:
        say(f"{'ok' if check.ok else 'no'}  {check.step}: {check.words}")
    works = all(check.ok for check in checks)
    if json:
        show_json(
            {
                "provider": name,
                "ok": works,
                "changed": added.changed,
                "key": {"found": bool(added.key), "place": added.key, "problem": added.problem},
                "sends": known.sends(name, added.settings),
                "policy": policy_of(name),
                "checks": [{"step": e.step, "ok": e.ok, "words": e.words} for e in checks],
            }
        )
    if not works:
        raise typer.Exit(Exit.PROVIDER_FAILED)
    if added.problem:
        raise typer.Exit(Exit.IN_PART)


def _defaults() -> Settings:
    from crm_tui.config import Settings

    return Settings()


def _values(name: str, settings: Settings, given: Mapping[str, str]) -> dict[str, str]:
    """What the account is told: what was given, else asked for, else as it is."""
    before = known.values_of(name, settings)
    values = dict(given)
    for each in known.NEEDED[name]:
        if each.name in given:
            continue
        if each.name == "region" and "base_url" in given:
            continue
        if sys.stdin.isatty():
            hint = f" ({each.hint or ', '.join(each.options)})"
            values[each.name] = typer.prompt(
                each.asks + (hint if not before[each.name] else ""),
                default=before[each.name] or None if not each.optional else before[each.name],
                err=True,
            )
        elif not before[each.name] and not each.optional:
            option = each.name.replace("_", "-")
            raise BadInput(f"{each.asks}: nothing is given. Say --{option}.")
    known.to_set(name, values)  # what is wrong is said before a key is asked for
    return values


def _key(name: str, settings: Settings, values: Mapping[str, str], key: str | None) -> str:
    """The key that was given or asked for; "" keeps the one there is."""
    title = known.key_title(name)
    if key == _STDIN:
        typed = sys.stdin.readline().strip()
        if not typed:
            raise BadInput(f"Nothing came in on standard input: there is no {title}.")
        return typed
    if key is not None:
        raise WrongUsage(
            f"The {title} is not given on the command line, where others can see it:"
            " --key - reads it from standard input."
        )
    if not sys.stdin.isatty() or not (values.get("username", "any") or _username(name, settings)):
        return ""
    there = asyncio.run(keys.place(name, settings, os.environ))
    words = f"{title[0].upper()}{title[1:]}" + (" (empty keeps the one there is)" if there else "")
    # Not click's prompt: it asks before it turns the echo off, and shows what is pasted at once.
    return getpass(f"{words}: ").strip()


def _username(name: str, settings: Settings) -> str:
    return str(getattr(known.settings_of(name, settings), "username", ""))


def _say_added(name: str, added: changing.Added, before: Settings, *, use: bool) -> None:
    settings = added.settings
    if policy := policy_of(name):
        say(policy)
        if use and name not in settings.compliance.policies_acknowledged:
            say(f"Before a campaign starts, confirm that you know it: {ACKNOWLEDGE}")
    if added.problem:
        say(added.problem)
    elif not added.key and keys.needs_key(name, settings):
        title = known.key_title(name)
        say(f"No {title} is found: give it with --key -, or set {keys.variable(name)}.")
    if known.sends(name, settings) and not known.sends(name, before):
        what = "Text messages go" if name in known.TEXTS else "Mail goes"
        say(
            f"{what} through {TITLES[name]} from now on; what runs already has to be started again."
        )
    elif not known.sends(name, settings) and name in {*known.MAIL, *known.TEXTS}:
        say(f"Nothing goes through it yet: crm-tui providers use {name}")

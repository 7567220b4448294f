"""`crm-tui providers …`: the accounts mail goes and comes through."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crm_tui.cli.output import Exit, invocation, say, show_json, show_table, with_store
from crm_tui.clock import utc_now
from crm_tui.errors import BadInput

if TYPE_CHECKING:
    from crm_tui.config import ImapSettings, Settings, SmtpSettings
    from crm_tui.db.engine import Database
    from crm_tui.providers.base import Check

app = typer.Typer(help="Accounts for mail: list them, try them out.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


@app.command("list")
def list_providers(context: typer.Context, *, json: Json = False) -> None:
    """List the accounts of the configuration file; passwords are never shown."""
    settings = invocation(context).settings
    known = settings.providers
    rows: list[tuple[str, SmtpSettings | ImapSettings]] = [
        ("smtp", known.smtp),
        ("imap", known.imap),
    ]
    if json:
        found: list[dict[str, Any]] = [
            {
                "name": name,
                "host": each.host,
                "port": each.port,
                "security": each.security,
                "username": each.username,
                "set": bool(each.host),
            }
            for name, each in rows
        ]
        show_json({"providers": found, "sends": settings.email.provider})
        return
    show_table(
        ("Name", "Server", "Security", "User"),
        [
            (name, f"{each.host}:{each.port}" if each.host else "", each.security, each.username)
            for name, each in rows
        ],
    )


@app.command("test")
def try_out(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="smtp or imap.")],
    *,
    plus: Annotated[
        bool,
        typer.Option(
            "--plus",
            help="With imap: send a mail to yourself, to see whether addresses with a plus arrive.",
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --plus: do not ask first.")] = False,
    json: Json = False,
) -> None:
    """Try an account out, step by step; nothing is sent, nothing is marked as read."""
    import asyncio

    from crm_tui.services.trying import try_account

    settings = invocation(context).settings
    if plus and name != "imap":
        raise typer.BadParameter("--plus is tried with imap, where the mail has to arrive.")
    checks = asyncio.run(try_account(name, settings, os.environ))
    works = all(check.ok for check in checks)
    if plus and works:
        check, works = _try_plus(context, settings, yes=yes)
        checks.append(check)
    for check in checks:
        say(f"{'ok' if check.ok else 'no'}  {check.step}: {check.words}")
    if json:
        steps = [{"step": each.step, "ok": each.ok, "words": each.words} for each in checks]
        show_json({"provider": name, "ok": works, "checks": steps})
    if not works:
        raise typer.Exit(Exit.PROVIDER_FAILED)


def _try_plus(context: typer.Context, settings: Settings, *, yes: bool) -> tuple[Check, bool]:
    """Try addresses with a plus, and remember whether they arrive; whether that could be tried.

    That they do not arrive is no failure.
    """
    address = settings.sender.email
    if not address:
        raise BadInput("No address is set to send from: set email under [sender] in config.toml.")
    if not yes:
        if not sys.stdin.isatty():
            raise BadInput("A mail is sent to yourself for this; say --yes that it may be.")
        typer.confirm(f"Send a mail to {address}?", abort=True, err=True)
    say(f"Sending a mail to {address} with a plus, and waiting for it to arrive.")

    async def work(db: Database) -> tuple[Check, bool]:
        from crm_tui.providers.base import Check, ProviderError
        from crm_tui.services.sending import standing
        from crm_tui.services.trying import try_plus

        try:
            check = await try_plus(settings, os.environ, store=db.path, now=utc_now())
        except ProviderError as error:
            return Check("plus", ok=False, words=f"A plus could not be tried: {error}"), False
        async with db.write() as session:
            await standing.put(session, standing.PLUS, check.ok)
        return check, True

    return with_store(context, work)

"""`crm-tui providers …`: the accounts messages go and come through."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crm_tui.cli.output import Exit, invocation, say, show_json, show_table, with_store
from crm_tui.clock import utc_now
from crm_tui.errors import BadInput

if TYPE_CHECKING:
    from crm_tui.config import Settings
    from crm_tui.db.engine import Database
    from crm_tui.providers.base import Check
    from crm_tui.services.accounts.listing import Account

app = typer.Typer(
    help="Accounts for mail, text messages and payments: list, add, use and try them.",
    no_args_is_help=True,
)

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Name = Annotated[
    str,
    typer.Argument(metavar="NAME", help="smtp, imap, mailgun, resend, brevo, twilio or stripe."),
]


@app.command("list")
def list_providers(context: typer.Context, *, json: Json = False) -> None:
    """List the accounts: what is set, what sends, when each was polled; no secret is shown."""
    settings = invocation(context).settings

    async def work(db: Database) -> list[Account]:
        import asyncio

        from crm_tui.services.accounts import keys, known, listing
        from crm_tui.services.sending.standing import home_of

        found = await keys.places(known.NAMES, settings, os.environ)
        home = await asyncio.to_thread(home_of, db.path)
        async with db.read() as session:
            return await listing.accounts(session, settings, found, home=home, now=utc_now())

    rows = with_store(context, work)
    from crm_tui.services.accounts import telling

    now, zone = utc_now(), settings.operator.zone
    if json:
        documents = [telling.document(each, settings, now=now, zone=zone) for each in rows]
        show_json(
            {
                "providers": documents,
                "sends": settings.email.provider,
                "sends_texts": settings.sms.provider,
            }
        )
        return
    show_table(
        ("Name", "State", "Where", "Key", "Does", "Last poll", "Newest event"),
        [
            (
                each.name,
                telling.state_words(each, now=now, zone=zone),
                each.where,
                telling.key_words(each) if each.is_set else "",
                each.does,
                telling.polled_words(each, now=now),
                telling.lag_words(each, now=now),
            )
            for each in rows
        ],
    )
    for each in rows:
        if each.problem:
            say(f"{each.name}: {each.problem}")
        if skew := telling.skew_words(each):
            say(f"{each.name}: {skew}.")
        for gap in each.gaps:
            say(f"{each.name}: nothing was told of {telling.gap_words(gap, zone=zone)}.")


@app.command("test")
def try_out(
    context: typer.Context,
    name: Name,
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
    _say_checks(checks)
    if json:
        show_json({"provider": name, "ok": works, "checks": _steps(checks)})
    if not works:
        raise typer.Exit(Exit.PROVIDER_FAILED)


def _say_checks(checks: Sequence[Check]) -> None:
    for check in checks:
        say(f"{'ok' if check.ok else 'no'}  {check.step}: {check.words}")


def _steps(checks: Sequence[Check]) -> list[dict[str, Any]]:
    return [{"step": each.step, "ok": each.ok, "words": each.words} for each in checks]


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


@app.command()
def add(
    context: typer.Context,
    name: Name,
    *,
    key: Annotated[
        str | None,
        typer.Option(
            metavar="-", help="- reads the key from standard input; else it is asked for."
        ),
    ] = None,
    domain: Annotated[str | None, typer.Option(help="mailgun: the sending domain.")] = None,
    region: Annotated[str | None, typer.Option(help="mailgun: us or eu.")] = None,
    account_sid: Annotated[str | None, typer.Option(help="twilio: the account, AC….")] = None,
    from_number: Annotated[
        str | None, typer.Option(help="twilio: the number, or the messaging service MG….")
    ] = None,
    host: Annotated[str | None, typer.Option(help="smtp, imap: the server.")] = None,
    port: Annotated[str | None, typer.Option(help="smtp, imap: its port.")] = None,
    security: Annotated[
        str | None, typer.Option(help="smtp, imap: starttls, tls, or none on this machine.")
    ] = None,
    username: Annotated[str | None, typer.Option(help="smtp, imap: who logs in.")] = None,
    mode: Annotated[str | None, typer.Option(help="stripe: live, or test for play money.")] = None,
    base_url: Annotated[str | None, typer.Option(help="Another address of the API.")] = None,
    use: Annotated[bool, typer.Option("--use", help="Send through it from now on.")] = False,
    test: Annotated[bool, typer.Option("--test/--no-test", help="Try it out at the end.")] = True,
    json: Json = False,
) -> None:
    """Add an account, or change it: its key goes into the keyring, the rest into config.toml."""
    options = {
        "domain": domain,
        "region": region,
        "account_sid": account_sid,
        "from_number": from_number,
        "host": host,
        "port": port,
        "security": security,
        "username": username,
        "mode": mode,
        "base_url": base_url,
    }
    given = {each: value for each, value in options.items() if value is not None}
    from crm_tui.cli.provider_adding import add_account

    add_account(context, name, given, key=key, use=use, test=test, json=json)


@app.command()
def use(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="smtp, mailgun, resend, brevo or outbox for mail; twilio for text messages.",
        ),
    ],
) -> None:
    """Send through this account from now on."""
    import asyncio

    from crm_tui.services.accounts import changing

    asked = invocation(context)
    asyncio.run(changing.use(asked.config, name, settings=asked.settings))
    say(_used(name))


def _used(name: str) -> str:
    from crm_tui.services.accounts.known import TEXTS

    what = "Text messages go" if name in TEXTS else "Mail goes"
    return f"{what} through {name} from now on; what runs already has to be started again."


@app.command()
def remove(context: typer.Context, name: Name, *, json: Json = False) -> None:
    """Forget the key of an account; what is set, and what it told, stays."""
    import asyncio

    from crm_tui.services.accounts import changing

    settings = invocation(context).settings
    done = asyncio.run(changing.remove(name, settings=settings, environment=os.environ))
    if json:
        show_json({"provider": name, "forgotten": done.forgotten, "key": {"place": done.left}})
    say(changing.removed_words(name, done, settings))
    if done.left or not done.forgotten:
        raise typer.Exit(Exit.IN_PART if done.forgotten else Exit.REFUSED)

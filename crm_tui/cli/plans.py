"""`crm-tui plans …`: what is sold, and for how much."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from crm_tui.cli.completions import plans as plan_names
from crm_tui.cli.money_words import plan_document
from crm_tui.cli.output import invocation, say, show_json, show_table, with_store
from crm_tui.clock import utc_now
from crm_tui.errors import WrongUsage
from crm_tui.money import amount_words, currency_code, parse_amount
from crm_tui.text import plural, visible
from crm_tui.vocabulary import Interval

if TYPE_CHECKING:
    from crm_tui.db.engine import Database

app = typer.Typer(help="What is sold: add, list, edit, archive.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Plan = Annotated[
    str,
    typer.Argument(metavar="PLAN", help="Its name or number.", autocompletion=plan_names),
]
Often = Annotated[
    Interval,
    typer.Option(metavar="month|year|once", help="How often it is paid."),
]

_INTERVALS = (Interval.MONTH, Interval.YEAR, Interval.ONCE)


@app.command()
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is called.")],
    amount: Annotated[str, typer.Option(help="What it costs each time, such as 49.00.")],
    currency: Annotated[
        str, typer.Option(help="Three letters [default: that of the settings].")
    ] = "",
    interval: Often = Interval.MONTH,
    setup_fee: Annotated[
        str, typer.Option("--setup-fee", help="What is paid beside it at the beginning.")
    ] = "0",
    *,
    json: Json = False,
) -> None:
    """Add a plan, such as: plans add Basic --amount 49.00 --setup-fee 99."""
    code = currency_code(currency or invocation(context).settings.money.currency)
    price, fee = parse_amount(amount, code), parse_amount(setup_fee, code)
    _check_interval(interval)

    async def work(db: Database) -> None:
        from crm_tui.services import undo
        from crm_tui.services.money import plans

        entry, now = undo.Entry(), utc_now()
        words = f"added the plan {visible(name.strip(), 60)}"
        async with undo.action(db, words, now=now, entry=entry) as session:
            plan_id = await plans.add(session, name, price, code, interval, setup_fee=fee, now=now)
        await _answer(db, plan_id, "Added", entry.id, json=json)

    with_store(context, work)


@app.command("list")
def list_plans(
    context: typer.Context,
    *,
    archived: Annotated[bool, typer.Option("--all", help="Those in the archive, too.")] = False,
    json: Json = False,
) -> None:
    """List the plans."""

    async def work(db: Database) -> None:
        from crm_tui.services.money import plans

        async with db.read() as session:
            found = await plans.listed(session, with_archived=archived)
        if json:
            show_json({"plans": [plan_document(plan) for plan in found]})
            return
        show_table(
            ("ID", "Name", "Price", "At the beginning", "Paid", "Subscriptions", ""),
            [
                (
                    plan.id,
                    visible(plan.name, 60),
                    amount_words(plan.amount, plan.currency),
                    amount_words(plan.first, plan.currency) if plan.setup_fee else "",
                    "once" if plan.interval is Interval.ONCE else f"each {plan.interval}",
                    plan.running,
                    "archived" if plan.archived_at else "",
                )
                for plan in found
            ],
        )
        say(plural(len(found), "plan"))

    with_store(context, work)


@app.command()
def edit(
    context: typer.Context,
    plan: Plan,
    name: Annotated[str | None, typer.Option(help="Another name.")] = None,
    amount: Annotated[str | None, typer.Option(help="What it costs each time.")] = None,
    currency: Annotated[str | None, typer.Option(help="Three letters.")] = None,
    interval: Annotated[
        Interval | None, typer.Option(metavar="month|year|once", help="How often it is paid.")
    ] = None,
    setup_fee: Annotated[
        str | None, typer.Option("--setup-fee", help="What is paid beside it at the beginning.")
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Change a plan; its price only while no subscription and no way to pay goes by it."""
    if interval is not None:
        _check_interval(interval)

    async def work(db: Database) -> None:
        from crm_tui.services import undo
        from crm_tui.services.money import plans

        entry, now = undo.Entry(), utc_now()
        async with db.read() as session:
            old = await plans.named(session, plan, archived_too=True)
        code = old.currency if currency is None else currency_code(currency)
        if code != old.currency and amount is None:
            raise WrongUsage("Say the amount in the new currency, too: --amount 49.00.")
        fee = None if setup_fee is None else parse_amount(setup_fee, code)
        async with undo.action(db, f"changed the plan {old.name}", now=now, entry=entry) as session:
            changed = await plans.edit(
                session,
                old.id,
                name=name,
                amount=None if amount is None else parse_amount(amount, code),
                currency=code,
                interval=interval,
                setup_fee=fee,
            )
        said = "Changed" if changed else "Nothing was different of"
        await _answer(db, old.id, said, entry.id, json=json)

    with_store(context, work)


@app.command()
def archive(context: typer.Context, plan: Plan, *, json: Json = False) -> None:
    """Sell nothing by a plan any more; who pays by it goes on."""

    async def work(db: Database) -> None:
        from crm_tui.services import undo
        from crm_tui.services.money import plans

        entry, now = undo.Entry(), utc_now()
        async with db.read() as session:
            old = await plans.named(session, plan, archived_too=True)
        async with undo.action(
            db, f"archived the plan {old.name}", now=now, entry=entry
        ) as session:
            done = await plans.archive(session, old.id, now=now)
        said = "Archived" if done else "It was archived already:"
        await _answer(db, old.id, said, entry.id, json=json)

    with_store(context, work)


@app.command()
def unarchive(context: typer.Context, plan: Plan, *, json: Json = False) -> None:
    """Sell by a plan again."""

    async def work(db: Database) -> None:
        from crm_tui.services import undo
        from crm_tui.services.money import plans

        entry, now = undo.Entry(), utc_now()
        async with db.read() as session:
            old = await plans.named(session, plan, archived_too=True)
        words = f"took the plan {old.name} out of the archive"
        async with undo.action(db, words, now=now, entry=entry) as session:
            done = await plans.unarchive(session, old.id)
        said = "Offered again:" if done else "It was not archived:"
        await _answer(db, old.id, said, entry.id, json=json)

    with_store(context, work)


def _check_interval(interval: Interval) -> None:
    if interval not in _INTERVALS:
        raise WrongUsage(f'"{interval}" is no interval of a plan: month, year, once.')


async def _answer(
    db: Database, plan_id: int, said: str, undo_id: int | None, *, json: bool
) -> None:
    from crm_tui.services.money import plans

    async with db.read() as session:
        plan = await plans.required(session, plan_id)
    say(f"{said} the plan {visible(plan.name, 60)} ({plan.id}): {plan.price}.")
    if json:
        show_json({"plan": plan_document(plan), "undo": undo_id})

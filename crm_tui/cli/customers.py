"""`crm-tui customers …` and `crm-tui subscriptions …`: who bought, and what they pay again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from crm_tui.cli.completions import plans as plan_names
from crm_tui.cli.money_words import customer_document, subscription_document
from crm_tui.cli.one_lead import assignment
from crm_tui.cli.output import MOST_ID, invocation, say, show_json, show_table, with_store
from crm_tui.clock import local_stamp, utc_now
from crm_tui.money import amount_words
from crm_tui.text import plural, visible
from crm_tui.vocabulary import Interval

if TYPE_CHECKING:
    from crm_tui.db.engine import Database, WriteSession
    from crm_tui.services.money.rows import SubscriptionRow

customers = typer.Typer(help="Customers: list, edit.", no_args_is_help=True)
subscriptions = typer.Typer(
    help="Subscriptions: list, end, pause, resume, change.", no_args_is_help=True
)


def register(root: typer.Typer) -> None:
    """Add both groups to the root."""
    root.add_typer(customers, name="customers")
    root.add_typer(subscriptions, name="subscriptions")


Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Limit = Annotated[int | None, typer.Option(min=0, help="At most this many.")]
Day = Annotated[
    str | None, typer.Option("--on", metavar="DATE", help="When, 2026-11-20 [default: now].")
]
Number = Annotated[
    int, typer.Argument(metavar="SUBSCRIPTION", help="Its number.", min=1, max=MOST_ID)
]


@customers.command("list")
def list_customers(context: typer.Context, limit: Limit = None, *, json: Json = False) -> None:
    """List who bought, the latest first: where they stand, what they paid and bring."""
    settings = invocation(context).settings

    async def work(db: Database) -> None:
        from crm_tui.services.money import listing

        modes = listing.counted(settings)
        async with db.read() as session:
            found = await listing.customers(session, modes=modes, limit=limit)
        if json:
            show_json({"customers": [customer_document(each) for each in found]})
            return
        zone = settings.operator.zone
        show_table(
            ("Lead", "Name", "State", "Since", "Paid", "A month"),
            [
                (
                    each.business_id,
                    visible(each.business, 40),
                    each.state.replace("_", " "),
                    local_stamp(each.first_payment_at, zone=zone)[:10]
                    if each.first_payment_at
                    else "",
                    ", ".join(amount_words(amount, code) for code, amount in each.paid),
                    ", ".join(amount_words(amount, code) for code, amount in each.mrr),
                )
                for each in found
            ],
        )
        say(plural(len(found), "customer"))

    with_store(context, work)


@customers.command("edit")
def edit_customer(
    context: typer.Context,
    lead: Annotated[int, typer.Argument(metavar="ID", help="The lead.", min=1, max=MOST_ID)],
    assignments: Annotated[
        list[str],
        typer.Argument(
            metavar="FIELD=VALUE…",
            help="name, email, street, city, region, postal_code, country, tax_id.",
        ),
    ],
    *,
    json: Json = False,
) -> None:
    """Change what invoices say of a customer, such as: customers edit 12 tax_id=DE123456789."""
    settings = invocation(context).settings
    changes = dict(assignment(text) for text in assignments)

    async def work(db: Database) -> None:
        from crm_tui.services import leads, undo
        from crm_tui.services.money import customers as service
        from crm_tui.services.money import listing

        entry, now = undo.Entry(), utc_now()
        async with db.read() as session:
            name = visible(await leads.require(session, lead), 60)
        words = f"changed what invoices say of {name}"
        async with undo.action(db, words, now=now, entry=entry) as session:
            changed = await service.edit(session, lead, changes, now=now)
        fields = ", ".join(field.replace("_", " ") for field in changed)
        say(f"Changed {fields} of {name} for invoices." if changed else "Nothing was different.")
        if json:
            modes = listing.counted(settings)
            async with db.read() as session:
                found = await listing.customers(session, modes=modes, business_id=lead)
            document = customer_document(found[0]) if found else None
            show_json({"customer": document, "undo": entry.id})

    with_store(context, work)


@subscriptions.command("list")
def list_subscriptions(
    context: typer.Context,
    lead: Annotated[
        int | None,
        typer.Option(metavar="ID", help="Those of this lead only.", min=1, max=MOST_ID),
    ] = None,
    limit: Limit = None,
    *,
    json: Json = False,
) -> None:
    """List subscriptions, those that have ended too, the latest first."""
    settings = invocation(context).settings

    async def work(db: Database) -> None:
        from crm_tui.services import leads
        from crm_tui.services.money import listing

        modes = listing.counted(settings)
        async with db.read() as session:
            if lead is not None:
                await leads.require(session, lead)
            found = await listing.subscriptions(session, modes=modes, business_id=lead, limit=limit)
        if json:
            show_json({"subscriptions": [subscription_document(each) for each in found]})
            return
        zone = settings.operator.zone

        def day(at: datetime | None) -> str:
            return "" if at is None else local_stamp(at, zone=zone)[:10]

        show_table(
            ("ID", "Lead", "Name", "State", "Price", "Plan", "Began", "Paid until", "Ends", "At"),
            [
                (
                    each.id,
                    each.business_id,
                    visible(each.business, 40),
                    each.state.replace("_", " "),
                    _price(each),
                    visible(each.plan or "", 30),
                    day(each.started_at),
                    day(each.current_period_end),
                    day(each.ended_at or each.cancel_at),
                    each.provider,
                )
                for each in found
            ],
        )
        say(plural(len(found), "subscription"))

    with_store(context, work)


def _price(each: SubscriptionRow) -> str:
    often = f"{each.interval_count} {each.interval}s" if each.interval_count > 1 else each.interval
    amount = amount_words(each.amount, each.currency)
    return amount if each.interval is Interval.ONCE else f"{amount} each {often}"


@subscriptions.command()
def end(context: typer.Context, number: Number, on: Day = None, *, json: Json = False) -> None:
    """End a subscription that is paid by hand."""

    async def work(session: WriteSession, at: datetime | None, now: datetime) -> None:
        from crm_tui.services.money import subscriptions as service

        await service.end(session, number, at=at, now=now)

    _change(context, number, on, "ended", work, json=json)


@subscriptions.command()
def pause(context: typer.Context, number: Number, on: Day = None, *, json: Json = False) -> None:
    """Have a subscription that is paid by hand wait until it is resumed."""

    async def work(session: WriteSession, at: datetime | None, now: datetime) -> None:
        from crm_tui.services.money import subscriptions as service

        await service.pause(session, number, at=at, now=now)

    _change(context, number, on, "paused", work, json=json)


@subscriptions.command()
def resume(context: typer.Context, number: Number, on: Day = None, *, json: Json = False) -> None:
    """Have a subscription go on that was paused."""

    async def work(session: WriteSession, at: datetime | None, now: datetime) -> None:
        from crm_tui.services.money import subscriptions as service

        await service.resume(session, number, at=at, now=now)

    _change(context, number, on, "resumed", work, json=json)


@subscriptions.command()
def change(
    context: typer.Context,
    number: Number,
    plan: Annotated[
        str, typer.Option(help="The plan it goes by from then on.", autocompletion=plan_names)
    ],
    on: Day = None,
    *,
    json: Json = False,
) -> None:
    """Have a subscription that is paid by hand go by another plan."""

    async def work(session: WriteSession, at: datetime | None, now: datetime) -> None:
        from crm_tui.services.money import plans
        from crm_tui.services.money import subscriptions as service

        wanted = await plans.named(session, plan)
        await service.change(session, number, wanted, at=at, now=now)

    _change(context, number, on, f"changed to {plan}", work, json=json)


def _change(
    context: typer.Context,
    number: int,
    on: str | None,
    done: str,
    work: Callable[[WriteSession, datetime | None, datetime], Awaitable[None]],
    *,
    json: bool,
) -> None:
    """Do something to a subscription as one action, and say so."""
    zone = invocation(context).settings.operator.zone

    async def act(db: Database) -> None:
        from crm_tui.services import undo
        from crm_tui.services.money import listing
        from crm_tui.services.money import subscriptions as service
        from crm_tui.services.money.saying import read_day

        entry, now = undo.Entry(), utc_now()
        at = None if on is None else read_day(on, now=now, zone=zone)
        async with db.read() as session:
            _, name = await service.whose(session, number)
        words = f"{done.split(maxsplit=1)[0]} the subscription of {visible(name, 60)}"
        async with undo.action(db, words, now=now, entry=entry) as session:
            await work(session, at, now)
        say(f"Subscription {number} of {visible(name, 60)} {done}.")
        if json:
            async with db.read() as session:
                row = await listing.subscription(session, number)
            document = None if row is None else subscription_document(row)
            show_json({"subscription": document, "undo": entry.id})

    with_store(context, act)

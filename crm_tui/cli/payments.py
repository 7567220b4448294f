"""`crm-tui payments …`: what was paid, and what the operator records of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from crm_tui.cli import payment_links, tax
from crm_tui.cli.completions import plans as plan_names
from crm_tui.cli.money_words import payment_document
from crm_tui.cli.output import MOST_ID, invocation, say, show_json, show_table, with_store
from crm_tui.clock import local_stamp, utc_now
from crm_tui.errors import NotFound, WrongUsage
from crm_tui.money import amount_words, currency_code, parse_amount
from crm_tui.text import plural, visible

if TYPE_CHECKING:
    from crm_tui.db.engine import Database, ReadSession
    from crm_tui.services.money.rows import PaymentRow

app = typer.Typer(help="Payments: ask, record, list, give back.", no_args_is_help=True)
payment_links.register(app)
tax.register(app)

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Day = Annotated[
    str | None, typer.Option("--on", metavar="DATE", help="When, 2026-11-20 [default: now].")
]


@app.command()
def add(
    context: typer.Context,
    lead: Annotated[
        int, typer.Argument(metavar="ID", help="The lead that paid.", min=1, max=MOST_ID)
    ],
    amount: Annotated[
        str | None, typer.Option(help="How much, such as 49.00 [default: what the plan asks].")
    ] = None,
    currency: Annotated[
        str | None, typer.Option(help="Three letters [default: the plan's, or the settings'].")
    ] = None,
    plan: Annotated[
        str | None,
        typer.Option(help="What it is for; a name or number.", autocompletion=plan_names),
    ] = None,
    on: Day = None,
    method: Annotated[str, typer.Option(help="How: cash, bank, cheque or another word.")] = "cash",
    note: Annotated[str, typer.Option(help="A line about it.")] = "",
    *,
    json: Json = False,
) -> None:
    """Record a payment that no provider tells of, such as: payments add 12 --plan Basic."""
    settings = invocation(context).settings
    if amount is None and plan is None:
        raise WrongUsage("Say how much was paid: --amount 49.00.")

    async def work(db: Database) -> None:
        from crm_tui.services import leads, undo
        from crm_tui.services.money import by_hand, plans
        from crm_tui.services.money.listing import counted
        from crm_tui.services.money.saying import read_day

        entry, now = undo.Entry(), utc_now()
        at = None if on is None else read_day(on, now=now, zone=settings.operator.zone)
        async with db.read() as session:
            name = await leads.require(session, lead)
            bought = None if plan is None else await plans.named(session, plan)
            default = bought.currency if bought else settings.money.currency
            code = currency_code(default if currency is None else currency)
            if amount is not None:
                paid = parse_amount(amount, code)
            else:
                assert bought is not None
                paid = await by_hand.asked_for(session, lead, bought)
        words = f"recorded a payment of {amount_words(paid, code)} by {visible(name, 60)}"
        async with undo.action(db, words, now=now, entry=entry) as session:
            made = await by_hand.pay(
                session,
                lead,
                paid,
                code,
                plan=bought,
                paid_at=at,
                method=method,
                note=note,
                modes=counted(settings),
                now=now,
            )
        said = f"{visible(name, 60)} paid {amount_words(paid, code)} (payment {made.payment_id})."
        say(f"{said} {made.words}".strip())
        if json:
            async with db.read() as session:
                payment = await required(session, made.payment_id)
            show_json({"payment": payment_document(payment), "undo": entry.id})

    with_store(context, work)


@app.command("list")
def list_payments(
    context: typer.Context,
    lead: Annotated[
        int | None,
        typer.Option(metavar="ID", help="Those of this lead only.", min=1, max=MOST_ID),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=0, help="At most this many.")] = None,
    *,
    json: Json = False,
) -> None:
    """List payments, the latest first; what went back stands with its payment."""
    settings = invocation(context).settings

    async def work(db: Database) -> None:
        from crm_tui.services import leads
        from crm_tui.services.money import listing

        async with db.read() as session:
            if lead is not None:
                await leads.require(session, lead)
            found = await listing.payments(
                session, modes=listing.counted(settings), business_id=lead, limit=limit
            )
        if json:
            show_json({"payments": [payment_document(each) for each in found]})
            return
        zone = settings.operator.zone
        show_table(
            ("ID", "Date", "Lead", "Name", "Amount", "Given back", "State", "Plan", "How"),
            [
                (
                    each.id,
                    local_stamp(each.at, zone=zone)[:10],
                    each.business_id,
                    visible(each.business, 40),
                    amount_words(each.amount, each.currency).rjust(16),
                    amount_words(each.refunded, each.currency) if each.refunded else "",
                    each.state,
                    visible(each.plan or "", 30),
                    each.method,
                )
                for each in found
            ],
        )
        say(plural(len(found), "payment"))

    with_store(context, work)


@app.command()
def refund(
    context: typer.Context,
    payment: Annotated[
        int, typer.Argument(metavar="PAYMENT", help="Its number.", min=1, max=MOST_ID)
    ],
    amount: Annotated[
        str | None, typer.Option(help="How much, such as 20.00 [default: all that is left].")
    ] = None,
    on: Day = None,
    reason: Annotated[str, typer.Option(help="A line about why.")] = "",
    *,
    json: Json = False,
) -> None:
    """Record that money of a payment by hand was given back, part of it or all."""
    settings = invocation(context).settings

    async def work(db: Database) -> None:
        from crm_tui.services import undo
        from crm_tui.services.money import by_hand
        from crm_tui.services.money.saying import read_day

        entry, now = undo.Entry(), utc_now()
        at = None if on is None else read_day(on, now=now, zone=settings.operator.zone)
        async with db.read() as session:
            row = await required(session, payment)
        back = None if amount is None else parse_amount(amount, row.currency)
        name = visible(row.business, 60)
        async with undo.action(db, f"gave money back to {name}", now=now, entry=entry) as session:
            given = await by_hand.refund(
                session, payment, back, refunded_at=at, reason=reason, now=now
            )
        say(f"{amount_words(given, row.currency)} of payment {payment} went back to {name}.")
        if json:
            async with db.read() as session:
                row = await required(session, payment)
            show_json({"payment": payment_document(row), "undo": entry.id})

    with_store(context, work)


async def required(session: ReadSession, payment_id: int) -> PaymentRow:
    """A payment by its number.

    Raises:
        NotFound: there is no such payment.
    """
    from crm_tui.services.money import listing

    row = await listing.payment(session, payment_id)
    if row is None:
        raise NotFound(f"There is no payment {payment_id}. See `crm-tui payments list`.")
    return row

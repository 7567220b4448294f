"""`crm-tui payments link`, `links` and `request`: asking leads to pay."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crm_tui.cli.completions import plans as plan_names
from crm_tui.cli.long_work import progress_of, stop_on_interrupt
from crm_tui.cli.money_words import number
from crm_tui.cli.output import (
    MOST_ID,
    Exit,
    invocation,
    say,
    show_json,
    show_table,
    with_store,
)
from crm_tui.clock import local_stamp, utc_now
from crm_tui.errors import BadInput, WrongUsage
from crm_tui.money import amount_words
from crm_tui.text import plural, visible

if TYPE_CHECKING:
    from crm_tui.config import Settings
    from crm_tui.db.engine import Database
    from crm_tui.services.money.links import LinkRow
    from crm_tui.services.money.many_links import ManyLinks
    from crm_tui.services.money.requests import Request

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Lead = Annotated[
    int, typer.Argument(metavar="ID", help="The number of the lead.", min=1, max=MOST_ID)
]
PlanName = Annotated[
    str, typer.Option("--plan", help="The plan; a name or number.", autocompletion=plan_names)
]


def register(payments: typer.Typer) -> None:
    """Add the commands to those about payments."""
    payments.command()(link)
    payments.command("links")(list_links)
    payments.command()(request)


def link(
    context: typer.Context,
    plan: PlanName,
    lead: Annotated[
        int | None,
        typer.Argument(metavar="[ID]", help="The number of the lead.", min=1, max=MOST_ID),
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(metavar="QUERY", help="All leads of a filter, instead of one; '' means all."),
    ] = None,
    *,
    bank: Annotated[
        bool, typer.Option("--bank", help="Ask for a transfer with your bank details instead.")
    ] = False,
    json: Json = False,
) -> None:
    """Make the page where a lead pays for a plan, or find the one that is there."""
    if (lead is None) == (where is None):
        raise WrongUsage("Say which lead by its number, or which leads with --where QUERY.")
    if where is not None and bank:
        raise WrongUsage("A payment request is made for one lead: say its number.")
    if bank:
        assert lead is not None
        _ask_for_transfer(context, lead, plan, json=json)
    elif lead is not None:
        _make_one(context, lead, plan, json=json)
    else:
        _make_many(context, where or "", plan, json=json)


def _make_one(context: typer.Context, lead: int, plan: str, *, json: bool) -> None:
    settings = invocation(context).settings

    async def work(db: Database) -> LinkRow:
        from crm_tui.services.money import links, plans
        from crm_tui.services.money.provider import mode_of, open_payments

        async with db.read() as session:
            wanted = await plans.named(session, plan)
        async with open_payments(settings, os.environ) as payments:
            made = await links.make(
                db, lead, wanted.id, payments=payments, mode=mode_of(settings), clock=utc_now
            )
        return made.link

    from crm_tui.providers.base import ProviderError

    try:
        made = with_store(context, work)
    except ProviderError as error:
        say(str(error))
        raise typer.Exit(Exit.PROVIDER_FAILED) from None
    if json:
        show_json({"link": _document(made)})
    else:
        typer.echo(made.url)
    say(f"{visible(made.business, 60)} can pay {_amount(made)} for {visible(made.plan, 60)} there.")


def _make_many(context: typer.Context, query: str, plan: str, *, json: bool) -> None:
    from crm_tui.cli.query import lead_query

    settings, wanted_leads = invocation(context).settings, lead_query(context, [query])

    async def work(db: Database) -> ManyLinks:
        from crm_tui.services.lead_rows import order
        from crm_tui.services.money import plans
        from crm_tui.services.money.many_links import make_many
        from crm_tui.services.money.provider import mode_of, open_payments

        async with db.read() as session:
            wanted = await plans.named(session, plan)
        leads = await order(db, wanted_leads)
        with stop_on_interrupt() as stopped, progress_of("Payment links") as progress:
            async with open_payments(settings, os.environ) as payments:
                return await make_many(
                    db,
                    leads,
                    wanted.id,
                    payments=payments,
                    mode=mode_of(settings),
                    clock=utc_now,
                    progress=progress,
                    cancelled=stopped,
                )

    from crm_tui.providers.base import ProviderError

    try:
        report = with_store(context, work)
    except ProviderError as error:
        say(str(error))
        raise typer.Exit(Exit.PROVIDER_FAILED) from None
    if json:
        show_json(
            {
                "made": report.made,
                "found": report.found,
                "bought": report.bought,
                "failures": [{"lead": each, "reason": why} for each, why in report.failures],
                "problem": report.problem,
                "cancelled": report.cancelled,
            }
        )
    for line in report.sentences:
        say(line)
    if report.problem and not (report.made or report.found):
        raise typer.Exit(Exit.PROVIDER_FAILED)
    if report.problem or report.failures or report.cancelled:
        raise typer.Exit(Exit.IN_PART)


def _ask_for_transfer(context: typer.Context, lead: int, plan: str, *, json: bool) -> None:
    from crm_tui.services.money.requests import as_text

    asked = _asked(context, lead, plan)
    if json:
        show_json({"request": _request_document(asked)})
    else:
        typer.echo(as_text(asked), nl=False)
    say(
        f"What comes is recorded with: crm-tui payments add {lead} --plan {_quoted(asked.plan)} "
        "--method bank"
    )


def request(
    context: typer.Context,
    lead: Lead,
    plan: PlanName,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="The HTML file to write.")
    ],
) -> None:
    """Write a payment request with your bank details as a page to print."""
    from crm_tui.services.money.requests import as_page

    asked = _asked(context, lead, plan)
    try:
        output.expanduser().write_text(as_page(asked), encoding="utf-8")
    except OSError as error:
        reason = error.strerror or str(error)
        raise BadInput(f"{visible(str(output))} cannot be written: {reason}.") from None
    say(f"Wrote {output}. The payer names {asked.reference}.")


def _asked(context: typer.Context, lead: int, plan: str) -> Request:
    settings: Settings = invocation(context).settings

    async def work(db: Database) -> Request:
        from crm_tui.services.money import plans, requests

        async with db.write() as session:
            wanted = await plans.named(session, plan)
            number = await requests.ask(session, lead, wanted.id, settings=settings, now=utc_now())
        async with db.read() as session:
            return await requests.request(session, number, settings=settings)

    return with_store(context, work)


def list_links(
    context: typer.Context,
    lead: Annotated[
        int | None,
        typer.Option(metavar="ID", help="Those of this lead only.", min=1, max=MOST_ID),
    ] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Closed ones, too.")] = False,
    json: Json = False,
) -> None:
    """List the ways to pay that leads were offered, the newest first."""

    async def work(db: Database) -> list[LinkRow]:
        from crm_tui.services.money import links

        async with db.read() as session:
            return await links.listed(session, business_id=lead, standing_only=not every)

    found = with_store(context, work)
    if json:
        show_json({"links": [_document(each) for each in found]})
        return
    zone = invocation(context).settings.operator.zone
    show_table(
        ("Lead", "Business", "Plan", "Amount", "State", "Made", "Where"),
        [
            (
                each.business_id,
                visible(each.business, 40),
                each.plan,
                _amount(each),
                f"{each.state}, test" if each.mode == "test" else each.state,
                local_stamp(each.created_at, zone=zone),
                each.url or each.reference,
            )
            for each in found
        ],
    )
    say(plural(len(found), "payment link"))


def _amount(link: LinkRow) -> str:
    return amount_words(link.first, link.currency)


def _quoted(name: str) -> str:
    import shlex

    return shlex.quote(visible(name))


def _document(link: LinkRow) -> dict[str, Any]:
    return {
        "id": link.id,
        "lead": link.business_id,
        "name": link.business,
        "plan": link.plan,
        "amount": number(link.first, link.currency),
        "currency": link.currency,
        "provider": link.provider,
        "mode": link.mode,
        "state": link.state,
        "reference": link.reference,
        "url": link.url,
        "created_at": link.created_at.isoformat(),
        "closed_at": None if link.closed_at is None else link.closed_at.isoformat(),
    }


def _request_document(asked: Request) -> dict[str, Any]:
    from crm_tui.services.money.requests import as_text

    return {
        "id": asked.link_id,
        "lead": asked.business_id,
        "reference": asked.reference,
        "plan": asked.plan,
        "amount": asked.amount,
        "due": asked.due.isoformat(),
        "subject": asked.subject,
        "text": as_text(asked),
    }

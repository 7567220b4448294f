"""`crm-tui payments export`: a year's payments for the tax adviser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crm_tui.cli.money_words import number
from crm_tui.cli.output import invocation, say, show_json, with_store
from crm_tui.clock import utc_now
from crm_tui.money import amount_words
from crm_tui.text import plural

if TYPE_CHECKING:
    from crm_tui.db.engine import Database
    from crm_tui.services.money.tax_export import Exported


def register(payments: typer.Typer) -> None:
    """Add the command to those of payments."""
    payments.command("export")(export)


def export(
    context: typer.Context,
    year: Annotated[int, typer.Option(help="The year, such as 2026.", min=1970, max=9998)],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The CSV to write.")
    ],
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the file if it is there already.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Write a year's payments and refunds to a CSV for the tax adviser."""
    settings = invocation(context).settings

    async def work(db: Database) -> Exported:
        from crm_tui.services.filters import Standpoint
        from crm_tui.services.money.tax_export import export_year

        return await export_year(
            db,
            year,
            output,
            zone=settings.operator.zone,
            modes=Standpoint.of(settings, utc_now()).modes,
            force=force,
        )

    done = with_store(context, work)
    if json:
        totals = [
            {"currency": code}
            | {name: number(amount, code) for name, amount in sums.plain().items()}
            for code, sums in sorted(done.sums.items())
        ]
        show_json({"written": done.lines, "path": str(output.absolute()), "totals": totals})
    say(f"{plural(done.lines, 'line')} of {year} written to {output}.")
    for code, sums in sorted(done.sums.items()):
        came, went = amount_words(sums.gross, code), amount_words(sums.refund, code)
        say(f"  {came} came in, {went} went back")
    if settings.providers.stripe.mode == "test":
        say("  Stripe is in test mode: its payments here are play money.")

"""`crm-tui spend …`: what was spent on winning customers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crm_tui import money
from crm_tui.cli.output import (
    MOST_ID,
    Exit,
    invocation,
    say,
    show_json,
    show_table,
    with_store,
)
from crm_tui.clock import utc_now
from crm_tui.errors import BadInput
from crm_tui.text import plural, visible

if TYPE_CHECKING:
    from datetime import date

    from crm_tui.db.engine import Database
    from crm_tui.services.spending import SpendLine
    from crm_tui.services.spending_import import Imported

app = typer.Typer(
    help="What was spent on winning customers: add, list, import, remove.", no_args_is_help=True
)

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]

_NAMED = 10


@app.command()
def add(
    context: typer.Context,
    amount: Annotated[str, typer.Option(help="How much, such as 90.00.")],
    kind: Annotated[str, typer.Option(help="On what, such as ads, a list, or printing.")],
    currency: Annotated[
        str | None, typer.Option(help="Three letters [default: that of [money]].")
    ] = None,
    on: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="The day, such as 2026-11-02 [default: today]."),
    ] = None,
    campaign: Annotated[
        int | None,
        typer.Option(metavar="ID", help="For this campaign.", min=1, max=MOST_ID),
    ] = None,
    source: Annotated[str, typer.Option(help="For leads of this source.")] = "",
    note: Annotated[str, typer.Option(help="A note.")] = "",
    *,
    json: Json = False,
) -> None:
    """Write down what was spent, such as: spend add --amount 90.00 --kind ads --campaign 3."""
    settings = invocation(context).settings

    async def work(db: Database) -> SpendLine:
        from crm_tui.services import spending, undo

        now = utc_now()
        today = spending.today_in(settings.operator.zone, now)
        new = spending.new_spend(
            amount=amount,
            currency=currency or settings.money.currency,
            kind=kind,
            spent_on=_day(on) if on else today,
            today=today,
            campaign_id=campaign,
            source=source,
            note=note,
        )
        said = spending.words(new.amount, new.currency, new.kind, new.spent_on)
        async with undo.action(db, f"wrote down spend: {said}", now=now) as session:
            added = await spending.add(session, new, now=now)
            return await spending.find(session, added)

    line = with_store(context, work)
    if json:
        show_json(_document(line))
    say(f"Spend {line.id} written down: {line.words}.")


@app.command("list")
def list_spend(
    context: typer.Context,
    since: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="From this day on.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", metavar="DATE", help="Up to and with this day.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=0, help="At most this many.")] = None,
    *,
    json: Json = False,
) -> None:
    """List what was spent, the latest first."""
    first, last = (None if each is None else _day(each) for each in (since, until))

    async def work(db: Database) -> list[SpendLine]:
        from crm_tui.services import spending

        async with db.read() as session:
            return await spending.listed(session, since=first, until=last, limit=limit)

    lines = with_store(context, work)
    if json:
        show_json({"spend": [_document(line) for line in lines]})
        return
    show_table(
        ("ID", "Day", "Amount", "Kind", "For", "Note"),
        [
            (
                line.id,
                line.spent_on.isoformat(),
                money.amount_words(line.amount, line.currency),
                visible(line.kind),
                visible(_for(line), 40),
                visible(line.note or "", 60),
            )
            for line in lines
        ],
    )
    totals: dict[str, int] = {}
    for line in lines:
        totals[line.currency] = totals.get(line.currency, 0) + line.amount
    sums = ", ".join(money.amount_words(total, code) for code, total in sorted(totals.items()))
    say(f"{plural(len(lines), 'line')} of spend{f': {sums}' if sums else ''}")


@app.command("import")
def import_file(
    context: typer.Context,
    path: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A CSV with the columns date and amount, and currency, kind, campaign or source, note.",
        ),
    ],
    kind: Annotated[str, typer.Option(help="On what, where a line does not say.")] = "",
    currency: Annotated[str, typer.Option(help="The currency, where a line does not say.")] = "",
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Change nothing; say what would happen.")
    ] = False,
    json: Json = False,
) -> None:
    """Write down what a table says was spent; the same lines twice are added once."""
    settings = invocation(context).settings

    async def work(db: Database) -> Imported:
        from crm_tui.services.spending_import import import_spend

        return await import_spend(
            db,
            path,
            settings=settings,
            now=utc_now(),
            kind=kind,
            currency=currency,
            dry_run=dry_run,
        )

    done = with_store(context, work)
    if json:
        show_json(
            {
                "seen": done.seen,
                "added": done.added,
                "known": done.known,
                "rejected": done.rejected,
                "totals": {
                    code: float(money.major(total, code)) for code, total in done.totals.items()
                },
                "problems": [each._asdict() for each in done.problems],
            }
        )
    _say_imported(path, done, dry_run=dry_run)
    if done.seen and not (done.added or done.known):
        raise typer.Exit(Exit.REFUSED)
    if done.rejected:
        raise typer.Exit(Exit.IN_PART)


def _say_imported(path: Path, done: Imported, *, dry_run: bool) -> None:
    said = f"{path.name}: {plural(done.seen, 'line')} seen: {done.added:,} added"
    if done.totals:
        sums = (money.amount_words(total, code) for code, total in sorted(done.totals.items()))
        said += f" ({', '.join(sums)})"
    said += f", {done.known:,} there already, {done.rejected:,} rejected."
    say(f"{said} Nothing was changed." if dry_run else said)
    for problem in done.problems[:_NAMED]:
        say(f"  line {problem.line}: {problem.reason}")
    if (more := done.rejected - _NAMED) > 0:
        say(f"  … and {more:,} more")
    if done.added and not dry_run:
        say("All of it back: crm-tui undo")


@app.command()
def remove(
    context: typer.Context,
    spend_id: Annotated[
        int, typer.Argument(metavar="ID", help="The line's number.", min=1, max=MOST_ID)
    ],
    *,
    json: Json = False,
) -> None:
    """Take a line out; `crm-tui undo` brings it back."""

    async def work(db: Database) -> SpendLine:
        from crm_tui.services import spending, undo

        entry, now = undo.Entry(), utc_now()
        async with undo.action(db, "removed spend", now=now, entry=entry) as session:
            line = await spending.remove(session, spend_id)
            entry.words = f"removed spend: {line.words}"
        return line

    line = with_store(context, work)
    if json:
        show_json(_document(line))
    say(f"Spend {line.id} removed: {line.words}.")


def _for(line: SpendLine) -> str:
    if line.campaign_id is not None:
        return f"campaign {line.campaign_id} {line.campaign}"
    return line.source or ""


def _document(line: SpendLine) -> dict[str, Any]:
    return {
        "id": line.id,
        "date": line.spent_on.isoformat(),
        "amount": float(money.major(line.amount, line.currency)),
        "currency": line.currency,
        "kind": line.kind,
        "campaign": line.campaign_id,
        "campaign_name": line.campaign,
        "source": line.source,
        "note": line.note,
    }


def _day(written: str) -> date:
    from datetime import date

    try:
        return date.fromisoformat(written.strip())
    except ValueError as error:
        raise BadInput(f'"{written}" is not a day: write it like 2026-11-02.') from error

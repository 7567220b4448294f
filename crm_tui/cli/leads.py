"""`crm-tui leads …`: the list and one lead at a time."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crm_tui.cli import bulk, mail, merging, one_lead
from crm_tui.cli.long_work import progress_of, stop_on_interrupt
from crm_tui.cli.output import (
    MOST_ID,
    invocation,
    say,
    show_json,
    show_table,
    with_store,
)
from crm_tui.cli.query import Query, QueryCommand, lead_query
from crm_tui.clock import local_stamp, utc_now
from crm_tui.errors import WrongUsage
from crm_tui.text import plural, visible, visible_lines

if TYPE_CHECKING:
    from crm_tui.db.engine import Database
    from crm_tui.services.leads import LeadPage
    from crm_tui.services.timeline import TimelineEntry

app = typer.Typer(help="List, show, add and edit leads.", no_args_is_help=True)
for _more in (one_lead, bulk, merging, mail):
    _more.register(app)

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
_STANDING = (
    "contact_status",
    "website_status",
    "outcome",
    "outcome_reason",
    "do_not_contact_reason",
)
"""How a lead stands, as far as there is something to say."""

LeadId = Annotated[int, typer.Argument(metavar="ID", help="The lead's number.", min=1, max=MOST_ID)]


@app.command("list", cls=QueryCommand)
def list_leads(
    context: typer.Context,
    query: Query = None,
    sort: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="A column; a minus before it sorts downwards."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=0, help="At most this many.")] = None,
    *,
    json: Json = False,
) -> None:
    """List leads, the best first; archived ones only with is:archived."""
    settings = invocation(context).settings
    wanted = lead_query(context, query, sort)

    async def work(db: Database) -> None:
        from crm_tui.services import documents

        total, found = await documents.lead_documents(
            db, wanted, limit=limit, threshold=settings.score.threshold
        )
        if json:
            show_json({"total": total, "leads": found})
            return
        show_table(
            ("ID", "Score", "Name", "Category", "City", "Phone", "Contact", "Site"),
            [
                (
                    lead["id"],
                    lead["qualification_score"],
                    visible(lead["name"], 40),
                    visible(lead["category"] or "", 24),
                    lead["city"],
                    lead["phone"],
                    lead["contact_status"],
                    lead["website_status"],
                )
                for lead in found
            ],
        )
        say(f"{len(found):,} of {plural(total, 'lead')}")

    with_store(context, work)


class TableFormat(StrEnum):
    """What leads can be exported as."""

    CSV = "csv"
    JSON = "json"


@app.command(cls=QueryCommand)
def export(
    context: typer.Context,
    query: Query = None,
    form: Annotated[TableFormat, typer.Option("--format", help="The kind of file.")] = (
        TableFormat.CSV
    ),
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The file; - for stdout.")
    ] = Path("-"),
    *,
    lossless: Annotated[
        bool, typer.Option("--lossless", help="Leave cells that look like formulas as they are.")
    ] = False,
    json: Json = False,
) -> None:
    """Write leads to a file that `crm-tui import` and spreadsheets can read."""
    if output == Path("-") and (json or sys.stdout.isatty()):
        raise WrongUsage("Name a file for the leads with -o FILE, or send them on with a pipe.")
    wanted = lead_query(context, query)

    async def work(db: Database) -> None:
        from crm_tui.services import export as exporting

        now = utc_now()
        if output == Path("-"):
            if isinstance(sys.stdout, TextIOWrapper):
                sys.stdout.reconfigure(encoding="utf-8")
            written = await exporting.write_leads(
                db, wanted, sys.stdout, form=form.value, lossless=lossless, now=now
            )
        else:
            with stop_on_interrupt() as stopped, progress_of("Exporting") as progress:
                result = await exporting.export_leads(
                    db,
                    wanted,
                    form=form.value,
                    target=output,
                    lossless=lossless,
                    now=now,
                    progress=progress,
                    cancelled=stopped,
                )
            written = result.written
        say(f"Exported {plural(written, 'lead')}.")
        if json:
            show_json({"written": written, "path": str(output.absolute())})

    with_store(context, work)


@app.command()
def show(context: typer.Context, lead: LeadId, *, json: Json = False) -> None:
    """Show one lead: facts, score, sites, follow-ups and its timeline."""
    settings = invocation(context).settings

    async def work(db: Database) -> None:
        from crm_tui.services import documents, leads, timeline

        async with db.read() as session:
            page = await leads.page(session, lead, settings=settings, now=utc_now())
            entries = await timeline.entries(session, lead)
        if (erased_at := page.business["erased_at"]) is not None:
            say(f"Lead {lead} was erased on {local_stamp(erased_at)}; nothing of it is left.")
            if json:
                show_json(documents.erased_document(lead, erased_at))
            return
        threshold = settings.score.threshold
        if json:
            show_json(documents.page_document(page, entries, threshold=threshold))
            return
        _say_page(page, entries, threshold=threshold)

    with_store(context, work)


def _say_page(page: LeadPage, entries: Sequence[TimelineEntry], *, threshold: int) -> None:
    """Write all about a lead to stdout, in words."""
    from crm_tui.services import documents, leads

    facts = documents.lead_document(dict(page.business), page.tags, threshold=threshold)
    typer.echo(f"{visible(facts['name'])}  (lead {facts['id']})")
    for name in (*_STANDING, *leads.EDITABLE[1:]):
        if facts[name]:
            typer.echo(f"  {name.replace('_', ' '):<16}{visible(str(facts[name]))}")
    typer.echo(f"  {'score':<16}{page.score.total}")
    for factor in page.score.factors:
        typer.echo(f"    {factor.points:>5.1f}  {factor.factor}: {visible(factor.why)}")
    for site in page.sites:
        where = f", {site.public.url}" if site.public.url else ""
        typer.echo(f"  {'site':<16}{visible(f'{site.slug} ({site.status}{where})')}")
    for task in page.tasks:
        due = local_stamp(task.due_at)
        typer.echo(f"  {'follow-up':<16}{due} {visible(task.what)} ({task.state})")
    for entry in entries:
        typer.echo(f"  {local_stamp(entry.at)}  {visible(entry.summary)}  ({entry.source})")
        for line in visible_lines(entry.body).splitlines():
            typer.echo(f"      {line}")


@app.command()
def rescore(
    context: typer.Context,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say how many scores would change.")
    ] = False,
    json: Json = False,
) -> None:
    """Score every lead again, after the weights in the configuration were changed."""
    settings = invocation(context).settings

    async def work(db: Database) -> None:
        from crm_tui.services import rescoring

        score = settings.score
        if dry_run:
            changed = await rescoring.would_change(db, score, now=utc_now())
        else:
            changed = await rescoring.refresh(db, score, now=utc_now())
        say(f"{plural(changed, 'score')} {'would change' if dry_run else 'changed'}.")
        if json:
            show_json({"changed": changed, "dry_run": dry_run})

    with_store(context, work)

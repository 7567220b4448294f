"""`crm-tui report`: the funnel, every figure and what brought the money, as a page or as data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crm_tui.cli.funnel import Since, Until, Where
from crm_tui.cli.long_work import progress_of
from crm_tui.cli.output import invocation, say, show_json, with_store
from crm_tui.clock import utc_now
from crm_tui.errors import WrongUsage
from crm_tui.text import plural

if TYPE_CHECKING:
    from crm_tui.db.engine import Database


def register(root: typer.Typer) -> None:
    """Add the command to the root."""
    root.command("report")(report)


def report(
    context: typer.Context,
    since: Since = None,
    until: Until = None,
    where: Where = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="One page to read and to print.")
    ] = None,
    tables: Annotated[
        Path | None, typer.Option("--csv", metavar="FOLDER", help="Every part of it as a table.")
    ] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Tell everything at once, such as: report --from 2026-09-01 --html autumn.html."""
    from crm_tui.services.figures.asking import scope_of

    if html is None and tables is None and not json:
        raise WrongUsage("Say what to make: --html FILE, --csv FOLDER or --json.")
    settings = invocation(context).settings
    scope = scope_of(settings, since=since, until=until, query=where, now=utc_now())

    async def work(db: Database) -> None:
        from crm_tui.services import report as reports

        with progress_of("Report") as progress:
            found = await reports.gather(db, scope, progress=progress)
        if html is not None:
            await reports.write_html(found, html)
            say(f"Report written to {html}.")
        if tables is not None:
            written = await reports.write_tables(found, tables)
            say(f"{plural(len(written), 'table')} written to {tables}.")
        if json:
            show_json(reports.document(found))

    with_store(context, work)

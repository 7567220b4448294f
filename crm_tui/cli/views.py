"""`crm-tui views …`: saved views of the lead list, each a filter and an order with a name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from crm_tui.cli.completions import view_names
from crm_tui.cli.output import invocation, say, show_json, show_table, with_store
from crm_tui.cli.query import Query, QueryCommand, lead_query
from crm_tui.clock import utc_now
from crm_tui.text import plural

if TYPE_CHECKING:
    from crm_tui.db.engine import Database
    from crm_tui.services.views import View

app = typer.Typer(help="Saved views of the lead list: list, save, delete.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Name = Annotated[
    str,
    typer.Argument(metavar="NAME", help="What the view is called.", autocompletion=view_names),
]


@app.command("list")
def list_views(
    context: typer.Context,
    *,
    count: Annotated[bool, typer.Option("--count", help="Count the leads of each.")] = False,
    json: Json = False,
) -> None:
    """List the saved views, in their order."""
    settings = invocation(context).settings

    async def work(db: Database) -> None:
        from crm_tui.services import views
        from crm_tui.services.filters import Standpoint

        standpoint = Standpoint.of(settings, utc_now())
        async with db.read() as session:
            found = await views.listed(session)
            counts = [
                await views.count(session, view, standpoint) if count else None for view in found
            ]
        counted = list(zip(found, counts, strict=True))
        if json:
            extra = [{"count": leads} if count else {} for leads in counts]
            documents = [_document(view) | more for view, more in zip(found, extra, strict=True)]
            show_json({"views": documents})
            return
        show_table(
            ("Key", "Name", "Leads", "Filter", "Sort"),
            [(view.letter, view.name, leads, view.query, view.sort) for view, leads in counted],
        )
        say(plural(len(found), "view"))

    with_store(context, work)


@app.command(cls=QueryCommand)
def save(
    context: typer.Context,
    name: Name,
    words: Query = None,
    letter: Annotated[
        str | None,
        typer.Option(metavar="L", help="The key that goes there, after v; '' takes it away."),
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="A column; a minus before it sorts downwards."),
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Save a view, such as: views save Queens 'city:Queens -has:website' --letter q.

    One of the same name is replaced; its place, its letter and its columns stay.
    """
    query = lead_query(context, words, sort)

    async def work(db: Database) -> None:
        from crm_tui.services import undo, views

        entry, now = undo.Entry(), utc_now()
        async with db.read() as session:
            before = await views.find(session, name)
        async with undo.action(db, f"saved the view {name}", now=now, entry=entry) as session:
            view = await views.save(
                session,
                name,
                query.text,
                sort=sort,
                columns=before.columns if before else None,
                letter=letter,
                now=now,
            )
        go = f"; v {view.letter} goes there" if view.letter else ""
        say(f"{'Replaced' if before else 'Saved'} the view {view.name}{go}.")
        if json:
            replaced = before is not None
            show_json({"view": _document(view), "replaced": replaced, "undo": entry.id})

    with_store(context, work)


@app.command()
def delete(context: typer.Context, name: Name, *, json: Json = False) -> None:
    """Delete a saved view; its leads stay. `undo` brings it back."""

    async def work(db: Database) -> None:
        from crm_tui.services import undo, views

        entry, now = undo.Entry(), utc_now()
        async with db.read() as session:
            view = await views.named(session, name)
        words = f"deleted the view {view.name}"
        async with undo.action(db, words, now=now, entry=entry) as session:
            await views.delete(session, view.id)
        say(f"Deleted the view {view.name}.")
        if json:
            show_json({"deleted": _document(view), "undo": entry.id})

    with_store(context, work)


def _document(view: View) -> dict[str, Any]:
    """A view as the command line tells it."""
    columns = None
    if view.columns is not None:
        columns = [{"column": key, "width": width or None} for key, width in view.columns]
    return {
        "id": view.id,
        "name": view.name,
        "letter": view.letter,
        "query": view.query,
        "sort": view.sort,
        "columns": columns,
    }

"""`crm-tui inbox …`: mails and payments that are nobody's, until the operator says whose."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from crm_tui.cli.output import MOST_ID, invocation, say, show_json, show_table, with_store
from crm_tui.clock import utc_now
from crm_tui.text import plural, visible, visible_lines

if TYPE_CHECKING:
    from crm_tui.db.engine import Database

app = typer.Typer(
    help="Answers, bounces, opt-outs and payments that belong to no lead yet: list, link, dismiss.",
    no_args_is_help=True,
)

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
ItemId = Annotated[
    int, typer.Argument(metavar="ID", help="The number in the inbox.", min=1, max=MOST_ID)
]


@app.command("list")
def list_items(context: typer.Context, *, json: Json = False) -> None:
    """List what waits, the oldest first, with the leads it may be about."""

    async def work(db: Database) -> None:
        from crm_tui.services.inbox import matching

        async with db.read() as session:
            found = await matching.items(session)
            sites = await matching.count_sites(session)
        if json:
            show_json({"items": [matching.document(each) for each in found]})
            return
        show_table(
            ("ID", "Kind", "From", "What", "May be lead"),
            [
                (
                    each.id,
                    each.kind,
                    visible(each.author, 60),
                    visible(each.summary, 80),
                    ", ".join(f"{lead.id} {lead.name}" for lead in each.suggestions),
                )
                for each in found
            ],
        )
        payments = sum(each.is_payment for each in found)
        if len(found) > payments or not payments:
            say(plural(len(found) - payments, "mail waits", "mails wait"))
        if payments:
            say(plural(payments, "payment waits", "payments wait"))
        if sites:
            said = plural(sites, "site waits", "sites wait")
            say(f"{said} for a lead as well; see: crm-tui sites repair")

    with_store(context, work)


@app.command()
def show(context: typer.Context, item: ItemId, *, json: Json = False) -> None:
    """Show one with all its text."""

    async def work(db: Database) -> None:
        from crm_tui.services.inbox import matching

        async with db.read() as session:
            found = await matching.item(session, item)
        if json:
            show_json(matching.document(found) | {"subject": found.subject, "text": found.text})
            return
        say(f"From {found.author}: {found.subject or 'without a subject'}")
        say(f"It waits because {found.reason}.")
        for lead in found.suggestions:
            say(f"It may be about lead {lead.id}, {lead.name}: it {lead.why}.")
        sys.stdout.write(visible_lines(found.text) + "\n")

    with_store(context, work)


@app.command()
def link(
    context: typer.Context,
    item: ItemId,
    business: Annotated[
        int, typer.Argument(metavar="BUSINESS", help="The lead.", min=1, max=MOST_ID)
    ],
    *,
    json: Json = False,
) -> None:
    """Say which lead one is about: what it says is told there, as if that had been known."""
    settings = invocation(context).settings

    async def work(db: Database) -> None:
        from crm_tui.services import leads, undo
        from crm_tui.services.inbox import matching

        now, entry = utc_now(), undo.Entry()
        async with db.read() as session:
            waits = await matching.item(session, item)
            name = await leads.require(session, business)
        words = f"linked {waits.words} to {visible(name, 60)}"
        async with undo.action(db, words, now=now, entry=entry) as session:
            await matching.link(session, item, business, settings=settings, now=now)
        say(f"Linked to lead {business}, {name}.")
        if json:
            show_json({"id": item, "business": business, "undo": entry.id})

    with_store(context, work)


@app.command()
def create(
    context: typer.Context,
    item: ItemId,
    name: Annotated[str, typer.Argument(help="What the new lead is called.")],
    *,
    json: Json = False,
) -> None:
    """Make a lead of whoever wrote one, and link it."""
    settings = invocation(context).settings

    async def work(db: Database) -> None:
        from crm_tui.services import undo
        from crm_tui.services.inbox import matching

        now, entry = utc_now(), undo.Entry()
        async with db.read() as session:
            waits = await matching.item(session, item)
        words = f"made the lead {visible(name, 60)} of {waits.words}"
        async with undo.action(db, words, now=now, entry=entry) as session:
            business = await matching.create(session, item, name, settings=settings, now=now)
        say(f"Lead {business}, {name}, was made of it.")
        if json:
            show_json({"id": item, "business": business, "undo": entry.id})

    with_store(context, work)


@app.command()
def dismiss(context: typer.Context, item: ItemId, *, json: Json = False) -> None:
    """Let one go that is about no lead."""

    async def work(db: Database) -> None:
        from crm_tui.services import undo
        from crm_tui.services.inbox import matching

        now, entry = utc_now(), undo.Entry()
        async with db.read() as session:
            waits = await matching.item(session, item)
        words = f"let {waits.words} go"
        async with undo.action(db, words, now=now, entry=entry) as session:
            await matching.dismiss(session, item, now=now)
        say(f"Let go: {waits.words}.")
        if json:
            show_json({"id": item, "undo": entry.id})

    with_store(context, work)

"""`crm-tui tasks …`: follow-ups, what is to be done about leads and when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crm_tui.cli.output import MOST_ID, invocation, say, show_json, show_table, with_store
from crm_tui.clock import utc_now
from crm_tui.errors import BadInput
from crm_tui.text import plural, visible

if TYPE_CHECKING:
    from crm_tui.db.engine import Database
    from crm_tui.services.tasks import FollowUp

app = typer.Typer(help="Follow-ups: list, add, done, put off.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
TaskIds = Annotated[
    list[int],
    typer.Argument(metavar="ID…", help="Numbers of follow-ups.", min=1, max=MOST_ID),
]


@app.command("list")
def list_tasks(
    context: typer.Context,
    lead: Annotated[
        int | None,
        typer.Option(metavar="ID", help="Those with this lead only.", min=1, max=MOST_ID),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=0, help="At most this many.")] = None,
    *,
    due: Annotated[bool, typer.Option("--due", help="Those due today or overdue.")] = False,
    done: Annotated[bool, typer.Option("--all", help="Those that are done as well.")] = False,
    json: Json = False,
) -> None:
    """List follow-ups, the ones due longest first."""
    zone = invocation(context).settings.operator.zone

    async def work(db: Database) -> None:
        from crm_tui.services import leads, tasks
        from crm_tui.services.when import end_of_day, say_when

        now = utc_now()
        by = end_of_day(now, zone=zone) if due else None
        async with db.read() as session:
            if lead is not None:
                await leads.require(session, lead)
            found = await tasks.listed(
                session, business_id=lead, due_by=by, with_done=done, limit=limit
            )
        if json:
            show_json({"tasks": [_document(task, now) for task in found]})
            return
        show_table(
            ("ID", "Due", "Lead", "Name", "What"),
            [
                (
                    task.id,
                    "done" if task.done_at else say_when(task.due_at, now=now, zone=zone),
                    task.business_id,
                    visible(task.business, 40),
                    task.what,
                )
                for task in found
            ],
        )
        say(plural(len(found), "follow-up"))

    with_store(context, work)


@app.command()
def add(
    context: typer.Context,
    lead: Annotated[int, typer.Argument(metavar="ID", help="The lead.", min=1, max=MOST_ID)],
    what: Annotated[str, typer.Argument(help="What is to be done.")],
    when: Annotated[
        str, typer.Option(metavar="TIME", help="Such as 'tomorrow 9', 'in 2 weeks', 'mon 14:30'.")
    ],
    *,
    json: Json = False,
) -> None:
    """Note what is to be done about a lead, such as: tasks add 12 'call back' --when 'mon 9'."""
    due = time_ahead(context, when)
    zone = invocation(context).settings.operator.zone

    async def work(db: Database) -> None:
        from crm_tui.services import leads, tasks, undo

        entry, now = undo.Entry(), utc_now()
        async with db.read() as session:
            name = await leads.require(session, lead)
        words = f"set a follow-up with {name}"
        async with undo.action(db, words, now=now, entry=entry) as session:
            task_id = await tasks.add(session, lead, what, due, now=now, zone=zone)
        await _answer(context, db, [task_id], "Follow-up set", entry.id, json=json)

    with_store(context, work)


@app.command()
def done(context: typer.Context, ids: TaskIds, *, json: Json = False) -> None:
    """Mark follow-ups as done."""

    async def work(db: Database) -> None:
        from crm_tui.services import tasks, undo

        entry, now = undo.Entry(), utc_now()
        words = await _words(db, ids, "did")
        async with undo.action(db, words, now=now, entry=entry) as session:
            marked = await tasks.done(session, ids, now=now)
        said = "Done" if marked else "It was done already"
        await _answer(context, db, ids, said, entry.id, json=json)

    with_store(context, work)


@app.command()
def snooze(
    context: typer.Context,
    ids: TaskIds,
    until: Annotated[
        str, typer.Option(metavar="TIME", help="Such as 'tomorrow 9', 'in 2 weeks', 'mon 14:30'.")
    ],
    *,
    json: Json = False,
) -> None:
    """Put follow-ups off, such as: tasks snooze 3 4 --until 'mon 9'."""
    due = time_ahead(context, until)
    zone = invocation(context).settings.operator.zone

    async def work(db: Database) -> None:
        from crm_tui.services import tasks, undo

        entry, now = undo.Entry(), utc_now()
        words = await _words(db, ids, "put off")
        async with undo.action(db, words, now=now, entry=entry) as session:
            await tasks.snooze(session, ids, due, now=now, zone=zone)
        await _answer(context, db, ids, "Put off", entry.id, json=json)

    with_store(context, work)


def time_ahead(context: typer.Context, text: str) -> datetime:
    """The time an option names, in the operator's zone; wrong usage where it is none ahead."""
    from crm_tui.services.when import read_when

    settings = invocation(context).settings
    try:
        return read_when(text, now=utc_now(), zone=settings.operator.zone, hour=settings.tasks.hour)
    except BadInput as error:
        raise typer.BadParameter(str(error)) from error


async def _words(db: Database, ids: Sequence[int], verb: str) -> str:
    """What is done, for undo: "did call back, Woodhaven Plumbing", "did 3 follow-ups"."""
    from crm_tui.services import tasks

    async with db.read() as session:
        found = await tasks.named(session, ids)
    if len(found) == 1:
        return f"{verb} {found[0].what}, {found[0].business}"
    return f"{verb} {plural(len(found), 'follow-up')}"


async def _answer(
    context: typer.Context,
    db: Database,
    ids: Sequence[int],
    said: str,
    undo_id: int | None,
    *,
    json: bool,
) -> None:
    """Say what became of follow-ups, each in a line, in the order they were named."""
    from crm_tui.services import tasks
    from crm_tui.services.when import say_reading

    now, zone = utc_now(), invocation(context).settings.operator.zone
    async with db.read() as session:
        found = {task.id: task for task in await tasks.named(session, ids)}
    named = [found[task_id] for task_id in dict.fromkeys(ids)]
    for task in named:
        due = "" if task.done_at else f"; due {say_reading(task.due_at, now=now, zone=zone)}"
        say(f"{said}: {task.what}, {task.business} (follow-up {task.id}){due}.")
    if json:
        show_json({"tasks": [_document(task, now) for task in named], "undo": undo_id})


def _document(task: FollowUp, now: datetime) -> dict[str, Any]:
    """A follow-up as the command line tells it; times are UTC."""
    return {
        "id": task.id,
        "lead": task.business_id,
        "name": task.business,
        "what": task.what,
        "due_at": task.due_at.isoformat(),
        "overdue": task.done_at is None and task.due_at <= now,
        "done": task.done_at is not None,
        "done_at": task.done_at and task.done_at.isoformat(),
        "created_at": task.created_at.isoformat(),
    }

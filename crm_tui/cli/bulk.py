"""`crm-tui leads bulk …`: the same change to all leads of a query."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crm_tui.cli.completions import tags
from crm_tui.cli.long_work import progress_of, stop_on_interrupt
from crm_tui.cli.one_lead import Json, assignment
from crm_tui.cli.output import Exit, invocation, say, show_json, with_store
from crm_tui.cli.query import Query, QueryCommand, lead_query
from crm_tui.cli.tasks import time_ahead
from crm_tui.clock import utc_now
from crm_tui.text import plural
from crm_tui.vocabulary import ContactStatus, Outcome

if TYPE_CHECKING:
    from crm_tui.db.engine import Database
    from crm_tui.services.bulk import BulkResult, Change


def register(leads: typer.Typer) -> None:
    """Add the command to those about leads."""
    leads.command("bulk", cls=QueryCommand)(change_many)


def change_many(
    context: typer.Context,
    query: Query = None,
    status: Annotated[
        ContactStatus | None, typer.Option("--set-status", help="Set the contact status.")
    ] = None,
    outcome: Annotated[
        Outcome | None, typer.Option("--set-outcome", help="Say what came of them.")
    ] = None,
    tag: Annotated[
        str | None,
        typer.Option("--tag", metavar="TAG", help="Tag them.", autocompletion=tags),
    ] = None,
    untag: Annotated[
        str | None,
        typer.Option("--untag", metavar="TAG", help="Take a tag off them.", autocompletion=tags),
    ] = None,
    change: Annotated[
        str | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Set a field; an empty value clears it."),
    ] = None,
    follow_up: Annotated[
        str | None,
        typer.Option("--follow-up", metavar="TIME", help="Set a follow-up, such as 'in 2 weeks'."),
    ] = None,
    what: Annotated[
        str | None,
        typer.Option(help="With --follow-up: what is to be done [default: call back]."),
    ] = None,
    never: Annotated[
        str | None,
        typer.Option("--never", metavar="REASON", help="Never contact them again."),
    ] = None,
    consent: Annotated[
        str | None,
        typer.Option("--consent", metavar="HOW", help="Record how they agreed to text messages."),
    ] = None,
    *,
    allow: Annotated[bool, typer.Option("--allow", help="Allow contact again.")] = False,
    archive: Annotated[bool, typer.Option("--archive", help="Put them away.")] = False,
    unarchive: Annotated[
        bool, typer.Option("--unarchive", help="Bring them back; find them with is:archived.")
    ] = False,
    rescore: Annotated[bool, typer.Option("--rescore", help="Score them again.")] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it; otherwise only what would happen is said.")
    ] = False,
    json: Json = False,
) -> None:
    """Change all leads of a query at once, such as: leads bulk 'city:Queens' --tag vip --yes."""
    if query is None:
        raise typer.BadParameter("Say which leads with a query; '' means all.")
    from crm_tui.services import bulk

    settings, now = invocation(context).settings, utc_now()
    chosen = (
        None if status is None else bulk.set_status(status),
        None if outcome is None else bulk.set_outcome(outcome),
        None if tag is None else bulk.add_tag(tag),
        None if untag is None else bulk.remove_tag(untag),
        None if change is None else bulk.set_field(*assignment(change), settings),
        None if follow_up is None else _follow_up(context, what, follow_up, now),
        None if never is None else bulk.never_contact(never),
        None if consent is None else bulk.give_consent(consent),
        bulk.allow_contact() if allow else None,
        bulk.archive() if archive else None,
        bulk.unarchive() if unarchive else None,
        bulk.rescore(settings.score) if rescore else None,
    )
    changes = [each for each in chosen if each is not None]
    if len(changes) != 1:
        raise typer.BadParameter("Say one thing to do, such as --tag vip; see --help.")
    if what is not None and follow_up is None:
        raise typer.BadParameter("--what says what to do of a --follow-up; name its time as well.")
    wanted = lead_query(context, query)

    async def work(db: Database) -> bool:
        from crm_tui.services import lead_rows

        ids = await lead_rows.order(db, wanted)
        return await (_do if yes else _foresee)(db, ids, changes[0], now, json=json)

    if not with_store(context, work):
        raise typer.Exit(Exit.IN_PART)


def _follow_up(context: typer.Context, what: str | None, when: str, now: datetime) -> Change:
    from crm_tui.services import bulk

    due, zone = time_ahead(context, when), invocation(context).settings.operator.zone
    said = "call back" if what is None else what
    return bulk.add_follow_up(said, due, zone=zone, now=now)


async def _foresee(
    db: Database, ids: Sequence[int], change: Change, now: datetime, *, json: bool
) -> bool:
    """Say what would happen; False where that was cut short."""
    from crm_tui.services import bulk

    with stop_on_interrupt() as stopped, progress_of("Counting") as progress:
        found = await bulk.foresee(db, ids, change, now=now, progress=progress, cancelled=stopped)
        if stopped():
            say("Stopped before all were counted. Nothing was changed.")
            return False
    if json:
        show_json(_document(len(ids), found, len(ids) - found, None))
    matched = plural(len(ids), "lead matches", "leads match")
    would = f"This would {change.asks(plural(found, 'lead'))}"
    if not ids:
        say("No lead matches; there is nothing to do.")
    elif not found:
        say(f"{matched}, and nothing about them would change.")
    elif found == len(ids):
        say(f"{matched}. {would}. Say --yes to do it.")
    else:
        say(f"{matched}. {would}; the others are so already. Say --yes to do it.")
    return True


async def _do(
    db: Database, ids: Sequence[int], change: Change, now: datetime, *, json: bool
) -> bool:
    """Change leads and say what was done; False where that was cut short."""
    from crm_tui.services import bulk, undo

    with stop_on_interrupt() as stopped, progress_of("Changing leads") as progress:
        result = await bulk.run(db, ids, change, now=now, progress=progress, cancelled=stopped)
        await undo.prune(db)  # who works by scripts alone never starts the app, which does it
    if json:
        show_json(_document(result.matched, result.changed, result.unchanged, result.entry_id))
    if result.cancelled:
        say(f"Stopped after {result.reached:,} of {plural(result.matched, 'lead')}.")
    _say_done(result)
    return not result.cancelled


def _say_done(result: BulkResult) -> None:
    if not result.changed:
        say("Nothing was different; nothing was changed.")
        return
    said = f"{result.words[:1].upper()}{result.words[1:]}"
    if result.unchanged:
        said += f"; {result.unchanged:,} {'was' if result.unchanged == 1 else 'were'} so already"
    # What undo does not know of is computed: a score follows from the facts, now and later.
    back = "There is nothing to undo" if result.entry_id is None else "All of it back: crm-tui undo"
    say(f"{said}. {back}.")


def _document(matched: int, changed: int, unchanged: int, entry: int | None) -> dict[str, Any]:
    return {"matched": matched, "changed": changed, "unchanged": unchanged, "undo": entry}

"""`crm-tui leads duplicates|distinct|merge|split|erase`: leads that are one business, or none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crm_tui.cli.long_work import status_line
from crm_tui.cli.one_lead import Json, LeadId, assignment
from crm_tui.cli.output import MOST_ID, Exit, invocation, say, show_json, show_table, with_store
from crm_tui.clock import utc_now
from crm_tui.errors import WrongUsage
from crm_tui.text import plural, visible

if TYPE_CHECKING:
    from crm_tui.db.engine import Database
    from crm_tui.services.duplicates import Suggestion
    from crm_tui.services.erase import Erasure, Extent
    from crm_tui.services.merge import Split

Others = Annotated[
    list[int],
    typer.Argument(metavar="OTHER…", help="The leads that go into it.", min=1, max=MOST_ID),
]


def register(leads: typer.Typer) -> None:
    """Add the commands to those about leads."""
    for command in (duplicates, distinct, merge, split, erase):
        leads.command(command.__name__)(command)


def duplicates(
    context: typer.Context,
    lead: Annotated[
        int | None,
        typer.Option(metavar="ID", help="Those of this lead only.", min=1, max=MOST_ID),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="At most this many.")] = 100,
    *,
    json: Json = False,
) -> None:
    """List leads that may be the same business, the surest first."""

    async def work(db: Database) -> None:
        from crm_tui.services import duplicates as looking

        if lead is None:
            with status_line() as show:
                show("Looking for leads that may be the same")
                found = await looking.suggestions(db, limit=limit)
        else:
            async with db.read() as session:
                found = await looking.suggestions_for(session, lead, limit=limit)
        if json:
            show_json([_suggestion(each) for each in found])
            return
        names = await _names(db, [i for each in found for i in (each.keep_id, each.other_id)])
        show_table(
            ("Keep", "Name", "Other", "Name", "Why"),
            [
                (
                    each.keep_id,
                    visible(names[each.keep_id], 36),
                    each.other_id,
                    visible(names[each.other_id], 36),
                    each.reason,
                )
                for each in found
            ],
        )
        pairs = plural(len(found), "pair")
        say(f"{pairs} of leads that may be the same. Merge with: leads merge KEEP OTHER.")

    with_store(context, work)


def distinct(
    context: typer.Context,
    lead: LeadId,
    other: Annotated[int, typer.Argument(metavar="OTHER", min=1, max=MOST_ID)],
    *,
    json: Json = False,
) -> None:
    """Say that two leads are not the same; they are never suggested again."""

    async def work(db: Database) -> None:
        from crm_tui.services import duplicates as looking
        from crm_tui.services import leads, undo

        async with db.read() as session:
            one, two = [await leads.require(session, each) for each in (lead, other)]
        entry, now = undo.Entry(), utc_now()
        words = f"said that {one} and {two} are not the same"
        async with undo.action(db, words, now=now, entry=entry) as session:
            await looking.say_distinct(session, lead, other, now=now)
        say(f"{one} and {two} are not suggested again.")
        if json:
            show_json({"distinct": [lead, other], "undo": entry.id})

    with_store(context, work)


def merge(
    context: typer.Context,
    keep: Annotated[
        int, typer.Argument(metavar="KEEP", help="The lead to keep.", min=1, max=MOST_ID)
    ],
    others: Others,
    take: Annotated[
        list[str] | None,
        typer.Option("--take", metavar="FIELD=ID", help="Take a field from this lead instead."),
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Merge leads into one; split or undo gives them back, however long ago it was."""
    choices = dict(_choice(text) for text in take or ())
    score = invocation(context).settings.score

    async def work(db: Database) -> None:
        from crm_tui.services import leads, undo
        from crm_tui.services import merge as merging

        merged = list(dict.fromkeys(others))
        async with db.read() as session:
            await leads.require(session, keep)
            words = await merging.words_of_merge(session, keep, merged)
        entry, now = undo.Entry(), utc_now()
        async with undo.action(db, words, now=now, entry=entry) as session:
            await merging.merge(session, keep, merged, choices, score=score, now=now)
        say(f"{words[:1].upper()}{words[1:]} (lead {keep}). Undo, or leads split, splits them.")
        if json:
            show_json({"kept": keep, "merged": merged, "undo": entry.id})

    with_store(context, work)


def split(context: typer.Context, lead: LeadId, *, json: Json = False) -> None:
    """Split a merged lead from the one it went into; what came since stays there."""
    settings = invocation(context).settings

    async def work(db: Database) -> Split:
        from crm_tui.services import merge as merging

        return await merging.split(db, lead, settings=settings, now=utc_now())

    done = with_store(context, work)
    if json:
        left = [{"id": each.business_id, "why": each.why} for each in done.left]
        show_json(
            {"kept": done.kept_id, "split": done.split_id, "undo": done.entry_id, "left": left}
        )
    say(f"{done.words[:1].upper()}{done.words[1:]}: leads {done.kept_id} and {done.split_id}.")
    for each in done.left:
        say(f"Left as it is: {each.name}: {each.why}.")
    if done.left:
        raise typer.Exit(Exit.IN_PART)


def erase(
    context: typer.Context,
    lead: LeadId,
    *,
    yes: Annotated[
        bool, typer.Option("--yes", help="Erase it; otherwise only what would go is said.")
    ] = False,
    json: Json = False,
) -> None:
    """Erase a lead for good, because it asked for it; this cannot be undone."""
    settings = invocation(context).settings
    if not yes:
        _say_would_go(_extent(context, lead), json=json)
        raise typer.Exit(Exit.REFUSED)

    async def work(db: Database) -> Erasure:
        from crm_tui.services import erase as erasing

        with status_line() as show:
            return await erasing.erase(db, lead, settings=settings, now=utc_now(), progress=show)

    erased = with_store(context, work)
    _say_erased(erased, json=json)
    if erased.problems:
        raise typer.Exit(Exit.IN_PART)


def _extent(context: typer.Context, lead: int) -> Extent:
    async def work(db: Database) -> Extent:
        from crm_tui.services import erase as erasing

        return await erasing.extent(db, lead)

    return with_store(context, work)


def _say_would_go(found: Extent, *, json: bool) -> None:
    if json:
        show_json(
            {
                "erased": None,
                "lead": found.lead_id,
                "would_go": found.words(),
                "backups": found.backups,
                "mentioned": found.mentioned,
            }
        )
    say(f"{found.name} (lead {found.lead_id}) would be erased for good, with:")
    for words in found.words():
        say(f"  {words}")
    if found.invoices:
        say(found.invoices)
    _say_kept(found.backups, found.mentioned)
    say(f"It cannot be undone. Erase it with: leads erase {found.lead_id} --yes")


def _say_erased(erased: Erasure, *, json: bool) -> None:
    if json:
        show_json(
            {
                "erased": erased.lead_id,
                "removed": erased.removed,
                "backups": erased.backups,
                "mentioned": erased.mentioned,
                "problems": erased.problems,
            }
        )
    say(f"Lead {erased.lead_id} is erased, for good. No import brings it back.")
    _say_kept(erased.backups, erased.mentioned)
    for problem in erased.problems:
        say(problem)


def _say_kept(backups: Sequence[str], mentioned: Sequence[int]) -> None:
    """Say where it still stands: in backups, and in what was written about other leads."""
    if backups:
        say(f"{plural(len(backups), 'backup')} made before still {_hold(backups)} it:")
        for name in backups:
            say(f"  {name}")
    if mentioned:
        leads = ", ".join(str(each) for each in mentioned)
        say(f"Notes that mention its phone or address stay, with: lead {leads}.")


def _hold(backups: Sequence[str]) -> str:
    return "holds" if len(backups) == 1 else "hold"


def _choice(text: str) -> tuple[str, int]:
    field, value = assignment(text)
    if not value.strip().isdecimal():
        raise WrongUsage(f"{text!r} names no lead; write FIELD=ID, such as phone=12.")
    return field, int(value)


def _suggestion(each: Suggestion) -> dict[str, Any]:
    return {
        "leads": [each.keep_id, each.other_id],
        "reason": each.reason,
        "certainty": each.certainty,
    }


async def _names(db: Database, lead_ids: Sequence[int]) -> dict[int, str]:
    from crm_tui.services import merge as merging

    async with db.read() as session:
        return await merging.names(session, lead_ids)

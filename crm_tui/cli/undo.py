"""`crm-tui undo` and `crm-tui redo`: taking back what was done, and doing it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from crm_tui.cli.long_work import progress_of, stop_on_interrupt
from crm_tui.cli.output import MOST_ID, Exit, invocation, say, show_json, show_table, with_store
from crm_tui.clock import local_stamp, utc_now
from crm_tui.text import plural, visible
from crm_tui.vocabulary import UndoState

if TYPE_CHECKING:
    from crm_tui.db.engine import Database
    from crm_tui.services.undo import EntryLine, Undone

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Entry = Annotated[
    int | None,
    typer.Option("--id", metavar="N", help="Not the last one but this.", min=1, max=MOST_ID),
]

_NAMED = 10
_STATES = {
    UndoState.DONE: "done",
    UndoState.UNDOING: "undone in part",
    UndoState.UNDONE: "undone",
    UndoState.REDOING: "done again in part",
}


def register(root: typer.Typer) -> None:
    """Add the commands to the root."""
    root.command("undo")(undo)
    root.command("redo")(redo)


def undo(
    context: typer.Context,
    entry: Entry = None,
    *,
    listing: Annotated[
        bool, typer.Option("--list", help="Only list what can be undone or done again.")
    ] = False,
    json: Json = False,
) -> None:
    """Take back the last thing that was done; leads changed since are left, and named."""
    if listing and entry is not None:
        raise typer.BadParameter("--list lists everything; leave out --id.")
    if listing:
        _list(context, json=json)
        return
    _turn(context, entry, undoing=True, json=json)


def redo(context: typer.Context, entry: Entry = None, *, json: Json = False) -> None:
    """Do again what was undone last."""
    _turn(context, entry, undoing=False, json=json)


def _list(context: typer.Context, *, json: bool) -> None:
    async def work(db: Database) -> None:
        from crm_tui.services import undo

        async with db.read() as session:
            lines = await undo.entries(session, limit=undo.KEPT)
        if json:
            show_json({"entries": [_line_document(line) for line in lines]})
            return
        show_table(
            ("ID", "When", "State", "What"),
            [
                (line.id, local_stamp(line.created_at), _STATES[line.state], visible(line.words))
                for line in lines
            ],
        )
        said = plural(len(lines), "action")
        say(f"{said}. An import is taken back with: crm-tui imports undo.")

    with_store(context, work)


def _turn(context: typer.Context, entry: int | None, *, undoing: bool, json: bool) -> None:
    settings = invocation(context).settings

    async def work(db: Database) -> Undone:
        from crm_tui.services import undo

        turn = undo.undo if undoing else undo.redo
        words = "Undoing" if undoing else "Doing again"
        with stop_on_interrupt() as stopped, progress_of(words) as progress:
            return await turn(
                db,
                settings=settings,
                now=utc_now(),
                entry_id=entry,
                progress=progress,
                cancelled=stopped,
            )

    undone = with_store(context, work)
    if json:
        left = [{"id": each.business_id, "why": each.why} for each in undone.left]
        show_json({"undone": undone.words, "restored": undone.restored, "left": left})
    for each in undone.left[:_NAMED]:
        lead = f" (lead {each.business_id})" if each.business_id else ""
        say(f"Left: {each.name}{lead}: {each.why}.")
    if (more := len(undone.left) - _NAMED) > 0:
        say(f"… and {more:,} more; --json names all.")
    _say_turned(undone, undoing=undoing)
    if undone.stopped or (undone.left and undone.any_done):
        raise typer.Exit(Exit.IN_PART)
    if undone.left:
        raise typer.Exit(Exit.REFUSED)


def _say_turned(undone: Undone, *, undoing: bool) -> None:
    done = "Undone" if undoing else "Done again"
    if not undone.any_done and not undone.stopped:
        say(f"Nothing could be {done.lower()}: {undone.words}.")
    elif undone.stopped:
        again = "undo" if undoing else "redo"
        say(f"Stopped in the middle of: {undone.words}. crm-tui {again} goes on with it.")
    elif undone.left:
        say(f"{done} in part: {undone.words}.")
    else:
        back = " crm-tui redo does it again." if undoing else ""
        say(f"{done}: {undone.words}.{back}")


def _line_document(line: EntryLine) -> dict[str, Any]:
    return {
        "id": line.id,
        "words": line.words,
        "state": line.state,
        "at": line.created_at.isoformat(),
    }

"""`crm-tui suppression …`: who must not be contacted, and why."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crm_tui.cli.long_work import status_line, stop_on_interrupt
from crm_tui.cli.output import Exit, invocation, say, show_json, show_table, with_store
from crm_tui.clock import local_stamp, utc_now
from crm_tui.text import plural, visible
from crm_tui.vocabulary import SuppressionKind

if TYPE_CHECKING:
    from crm_tui.db.engine import Database
    from crm_tui.services.suppression import Imported, Line

app = typer.Typer(
    help="Who must not be contacted: list, add, remove, import, export.", no_args_is_help=True
)

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Barred = Annotated[
    str,
    typer.Argument(
        metavar="VALUE", help="An address, a number, a domain, or a lead such as lead:12."
    ),
]

_NAMED = 10


@app.command("list")
def list_values(
    context: typer.Context,
    words: Annotated[
        str, typer.Argument(metavar="[WORDS]", help="Only lines that hold these words.")
    ] = "",
    limit: Annotated[int | None, typer.Option(min=0, help="At most this many.")] = None,
    *,
    json: Json = False,
) -> None:
    """List who must not be contacted, the newest first."""

    async def work(db: Database) -> tuple[int, list[Line]]:
        from crm_tui.services import suppression

        ids = await suppression.order(db, words)
        shown: list[Line] = []
        for start in range(0, len(ids), 500):
            if limit is not None and len(shown) >= limit:
                break
            async with db.read() as session:
                some = ids[start : start + 500]
                by_id = {each.id: each for each in await suppression.rows_by_id(session, some)}
            shown += [by_id[each] for each in some if each in by_id]
        return len(ids), shown if limit is None else shown[:limit]

    total, lines = with_store(context, work)
    if json:
        show_json(
            {
                "suppressions": [
                    {
                        "value": each.value,
                        "kind": each.kind,
                        "reason": each.reason,
                        "created_at": each.created_at.isoformat(),
                        "lead": each.lead_id,
                    }
                    for each in lines
                ]
            }
        )
        return
    show_table(
        ("Value", "Kind", "Reason", "Since", "Lead", "Name"),
        [
            (
                f"lead:{each.lead_id}" if _is_lead(each) and each.lead_id else each.value,
                each.kind,
                visible(each.reason, 60),
                local_stamp(each.created_at),
                each.lead_id,
                visible(each.name, 40),
            )
            for each in lines
        ],
    )
    say(f"{plural(total, 'value')} on the list")


def _is_lead(line: Line) -> bool:
    return line.kind is SuppressionKind.BUSINESS


@app.command()
def add(
    context: typer.Context,
    value: Barred,
    reason: Annotated[str, typer.Option(help="Why, such as 'asked us to stop'.")] = "",
    *,
    json: Json = False,
) -> None:
    """Bar somebody from all campaigns at once; mail that waits for them is skipped."""
    region = invocation(context).settings.imports.default_region

    async def work(db: Database) -> None:
        from crm_tui.services import suppression

        meant = suppression.read_value(value, region=region)
        entry = suppression.Entry(meant, reason or suppression.BY_HAND)
        result = await suppression.add(db, entry, now=utc_now())
        stands = result.standing or entry.reason
        shown = f"lead {meant.value}" if meant.lead_id is not None else meant.value
        if json:
            show_json(
                {
                    "value": meant.value,
                    "kind": meant.kind,
                    "reason": stands,
                    "added": bool(result.added),
                    "skipped": result.skipped,
                }
            )
        if result.added:
            say(f"Nothing goes to {shown} any more.{_skipped(result.skipped)}")
        else:
            say(f"{shown} is on the list already: {stands}.")

    with_store(context, work)


def _skipped(count: int) -> str:
    return f" {plural(count, 'mail')} that waited will not be sent." if count else ""


@app.command()
def remove(
    context: typer.Context,
    value: Barred,
    reason: Annotated[str, typer.Option(help="Why they may be contacted again.")] = "",
    *,
    force: Annotated[
        bool,
        typer.Option("--force", help="Although they asked for it themselves, and took it back."),
    ] = False,
    json: Json = False,
) -> None:
    """Take somebody off the list; what was skipped meanwhile stays skipped."""
    region = invocation(context).settings.imports.default_region

    async def work(db: Database) -> None:
        from crm_tui.services import suppression

        meant = suppression.read_value(value, region=region)
        why = reason if reason or force else suppression.OFF_BY_HAND
        freed = await suppression.remove(db, meant, why, force=force, now=utc_now())
        if json:
            show_json({"value": freed.value.value, "kind": freed.value.kind, "was": freed.was})
        say(f"{visible(freed.name, 60)} may be contacted again; the reason was: {freed.was}.")

    with_store(context, work)


@app.command("import")
def import_file(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A plain list, or a CSV.")],
    reason: Annotated[str, typer.Option(help="The reason of lines that say none.")] = "",
    *,
    json: Json = False,
) -> None:
    """Bar everybody on a list; a header and the order of columns do not matter."""
    region = invocation(context).settings.imports.default_region

    async def work(db: Database) -> Imported:
        from crm_tui.services import suppression

        with stop_on_interrupt() as stopped, status_line() as show:
            return await suppression.import_list(
                db,
                path,
                region=region,
                reason=reason,
                now=utc_now(),
                progress=lambda lines: show(f"Reading {path.name}: {plural(lines, 'line')}"),
                cancelled=stopped,
            )

    done = with_store(context, work)
    if json:
        problems = [{"line": each.line, "reason": each.reason} for each in done.problems]
        show_json(
            {
                "seen": done.seen,
                "added": done.added,
                "known": done.known,
                "rejected": done.rejected,
                "skipped": done.skipped,
                "problems": problems,
            }
        )
    say(
        f"{path.name}: {plural(done.seen, 'line')} seen: {done.added:,} added, {done.known:,} there"
        f" already, {done.rejected:,} rejected.{_skipped(done.skipped)}"
    )
    for problem in done.problems[:_NAMED]:
        say(f"  line {problem.line}: {problem.reason}")
    if (more := done.rejected - _NAMED) > 0:
        say(f"  … and {more:,} more")
    if done.cancelled:
        say("Stopped before the end of the list.")
    if done.added:
        say("All of it back: crm-tui undo")
    if done.seen and not (done.added or done.known):
        raise typer.Exit(Exit.REFUSED)
    if done.rejected or done.cancelled:
        raise typer.Exit(Exit.IN_PART)


@app.command()
def export(
    context: typer.Context,
    target: Annotated[str, typer.Argument(metavar="FILE", help="The CSV to write; - is stdout.")],
) -> None:
    """Write the whole list as a CSV, which `suppression import` takes back."""

    async def work(db: Database) -> int:
        from crm_tui.services import suppression

        if target == "-":
            return await suppression.write_list(db, sys.stdout)
        return await suppression.export_list(db, Path(target))

    written = with_store(context, work)
    say(f"{plural(written, 'value')} written" + ("" if target == "-" else f" to {target}"))

"""`crm-tui import FILE…` and `crm-tui imports …`: taking lists in, and taking them back."""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from crm_tui.cli.completions import tags
from crm_tui.cli.long_work import progress_of, status_line, stop_on_interrupt
from crm_tui.cli.output import MOST_ID, Exit, invocation, say, show_json, show_table, with_store
from crm_tui.clock import local_stamp, utc_now
from crm_tui.errors import BadInput, UserError
from crm_tui.text import plural, visible
from crm_tui.vocabulary import RowAction

if TYPE_CHECKING:
    from crm_tui.config import Settings
    from crm_tui.db.engine import Database
    from crm_tui.services.imports.batches import BatchLine
    from crm_tui.services.imports.result import ImportResult, Progress
    from crm_tui.services.imports.undo import UndoResult

T = TypeVar("T")

app = typer.Typer(help="List, show and take back imports.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
BatchId = Annotated[
    int, typer.Argument(metavar="BATCH", help="The import's number.", min=1, max=MOST_ID)
]

_NAMED = 10
_COUNTS = ("seen", "created", "merged", "skipped", "rejected", "unmatched")


def register(root: typer.Typer) -> None:
    """Add the commands to the root."""
    root.command("import")(import_files)
    root.add_typer(app, name="imports")


def import_files(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Lists to import.")],
    format_name: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="outscraper, gosom, places, csv, crm-tui or legacy, where it is not recognised.",
        ),
    ] = None,
    maps: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="COLUMN=FIELD", help="What a column of a CSV means."),
    ] = None,
    tags: Annotated[
        list[str] | None,
        typer.Option("--tag", help="Tag every lead of the lists.", autocompletion=tags),
    ] = None,
    region: Annotated[
        str | None,
        typer.Option(help="Two letters: the country of phones whose row names none."),
    ] = None,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Change nothing; say what would happen.")
    ] = False,
    json: Json = False,
) -> None:
    """Import lists of leads; what is there already is merged, not repeated."""
    _check_region(region)
    _check_format(format_name)
    how = _How(
        settings=invocation(context).settings,
        format_name=format_name,
        mapping=_mapping(maps or []),
        tags=tuple(tags or ()),
        region=region,
        dry_run=dry_run,
    )

    async def work(db: Database) -> list[ImportResult | UserError]:
        return await _import_all(db, paths, how)

    results = _with_untouched(context, work) if dry_run else with_store(context, work, back_up=True)
    if json and results:
        documents = [_document(result) for result in results]
        show_json(documents[0] if len(paths) == 1 else {"imports": documents})
    for path, result in zip(paths, results, strict=False):
        _say_result(path, result, dry_run=dry_run)
    _exit(len(paths), results)


@dataclass(frozen=True, slots=True)
class _How:
    """What the options say about every list."""

    settings: Settings
    format_name: str | None
    mapping: Mapping[str, str]
    tags: tuple[str, ...]
    region: str | None
    dry_run: bool


async def _import_all(
    db: Database, paths: Sequence[Path], how: _How
) -> list[ImportResult | UserError]:
    """Import one list after another; what is wrong with one does not keep the others out.

    Raises:
        UserError: there is only one, and it cannot be imported.
    """
    from crm_tui.services.imports.rehearsal import rehearsal
    from crm_tui.services.imports.run import import_file

    results: list[ImportResult | UserError] = []
    # An import makes many objects and hardly a cycle; looking for some all the time costs 15 %.
    gc.freeze()
    gc.set_threshold(50_000)
    async with AsyncExitStack() as stack:
        stage = None
        if how.dry_run:
            stage = await stack.enter_async_context(rehearsal(db, now=utc_now()))
        stopped = stack.enter_context(stop_on_interrupt())
        show = stack.enter_context(status_line())
        for path in paths:
            if stopped():
                break
            try:
                result = await import_file(
                    db,
                    path,
                    settings=how.settings,
                    now=utc_now(),
                    format_name=how.format_name,
                    mapping=how.mapping,
                    tags=how.tags,
                    region=how.region,
                    dry_run=how.dry_run,
                    stage=stage,
                    progress=partial(_show_progress, show, path.name),
                    cancelled=stopped,
                )
            except UserError as error:
                if len(paths) == 1:
                    raise
                results.append(error)
            else:
                results.append(result)
    return results


def _show_progress(show: Callable[[str], None], name: str, at: Progress) -> None:
    share = at.position * 100 // at.size if at.size else 100
    show(f"Importing {name}: {plural(at.records, 'record')}, {share} % read")


def _mapping(maps: list[str]) -> Mapping[str, str]:
    from crm_tui.services.imports.mapping import parse_map

    try:
        return parse_map(maps)
    except BadInput as error:
        raise typer.BadParameter(str(error)) from error


def _check_format(name: str | None) -> None:
    from crm_tui.services.imports.sniff import FORMATS

    if name is not None and name not in FORMATS:
        raise typer.BadParameter(f"There is no format “{name}”. Known are {', '.join(FORMATS)}.")


def _check_region(region: str | None) -> None:
    from crm_tui.services.addresses import country_code

    if region is not None and (len(region) != 2 or not country_code(region)):
        raise typer.BadParameter(f"{region!r} is not a country; use two letters, such as US.")


def _with_untouched(context: typer.Context, work: Callable[[Database], Awaitable[T]]) -> T:
    """Do work on the store without making it, or bringing it up to date."""
    path = invocation(context).store

    async def run() -> T:
        from crm_tui.services.imports.rehearsal import untouched

        async with untouched(path, now=utc_now()) as db:
            return await work(db)

    import asyncio

    return asyncio.run(run())


def _document(result: ImportResult | UserError) -> dict[str, Any]:
    if isinstance(result, UserError):
        counts: dict[str, Any] = dict.fromkeys(_COUNTS, 0)
        return {
            "batch": None,
            "format": None,
            **counts,
            "problems": [{"row": 0, "reason": str(result)}],
        }
    problems = [{"row": problem.row, "reason": problem.reason} for problem in result.problems]
    if more := result.problem_count - len(problems):
        where = f"; see: crm-tui imports show {result.batch}" if result.batch else ""
        problems.append({"row": 0, "reason": f"and {more:,} more{where}"})
    return {
        "batch": result.batch,
        "format": result.format,
        **{name: getattr(result, name) for name in _COUNTS},
        "problems": problems,
    }


def _say_result(path: Path, result: ImportResult | UserError, *, dry_run: bool) -> None:
    if isinstance(result, UserError):
        say(str(result))
        return
    said = f"{path.name} ({result.format}): {plural(result.seen, 'lead')} seen: "
    said += ", ".join(
        f"{getattr(result, name):,} {name}" for name in ("created", "merged", "skipped", "rejected")
    )
    if result.sites or result.unmatched:
        said += f"; {plural(result.sites, 'site')} with a lead, {result.unmatched:,} without"
    say(f"{said}. Nothing was changed." if dry_run else f"{said}.")
    for problem in result.problems[:_NAMED]:
        say(f"  row {problem.row}: {problem.reason}" if problem.row else f"  {problem.reason}")
    if (more := result.problem_count - _NAMED) > 0:
        say(f"  … and {more:,} more")
    if result.cancelled:
        say("Stopped before the end of the list.")
    if result.unmatched and not dry_run:
        say("Sites without a lead are kept; see: crm-tui sites repair")
    if result.batch is not None and result.created + result.merged:
        say(
            f"Every row: crm-tui imports show {result.batch}. All of it back: crm-tui imports "
            f"undo {result.batch}."
        )


def _exit(asked: int, results: list[ImportResult | UserError]) -> None:
    done = [result for result in results if not isinstance(result, UserError)]
    if not done:
        raise typer.Exit(Exit.REFUSED)
    if len(done) < asked or any(result.rejected or result.cancelled for result in done):
        raise typer.Exit(Exit.IN_PART)


@app.command("list")
def list_imports(context: typer.Context, *, json: Json = False) -> None:
    """List all imports, the newest first."""

    async def work(db: Database) -> None:
        from crm_tui.services.imports import batches

        async with db.read() as session:
            lines = await batches.all_batches(session)
        if json:
            show_json({"imports": [_line_document(line) for line in lines]})
            return
        show_table(
            ("ID", "File", "Format", "State", *(name.capitalize() for name in _COUNTS), "When"),
            [
                (
                    line.id,
                    visible(line.file_name, 40),
                    line.format,
                    line.state,
                    *(getattr(line, name) for name in _COUNTS),
                    local_stamp(line.started_at),
                )
                for line in lines
            ],
        )
        say(plural(len(lines), "import"))

    with_store(context, work)


@app.command()
def show(
    context: typer.Context,
    batch: BatchId,
    only: Annotated[
        RowAction | None, typer.Option(help="Only the rows that ended like this.")
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Show what became of every row of an import."""

    async def work(db: Database) -> None:
        from crm_tui.services.imports import batches

        async with db.read() as session:
            line = await batches.batch(session, batch)
            rows = await batches.rows_of(session, batch, only=only)
        if json:
            document = _line_document(line)
            document["rows"] = [
                {
                    "row": row.row,
                    "action": row.action,
                    "name": row.name,
                    "reason": row.reason,
                    "business_id": row.business_id,
                }
                for row in rows
            ]
            show_json({"import": document})
            return
        show_table(
            ("Row", "Became", "Lead", "Name", "Reason"),
            [
                (row.row, row.action, row.business_id, visible(row.name, 40), row.reason)
                for row in rows
            ],
        )
        say(f"Import {line.id}, {line.file_name}: {line.state}.")

    with_store(context, work)


@app.command()
def undo(context: typer.Context, batch: BatchId, *, json: Json = False) -> None:
    """Take an import back; leads worked on since are left, and named."""
    settings = invocation(context).settings

    async def work(db: Database) -> UndoResult:
        from crm_tui.services.imports.undo import undo as take_back

        with progress_of(f"Taking back import {batch}") as progress:
            return await take_back(db, batch, settings=settings, now=utc_now(), progress=progress)

    result = with_store(context, work)
    if json:
        show_json(
            {
                "batch": result.batch,
                "deleted": result.deleted,
                "restored": result.restored,
                "left": [
                    {"id": left.business_id, "name": left.name, "reason": left.reason}
                    for left in result.left
                ],
            }
        )
    for left in result.left[:_NAMED]:
        say(f"Left: {left.name} (lead {left.business_id}): {left.reason}")
    if (more := len(result.left) - _NAMED) > 0:
        say(f"… and {plural(more, 'more lead')}; --json names all.")
    say(
        f"Import {batch} taken back: {plural(result.deleted, 'lead')} deleted, "
        f"{result.restored:,} restored, {len(result.left):,} left."
    )
    if result.left:
        raise typer.Exit(Exit.IN_PART)


def _line_document(line: BatchLine) -> dict[str, Any]:
    return {
        "batch": line.id,
        "file": line.file_name,
        "format": line.format,
        "state": line.state,
        **{name: getattr(line, name) for name in _COUNTS},
        "started_at": line.started_at.isoformat(),
        "finished_at": line.finished_at.isoformat() if line.finished_at else None,
    }

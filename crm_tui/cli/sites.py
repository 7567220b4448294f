"""`crm-tui sites …`: building, looking at, repairing and wording sites; publishing.py has the rest."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crm_tui.cli import publishing
from crm_tui.cli import site_words as words
from crm_tui.cli.completions import slugs
from crm_tui.cli.long_work import progress_of, stop_on_interrupt
from crm_tui.cli.output import MOST_ID, Exit, invocation, say, show_json, show_table, with_store
from crm_tui.clock import local_stamp, utc_now
from crm_tui.errors import BadInput
from crm_tui.text import plural, visible

if TYPE_CHECKING:
    from crm_tui.db.engine import Database
    from crm_tui.services.sites.build import BuildReport
    from crm_tui.services.sites.listing import SiteLine
    from crm_tui.services.sites.render import Renderer
    from crm_tui.services.sites.repair import Proposal, RepairReport

app = typer.Typer(help="Build, list, open, repair and publish preview sites.", no_args_is_help=True)
publishing.register(app)

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Named = Annotated[
    str,
    typer.Argument(
        metavar="SLUG",
        help="The site's slug, or the number of its lead.",
        autocompletion=slugs,
    ),
]


@app.command()
def build(
    context: typer.Context,
    leads: Annotated[
        list[int] | None,
        typer.Argument(metavar="[ID]...", help="Numbers of leads.", min=1, max=MOST_ID),
    ] = None,
    *,
    every: Annotated[
        bool, typer.Option("--all", help="All leads that are not archived, best first.")
    ] = False,
    json: Json = False,
) -> None:
    """Build the sites of leads; a site whose facts and texts are unchanged is left alone."""
    if bool(leads) == every:
        raise typer.BadParameter("Name leads by their numbers, or say --all.")

    async def work(db: Database) -> BuildReport:
        from crm_tui.services.lead_query import LeadQuery
        from crm_tui.services.lead_rows import order

        chosen: Sequence[int] = await order(db, LeadQuery()) if every else leads or []
        return await _build(db, list(dict.fromkeys(chosen)), await _renderer(context))

    report = with_store(context, work, back_up=True)
    if json:
        show_json(words.build_document(report))
    words.say_built(report)
    if report.failures or report.cancelled:
        raise typer.Exit(Exit.IN_PART if report.sites else Exit.REFUSED)


@app.command("list")
def list_sites(context: typer.Context, *, json: Json = False) -> None:
    """List all sites, the ones built last first."""

    async def work(db: Database) -> None:
        from crm_tui.services.sites import listing, repair

        async with db.read() as session:
            lines = await listing.sites(session)
            left = await repair.count_waiting(session)
        if json:
            show_json(
                {"sites": [words.site_document(line, db) for line in lines], "unmatched": left}
            )
        else:
            show_table(
                ("Lead", "Business", "Slug", "Theme", "Status", "Built", "Public"),
                [
                    (
                        line.business_id,
                        visible(line.business, 40),
                        line.slug,
                        line.theme,
                        f"{line.status}, out of date" if line.out_of_date else line.status,
                        local_stamp(line.built_at),
                        words.public_words(line.public),
                    )
                    for line in lines
                ],
            )
            say(plural(len(lines), "site"))
        if left:
            say(f"{plural(left, 'site')} without a lead; see: crm-tui sites repair")

    with_store(context, work)


@app.command("open")
def open_site(
    context: typer.Context,
    site: Named,
    *,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Only say where it can be seen.")
    ] = False,
    json: Json = False,
) -> None:
    """Show a site in the browser; serves it on this machine until ctrl+c."""
    from crm_tui.services.sites.browser import show_page
    from crm_tui.services.sites.preview import Preview

    settings = invocation(context).settings.preview

    async def work(db: Database) -> tuple[SiteLine, Preview, dict[str, Any]]:
        from crm_tui.services.sites import listing

        async with db.read() as session:
            line = await listing.find(session, site)
        await listing.prepare_preview(db, line, now=utc_now())
        preview = Preview(db.path, db.site_folder, port=settings.port)
        return line, preview, words.site_document(line, db)

    line, preview, document = with_store(context, work)
    url = preview.address(line.slug)
    try:
        result = show_page(url, os.environ, no_browser=no_browser or not settings.browser)
        if json:
            show_json(document | {"url": url} | words.shown_document(result))
        else:
            words.say_shown(result)
        sys.stdout.flush()
        if preview.held:
            say("Serving the previews until you press ctrl+c.")
            threading.Event().wait()
        else:
            say("Another crm-tui serves the previews; they can be seen as long as it runs.")
    except KeyboardInterrupt:
        say("Stopped serving.")
    finally:
        preview.close()


@app.command()
def repair(
    context: typer.Context,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Accept all proposals.")] = False,
    json: Json = False,
) -> None:
    """Propose a lead for every site that came without one, as its page tells; with --yes, do it."""
    settings = invocation(context).settings

    async def propose(db: Database) -> list[Proposal]:
        from crm_tui.services.sites.repair import proposals

        return await proposals(db, region=settings.imports.default_region)

    async def accept(db: Database) -> RepairReport:
        from crm_tui.services.sites.repair import accept_all

        with stop_on_interrupt() as stopped, progress_of("Repairing sites") as progress:
            return await accept_all(
                db, settings=settings, clock=utc_now, progress=progress, cancelled=stopped
            )

    if not yes:
        found = with_store(context, propose)
        if json:
            show_json(words.proposals_document(found))
        else:
            words.say_proposals(found)
        return
    report = with_store(context, accept)
    if json:
        show_json(words.repair_document(report))
    for problem in report.problems:
        say(problem)
    say(
        f"Repaired {plural(len(report.repaired), 'site')}: {plural(report.created, 'lead')} "
        f"created, {report.linked:,} linked; {report.left:,} left."
    )
    if report.left or report.problems:
        raise typer.Exit(Exit.IN_PART if report.repaired else Exit.REFUSED)


@app.command()
def texts(
    context: typer.Context,
    site: Named,
    *,
    show: Annotated[bool, typer.Option("--print", help="Only print them.")] = False,
    file: Annotated[
        Path | None, typer.Option("--file", help="Take them from this file; - is stdin.")
    ] = None,
) -> None:
    """Edit the texts of a site in $EDITOR, and build it again."""

    async def work(db: Database) -> None:
        from crm_tui.services.sites import editing, listing

        renderer = await _renderer(context)
        themes = renderer.themes
        async with db.read() as session:
            line = await listing.find(session, site)
            before = await editing.read_texts(session, line.id, themes=themes)
        if show:
            sys.stdout.write(before)
            return

        async def save(text: str) -> bool:
            async with db.write() as session:
                return await editing.save_texts(
                    session, line.id, text, themes=themes, now=utc_now()
                )

        changed = await (save(_read(file)) if file else _edit(before, save))
        if not changed:
            say("The texts are as they were; nothing was built.")
            return
        report = await _build(db, [line.business_id], renderer)
        words.say_built(report)

    with_store(context, work)


async def _build(db: Database, ids: Sequence[int], renderer: Renderer) -> BuildReport:
    from crm_tui.services.sites.build import build_sites

    with stop_on_interrupt() as stopped, progress_of("Building sites") as progress:
        return await build_sites(
            db,
            ids,
            renderer=renderer,
            clock=utc_now,
            undoable=True,
            progress=progress,
            cancelled=stopped,
        )


async def _renderer(context: typer.Context) -> Renderer:
    from crm_tui.config import default_config_path
    from crm_tui.services.sites.render import Renderer
    from crm_tui.services.sites.themes import load_themes

    config = invocation(context).config or default_config_path()
    return Renderer(load_themes(config.with_name("themes")))


async def _edit(before: str, save: Callable[[str], Any]) -> bool:
    """Open the texts in $EDITOR until they can be used or are given up."""
    from crm_tui.widgets.editor import edit_text, editor_command

    command = editor_command(os.environ)
    text = before
    while True:
        text = edit_text(text, command, suffix=".toml")
        try:
            return bool(await save(text))
        except BadInput as error:
            say(str(error))
            if not typer.confirm("Edit again?", default=True, err=True):
                raise BadInput("The texts were not saved; the site is as it was.") from None


def _read(file: Path) -> str:
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except OSError as error:
        raise BadInput(f"The file {file} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise BadInput(f"The file {file} is not UTF-8 text.") from None

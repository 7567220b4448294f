"""A list before it is imported: what it is, its first rows, what its columns mean, a dry run."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from textual import on
from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import Static

from crm_tui.errors import BadInput
from crm_tui.screens.base import AppScreen, Job
from crm_tui.screens.dialogs import Confirm, Pick, Picker
from crm_tui.screens.import_columns import ColumnsScreen
from crm_tui.screens.import_report import ReportScreen
from crm_tui.screens.import_tables import (
    FIRST_ROW_COLUMNS,
    FORMAT_TITLES,
    FirstRow,
    counts_words,
    facts_words,
    first_rows,
    mapping_words,
)
from crm_tui.services.imports.captured import ReadOptions
from crm_tui.services.imports.finding import remember_file
from crm_tui.services.imports.mapping import CUSTOM
from crm_tui.services.imports.reading import Preview, preview
from crm_tui.services.imports.result import ImportResult, Progress
from crm_tui.services.imports.run import import_file
from crm_tui.services.imports.saved import saved_mapping
from crm_tui.text import plural
from crm_tui.vocabulary import RowAction
from crm_tui.widgets.facts import styled
from crm_tui.widgets.forms import Form, LineField
from crm_tui.widgets.look import Role
from crm_tui.widgets.row_list import RowList
from crm_tui.widgets.row_messages import RowOpened

_SHOWN = 50
_TOLD = "told"
"""The format is the one the file seems to have."""


class ImportScreen(AppScreen):
    """One file: look at it, say what its columns mean, try it, import it.

    Args:
        path: The file.
    """

    CSS_PATH = "importer.tcss"
    AREA = "import"
    FOOTER = ("import.start", "import.rehearse", "import.columns", "import.tag", "import.format")
    TAB = "leads"
    AUTO_FOCUS = "#import-rows"

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._forced: str | None = None
        self._mapping: dict[str, str] | None = None
        self._tag = ""
        self._preview: Preview | None = None
        self._working = False
        self._looked = asyncio.Event()

    def compose_body(self) -> Iterable[Widget]:
        """What the file is, above its first rows."""
        with Vertical(id="import-head"):
            yield Static(styled(self._path.name, Role.STRONG), id="import-name")
            yield Static(id="import-facts")
            yield Static(id="import-mapping")
            yield Static(id="import-tag")
            yield Static(id="import-words")
        self._table: RowList[FirstRow] = RowList(
            FIRST_ROW_COLUMNS, now=self.host.now, id="import-rows"
        )
        yield self._table

    def on_mount(self) -> None:
        """Look at the file."""
        self._line("#import-facts", "Looking at the file …", Role.QUIET)
        self.host.keys_wait_for(self._looked)
        self.work(self._look(), group="look")

    # Looking

    async def _look(self, *, forced: str | None = None) -> None:
        try:
            await self._look_at(forced)
        finally:
            self._looked.set()

    async def _look_at(self, forced: str | None) -> None:
        try:
            shown = await self._read(self._mapping, forced)
            if self._mapping is None and shown.headers:
                db = await self.host.store()
                async with db.read() as session:
                    saved = await saved_mapping(session, shown.headers)
                if saved is not None:
                    shown = await self._read(_whole(shown, saved), forced)
        except BadInput as error:
            if self._preview is None:
                self._line("#import-facts", str(error), Role.BAD)
                return
            raise
        self._forced = forced
        self._preview = shown
        self._show(shown)

    async def _read(self, mapping: dict[str, str] | None, forced: str | None) -> Preview:
        region = self.host.settings.imports.default_region.upper()
        options = ReadOptions(default_region=region, mapping=mapping)
        return await asyncio.to_thread(preview, self._path, options, forced=forced, limit=_SHOWN)

    def _show(self, shown: Preview) -> None:
        self._line("#import-facts", facts_words(shown), Role.QUIET)
        columns = mapping_words(shown) if shown.headers else ""
        self._line("#import-mapping", f"Columns  {columns}" if columns else "")
        self._line("#import-tag", f"Tag  {self._tag}" if self._tag else "")
        if shown.problem:
            self._line(
                "#import-words", "Say which column is the business's name: m.", Role.ATTENTION
            )
        elif shown.format == "legacy":
            words = "Its leads and sites are read when it is imported; d tries it."
            self._line("#import-words", words, Role.QUIET)
        else:
            self._line("#import-words", "")
        rows = first_rows(shown.rows)
        self._table.show(array("q", (row.id for row in rows)), rows)

    def _line(self, selector: str, words: str, role: Role = Role.TEXT) -> None:
        line = self.query_one(selector, Static)
        line.update(styled(words, role))
        line.display = bool(words)

    # Saying more about it

    def action_columns(self) -> None:
        """Say what the columns of a table mean."""
        if self._preview is None:
            return
        if not self._preview.headers:
            format_title = FORMAT_TITLES[self._preview.format]
            self.host.say(f"What the columns of this list mean is known: {format_title}.")
            return
        self.app.push_screen(ColumnsScreen(self._preview, self._remap))

    def _remap(self, mapping: dict[str, str]) -> None:
        self._mapping = mapping
        self.work(self._look(forced=self._forced), group="look")

    def action_tag(self) -> None:
        """Mark every lead of the list with a tag."""

        async def save(values: Any) -> None:
            from crm_tui.services.tags import spelled

            self._tag = spelled(values["tag"]) if values["tag"].strip() else ""
            self._line("#import-tag", f"Tag  {self._tag}" if self._tag else "")

        field = LineField("tag", "Tag", self._tag, hint="such as plumbers-ny")
        self.app.push_screen(
            Form("Mark every lead of this list", [field], save=save, verb="Take it")
        )

    def action_format(self) -> None:
        """Say what the file is, where it was taken for something else."""
        if self._preview is None:
            return
        picks = [Pick(_TOLD, "Tell by its content", "")]
        picks += [Pick(name, title, name) for name, title in FORMAT_TITLES.items()]

        def force(name: str | None) -> None:
            if name is not None:
                self._mapping = None
                wanted = None if name == _TOLD else name
                self.work(self._look(forced=wanted), group="look")

        self.app.push_screen(Picker("What is it?", picks, current=self._preview.format), force)

    # A dry run, and the import

    def action_rehearse(self) -> None:
        """Find out what importing it would do; nothing is changed."""
        if self._ready():
            self.host.start_job(f"Trying {self._path.name}", self._rehearse)

    async def _rehearse(self, job: Job) -> None:
        result = await self._import(job, dry_run=True)
        words = counts_words(_counts(result))
        if result.unmatched:
            words += f", {plural(result.unmatched, 'site')} without a lead"
        problems = ""
        if result.problem_count:
            first = result.problems[0]
            problems = f" {plural(result.problem_count, 'problem')}, the first in row {first.row}: {first.reason}."
        stopped = "As far as it was tried: " if result.cancelled else "It would be: "
        self._say_here(f"{stopped}{words}.{problems} Nothing was changed.", Role.GOOD)

    @on(RowOpened)
    def action_start(self) -> None:
        """Import the list."""
        if not self._ready():
            return
        tagged = f", tagged “{self._tag}”" if self._tag else ""
        question = f"Import {self._path.name}{tagged}? It can be taken back afterwards."

        def start(wanted: bool | None) -> None:  # noqa: FBT001 - Textual's callback
            if wanted:
                self.host.start_job(f"Importing {self._path.name}", self._start)

        self.app.push_screen(Confirm(question, verb="Import"), start)

    async def _start(self, job: Job) -> None:
        db = await self.host.store()
        result = await self._import(job, dry_run=False)
        async with db.write() as session:
            await remember_file(session, self._path)
        words = f"Imported {result.file_name}: {counts_words(_counts(result))}."
        if result.cancelled:
            words = f"Stopped. {words} What was imported stays; u takes it back."
        if result.batch is not None and self.is_current:
            await self.app.switch_screen(ReportScreen(result.batch))
        elif self.is_current:
            self._say_here(words, Role.GOOD)
        self.host.say(words, Role.ATTENTION if result.cancelled or result.rejected else Role.GOOD)

    async def _import(self, job: Job, *, dry_run: bool) -> ImportResult:
        def tell(progress: Progress) -> None:
            share = progress.position / progress.size if progress.size else 1
            total = max(round(progress.records / share) if share else 0, progress.records)
            job.progress(progress.records, total)
            self._say_here(f"{progress.records:,} rows, {share:.0%} of the file.", Role.QUIET)

        self._working = True
        try:
            return await import_file(
                await self.host.store(),
                self._path,
                settings=self.host.settings,
                now=self.host.now(),
                format_name=self._forced,
                mapping=self._mapping,
                tags=(self._tag,) if self._tag else (),
                dry_run=dry_run,
                progress=tell,
                cancelled=lambda: job.cancelled,
            )
        finally:
            self._working = False
            self._say_here("", Role.QUIET)

    def _ready(self) -> bool:
        if not self._looked.is_set():
            self.host.say("The file is still being looked at.")
            return False
        if self._preview is None or self._working:
            return False
        if self._preview.problem:
            self.host.say("Nothing names the rows yet. m says which column is the name.")
            return False
        return True

    def _say_here(self, words: str, role: Role) -> None:
        if self.is_mounted:
            self._line("#import-words", words, role)


def _whole(shown: Preview, mapping: dict[str, str]) -> dict[str, str]:
    return {header: mapping.get(header, CUSTOM) for header in shown.headers}


def _counts(result: ImportResult) -> dict[RowAction, int]:
    return {
        RowAction.CREATED: result.created,
        RowAction.MERGED: result.merged,
        RowAction.SKIPPED: result.skipped,
        RowAction.REJECTED: result.rejected,
    }

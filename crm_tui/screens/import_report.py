"""What became of an import, row by row; and taking it back."""

from __future__ import annotations

from collections.abc import Iterable

from textual import on
from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import Static

from crm_tui.screens.base import AppScreen, Job
from crm_tui.screens.dialogs import Confirm
from crm_tui.screens.import_tables import ACTION_WORDS, REPORT_COLUMNS, counts_words
from crm_tui.services.imports import batches, report
from crm_tui.services.imports.batches import BatchLine
from crm_tui.services.imports.report import ReportRow
from crm_tui.services.imports.undo import UndoResult, undo
from crm_tui.text import plural
from crm_tui.vocabulary import RowAction
from crm_tui.widgets.facts import styled
from crm_tui.widgets.look import Role
from crm_tui.widgets.row_list import RowList
from crm_tui.widgets.row_messages import RowOpened, RowsWanted

_FIRST_LOOKED_AT = (
    RowAction.REJECTED,
    RowAction.MERGED,
    RowAction.SKIPPED,
    RowAction.CREATED,
)


class ReportScreen(AppScreen):
    """The rows of one import, all or those of one kind.

    Args:
        batch_id: The import.
    """

    CSS_PATH = "importer.tcss"
    AREA = "report"
    FOOTER = ("list.open", "report.kinds", "report.undo")
    TAB = "leads"
    AUTO_FOCUS = "RowList"

    def __init__(self, batch_id: int) -> None:
        super().__init__()
        self._batch_id = batch_id
        self._batch: BatchLine | None = None
        self._kind: RowAction | None = None

    def compose_body(self) -> Iterable[Widget]:
        """What the import came to, above its rows."""
        with Vertical(id="report-head"):
            yield Static(id="report-name")
            yield Static(id="report-counts")
            yield Static(id="report-kind")
        self._table: RowList[ReportRow] = RowList(REPORT_COLUMNS, now=self.host.now)
        yield self._table

    def on_mount(self) -> None:
        """Read the report."""
        self.work(self._read(), group="report")

    async def _read(self) -> None:
        db = await self.host.store()
        async with db.read() as session:
            self._batch = await batches.batch(session, self._batch_id)
        self._show_head(self._batch)
        kinds = tuple(RowAction) if self._kind is None else (self._kind,)
        self._table.show(await report.order(db, self._batch_id, actions=kinds))

    @on(RowsWanted)
    def _fetch(self, message: RowsWanted) -> None:
        self.work(self._fetch_rows(message.ids), group="rows")

    async def _fetch_rows(self, numbers: list[int]) -> None:
        db = await self.host.store()
        async with db.read() as session:
            self._table.put_rows(await report.rows(session, self._batch_id, numbers))

    def _show_head(self, batch: BatchLine) -> None:
        title = f"Import {batch.id} · {batch.file_name}"
        self.query_one("#report-name", Static).update(styled(title, Role.STRONG))
        self.query_one("#report-counts", Static).update(styled(counts_words(_counts(batch))))
        kind = "all rows" if self._kind is None else f"rows that are {ACTION_WORDS[self._kind]}"
        self.query_one("#report-kind", Static).update(
            styled("Shown  ", Role.QUIET) + styled(kind) + styled("   / next", Role.QUIET)
        )

    def action_kinds(self) -> None:
        """Show the rows with which one thing was done, then those of the next."""
        if self._batch is None:
            return
        counts = _counts(self._batch)
        ways: list[RowAction | None] = [None, *(k for k in _FIRST_LOOKED_AT if counts[k])]
        self._kind = ways[(ways.index(self._kind) + 1) % len(ways)]
        self.work(self._read(), group="report")

    @on(RowOpened)
    def _open(self) -> None:
        row = self._table.cursor_row
        if row is None:
            return
        if row.business_id is None:
            self.host.say(f"Row {row.id} made no lead: {row.reason}.")
            return
        from crm_tui.screens.lead import LeadScreen

        LeadScreen.open(self, row.business_id)

    def action_undo(self) -> None:
        """Take the import back, except leads worked on since."""
        if self._batch is None:
            return
        question = (
            f"Take the import of {self._batch.file_name} back? What it added is deleted; "
            "leads worked on since stay."
        )

        def take_back(wanted: bool | None) -> None:  # noqa: FBT001 - Textual's callback
            if wanted:
                self.host.start_job("Taking the import back", self._take_back)

        self.app.push_screen(Confirm(question, verb="Take it back", careful=True), take_back)

    async def _take_back(self, job: Job) -> None:
        db = await self.host.store()
        result = await undo(
            db,
            self._batch_id,
            settings=self.host.settings,
            now=self.host.now(),
            progress=job.progress,
        )
        if self.is_current:
            self.app.pop_screen()
        self.host.say(undo_words(result), Role.ATTENTION if result.left else Role.GOOD)


def _counts(batch: BatchLine) -> dict[RowAction, int]:
    return {action: getattr(batch, action.value) for action in RowAction}


def undo_words(result: UndoResult) -> str:
    """What taking an import back came to."""
    words = f"Taken back: {plural(result.deleted, 'lead')} deleted"
    if result.restored:
        words += f", {result.restored:,} as before"
    if result.left:
        first = result.left[0]
        words += (
            f"; {plural(len(result.left), 'lead')} left, the first {first.name}: {first.reason}"
        )
    return f"{words}."

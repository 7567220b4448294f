"""The sites: those that came without a lead on top, with repair; looking, building, publishing."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from textual import on
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Static

from crm_tui.errors import BadInput
from crm_tui.screens.base import AppScreen, Job
from crm_tui.screens.dialogs import Confirm
from crm_tui.screens.publishing_words import (
    ask_to_publish,
    ask_to_take_down,
    publish_words,
    takedown_words,
)
from crm_tui.screens.repairing import propose
from crm_tui.screens.site_columns import IMPORTED, SITE_COLUMNS
from crm_tui.screens.site_work import build_words
from crm_tui.text import plural
from crm_tui.widgets.facts import styled
from crm_tui.widgets.look import Role
from crm_tui.widgets.row_messages import RowOpened, RowsWanted, SelectionChanged
from crm_tui.widgets.row_table import RowTable

if TYPE_CHECKING:
    from crm_tui.screens.site_columns import SiteRow
    from crm_tui.services.sites.listing import SiteLine
    from crm_tui.services.sites.repair import RepairReport

_NOTHING_YET = "There are no sites yet. Choose leads in their list (1), and build with b."


class SitesScreen(AppScreen):
    """The list of sites."""

    AREA = "sites"
    FOOTER = ("list.open", "sites.preview", "sites.build", "sites.publish", "sites.repair")
    TAB = "sites"
    AUTO_FOCUS = "#sites"
    DEFAULT_CSS = """
    SitesScreen {
        & #about { height: 1; padding: 0 1; }
        & #waiting { width: 1fr; height: 1; }
        & #count { width: auto; height: 1; }
        & #empty { height: 1fr; padding: 1 2; display: none; }
        &.-empty #empty { display: block; }
        &.-empty #sites { display: none; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._waiting = 0
        self._out_of_date = 0
        self._unpublished = 0

    def compose_body(self) -> Iterable[Widget]:
        """What waits and how many there are, above the table."""
        with Horizontal(id="about"):
            yield Static(id="waiting")
            yield Static(id="count")
        self._table: RowTable[SiteRow] = RowTable(SITE_COLUMNS, now=self.host.now, id="sites")
        yield self._table
        yield Static(styled(_NOTHING_YET, Role.QUIET), id="empty")

    def on_mount(self) -> None:
        """Read the list as soon as the store is open."""
        self._read("nothing")

    # Reading

    def _read(self, keep: Literal["place", "nothing"] = "place") -> None:
        self.work(self._read_list(keep), group="list")

    async def _read_list(self, keep: Literal["place", "nothing"]) -> None:
        db = await self.host.store()
        from crm_tui.services.sites import listing

        order = await listing.order(db)
        async with db.read() as session:
            near = await listing.rows_by_id(session, self._table.near_ids_in(order))
            self._out_of_date = await listing.count_out_of_date(session)
            self._unpublished = await listing.count_unpublished(session)
        self._waiting = sum(1 for each in order if each < 0)
        self.set_class(not order, "-empty")
        self._table.show(order, near, keep=keep)
        self._show_about()

    @on(RowsWanted)
    def _fetch(self, message: RowsWanted) -> None:
        self.work(self._fetch_rows(message.ids), group="rows")

    async def _fetch_rows(self, ids: list[int]) -> None:
        db = await self.host.store()
        from crm_tui.services.sites import listing

        async with db.read() as session:
            rows = await listing.rows_by_id(session, ids)
        self._table.put_rows(rows)

    def data_changed(self) -> None:
        """Read the list again; cursor, selection and scroll stay."""
        self._read()

    @on(SelectionChanged)
    def _show_about(self) -> None:
        waiting = f"{plural(self._waiting, 'site')} without a lead: r repairs one, R all"
        said = styled(waiting, Role.ATTENTION) if self._waiting else styled("")
        self.query_one("#waiting", Static).update(said)
        built = self._table.total - self._waiting
        parts = [f"{self._table.selected_count:,} selected"] if self._table.selected_count else []
        parts += [f"{self._unpublished:,} not published"] if self._unpublished else []
        parts += [f"{self._out_of_date:,} out of date"] if self._out_of_date else []
        parts += [plural(built, "site")]
        self.query_one("#count", Static).update(styled(" · ".join(parts), Role.QUIET))

    # What stands under the cursor

    def _on_site(self, do: Callable[[SiteLine], None]) -> None:
        """Do something with the site under the cursor; one without a lead is repaired first."""
        from crm_tui.services.sites.listing import SiteLine

        row = self._table.cursor_row
        if isinstance(row, SiteLine):
            do(row)
        elif row is not None:
            self.host.say("This site has no lead yet. r repairs it.")

    @on(RowOpened)
    def _open(self) -> None:
        from crm_tui.screens.lead import LeadScreen
        from crm_tui.services.sites.listing import OrphanLine

        if isinstance(self._table.cursor_row, OrphanLine):
            self.action_repair()
        else:
            self._on_site(lambda site: LeadScreen.open(self, site.business_id))

    def action_preview(self) -> None:
        """Look at the site in the browser."""
        self._on_site(lambda site: self._start(self._preview(site), "preview"))

    def _start(self, work: Any, group: str) -> None:
        self.work(work, group=group)

    async def _preview(self, site: SiteLine) -> None:
        shown = await self.host.site_work.show_site(site)
        from crm_tui.screens.address import AddressScreen
        from crm_tui.services.sites.browser import Shown

        if isinstance(shown, Shown):
            await self.app.push_screen(AddressScreen(shown, public=site.public.url))
        else:
            where = f" The public reads it at {site.public.url} ." if site.public.url else ""
            self.host.say(f"{shown.words}.{where}")

    # Building

    def action_build(self) -> None:
        """Build the selected sites again, or the one under the cursor."""
        if self._table.selected_count or self._table.marking:
            ids = array("q", (each for each in self._table.selected_ids() if each > 0))
            verb = f"Build {plural(len(ids), 'site')}"
            question = f"{verb} again? Those that are up to date are left as they are."
            self.app.push_screen(
                Confirm(question, verb=verb), lambda yes: self._build(ids) if yes else None
            )
        else:
            self._on_site(lambda site: self._build(array("q", (site.id,))))

    def _build(self, ids: array[int]) -> None:
        async def body(job: Job) -> None:
            db = await self.host.store()
            from crm_tui.services.sites import listing

            async with db.read() as session:
                leads = await listing.leads_of(session, ids)
            report = await self.host.site_work.build(leads, job)
            await self._read_list("place")
            self.host.say(*build_words(report, len(leads)))

        self.host.start_job("Building sites" if len(ids) > 1 else "Building the site", body)

    # Publishing

    def why_not(self, action_id: str) -> str | None:
        """What publishing lacks."""
        if action_id in {"sites.publish", "sites.unpublish"}:
            return self.host.site_work.why_not_publish()
        return super().why_not(action_id)

    def action_publish(self) -> None:
        """Publish the selected sites, or the one under the cursor."""

        def publish(ids: Sequence[int]) -> None:
            async def body(job: Job) -> None:
                report = await self.host.site_work.publish(ids, job)
                await self._read_list("place")
                self.host.say(*publish_words(report, len(ids)))

            self.host.start_job("Publishing", body)

        if chosen := self._selected_sites():
            verb = f"Publish {plural(len(chosen), 'site')}"
            self.app.push_screen(
                Confirm(ask_to_publish(len(chosen)), verb=verb),
                lambda yes: publish(chosen) if yes else None,
            )
        else:
            self._on_site(lambda site: publish([site.id]))

    def action_unpublish(self) -> None:
        """Take the selected sites, or the one under the cursor, off the web."""

        def ask(ids: Sequence[int]) -> None:
            async def body(job: Job) -> None:
                report = await self.host.site_work.unpublish(ids, job)
                await self._read_list("place")
                self.host.say(*takedown_words(report))

            self.app.push_screen(
                Confirm(
                    ask_to_take_down(len(ids)),
                    verb=f"Take down {plural(len(ids), 'site')}",
                    careful=True,
                ),
                lambda yes: self.host.start_job("Taking down", body) if yes else None,
            )

        if chosen := self._selected_sites():
            ask(chosen)
        else:
            self._on_site(lambda site: ask([site.id]))

    def _selected_sites(self) -> list[int]:
        """The selected sites, without those that have no lead."""
        if not (self._table.selected_count or self._table.marking):
            return []
        return [each for each in self._table.selected_ids() if each > 0]

    # Texts

    def action_texts(self) -> None:
        """Edit the texts of the site in $EDITOR."""

        def edit(site: SiteLine) -> None:
            if site.theme == IMPORTED:
                self.host.say("This page was imported as it is; it has no texts to edit.")
            else:
                self.work(self._edit_texts(site, None), group="texts")

        self._on_site(edit)

    async def _edit_texts(self, site: SiteLine, rejected: str | None) -> None:
        """Hand the texts to the editor, keep them, and build the site again."""
        from crm_tui.widgets.editor import edit_suspended

        before = rejected or await self.host.site_work.read_texts(site.id)
        edited = edit_suspended(self.app, before, suffix=".toml")
        try:
            changed = await self.host.site_work.save_texts(site.id, edited)
        except BadInput as error:
            self._offer_again(site, edited, str(error))
            return
        if changed:
            self._build(array("q", (site.id,)))
        else:
            self.host.say("The texts are as they were.")

    def _offer_again(self, site: SiteLine, edited: str, problem: str) -> None:
        def again(yes: bool | None) -> None:  # noqa: FBT001 - Textual's callback
            if yes:
                self.work(self._edit_texts(site, edited), group="texts")
            else:
                self.host.say("The texts were not saved; the site is as it was.")

        self.app.push_screen(
            Confirm(f"{problem} Nothing was saved.", verb="Edit again", leave="Drop them"), again
        )

    # Repair

    def action_repair(self) -> None:
        """Propose a lead for the site under the cursor."""
        from crm_tui.services.sites.listing import OrphanLine

        row = self._table.cursor_row
        if isinstance(row, OrphanLine):
            self.work(propose(self, row.unmatched_id), group="repair")
        elif self._waiting:
            self.host.say("This site has its lead. The ones without are at the top.")
        else:
            self.host.say("Every site has its lead.")

    def action_repair_all(self) -> None:
        """Propose leads for all sites without one."""
        if self._waiting:
            self.work(self._propose_all(), group="repair")
        else:
            self.host.say("Every site has its lead.")

    async def _propose_all(self) -> None:
        db = await self.host.store()
        from crm_tui.services.sites import repair

        region = self.host.settings.imports.default_region
        proposals = await repair.proposals(db, region=region)
        linked = sum(1 for each in proposals if each.business_id)
        created = len(proposals) - linked
        question = (
            f"{plural(len(proposals), 'site')} came without a lead. {linked:,} would be linked to "
            f"leads that are there; for {created:,} a lead would be created from what the page "
            "says. r shows the proposal for a single one."
        )

        def accept(yes: bool | None) -> None:  # noqa: FBT001 - Textual's callback
            if yes:
                self.host.start_job("Repairing sites", self._accept_all)

        verb = f"Repair {plural(len(proposals), 'site')}"
        self.app.push_screen(Confirm(question, verb=verb), accept)

    async def _accept_all(self, job: Job) -> None:
        db = await self.host.store()
        from crm_tui.services.sites import repair

        report = await repair.accept_all(
            db,
            settings=self.host.settings,
            clock=self.host.now,
            progress=job.progress,
            cancelled=lambda: job.cancelled,
        )
        await self._read_list("place")
        self.host.say(*_repaired_words(report))

    def back(self) -> bool:
        """Let go what was selected."""
        self._table.clear_selection()
        return True


def _repaired_words(report: RepairReport) -> tuple[str, Role]:
    words = (
        f"Repaired {plural(len(report.repaired), 'site')}: {plural(report.created, 'lead')} "
        f"created, {report.linked:,} linked."
    )
    if report.problems:
        return f"{words} {report.left:,} left. {report.problems[0]}", Role.BAD
    return (f"{words} {report.left:,} left.", Role.ATTENTION) if report.left else (words, Role.GOOD)

"""The campaigns: what runs, what was sent and answered, and what keeps it."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from textual import on
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Static

from crm_tui.screens.campaign_columns import campaign_columns, rates_line
from crm_tui.screens.campaign_desk import CampaignDesk, Subject
from crm_tui.session import Place
from crm_tui.text import plural
from crm_tui.vocabulary import CampaignState
from crm_tui.widgets.facts import styled
from crm_tui.widgets.look import Role
from crm_tui.widgets.row_list import RowList
from crm_tui.widgets.row_messages import RowHighlighted, RowOpened

if TYPE_CHECKING:
    from crm_tui.services.campaigns.listing import CampaignRow

_NOTHING_YET = "There are no campaigns yet."
_WHAT_TO_DO = "c makes one: whom it is for, what it says, and when it goes."


class CampaignsScreen(CampaignDesk):
    """The list of campaigns."""

    AREA = "campaigns"
    OWNS = (AREA, "campaign")
    FOOTER = ("list.open", "campaigns.new", "campaign.state", "campaign.cancel", "campaign.retry")
    TAB = "campaigns"
    AUTO_FOCUS = "#campaigns"
    DEFAULT_CSS = """
    CampaignsScreen {
        & #about { height: 1; padding: 0 1; }
        & #standing { width: 1fr; height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
        & #count { width: auto; height: 1; padding-left: 2; }
        & #empty { height: 1fr; padding: 1 2; display: none; }
        &.-empty #empty { display: block; }
        &.-empty #campaigns { display: none; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._begin_at: int | None = None

    def compose_body(self) -> Iterable[Widget]:
        """What is to be said of the one under the cursor, above the table."""
        with Horizontal(id="about"):
            yield Static(id="standing")
            yield Static(id="count")
        columns = campaign_columns(self.host.settings.operator.zone)
        self._table: RowList[CampaignRow] = RowList(columns, now=self._local_now, id="campaigns")
        yield self._table
        yield Static(styled(f"{_NOTHING_YET} {_WHAT_TO_DO}", Role.QUIET), id="empty")

    def _local_now(self) -> datetime:
        return self.host.now().astimezone(self.host.settings.operator.zone)

    def on_mount(self) -> None:
        """Read the list as soon as the store is open."""
        self.data_changed()

    def on_screen_resume(self) -> None:
        """Show at once what was done on the screens above."""
        if self.is_mounted:
            self.data_changed()

    def data_changed(self) -> None:
        """Read the list again, in place."""
        self.work(self._read(), group="list")

    async def _read(self) -> None:
        db = await self.host.store()
        from crm_tui.services.campaigns import listing

        async with db.read() as session:
            rows = await listing.campaigns(session)
        self.set_class(not rows, "-empty")
        self._table.show(array("q", (row.id for row in rows)), rows, keep="place")
        if self._begin_at is not None:
            self._table.go_to(self._begin_at)
            self._begin_at = None
        running = sum(row.state is CampaignState.RUNNING for row in rows)
        words = [f"{running:,} running"] if running else []
        words += [plural(len(rows), "campaign")] if rows else []
        self.say_in("#count", styled(" · ".join(words), Role.QUIET))
        self._show_standing()

    async def show_again(self) -> None:
        """Read the list again."""
        await self._read()

    @on(RowHighlighted)
    def _show_standing(self) -> None:
        """Why the campaign under the cursor is paused, else its rates."""
        row = self._table.cursor_row
        words = styled("")
        if row is not None and row.state is CampaignState.PAUSED:
            words = styled(f"Paused: {row.pause_reason}", Role.ATTENTION)
        elif row is not None and row.counts.sent:
            room = self.query_one("#standing").size.width or self.size.width
            words = styled(rates_line(row.rates, room), Role.QUIET)
        self.say_in("#standing", words)

    def on_resize(self) -> None:
        """Say as much of the one under the cursor as there is room for."""
        self.call_after_refresh(self._show_standing)

    @property
    def campaign(self) -> Subject | None:
        """The one under the cursor."""
        row = self._table.cursor_row
        if row is None:
            return None
        counts = row.counts
        again = counts.failed + counts.held
        return Subject(row.id, row.name, row.state, counts.queued, again)

    def action_new(self) -> None:
        """Put a campaign together."""
        from crm_tui.screens.wizard import WizardScreen

        self.app.push_screen(WizardScreen())

    @on(RowOpened)
    def _open(self, message: RowOpened) -> None:
        """Open the ledger; go on with a draft."""
        from crm_tui.screens.campaign import CampaignScreen
        from crm_tui.screens.wizard import WizardScreen

        row = self._table.cursor_row
        if row is not None and row.state is CampaignState.DRAFT:
            self.app.push_screen(WizardScreen(campaign_id=row.id))
        else:
            self.app.push_screen(CampaignScreen(message.row_id))

    # The next start

    def keep(self) -> Place:
        """The campaign under the cursor."""
        return Place(cursor=self._table.cursor_id)

    def restore(self, place: Place) -> None:
        """Begin there."""
        self._begin_at = place.cursor

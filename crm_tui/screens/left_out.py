"""Who was asked for and is left out of a campaign, and why."""

from __future__ import annotations

from array import array
from collections.abc import Awaitable, Callable, Iterable, Sequence

from textual import on
from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import Static

from crm_tui.screens.base import AppScreen
from crm_tui.screens.campaign_columns import LEFT_OUT_COLUMNS, LeftOutLine
from crm_tui.text import plural, visible
from crm_tui.widgets.facts import styled
from crm_tui.widgets.look import Role
from crm_tui.widgets.row_list import RowList
from crm_tui.widgets.row_messages import RowOpened, RowsWanted


class LeftOutScreen(AppScreen):
    """The leads that get nothing of a campaign.

    Args:
        name: What the campaign is called.
        wanted: Reads them.
    """

    AREA = "left_out"
    FOOTER = ("list.open", "left_out.leave")
    TAB = "campaigns"
    AUTO_FOCUS = "RowList"
    DEFAULT_CSS = """
    LeftOutScreen #left-out-head { height: auto; padding: 0 3; margin: 1 0; }
    LeftOutScreen #left-out-head > Static { height: 1; }
    """

    def __init__(self, name: str, wanted: Callable[[], Awaitable[Sequence[LeftOutLine]]]) -> None:
        super().__init__()
        self._called = name
        self._wanted = wanted
        self._lines: dict[int, LeftOutLine] = {}

    def compose_body(self) -> Iterable[Widget]:
        """Whose they are, and how many."""
        with Vertical(id="left-out-head"):
            yield Static(styled(visible(self._called, 200), Role.STRONG))
            yield Static(id="left-out-count")
        self._table: RowList[LeftOutLine] = RowList(LEFT_OUT_COLUMNS, now=self.host.now)
        self._table.nothing = "Nobody is left out."
        yield self._table

    def on_mount(self) -> None:
        """Read them as soon as the store is open."""
        self.data_changed()

    def data_changed(self) -> None:
        """Read them again, in place."""
        self.work(self._read(), group="left out")

    async def _read(self) -> None:
        self._lines = {line.id: line for line in await self._wanted()}
        order = array("q", self._lines)
        near = self._table.near_ids_in(order)
        self._table.show(order, [self._lines[each] for each in near], keep="place")
        count = f"{plural(len(order), 'lead')} left out"
        self.query_one("#left-out-count", Static).update(styled(count, Role.QUIET))

    @on(RowsWanted)
    def _fetch(self, message: RowsWanted) -> None:
        self._table.put_rows([self._lines[each] for each in message.ids])

    @on(RowOpened)
    def _open(self, message: RowOpened) -> None:
        from crm_tui.screens.lead import LeadScreen

        LeadScreen.open(self, message.row_id)

    def action_leave(self) -> None:
        """Back to the campaign."""
        self.dismiss()

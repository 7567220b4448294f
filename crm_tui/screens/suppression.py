"""Who is not to be contacted: the list with its reasons, putting somebody there and taking off."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from textual import on
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Static

from crm_tui.clock import ago
from crm_tui.screens.base import AppScreen
from crm_tui.text import plural, visible
from crm_tui.vocabulary import SuppressionKind
from crm_tui.widgets.columns import Cell, Column
from crm_tui.widgets.facts import styled
from crm_tui.widgets.filter_line import FilterLine
from crm_tui.widgets.forms import Form, LineField
from crm_tui.widgets.look import Role
from crm_tui.widgets.row_list import RowList
from crm_tui.widgets.row_messages import RowOpened, RowsWanted

if TYPE_CHECKING:
    from crm_tui.services.suppression import Freed, Line, Result

_TYPING_PAUSE = 0.08
"""Seconds after a keystroke before the filter is applied."""

_NOBODY = "Nobody is on the list. a puts an address, a number or a domain there."
_NOTHING = "Nothing matches. esc shows everything again."
_HINT = "an address, a domain, a name or a reason"
_NAME = 60


def _value(row: Line, _now: datetime) -> Cell:
    if row.kind is SuppressionKind.BUSINESS:
        return Cell(row.name or row.value, Role.STRONG)
    return Cell(f"@{row.value}" if row.kind is SuppressionKind.DOMAIN else row.value, Role.STRONG)


def _lead(row: Line, _now: datetime) -> Cell:
    return Cell("" if row.kind is SuppressionKind.BUSINESS else row.name, Role.QUIET)


_KINDS = {
    SuppressionKind.EMAIL: "address",
    SuppressionKind.PHONE: "number",
    SuppressionKind.DOMAIN: "domain",
    SuppressionKind.BUSINESS: "lead",
}

COLUMNS: tuple[Column[Line], ...] = (
    Column("value", "Who", _value, width=30, widest=50, sortable=False),
    Column(
        "kind",
        "Kind",
        lambda row, _now: Cell(_KINDS[row.kind], Role.QUIET),
        width=8,
        rank=3,
        sortable=False,
    ),
    Column(
        "reason",
        "Why",
        lambda row, _now: Cell(row.reason),
        width=24,
        widest=60,
        rank=1,
        sortable=False,
    ),
    Column("lead", "Lead", _lead, width=18, widest=40, rank=4, sortable=False),
    Column(
        "since",
        "Since",
        lambda row, now: Cell(ago(row.created_at, now), Role.QUIET),
        width=10,
        rank=2,
        sortable=False,
    ),
)


class SuppressionScreen(AppScreen):
    """The list of those not to be contacted."""

    AREA = "suppression"
    FOOTER = ("suppression.add", "suppression.remove", "suppression.filter", "list.open")
    TAB = ""
    AUTO_FOCUS = "#barred"
    DEFAULT_CSS = """
    SuppressionScreen {
        & #about { height: 1; padding: 0 1; }
        & #title { width: 1fr; height: 1; padding: 0 2; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._asked = ""

    def compose_body(self) -> Iterable[Widget]:
        """What this is, above the filter and the list."""
        with Horizontal(id="about"):
            yield Static(styled("Not to be contacted", Role.STRONG), id="title")
        self._line = FilterLine(_HINT, pause=_TYPING_PAUSE)
        yield self._line
        self._table: RowList[Line] = RowList(COLUMNS, now=self.host.now, id="barred")
        yield self._table

    def on_mount(self) -> None:
        """Read the list as soon as the store is open."""
        self._read("nothing")

    # Reading

    def _read(self, keep: Literal["place", "nothing"]) -> None:
        self.work(self._read_list(keep), group="list")

    async def _read_list(self, keep: Literal["place", "nothing"]) -> None:
        db = await self.host.store()
        from crm_tui.services import suppression

        order = await suppression.order(db, self._asked)
        async with db.read() as session:
            near = await suppression.rows_by_id(session, self._table.near_ids_in(order))
        self._table.nothing = _NOTHING if self._asked else _NOBODY
        self._table.show(order, near, keep=keep)
        self._line.show_count(plural(len(order), "entry", "entries"))

    @on(RowsWanted)
    def _fetch(self, message: RowsWanted) -> None:
        self.work(self._fetch_rows(message.ids), group="rows")

    async def _fetch_rows(self, ids: list[int]) -> None:
        db = await self.host.store()
        from crm_tui.services import suppression

        async with db.read() as session:
            self._table.put_rows(await suppression.rows_by_id(session, ids))

    def data_changed(self) -> None:
        """Read the list again; cursor and scroll stay."""
        self._read("place")

    # The filter

    def action_filter(self) -> None:
        """Type which entries are shown."""
        self._line.edit()

    @on(FilterLine.Rested)
    def _apply(self) -> None:
        text = self._line.value.strip()
        if text != self._asked:
            self._asked = text
            self._read("nothing")

    @on(FilterLine.Left)
    @on(FilterLine.Entered)
    def _left_line(self) -> None:
        self._line.end_pause()
        self._apply()
        self.set_focus(self._table)

    def back(self) -> bool:
        """Let the filter go."""
        if not self._line.value:
            return False
        self._line.put("", quietly=True)
        self._apply()
        return True

    # What is done

    @property
    def _row(self) -> Line | None:
        return self._table.cursor_row

    def why_not(self, action_id: str) -> str | None:
        """Without an entry there is none to take off."""
        if action_id == "suppression.remove" and self._row is None:
            return "There is no entry here."
        return None

    @on(RowOpened)
    def _open(self) -> None:
        row = self._row
        if row is None:
            return
        if row.lead_id is None:
            self.host.say("No lead has it.")
            return
        from crm_tui.screens.lead import LeadScreen

        LeadScreen.open(self, row.lead_id)

    def action_add(self) -> None:
        """Put somebody on the list."""

        async def save(values: Mapping[str, str]) -> None:
            await self._add(values["value"], values["reason"])

        about = "Nothing more is sent there, and what waits is skipped."
        form = Form(
            "Never contact",
            [
                LineField("value", "Who", hint="joe@acme.com, 718 555 0142, acme.com or lead:12"),
                LineField("reason", "Why", hint="asked us to stop"),
            ],
            save=save,
            verb="Put on the list",
            about=styled(about, Role.QUIET),
        )
        self.app.push_screen(form)

    async def _add(self, typed: str, reason: str) -> None:
        db = await self.host.store()
        from crm_tui.services import suppression

        region = self.host.settings.imports.default_region
        value = suppression.read_value(typed, region=region)
        entry = suppression.Entry(value, reason.strip() or suppression.BY_HAND)
        result = await suppression.add(db, entry, now=self.host.now())
        shown = f"lead {value.value}" if value.lead_id is not None else value.value
        await self._done(self._added_words(visible(shown, _NAME), result))

    def _added_words(self, shown: str, result: Result) -> str:
        if not result.added:
            return f"{shown} is on the list already: {visible(result.standing, _NAME)}."
        skipped = (
            f" {plural(result.skipped, 'mail')} that waited will not be sent."
            if result.skipped
            else ""
        )
        return f"Nothing goes to {shown} any more.{skipped}{self.way_back()}"

    def action_remove(self) -> None:
        """Take the entry under the cursor off the list."""
        row = self._row
        if row is None:
            return
        shown = visible(row.name if row.kind is SuppressionKind.BUSINESS else row.value, _NAME)

        async def save(values: Mapping[str, str]) -> None:
            await self._remove(row, values["reason"])

        about = f"They are there because: {visible(row.reason, 200)}. What was skipped stays so."
        form = Form(
            f"Allow contact with {shown} again",
            [LineField("reason", "Why", hint="it was a mistake")],
            save=save,
            verb="Take off the list",
            about=styled(about, Role.QUIET),
        )
        self.app.push_screen(form)

    async def _remove(self, row: Line, reason: str) -> None:
        db = await self.host.store()
        from crm_tui.services import suppression

        value = suppression.Value(row.kind, row.value)
        freed: Freed = await suppression.remove(db, value, reason, now=self.host.now())
        await self._done(f"{visible(freed.name, _NAME)} may be contacted again.{self.way_back()}")

    async def _done(self, words: str) -> None:
        await self.host.look_for_changes()
        await self._read_list("place")
        self.host.say(words, Role.GOOD)

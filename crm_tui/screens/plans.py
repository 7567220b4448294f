"""What is sold: the plans with their prices, adding, changing and archiving them."""

from __future__ import annotations

from array import array
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from textual import on
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Static

from crm_tui.errors import BadInput, asked_as
from crm_tui.money import amount_words, currency_code, parse_amount, plain_amount
from crm_tui.screens.base import AppScreen
from crm_tui.text import visible
from crm_tui.vocabulary import Interval
from crm_tui.widgets.choice import Option
from crm_tui.widgets.columns import Cell, Column
from crm_tui.widgets.facts import styled
from crm_tui.widgets.forms import ChoiceField, Form, LineField
from crm_tui.widgets.look import Role
from crm_tui.widgets.row_list import RowList
from crm_tui.widgets.row_messages import RowOpened

if TYPE_CHECKING:
    from crm_tui.db.engine import WriteSession
    from crm_tui.services.money.plans import PlanRow

_NOTHING = "There are no plans yet. a adds what you sell, such as 49.00 a month."
_INTERVALS = (
    Option(Interval.MONTH, "each month"),
    Option(Interval.YEAR, "each year"),
    Option(Interval.ONCE, "once"),
)
_OFTEN = {each.value: each.word for each in _INTERVALS}


def _name(row: PlanRow, _now: datetime) -> Cell:
    return Cell(row.name, Role.QUIET if row.archived_at else Role.STRONG)


def _fee(row: PlanRow, _now: datetime) -> Cell:
    return Cell(amount_words(row.setup_fee, row.currency) if row.setup_fee else "", Role.QUIET)


COLUMNS: tuple[Column[PlanRow], ...] = (
    Column("name", "Plan", _name, width=20, widest=40, sortable=False),
    Column(
        "price",
        "Price",
        lambda row, _now: Cell(amount_words(row.amount, row.currency)),
        width=14,
        align="right",
        sortable=False,
    ),
    Column(
        "often",
        "Paid",
        lambda row, _now: Cell(_OFTEN.get(row.interval, row.interval), Role.QUIET),
        width=10,
        rank=1,
        sortable=False,
    ),
    Column("fee", "Setup fee", _fee, width=14, rank=3, align="right", sortable=False),
    Column(
        "running",
        "Subscriptions",
        lambda row, _now: Cell(f"{row.running:,}" if row.running else ""),
        width=13,
        rank=2,
        align="right",
        sortable=False,
    ),
    Column(
        "state",
        "",
        lambda row, _now: Cell("archived" if row.archived_at else "", Role.QUIET),
        width=8,
        rank=4,
        sortable=False,
    ),
)


class PlansScreen(AppScreen):
    """The plans, those in the archive last."""

    AREA = "plans"
    FOOTER = ("plans.add", "plans.edit", "plans.archive")
    TAB = ""
    AUTO_FOCUS = "#plans"
    DEFAULT_CSS = """
    PlansScreen {
        & #about { height: 1; padding: 0 1; }
        & #title { width: 1fr; height: 1; padding: 0 2; }
    }
    """

    def compose_body(self) -> Iterable[Widget]:
        """What this is, above the list."""
        with Horizontal(id="about"):
            yield Static(styled("Plans and prices", Role.STRONG), id="title")
        self._table: RowList[PlanRow] = RowList(COLUMNS, now=self.host.now, id="plans")
        yield self._table

    def on_mount(self) -> None:
        """Read the plans as soon as the store is open."""
        self.work(self._read(), group="list")

    async def _read(self) -> None:
        db = await self.host.store()
        from crm_tui.services.money import plans

        async with db.read() as session:
            found = await plans.listed(session, with_archived=True)
        self._table.nothing = _NOTHING
        self._table.show(array("q", (row.id for row in found)), found, keep="place")

    def data_changed(self) -> None:
        """Read the plans again; the cursor stays."""
        self.work(self._read(), group="list")

    def why_not(self, action_id: str) -> str | None:
        """Without a plan there is nothing to change."""
        if action_id in {"plans.edit", "plans.archive"} and self._table.cursor_row is None:
            return "There is no plan here; a adds one."
        return None

    # What is done

    def action_add(self) -> None:
        """Add a plan."""

        async def save(values: Mapping[str, str]) -> None:
            amount, currency, fee = _amounts(values)
            now = self.host.now()

            async def add(session: WriteSession) -> None:
                from crm_tui.services.money import plans

                interval = Interval(values["interval"])
                await plans.add(
                    session, values["name"], amount, currency, interval, setup_fee=fee, now=now
                )

            await self._write(f"added the plan {visible(values['name'].strip(), 60)}", add)

        self.app.push_screen(self._form("Add a plan", "Add the plan", None, save))

    @on(RowOpened)
    def action_edit(self) -> None:
        """Change the plan under the cursor."""
        plan = self._table.cursor_row
        if plan is None:
            return

        async def save(values: Mapping[str, str]) -> None:
            amount, currency, fee = _amounts(values)

            async def edit(session: WriteSession) -> None:
                from crm_tui.services.money import plans

                await plans.edit(
                    session,
                    plan.id,
                    name=values["name"],
                    amount=amount,
                    currency=currency,
                    interval=Interval(values["interval"]),
                    setup_fee=fee,
                )

            await self._write(f"changed the plan {visible(plan.name, 60)}", edit)

        title = f"Change the plan {visible(plan.name, 50)}"
        self.app.push_screen(self._form(title, "Save", plan, save))

    def _form(
        self,
        title: str,
        verb: str,
        plan: PlanRow | None,
        save: Callable[[Mapping[str, str]], Awaitable[None]],
    ) -> Form:
        amount = plain_amount(plan.amount, plan.currency) if plan else ""
        fee = plain_amount(plan.setup_fee, plan.currency) if plan and plan.setup_fee else ""
        about = (
            "Who pays by it goes on as agreed: the price stays once a subscription or a way to pay "
            "goes by it."
        )
        return Form(
            title,
            [
                LineField("name", "Name", visible(plan.name) if plan else "", "Basic"),
                LineField("amount", "Price", amount, "49.00"),
                LineField(
                    "currency",
                    "Currency",
                    plan.currency if plan else self.host.settings.money.currency,
                ),
                ChoiceField(
                    "interval",
                    "Paid",
                    list(_INTERVALS),
                    plan.interval if plan else Interval.MONTH,
                ),
                LineField("fee", "Setup fee", fee, "99.00, at the beginning; or nothing"),
            ],
            save=save,
            verb=verb,
            about=styled(about, Role.QUIET),
        )

    def action_archive(self) -> None:
        """Sell nothing by the plan any more; one that is archived is offered again."""
        if (plan := self._table.cursor_row) is not None:
            self.in_order(self._archive(plan), group="write")

    async def _archive(self, plan: PlanRow) -> None:
        now, away = self.host.now(), plan.archived_at is None

        async def change(session: WriteSession) -> None:
            from crm_tui.services.money import plans

            if away:
                await plans.archive(session, plan.id, now=now)
            else:
                await plans.unarchive(session, plan.id)

        name = visible(plan.name, 60)
        words = f"archived the plan {name}" if away else f"took the plan {name} out of the archive"
        await self._write(words, change)

    async def _write(self, words: str, change: Callable[[WriteSession], Awaitable[None]]) -> None:
        """Do one thing in one transaction, as one entry of undo, and say so."""
        db = await self.host.store()
        from crm_tui.services import undo

        entry = undo.Entry()
        async with undo.action(db, words, now=self.host.now(), entry=entry) as session:
            await change(session)
        await self._read()
        if entry.id is None:
            self.host.say("Nothing was different.")
            return
        self.host.say(f"{words[:1].upper()}{words[1:]}.{self.way_back()}", Role.GOOD)


def _amounts(values: Mapping[str, str]) -> tuple[int, str, int]:
    """The price, its currency and the setup fee, in minor units.

    Raises:
        BadInput: One of them cannot be read.
    """
    with asked_as("currency"):
        currency = currency_code(values["currency"])
    with asked_as("amount"):
        if not values["amount"].strip():
            raise BadInput("Say what it costs, such as 49.00.")
        amount = parse_amount(values["amount"], currency)
    with asked_as("fee"):
        fee = values["fee"].strip()
        return amount, currency, parse_amount(fee, currency) if fee else 0

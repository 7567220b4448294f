"""Today: what is due, what was answered, what went wrong; a line is gone when it is dealt with."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, Literal

from textual import events, on
from textual.containers import Container, Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from crm_tui.actions import Action, key_words
from crm_tui.screens import today_mail
from crm_tui.screens.base import Job
from crm_tui.screens.business_actions import Target
from crm_tui.screens.dealing import DealingScreen
from crm_tui.screens.lead_pane import BELOW, BESIDE, LeadPane
from crm_tui.screens.repairing import propose
from crm_tui.screens.today_columns import (
    DEALT_WITH,
    TITLES,
    Heading,
    TodayRow,
    heading_id,
    space_id,
    today_columns,
)
from crm_tui.services.when import end_of_day, say_date
from crm_tui.session import Place
from crm_tui.text import visible
from crm_tui.widgets.facts import styled
from crm_tui.widgets.frame import Footer
from crm_tui.widgets.headed_list import HeadedList
from crm_tui.widgets.keys import keymap_of
from crm_tui.widgets.look import Role
from crm_tui.widgets.row_messages import RowHighlighted, RowOpened, RowsWanted

if TYPE_CHECKING:
    from crm_tui.db.engine import WriteSession
    from crm_tui.services.today import Kind, Line

_NOTHING = "Nothing is waiting for you."
_OF_A_KIND = frozenset(chain.from_iterable(DEALT_WITH))
_SET_ONE = "business.follow_up"
_ELSEWHERE = ("everywhere.leads",)


class TodayScreen(DealingScreen):
    """What there is to deal with today, and the keys that do."""

    AREA = "today"
    OWNS = (AREA, "answer", "business")
    FOOTER = ("list.open",)
    TAB = "today"
    AUTO_FOCUS = "#today"
    DEFAULT_CSS = """
    TodayScreen {
        & #about { height: 1; padding: 0 1; }
        & #date { width: 1fr; height: 1; }
        & #count { width: auto; height: 1; }
        & #empty { height: 1fr; padding: 1 2; display: none; }
        & #list { height: 1fr; layout: horizontal; }
        & #list.-stacked { layout: vertical; }
        & #today { width: 3fr; }
        & .-stacked #today { width: 100%; }
        &.-empty #empty { display: block; }
        &.-empty #list { display: none; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._counts: dict[Kind, int] = {}
        self._keys: tuple[str, ...] = self.FOOTER
        self._targets: dict[int, Target] = {}
        self._begin_at: int | None = None
        self._with_pane = False

    def compose_body(self) -> Iterable[Widget]:
        """The day and how much there is, above the list."""
        with Horizontal(id="about"):
            yield Static(id="date")
            yield Static(id="count")
        columns = today_columns(self.host.settings.operator.zone)
        self._table: HeadedList[TodayRow] = HeadedList(columns, now=self.host.now, id="today")
        with Container(id="list"):
            yield self._table
            yield LeadPane()
        yield Static(id="empty")

    def on_mount(self) -> None:
        """Read the list as soon as the store is open."""
        self._pane.wanted = self._with_pane
        self._read("nothing")

    # Reading

    def _read(self, keep: Literal["place", "nothing"] = "place") -> None:
        self.work(self._read_list(keep), group="list")

    async def _read_list(self, keep: Literal["place", "nothing"]) -> None:
        db = await self.host.store()
        from crm_tui.services import today
        from crm_tui.services.money.listing import counted

        now, zone = self.host.now(), self.ahead.zone
        due_by = end_of_day(now, zone=zone)
        groups = await today.order(db, due_by=due_by, modes=counted(self.host.settings))
        self._counts = {kind: len(ids) for kind, ids in groups.items()}
        order = array("q")
        for kind, ids in groups.items():
            if ids:
                order.extend([space_id(kind)] if order else [])
                order.append(heading_id(kind))
                order += ids
        near = self._table.near_ids_in(order)
        rows = await self._rows(near or list(order[:100]))
        async with db.read() as session:
            ahead = await today.next_due(session, after=due_by)
        self.set_class(not order, "-empty")
        self._table.show(order, rows, keep=keep)
        if order and self.focused is None:
            self.call_after_refresh(self._table.focus)  # it was hidden while it was empty
        if self._begin_at is not None:
            self._go_to(self._begin_at)
            self._begin_at = None
        self._show_about(now, ahead)
        self._pane.read_again()

    async def _rows(self, ids: list[int]) -> list[Line | Heading]:
        db = await self.host.store()
        from crm_tui.services import lead_rows, today

        async with db.read() as session:
            asked = [each for each in ids if each >= 0]
            lines = await today.lines(session, asked, zone=self.ahead.zone)
            leads = {line.lead for line in lines if line.lead is not None}
            rows = await lead_rows.rows_by_id(session, list(leads))
        targets = {row.id: Target.of(row) for row in rows}
        self._targets |= {line.id: targets[line.lead] for line in lines if line.lead in targets}
        return [*self._headings(), *lines]

    def _headings(self) -> Iterable[Heading]:
        for kind, count in self._counts.items():
            yield Heading(heading_id(kind), TITLES[kind], f"{count:,}")
            yield Heading(space_id(kind))

    @on(RowsWanted)
    def _fetch(self, message: RowsWanted) -> None:
        self.work(self._fetch_rows(message.ids), group="rows")

    async def _fetch_rows(self, ids: list[int]) -> None:
        self._table.put_rows(await self._rows(ids))
        self._show_keys()

    def data_changed(self) -> None:
        """Read the list again; the cursor stays, or comes to the line after one that is gone."""
        self._read()

    def _show_about(self, now: datetime, ahead: datetime | None) -> None:
        zone = self.ahead.zone
        day = now.astimezone(zone)
        self.query_one("#date", Static).update(styled(f"{day:%A} {day.day} {day:%B}"))
        count = sum(self._counts.values())
        words = f"{count:,} to deal with" if count else ""
        self.query_one("#count", Static).update(styled(words, Role.QUIET))
        lines = [styled(_NOTHING)]
        if ahead is not None:
            due = say_date(ahead, now=now, zone=zone)
            lines.append(styled(f"The next follow-up is due {due}.", Role.QUIET))
        keys = [keymap_of(self).action(each).keys for each in ("everywhere.leads", _SET_ONE)]
        where, how = (f" ({key_words(each[0])})" if each else "" for each in keys)
        words = f"A follow-up is set{how} on a lead, or in the list of leads{where}."
        lines.append(styled(words, Role.QUIET))
        self.query_one("#empty", Static).update(Content("\n").join(lines))

    # Where the cursor is

    @property
    def _line(self) -> Line | None:
        row = self._table.cursor_row
        return None if isinstance(row, Heading) else row

    @property
    def target(self) -> Target | None:
        """The lead of the line."""
        return self._targets.get(self._table.cursor_id or 0)

    async def show_again(self, lead_ids: array[int], key: str | None = None) -> None:
        """Read the list again."""
        del lead_ids, key
        await self._read_list("place")

    @on(RowHighlighted)
    def _show_keys(self) -> None:
        """Show in the footer what deals with the line under the cursor, and its lead beside it."""
        line = self._line
        self._pane.follow(line.lead if line is not None else None)
        keys = _ELSEWHERE if line is None else (*DEALT_WITH[line.kind], *self.FOOTER)
        if keys != self._keys:
            self._keys = keys
            self.query_one(Footer).show(keys)

    def why_not(self, action_id: str) -> str | None:
        """A line is dealt with by the keys of its kind."""
        if action_id not in _OF_A_KIND or action_id.startswith("business."):
            return super().why_not(action_id)
        line = self._line
        if line is None:
            return "There is nothing here to deal with."
        if action_id not in DEALT_WITH[line.kind]:
            actions = [keymap_of(self).action(each) for each in DEALT_WITH[line.kind]]
            keys = [f"{key_words(a.keys[0])} {_short(a)}" for a in actions if a.keys]
            return f"This line is dealt with otherwise: {', '.join(keys)}."
        return None

    @on(RowOpened)
    def _open(self) -> None:
        line = self._line
        if line is None:
            return
        if line.is_mail:
            self.work(today_mail.read_mail(self, line.record), group="repair")
            return
        from crm_tui.services.today import Kind

        if line.kind is Kind.NOT_POLLED:
            self.work(today_mail.to_settings(self, line), group="repair")
            return
        if line.lead is None:
            self.action_repair()
            return
        from crm_tui.screens.lead import LeadScreen

        LeadScreen.open(self, line.lead, neighbours=self)

    # The lead beside the list

    @property
    def _pane(self) -> LeadPane:
        return self.query_one(LeadPane)

    def action_pane(self) -> None:
        """Show the lead of the line beside the list, or no more."""
        self._pane.wanted = not self._pane.wanted
        if not self._pane.place(self.size) and self._pane.wanted:
            self._pane.wanted = False
            room = f"{BESIDE} columns or {BELOW} lines"
            self.host.say(f"There is no room for the lead here: it takes {room}.")

    def on_resize(self, event: events.Resize) -> None:
        """The lead goes where there is room now."""
        self._pane.place(event.size)

    # The lead screen's way through the list

    def step(self, by: int) -> int | None:
        """Move the cursor to the next line with a lead; that lead, None at the list's end."""
        place = self._table.next_line(by)
        lead = None if place is None else self._targets.get(self._table.order[place])
        if place is None or lead is None:
            return None
        self._table.move_to(place)
        return lead.id

    def place(self) -> tuple[int, int]:
        """Where the cursor stands, counted from 1, and how many lines there are."""
        headings = sum(1 for each in self._table.order[: self._table.cursor] if each < 0)
        return self._table.cursor + 1 - headings, sum(self._counts.values())

    # Dealing with a line

    @property
    def task_at_hand(self) -> int | None:
        """The follow-up of the line."""
        line = self._line
        return line.record if line is not None and line.is_due else None

    def action_done(self) -> None:
        """Be done with the line: the follow-up is done, or what went wrong needs nothing more."""
        if (line := self._line) and not line.is_due:
            self.write_in_order(self._let_go(line))
        else:
            super().action_done()

    async def _let_go(self, line: Line) -> None:
        from crm_tui.services import setting_aside, today_money
        from crm_tui.services.today import MONEY, Kind

        name, now, score = visible(line.name, 50), self.host.now(), self.host.settings.score
        words = {
            Kind.BOUNCE: f"set an address of {name} aside",
            Kind.FAILED: f"let the site of {name} be",
            Kind.UNMATCHED: f"let {name} go, which has no lead",
            Kind.CUSTOMER: f"dealt with what {name} wrote",
            Kind.PAID: f"saw the payment of {name}",
            Kind.NOT_PAID: f"dealt with the failed payment of {name}",
            Kind.ENDING: f"dealt with the end of {name}'s subscription",
            Kind.OVERDUE: f"let the overdue payment of {name} be",
            Kind.DISPUTED: f"dealt with the dispute of {name}",
        }[line.kind]

        async def let_go(session: WriteSession) -> None:
            if line.kind is Kind.BOUNCE:
                await setting_aside.address(session, line.record, score=score, now=now)
            elif line.kind is Kind.FAILED:
                await setting_aside.failed_site(session, line.record, now=now)
            elif line.kind in MONEY:
                await today_money.deal_with(session, MONEY[line.kind], line.record, now=now)
            elif line.kind is Kind.CUSTOMER:
                await setting_aside.answer(session, line.record, now=now)
            else:
                await setting_aside.unmatched(session, line.record, now=now)

        await self.change(line.lead or 0, words, let_go)

    def action_repair(self) -> None:
        """Ask what is to be known: whose a site or a mail is, whether a mail was sent."""
        line = self._line
        if line is None:
            return
        from crm_tui.services.today import Kind

        if line.kind is Kind.UNCERTAIN:
            today_mail.settle(self, line)
        elif line.kind is Kind.MAILBOX:
            today_mail.explain(self, line)
        elif line.kind is Kind.NOT_POLLED:
            today_mail.explain_provider(self, line)
        elif line.kind is Kind.DISPUTED:
            today_mail.explain_dispute(self, line)
        elif line.kind is Kind.STILL_PUBLIC:
            self._try_again("Taking down", [])
        elif line.is_mail:
            self.work(today_mail.match(self, line.record), group="repair")
        else:
            self.work(propose(self, line.record), group="repair")

    def action_publish(self) -> None:
        """Publish the lead's site; of a line about one that failed, all that failed."""
        line = self._line
        from crm_tui.services.today import Kind

        if line is not None and line.kind is Kind.NOT_PUBLISHED:
            self._try_again("Publishing", [line.record])
        else:
            super().action_publish()

    def _try_again(self, title: str, also: Sequence[int]) -> None:
        async def body(job: Job) -> None:
            said = await self.host.site_work.try_again(also, job)
            await self._read_list("place")
            self.host.say(*said)

        self.host.start_job(title, body)

    # The next start

    def keep(self) -> Place:
        """The line under the cursor, and whether its lead stood beside it."""
        return Place(cursor=self._table.cursor_id, pane=self._pane.wanted)

    def restore(self, place: Place) -> None:
        """Begin at the line one was at."""
        self._begin_at = place.cursor
        self._with_pane = place.pane

    def _go_to(self, line_id: int) -> None:
        if line_id in self._table.order:
            self._table.move_to(self._table.order.index(line_id))


def _short(action: Action) -> str:
    return action.title.partition(",")[0].lower()

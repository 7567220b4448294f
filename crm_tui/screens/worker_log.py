"""The worker's log: what it did, newest first, and letting sending go or stopping it."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from crm_tui.clock import ago, local_stamp
from crm_tui.screens.base import AppScreen
from crm_tui.screens.dialogs import Confirm
from crm_tui.text import plural
from crm_tui.widgets.columns import Cell, Column
from crm_tui.widgets.facts import styled
from crm_tui.widgets.look import TROUBLE, Role
from crm_tui.widgets.row_list import RowList

if TYPE_CHECKING:
    from crm_tui.services.sending.overview import Overview
    from crm_tui.services.sending.worker_log import LogLine

_BY_HAND = "you stopped it"
_NOTHING = "The worker has done nothing yet."


def _what(row: LogLine, _now: datetime) -> Cell:
    if row.is_problem:
        return Cell(f"{TROUBLE} {row.words}", Role.ATTENTION)
    return Cell(row.words)


LOG_COLUMNS: tuple[Column[LogLine], ...] = (
    Column(
        "when",
        "When",
        lambda row, now: Cell(ago(row.at, now), Role.QUIET),
        width=10,
        sortable=False,
    ),
    Column("what", "What", _what, width=40, widest=240, rank=1, sortable=False),
)


class WorkerLogScreen(AppScreen):
    """What the worker did for this store, and how it stands."""

    AREA = "worker"
    FOOTER = ("worker.sending",)
    TAB = ""
    AUTO_FOCUS = "RowList"
    DEFAULT_CSS = """
    WorkerLogScreen {
        & #worker-head { height: auto; padding: 0 3; margin: 1 0; }
        & #worker-head > Static { height: auto; max-height: 3; }
    }
    """

    def compose_body(self) -> Iterable[Widget]:
        """How it stands, above what it did."""
        with Vertical(id="worker-head"):
            yield Static(styled("Worker log", Role.STRONG))
            yield Static(id="worker-standing")
        self._table: RowList[LogLine] = RowList(LOG_COLUMNS, now=self.host.now)
        self._table.nothing = _NOTHING
        yield self._table

    def on_mount(self) -> None:
        """Read the log."""
        self.data_changed()

    def data_changed(self) -> None:
        """Read it again, in place."""
        self.work(self._read(), group="log")

    async def _read(self) -> None:
        db = await self.host.store()
        from crm_tui.services.sending import worker_log

        await self.host.mail_work.look(db)
        async with db.read() as session:
            lines = await worker_log.lines(session)
        self._table.show(array("q", (line.id for line in lines)), lines, keep="place")
        if known := self.host.mail_work.known:
            line, words = self.query_one("#worker-standing", Static), self._standing(known)
            if line.content != words:
                line.update(words)

    def _standing(self, known: Overview) -> Content:
        """Who works, what waits, and what keeps it."""
        mail = self.host.mail_work
        waiting = [plural(known.queued, "mail") + " queued"]
        waiting += [f"{known.held:,} held for what is missing"] if known.held else []
        waiting += [f"{known.on_way:,} on the way"] if known.on_way else []
        waiting += [f"{known.uncertain:,} uncertain"] if known.uncertain else []
        lines = [self._who(), styled(" · ".join(waiting), Role.QUIET)]
        if known.stopped:
            lines.append(styled(f"Sending is stopped: {known.stopped}.", Role.BAD))
        elif known.unread_since is not None:
            since = local_stamp(known.unread_since, zone=self.host.settings.operator.zone)
            what = (
                f"{known.unread} cannot be polled" if known.unread else "The mailbox cannot be read"
            )
            words = f"{what} since {since}: {known.unread_why}"
            lines.append(styled(words, Role.ATTENTION))
        elif known.problem and mail.has_account:
            lines.append(styled(f"Sending fails: {known.problem}", Role.ATTENTION))
        return Content("\n").join(lines)

    def _who(self) -> Content:
        mail = self.host.mail_work
        if mail.elsewhere:
            return styled(mail.elsewhere, Role.ATTENTION)
        if not mail.has_account:
            words = "No mailbox is set: [sender] and [providers.smtp] in the configuration."
            return styled(words, Role.ATTENTION)
        if mail.is_at_work:
            return styled("Mail is sent and read while crm-tui runs.")
        return styled("Nothing is sent from here.", Role.QUIET)

    def action_sending(self) -> None:
        """Stop sending, or let it go where it is stopped."""
        known = self.host.mail_work.known
        if known is None:
            return
        if known.stopped:
            question = (
                f"Nothing is sent: {known.stopped}. Let go, this store sends what is queued in "
                "it; be sure that no other copy of it does."
            )
            dialog = Confirm(question, verb="Let it send", careful=True)
        else:
            question = "Stop sending? What is on the way still goes; all else waits."
            dialog = Confirm(question, verb="Stop sending")
        stop = not known.stopped

        def do(wanted: bool | None) -> None:  # noqa: FBT001 - Textual's callback
            if wanted:
                self.in_order(self._set_sending(stop=stop), group="write")

        self.app.push_screen(dialog, do)

    async def _set_sending(self, *, stop: bool) -> None:
        db = await self.host.store()
        from crm_tui.services.sending import last_sent, standing

        async with db.write() as session:
            if stop:
                await standing.stop(session, _BY_HAND)
            else:
                await standing.let_go(session, standing.home_of(db.path))
        if not stop:
            last_sent.forget(db.path)
        self.host.say("Nothing is sent." if stop else "What is due is sent again.", Role.GOOD)
        await self._read()

"""Campaigns in words: the columns of their list and of the ledger, counts and rates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len

from crm_tui.clock import ago
from crm_tui.vocabulary import CampaignState, MessageState
from crm_tui.widgets.columns import Cell, Column
from crm_tui.widgets.look import TROUBLE, Role, status_mark

if TYPE_CHECKING:
    from crm_tui.services.campaigns.figures import Counts, Rate
    from crm_tui.services.campaigns.ledger import LedgerRow
    from crm_tui.services.campaigns.listing import CampaignRow

_BAR = 8
"""Cells of a bar of progress."""

NOT_MEASURED = "not measured"

RATE_WORDS = {
    "delivery": "delivered",
    "reply": "answered",
    "bounce": "came back",
    "unsubscribe": "opted out",
    "complaint": "reported as spam",
    "open": "opens",
    "click": "clicks",
}
"""The rates that are shown, in this order, and what is said of who is counted."""

_IF_ANY = {"unsubscribe", "complaint", "delivery"}
"""Rates that are not worth a word while there is nobody."""


def rate_named(rates: Iterable[Rate], name: str) -> Rate | None:
    """The rate of this name."""
    return next((each for each in rates if each.name == name), None)


def rate_words(rate: Rate) -> str:
    """A rate with what it is made of: "12 of 148, 8.1%"; "not measured" where nothing can.

    With those by machines beside it, and how many more there are of whom nothing can be known.
    """
    if rate.numerator is None:
        return NOT_MEASURED
    if rate.value is None:
        return "—"
    said = f"{rate.numerator:,} of {rate.denominator:,}"
    if rate.numerator:
        said += f", {rate.value:.1%}"
    if rate.raw is not None and rate.raw > rate.numerator:
        said += f" ({rate.raw:,} with machines)"
    return f"{said}, {rate.unmeasured:,} more {NOT_MEASURED}" if rate.unmeasured else said


def short_rate_words(rate: Rate) -> str:
    """The same without of how many: "12 (8.1%)"."""
    if rate.numerator is None or rate.value is None:
        return rate_words(rate)
    return f"{rate.numerator:,} ({rate.value:.1%})" if rate.numerator else "0"


def rates_words(rates: Sequence[Rate], words_of: Callable[[Rate], str] = rate_words) -> list[str]:
    """Every rate in a few words, those that cannot be measured in one: "opens, clicks not measured"."""
    said, unmeasured = [], []
    for name, words in RATE_WORDS.items():
        rate = rate_named(rates, name)
        if rate is None or (name in _IF_ANY and not rate.numerator):
            continue
        if rate.measured:
            said.append(f"{words} {words_of(rate)}")
        else:
            unmeasured.append(words)
    if unmeasured:
        said.append(f"{', '.join(unmeasured)} {NOT_MEASURED}")
    return said


def rates_line(rates: Sequence[Rate], room: int) -> str:
    """Every rate in one line, in as many words as there is room for.

    First goes of how many each is, then what says least: what is not measured, and deliveries.
    """
    told = [each for each in rates if each.measured and each.name != "delivery"]
    lines = (
        " · ".join(said)
        for said in (
            rates_words(rates),
            rates_words(rates, short_rate_words),
            rates_words(told, short_rate_words),
        )
    )
    line = ""
    for line in lines:
        if cell_len(line) <= room:
            return line
    return line


def counts_words(counts: Counts) -> list[str]:
    """What became of the messages, without what there is none of."""
    queued = f"{counts.queued:,} queued"
    if counts.held:
        queued += f" ({counts.held:,} held)"
    words = [f"{counts.sent:,} of {counts.audience:,} sent"]
    words += [queued] if counts.queued else []
    for state in ("sending", "failed", "uncertain", "skipped", "canceled"):
        if number := getattr(counts, state):
            words.append(f"{number:,} {state}")
    return words


def done_share(counts: Counts) -> float:
    """Which share of the messages nothing more is done about."""
    still = counts.queued + counts.sending + counts.uncertain
    return (counts.audience - still) / counts.audience if counts.audience else 0.0


def next_words(row: CampaignRow, now: datetime, zone: tzinfo | None) -> str:
    """What comes next, or why nothing does."""
    from crm_tui.services.when import say_when  # with the list, after the first paint

    if row.state is CampaignState.PAUSED:
        return row.pause_reason or ""
    if row.state is CampaignState.DRAFT:
        return "not started"
    if row.state is not CampaignState.RUNNING:
        return ago(row.ended_at, now, zone=zone)
    if row.next_due_at is None:
        return "held" if row.counts.held else ""
    if row.next_due_at <= now:
        return "due now"
    return say_when(row.next_due_at, now=now, zone=zone)


def _state(row: CampaignRow, _now: datetime) -> Cell:
    mark = status_mark(row.state)
    return Cell(mark.label, mark.role)


def _sent(row: CampaignRow, _now: datetime) -> Cell:
    if row.state is CampaignState.DRAFT:
        return Cell(f"{row.recipients:,} chosen" if row.recipients else "", Role.QUIET)
    return Cell(f"{row.counts.sent:,} of {row.counts.audience:,}")


def _progress(row: CampaignRow, _now: datetime) -> Cell:
    if row.state is CampaignState.DRAFT:
        return Cell("")
    share = done_share(row.counts)
    full = int(share * _BAR)
    return Cell(f"{'█' * full}{'░' * (_BAR - full)} {share:>4.0%}", Role.QUIET)


def _rate_column(
    name: str, title: str, width: int, rank: int, bad: Role = Role.TEXT
) -> Column[CampaignRow]:
    def cell(row: CampaignRow, _now: datetime) -> Cell:
        rate = rate_named(row.rates, name)
        if rate is None or not row.counts.sent:
            return Cell("")
        if rate.numerator is None:
            return Cell(NOT_MEASURED, Role.QUIET)
        return Cell(f"{rate.numerator:,}", bad if rate.numerator else Role.QUIET)

    return Column(name, title, cell, width=width, align="right", rank=rank, sortable=False)


def campaign_columns(zone: tzinfo | None) -> tuple[Column[CampaignRow], ...]:
    """The columns of the list; times are those of the operator's zone."""

    def comes_next(row: CampaignRow, now: datetime) -> Cell:
        paused = row.state is CampaignState.PAUSED
        return Cell(next_words(row, now, zone), Role.ATTENTION if paused else Role.QUIET)

    return (
        Column(
            "name",
            "Campaign",
            lambda row, _: Cell(row.name, Role.STRONG),
            width=18,
            widest=44,
            sortable=False,
        ),
        Column("state", "State", _state, width=10, rank=1, sortable=False),
        Column("progress", "Done", _progress, width=13, rank=6, sortable=False),
        Column("sent", "Sent", _sent, width=12, align="right", rank=2, sortable=False),
        _rate_column("reply", "Answers", 7, 3, Role.GOOD),
        _rate_column("bounce", "Bounces", 7, 4, Role.ATTENTION),
        _rate_column("open", "Opens", 12, 8),
        _rate_column("click", "Clicks", 12, 9),
        Column("next", "Next", comes_next, width=12, widest=60, rank=5, sortable=False),
    )


# The ledger


_FACTS = (
    ("complained_at", "reported as spam", Role.BAD),
    ("unsubscribed_at", "opted out", Role.BAD),
    ("replied_at", "answered", Role.GOOD),
    ("bounced_at", "came back", Role.BAD),
    ("clicked_at", "clicked", Role.TEXT),
    ("opened_at", "opened", Role.TEXT),
    ("machine_clicked_at", "clicked by a machine", Role.QUIET),
    ("machine_opened_at", "opened by a machine", Role.QUIET),
    ("delivered_at", "delivered", Role.QUIET),
)
"""What can be known of a message that was sent, what says most first."""


def _due(at: datetime, now: datetime, zone: tzinfo | None) -> str:
    """When a message goes, as short as the times of those that went: "14:30", "Mon 9:00"."""
    if at <= now:
        return "due now"
    local = at.astimezone(zone)
    days = (local.date() - now.astimezone(zone).date()).days
    hour = f"{local.hour}:{local:%M}"
    if not days:
        return hour
    return f"{local:%a} {hour}" if days < 7 else f"{local:%Y-%m-%d}"


def _fact(row: LedgerRow, now: datetime, zone: tzinfo | None) -> Cell | None:
    """What says most of a message that was sent; of a machine's doing, why it is thought one."""
    for field, words, role in _FACTS:
        if at := getattr(row, field):
            why = f": {row.machine}" if field.startswith("machine_") and row.machine else ""
            return Cell(f"{words} {ago(at, now, zone=zone)}{why}", role)
    return None


def _message_state(row: LedgerRow, _now: datetime) -> Cell:
    if row.is_held:
        return Cell(f"{TROUBLE} held", Role.ATTENTION)
    mark = status_mark(row.state)
    return Cell(mark.label, mark.role)


_STEP: Column[LedgerRow] = Column(
    "step",
    "Step",
    lambda row, _: Cell(f"{row.step}", Role.QUIET),
    width=4,
    align="right",
    rank=2,
    sortable=False,
)
_TEXT: Column[LedgerRow] = Column(
    "text",
    "Text",
    lambda row, _: Cell((row.variant or "").upper(), Role.QUIET),
    width=4,
    rank=2,
    sortable=False,
)


def ledger_columns(
    zone: tzinfo | None, *, steps: int, texts: bool = False
) -> tuple[Column[LedgerRow], ...]:
    """The columns of a ledger of so many steps; times are those of the operator's zone.

    Args:
        zone: The operator's.
        steps: How many the campaign has.
        texts: Whether two texts of one of them are tried.
    """

    def when(row: LedgerRow, now: datetime) -> Cell:
        if row.sent_at is not None:
            return Cell(ago(row.sent_at, now, zone=zone), Role.QUIET)
        if row.state is not MessageState.QUEUED or row.due_at is None:
            return Cell("")
        return Cell(_due(row.due_at, now, zone), Role.QUIET)

    def what(row: LedgerRow, now: datetime) -> Cell:
        if fact := _fact(row, now, zone):
            return fact
        if row.reason:
            return Cell(row.reason, Role.QUIET)
        if row.state is MessageState.QUEUED and row.due_at is None:
            return Cell(f"waits for step {row.step - 1}", Role.QUIET)
        return Cell("")

    columns: list[Column[LedgerRow]] = [
        Column(
            "name",
            "Lead",
            lambda row, _: Cell(row.name, Role.STRONG),
            width=18,
            widest=36,
            sortable=False,
        ),
        Column("state", "State", _message_state, width=11, rank=1, sortable=False),
        Column("when", "When", when, width=10, rank=3, sortable=False),
        Column("what", "What", what, width=25, widest=48, rank=2, sortable=False),
        Column(
            "address",
            "Address",
            lambda row, _: Cell(row.address, Role.QUIET),
            width=22,
            widest=40,
            rank=4,
            sortable=False,
        ),
    ]
    columns[1:1] = [*([_STEP] if steps > 1 else []), *([_TEXT] if texts else [])]
    return tuple(columns)


class LeftOutLine(NamedTuple):
    """A lead that was asked for and gets nothing, by its id, and why."""

    id: int
    name: str
    email: str | None
    reason: str


LEFT_OUT_COLUMNS: tuple[Column[LeftOutLine], ...] = (
    Column(
        "name",
        "Lead",
        lambda row, _: Cell(row.name, Role.STRONG),
        width=18,
        widest=36,
        sortable=False,
    ),
    Column(
        "reason",
        "Why",
        lambda row, _: Cell(row.reason),
        width=48,
        widest=60,
        rank=1,
        sortable=False,
    ),
    Column(
        "address",
        "Address",
        lambda row, _: Cell(row.email or "", Role.QUIET),
        width=20,
        widest=40,
        rank=2,
        sortable=False,
    ),
)

"""What stands in a line of Today, and in the headings of its groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, TypeAlias

from crm_tui.clock import ago
from crm_tui.services.when import say_when
from crm_tui.widgets.columns import Cell, Column
from crm_tui.widgets.look import Role

if TYPE_CHECKING:
    from crm_tui.services.today import Line

TodayRow: TypeAlias = "Line | Heading"

TITLES = (
    "Follow-ups",
    "Answers",
    "Unreachable",
    "Not built",
    "No lead",
    "Sent or not",
    "Mailbox",
    "Unpublished",
    "Still public",
    "Customers",
    "Not polled",
    "New payment",
    "Not paid",
    "Ending",
    "Overdue",
    "Disputed",
)
"""What the kinds of line are called, in the order of services.today.Kind."""

DEALT_WITH = (
    ("today.done", "today.snooze", "business.call"),
    ("answer.interested", "answer.later", "answer.no", "answer.wrong"),
    ("business.edit", "today.done"),
    ("business.build", "today.done"),
    ("today.repair", "today.done"),
    ("today.repair",),
    ("today.repair",),
    ("business.publish",),
    ("today.repair",),
    ("today.done", "business.mail", "business.call"),
    ("today.repair",),
    ("today.done", "business.mail", "business.call"),
    ("business.mail", "business.call", "today.done"),
    ("business.call", "business.mail", "today.done"),
    ("business.pay", "business.mail", "today.done"),
    ("today.repair", "today.done", "business.mail"),
)
"""The actions that deal with each kind, the most wanted first."""


@dataclass(frozen=True, slots=True)
class Heading:
    """What stands above the lines of a kind, or nothing, for the space between two kinds.

    Attributes:
        id: Below zero; what tells it from lines and other headings.
        title: What the lines are.
        count: How many they are, in words.
    """

    id: int
    title: str = ""
    count: str = ""


def heading_id(kind: int) -> int:
    """The id of the heading of a kind."""
    return -1 - kind


def space_id(kind: int) -> int:
    """The id of the space above the heading of a kind."""
    return -1 - len(TITLES) - kind


def today_columns(zone: tzinfo | None) -> Sequence[Column[TodayRow]]:
    """When, who and what; times are those of the operator's zone."""

    def when(row: TodayRow, now: datetime) -> Cell:
        if isinstance(row, Heading):
            return Cell(row.title)
        if row.at is None:
            return Cell("")
        if row.is_due:
            overdue = row.at <= now
            words = say_when(row.at, now=now, zone=zone)
            return Cell(words, Role.BAD if overdue else Role.TEXT)
        return Cell(ago(row.at, now, zone=zone), Role.QUIET)

    def who(row: TodayRow, _now: datetime) -> Cell:
        if isinstance(row, Heading):
            return Cell(row.count, Role.QUIET)
        return Cell(row.name, Role.STRONG)

    def what(row: TodayRow, _now: datetime) -> Cell:
        return Cell("" if isinstance(row, Heading) else row.what)

    return (
        Column("when", "When", when, width=12, sortable=False),
        Column("who", "Lead", who, width=24, widest=32, sortable=False),
        Column("what", "What", what, width=30, widest=120, rank=2, sortable=False),
    )

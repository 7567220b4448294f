"""Which tables an action's writes are recorded of, and the triggers that record them.

A trigger is generated for every way a recorded table can change. What an action writes is one thing,
what follows from it another: derived columns (statuses, score, the repeated primary contacts, last
activity) are not recorded when they change, because undo computes them again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import REAL, Column, Table

from crm_tui.db.models import (
    Business,
    BusinessAlias,
    BusinessTag,
    CampaignExclusion,
    Consent,
    ContactPoint,
    Customer,
    Dispute,
    Distinct,
    Event,
    ImportRow,
    Merge,
    Message,
    MoneyRef,
    Payment,
    PaymentLink,
    Plan,
    RawRecord,
    Refund,
    SavedView,
    Site,
    Spend,
    Subscription,
    SubscriptionChange,
    Suppression,
    Tag,
    Task,
    Unmatched,
)

DERIVED = frozenset(
    {
        "email",
        "phone",
        "website",
        "qualification_score",
        "contact_status",
        "website_status",
        "building_by",
        "updated_at",
        "last_activity_at",
        "last_activity",
    }
)
"""Columns of a business that follow from other things."""

MARKS = frozenset({"out_of_date"})
"""Columns that are restored whatever they hold by now: what they say is looked at again after."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A table whose changes are recorded.

    Attributes:
        table: the table.
        written: the columns an action writes; changes of others are not recorded.
        lead: the column that says whose the record is; None where it is nobody's.
        comes_and_goes: whether records that are added and deleted are recorded too.
        groups: the written columns that are mostly written together, each group with a trigger of
            its own: one for all columns of a business would cost more than the writing.
        noted: the columns recorded of one that is added; the rest is written down when undo
            deletes it, and not before.
    """

    table: Table
    written: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...]
    lead: str | None = "business_id"
    comes_and_goes: bool = True
    noted: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The table's name."""
        return self.table.name

    @property
    def key(self) -> tuple[str, ...]:
        """The columns of the primary key."""
        return tuple(column.name for column in self.table.primary_key)

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns."""
        return tuple(column.name for column in self.table.columns)

    def record(self, row: str = "") -> str:
        """SQL for the JSON array of a row's primary key; `row` is "NEW." or "OLD." in a trigger."""
        return f"json_array({', '.join(row + name for name in self.key)})"

    def values(self, names: Sequence[str], row: str = "") -> str:
        """SQL for a JSON object of these columns as they are stored."""
        parts = (f"'{name}', {_stored(self.table.c[name], row)}" for name in names)
        return f"json_object({', '.join(parts)})"


def _recorded(
    model: type[object],
    *,
    but: Sequence[str] = (),
    lead: str | None = "business_id",
    only: Sequence[str] = (),
    comes_and_goes: bool = True,
    noted: tuple[str, ...] = (),
    by_group: bool = False,
) -> Recorded:
    table: Table = model.__table__  # type: ignore[attr-defined]
    key = {column.name for column in table.primary_key}
    written = only or [c.name for c in table.columns if c.name not in key and c.name not in but]
    groups: dict[str, list[str]] = {}
    for name in written:
        groups.setdefault(_stem(name) if by_group else "", []).append(name)
    return Recorded(
        table, tuple(written), tuple(map(tuple, groups.values())), lead, comes_and_goes, noted
    )


def _stem(name: str) -> str:
    """What "city" and "city_folded", or "outcome" and "outcome_reason", have in common."""
    return name.removeprefix("sort_").removesuffix("_folded").removesuffix("_reason")


RECORDED = {
    each.name: each
    for each in (
        _recorded(Business, but=tuple(DERIVED), lead="id", by_group=True),
        _recorded(ContactPoint),
        _recorded(BusinessAlias),
        _recorded(BusinessTag),
        _recorded(Tag, lead=None),
        _recorded(Task),
        _recorded(Suppression, lead=None),
        _recorded(SavedView, lead=None),
        _recorded(Event, only=("business_id",), noted=("key", "business_id", "kind")),
        _recorded(Distinct, lead="low_id"),
        _recorded(Merge, lead="kept_id"),
        _recorded(Site, only=("business_id", "status", *MARKS), comes_and_goes=False),
        _recorded(Message, only=("business_id", "state", "reason", "opened_at", "clicked_at")),
        _recorded(RawRecord, only=("business_id",), comes_and_goes=False),
        _recorded(CampaignExclusion),
        _recorded(Consent),
        _recorded(Unmatched, only=("business_id", "state", "resolved_at"), comes_and_goes=False),
        _recorded(ImportRow, only=("business_id",), comes_and_goes=False),
        _recorded(Plan, lead=None),
        _recorded(PaymentLink, only=("business_id", "state", "closed_at"), comes_and_goes=False),
        _recorded(MoneyRef),
        _recorded(Customer),
        _recorded(Subscription),
        _recorded(SubscriptionChange, lead=None),
        _recorded(Payment),
        _recorded(Refund, lead=None),
        _recorded(Dispute, lead=None),
        _recorded(Spend, lead=None),
    )
}
"""The recorded tables by name."""

RECORDING = "CREATE TEMP TABLE undo_recording (entry INTEGER NOT NULL, part INTEGER NOT NULL)"
"""Holds a row while an action is being recorded, and nothing at any other time."""


def triggers() -> list[str]:
    """The statements that create the triggers, on the connection that writes."""
    statements = []
    for each in RECORDED.values():
        statements += [_updated(each, group) for group in each.groups]
        if each.comes_and_goes:
            statements += [_added(each), _deleted(each)]
    return statements


def _updated(each: Recorded, group: Sequence[str]) -> str:
    differs = {name: f"OLD.{name} IS NOT NEW.{name}" for name in group}

    def changed(row: str) -> str:
        fields = (
            f"CASE WHEN {test} THEN ',\"{name}\":' || json_quote({_stored(each.table.c[name], row)})"
            " ELSE '' END"
            for name, test in differs.items()
        )
        return f"'{{' || substr({' || '.join(fields)}, 2) || '}}'"

    return _trigger(
        each,
        f"UPDATE OF {', '.join(group)}",
        row="OLD.",
        before=changed("OLD."),
        after=changed("NEW."),
        when=f" AND ({' OR '.join(differs.values())})",
    )


def _added(each: Recorded) -> str:
    after = each.values(each.noted or each.columns, "NEW.")
    return _trigger(each, "INSERT", row="NEW.", before="NULL", after=after)


def _deleted(each: Recorded) -> str:
    before = each.values(each.columns, "OLD.")
    return _trigger(each, "DELETE", row="OLD.", before=before, after="NULL")


def _trigger(
    each: Recorded, what: str, *, row: str, before: str, after: str, when: str = ""
) -> str:
    lead = f"{row}{each.lead}" if each.lead else "NULL"
    name = f"undo_{each.name}_{what.replace(',', '').replace(' ', '_').lower()}"
    written = f"'{each.name}', {each.record(row)}, {lead}, {before}, {after}"
    into = "undo_change (entry_id, part, table_name, record, business_id, before, after)"
    change = f"INSERT INTO {into} SELECT entry, part, {written} FROM undo_recording"  # noqa: S608 - names of our own tables
    return (
        f"CREATE TEMP TRIGGER {name} AFTER {what} ON {each.name}"  # noqa: S608 - likewise
        f" WHEN EXISTS (SELECT 1 FROM undo_recording){when} BEGIN {change}; END"
    )


def _stored(column: Column[object], row: str) -> str:
    """SQL for a stored value in JSON; JSON would cut the last digits of a float."""
    value = f"{row}{column.name}"
    if isinstance(column.type, REAL):
        return f"CASE WHEN {value} IS NOT NULL THEN quote({value}) END"
    return value

"""What the operator's own work leaves: saved views, what can be undone, merges and erasures."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from crm_tui.db.types import Base, Json, UtcDateTime, Word, json_check, one_of
from crm_tui.vocabulary import ChangeState, ErasedKind, UndoState


class SavedView(Base):
    """A question about the leads with a name: its filter, order and columns.

    `letter` is the key after `v`; `sort` is "name" or "-score", NULL for the usual order;
    `columns` is [[key, width], …], NULL for the usual ones.
    """

    __tablename__ = "saved_view"
    __table_args__ = (
        CheckConstraint("trim(name) <> ''", name="name"),
        CheckConstraint("length(letter) = 1", name="letter"),
        json_check("columns"),
        {"sqlite_strict": True, "sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    folded: Mapped[str] = mapped_column(unique=True)
    letter: Mapped[str | None] = mapped_column(unique=True)
    position: Mapped[int]
    query: Mapped[str]
    sort: Mapped[str | None]
    columns: Mapped[list[list[Any]] | None] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class UndoEntry(Base):
    """One action of the operator, in words, that can be taken back."""

    __tablename__ = "undo_entry"
    __table_args__ = (
        one_of("state", UndoState),
        Index("ix_undo_entry_state", "state"),
        {"sqlite_strict": True, "sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    words: Mapped[str]
    state: Mapped[UndoState] = mapped_column(Word(UndoState), server_default=UndoState.DONE)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class UndoChange(Base):
    """What an action wrote into one record, in the order it was written.

    `record` is the JSON array of the record's primary key. `before` and `after` are JSON objects
    of columns as they are stored: only those that changed, or all where the record came
    (`before` is NULL) or went (`after` is NULL). `part` counts the transactions of the action.
    `void_key` names the event by which an undone event was taken out.
    """

    __tablename__ = "undo_change"
    __table_args__ = (
        one_of("state", ChangeState),
        json_check("before"),
        json_check("after"),
        Index("ix_undo_change_entry_id", "entry_id", "part"),
        Index("ix_undo_change_business_id", "business_id"),
        {"sqlite_strict": True, "sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    entry_id: Mapped[int] = mapped_column(ForeignKey("undo_entry.id", ondelete="RESTRICT"))
    part: Mapped[int]
    table_name: Mapped[str]
    record: Mapped[str]
    business_id: Mapped[int | None]
    before: Mapped[str | None]
    after: Mapped[str | None]
    state: Mapped[ChangeState] = mapped_column(Word(ChangeState), server_default=ChangeState.DONE)
    void_key: Mapped[str | None]


class Merge(Base):
    """A business that went into another; the changes of its undo entry split them again."""

    __tablename__ = "merge"
    __table_args__ = (
        Index("ix_merge_kept_id", "kept_id"),
        Index("ix_merge_entry_id", "entry_id"),
        {"sqlite_strict": True, "sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kept_id: Mapped[int] = mapped_column(ForeignKey("business.id", ondelete="RESTRICT"))
    merged_id: Mapped[int] = mapped_column(unique=True)
    merged_key: Mapped[str]
    merged_name: Mapped[str]
    entry_id: Mapped[int] = mapped_column(ForeignKey("undo_entry.id", ondelete="RESTRICT"))
    merged_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Distinct(Base):
    """Two businesses of which the operator said that they are not the same."""

    __tablename__ = "distinct_pair"
    __table_args__ = (
        CheckConstraint("low_id < high_id", name="order"),
        Index("ix_distinct_pair_high_id", "high_id"),
        {"sqlite_strict": True},
    )

    low_id: Mapped[int] = mapped_column(
        ForeignKey("business.id", ondelete="RESTRICT"), primary_key=True
    )
    high_id: Mapped[int] = mapped_column(
        ForeignKey("business.id", ondelete="RESTRICT"), primary_key=True
    )
    said_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ErasedKey(Base):
    """A salted hash of a key of an erased business, so that no later list brings it back."""

    __tablename__ = "erased_key"
    __table_args__ = (
        one_of("kind", ErasedKind),
        {"sqlite_strict": True},
    )

    hash: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[ErasedKind] = mapped_column(Word(ErasedKind))
    erased_at: Mapped[datetime] = mapped_column(UtcDateTime)

"""Where leads come from: batches, their rows, raw records, and what waits for a business."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from crm_tui.db.types import Base, Json, UtcDateTime, Word, json_check, one_of
from crm_tui.vocabulary import BatchState, RowAction, UnmatchedKind, UnmatchedState


class ImportBatch(Base):
    """One import: what was read, how, and what became of it; it can be taken back.

    `owner` names the lock of the process that runs it: a running batch whose owner is dead was
    interrupted and is taken back at the next start. `seen` counts businesses.
    """

    __tablename__ = "import_batch"
    __table_args__ = (
        one_of("state", BatchState),
        json_check("options"),
        CheckConstraint(
            "state IN ('running', 'undoing') OR seen = created + merged + skipped + rejected",
            name="counts",
        ),
        {"sqlite_strict": True, "sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    file_name: Mapped[str]
    format: Mapped[str]
    state: Mapped[BatchState] = mapped_column(Word(BatchState), server_default=BatchState.RUNNING)
    owner: Mapped[str | None]
    options: Mapped[dict[str, Any]] = mapped_column(Json, server_default="{}")
    seen: Mapped[int] = mapped_column(server_default="0")
    created: Mapped[int] = mapped_column(server_default="0")
    merged: Mapped[int] = mapped_column(server_default="0")
    skipped: Mapped[int] = mapped_column(server_default="0")
    rejected: Mapped[int] = mapped_column(server_default="0")
    unmatched: Mapped[int] = mapped_column(server_default="0")
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ImportRow(Base):
    """What an import did with one record, and what it wrote into a business that was there.

    `filled` maps each field the row filled to [before, after], so that it can be taken back.
    """

    __tablename__ = "import_row"
    __table_args__ = (
        one_of("action", RowAction),
        json_check("filled"),
        Index("ix_import_row_business_id", "business_id"),
        {"sqlite_strict": True, "sqlite_with_rowid": False},
    )

    batch_id: Mapped[int] = mapped_column(
        ForeignKey("import_batch.id", ondelete="RESTRICT"), primary_key=True
    )
    row: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    action: Mapped[RowAction] = mapped_column(Word(RowAction))
    name: Mapped[str | None]
    reason: Mapped[str | None]
    business_id: Mapped[int | None] = mapped_column(ForeignKey("business.id", ondelete="SET NULL"))
    filled: Mapped[dict[str, Any] | None] = mapped_column(Json)


class ImportMapping(Base):
    """How the columns of an unknown list were mapped, for the next list with the same header."""

    __tablename__ = "import_mapping"
    __table_args__ = (json_check("mapping"), {"sqlite_strict": True})

    signature: Mapped[str] = mapped_column(primary_key=True)
    mapping: Mapped[dict[str, str]] = mapped_column(Json)
    used_at: Mapped[datetime] = mapped_column(UtcDateTime)


class RawRecord(Base):
    """What a source sent, kept as received; the same record twice is one row.

    `applied_at` is when it was interpreted: until then it waits. `business_id` is whom it turned out
    to concern, `problem` why it could not be applied.
    """

    __tablename__ = "raw_record"
    __table_args__ = (
        UniqueConstraint("source", "external_id"),
        json_check("payload"),
        Index("ix_raw_record_batch_id", "batch_id"),
        Index("ix_raw_record_business_id", "business_id"),
        Index(
            "ix_raw_record_waiting",
            "id",
            sqlite_where=text("applied_at IS NULL AND batch_id IS NULL"),
        ),
        {"sqlite_strict": True, "sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str]
    external_id: Mapped[str]
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("import_batch.id"))
    business_id: Mapped[int | None] = mapped_column(ForeignKey("business.id", ondelete="RESTRICT"))
    applied_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    problem: Mapped[str | None]
    payload: Mapped[Any] = mapped_column(Json)


class Unmatched(Base):
    """Something of ours that names no known business: an inbox until the operator decides.

    `payload` is what repair needs: for a site its slug, html, css, js, old ids and times; for an
    answer what was read of it. `raw_id` is the record it was read from.
    """

    __tablename__ = "unmatched"
    __table_args__ = (
        one_of("kind", UnmatchedKind),
        one_of("state", UnmatchedState),
        json_check("payload"),
        CheckConstraint("(state = 'open') = (resolved_at IS NULL)", name="resolved"),
        Index("ix_unmatched_state", "state", sqlite_where=text("state = 'open'")),
        Index("ix_unmatched_business_id", "business_id"),
        Index("ix_unmatched_site_id", "site_id"),
        Index("ix_unmatched_raw_id", "raw_id"),
        Index("ix_unmatched_batch_id", "batch_id"),
        {"sqlite_strict": True, "sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[UnmatchedKind] = mapped_column(Word(UnmatchedKind))
    state: Mapped[UnmatchedState] = mapped_column(
        Word(UnmatchedState), server_default=UnmatchedState.OPEN
    )
    title: Mapped[str]
    reason: Mapped[str]
    business_id: Mapped[int | None] = mapped_column(ForeignKey("business.id", ondelete="RESTRICT"))
    site_id: Mapped[int | None] = mapped_column(ForeignKey("site.id", ondelete="RESTRICT"))
    raw_id: Mapped[int | None] = mapped_column(ForeignKey("raw_record.id", ondelete="RESTRICT"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    resolved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("import_batch.id"))
    payload: Mapped[dict[str, Any]] = mapped_column(Json)

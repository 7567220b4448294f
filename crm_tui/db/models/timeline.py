"""What happened, what is to be done, and what the store remembers about itself."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from crm_tui.db.types import Base, Flag, Json, UtcDateTime, Word, flag_check, json_check, one_of
from crm_tui.vocabulary import ContactStatus, EventKind, TaskState


class Event(Base):
    """One line of a business's timeline; append-only; the only reason a status ever changes.

    `key` never changes and makes repetition harmless. `origin_id` is the business the event
    belonged to when it came, which a merge keeps. `moves_to` is the contact status the event
    speaks for, if any. `source` says who or what caused it. `data` holds what the kind needs:
    a hand-set status the keys it `overrules`, a voided event the keys it `voids`. `is_voided`
    follows from the voided events: this one is taken out of the timeline and the figures.
    `message_id` is the message it is about.
    """

    __tablename__ = "event"
    __table_args__ = (
        one_of("kind", EventKind),
        one_of("moves_to", ContactStatus),
        flag_check("by_machine"),
        flag_check("is_voided"),
        json_check("data"),
        CheckConstraint("kind <> 'status_set' OR moves_to IS NOT NULL", name="status_set"),
        Index("ix_event_business_id_occurred_at", "business_id", "occurred_at"),
        Index(
            "ix_event_fold",
            "business_id",
            sqlite_where=text("moves_to IS NOT NULL OR kind = 'voided'"),
        ),
        Index("ix_event_site_id", "site_id", sqlite_where=text("site_id IS NOT NULL")),
        Index("ix_event_message_id", "message_id", sqlite_where=text("message_id IS NOT NULL")),
        Index(
            "ix_event_call",
            "occurred_at",
            "business_id",
            "is_voided",
            sqlite_where=text("kind = 'call'"),
        ),
        Index(
            "ix_event_contact",
            "business_id",
            "occurred_at",
            "kind",
            "is_voided",
            sqlite_where=text("kind IN ('email_sent', 'sms_sent', 'call') AND is_voided = 0"),
        ),
        Index("ix_event_batch_id", "batch_id", sqlite_where=text("batch_id IS NOT NULL")),
        {"sqlite_strict": True, "sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    business_id: Mapped[int] = mapped_column(ForeignKey("business.id", ondelete="RESTRICT"))
    origin_id: Mapped[int]
    occurred_at: Mapped[datetime] = mapped_column(UtcDateTime)
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    kind: Mapped[EventKind] = mapped_column(Word(EventKind))
    moves_to: Mapped[ContactStatus | None] = mapped_column(Word(ContactStatus))
    by_machine: Mapped[bool] = mapped_column(Flag, server_default="0")
    source: Mapped[str]
    summary: Mapped[str]
    body: Mapped[str | None]
    data: Mapped[dict[str, Any]] = mapped_column(Json, server_default="{}")
    is_voided: Mapped[bool] = mapped_column(Flag, server_default="0")
    site_id: Mapped[int | None] = mapped_column(ForeignKey("site.id", ondelete="RESTRICT"))
    message_id: Mapped[int | None] = mapped_column(ForeignKey("message.id", ondelete="RESTRICT"))
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("import_batch.id"))


class Task(Base):
    """A follow-up with a business."""

    __tablename__ = "task"
    __table_args__ = (
        one_of("state", TaskState),
        CheckConstraint("(state = 'done') = (done_at IS NOT NULL)", name="done"),
        Index("ix_task_business_id", "business_id"),
        Index("ix_task_due_at", "due_at", sqlite_where=text("state = 'open'")),
        Index("ix_task_batch_id", "batch_id"),
        {"sqlite_strict": True, "sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    business_id: Mapped[int] = mapped_column(ForeignKey("business.id", ondelete="RESTRICT"))
    what: Mapped[str]
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    state: Mapped[TaskState] = mapped_column(Word(TaskState), server_default=TaskState.OPEN)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("import_batch.id"))


class Setting(Base):
    """One thing the store remembers about itself, such as why sending is stopped."""

    __tablename__ = "setting"
    __table_args__ = (json_check("value"), {"sqlite_strict": True})

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[Any] = mapped_column(Json)

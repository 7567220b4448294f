"""Campaigns, the messages that are the queue, and where polling stands."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from crm_tui.db.types import Base, Flag, Json, UtcDateTime, Word, flag_check, json_check, one_of
from crm_tui.vocabulary import CampaignState, Channel, MessageState


class Campaign(Base):
    """One or more steps to an audience.

    `audience` is {"query": …} or {"ids": […]}, as it was chosen; who was added is in the messages.
    `draft` is what the wizard needs to go on where it was left. `pause_reason` says why a campaign
    paused, the operator's own pause included.
    """

    __tablename__ = "campaign"
    __table_args__ = (
        CheckConstraint("trim(name) <> ''", name="name"),
        one_of("state", CampaignState),
        CheckConstraint("(state = 'paused') = (pause_reason IS NOT NULL)", name="paused"),
        CheckConstraint(
            "(state IN ('finished', 'canceled')) = (ended_at IS NOT NULL)", name="ended"
        ),
        json_check("audience"),
        json_check("draft"),
        flag_check("stop_on_click"),
        Index("ix_campaign_state", "state"),
        {"sqlite_strict": True, "sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    name_folded: Mapped[str]
    state: Mapped[CampaignState] = mapped_column(
        Word(CampaignState), server_default=CampaignState.DRAFT
    )
    pause_reason: Mapped[str | None]
    audience: Mapped[dict[str, Any]] = mapped_column(Json)
    stop_on_click: Mapped[bool] = mapped_column(Flag, server_default="0")
    starts_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    draft: Mapped[dict[str, Any]] = mapped_column(Json, server_default="{}")


class CampaignStep(Base):
    """One message of a campaign, as everybody gets it: the source of its template.

    `is_html` says what kind of template it is.
    `delay` is counted from the step before, as the operator wrote it: "3d", "2 business days".
    `version` goes up with each change; a message keeps that of the text it was rendered from.
    """

    __tablename__ = "campaign_step"
    __table_args__ = (
        UniqueConstraint("campaign_id", "position"),
        one_of("channel", Channel),
        flag_check("is_html"),
        CheckConstraint("position >= 1", name="position"),
        CheckConstraint("position > 1 OR delay IS NULL", name="delay"),
        {"sqlite_strict": True, "sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaign.id", ondelete="RESTRICT"))
    position: Mapped[int]
    channel: Mapped[Channel] = mapped_column(Word(Channel), server_default=Channel.EMAIL)
    delay: Mapped[str | None]
    template: Mapped[str]
    is_html: Mapped[bool] = mapped_column(Flag, server_default="0")
    source: Mapped[str]
    version: Mapped[int] = mapped_column(server_default="1")


class CampaignVariant(Base):
    """Another text that a part of a step's recipients get, to see which does better.

    The step's own text is the variant "a". `share` is how many of a hundred get this one.
    """

    __tablename__ = "campaign_variant"
    __table_args__ = (
        CheckConstraint("letter BETWEEN 'b' AND 'z'", name="letter"),
        CheckConstraint("share BETWEEN 1 AND 99", name="share"),
        flag_check("is_html"),
        {"sqlite_strict": True},
    )

    step_id: Mapped[int] = mapped_column(
        ForeignKey("campaign_step.id", ondelete="RESTRICT"), primary_key=True
    )
    letter: Mapped[str] = mapped_column(primary_key=True)
    template: Mapped[str]
    is_html: Mapped[bool] = mapped_column(Flag, server_default="0")
    source: Mapped[str]
    version: Mapped[int] = mapped_column(server_default="1")
    share: Mapped[int] = mapped_column(server_default="50")


class CampaignExclusion(Base):
    """A business that was asked for and left out of a campaign, and why."""

    __tablename__ = "campaign_exclusion"
    __table_args__ = (
        Index("ix_campaign_exclusion_business_id", "business_id"),
        {"sqlite_strict": True},
    )

    campaign_id: Mapped[int] = mapped_column(
        ForeignKey("campaign.id", ondelete="RESTRICT"), primary_key=True
    )
    business_id: Mapped[int] = mapped_column(
        ForeignKey("business.id", ondelete="RESTRICT"), primary_key=True
    )
    reason: Mapped[str]


class Message(Base):
    """One step for one business, or a single mail: a row of the queue, and what became of it.

    The rows of all steps are created when a recipient is added. `message_id` and `token` are fixed
    then; the text is rendered when the row is claimed, and kept. `origin_id` is the business it was
    made for, which a merge keeps. A queued row without `due_at` waits: for the step before it, or,
    where it has a `reason`, for what is missing. `claimed_by` names the lock of the process that
    sends it. The times beside the state are facts that came later; opens and clicks by machines
    stand apart from those by people. `variant` is the letter of the text it got, where several are
    tried. `sent_as` is the Message-ID that its provider put in the place of ours. `cost` is in
    millionths of `currency`.
    """

    __tablename__ = "message"
    __table_args__ = (
        UniqueConstraint("step_id", "origin_id"),
        UniqueConstraint("step_id", "address"),
        one_of("state", MessageState),
        one_of("channel", Channel),
        CheckConstraint("address <> ''", name="address"),
        CheckConstraint("(campaign_id IS NULL) = (step_id IS NULL)", name="campaign"),
        CheckConstraint("(state = 'sent') = (sent_at IS NOT NULL)", name="sent"),
        CheckConstraint("(state = 'sending') = (claimed_by IS NOT NULL)", name="claimed"),
        CheckConstraint(
            "state NOT IN ('failed', 'skipped', 'canceled', 'uncertain') OR reason IS NOT NULL",
            name="reason",
        ),
        CheckConstraint(
            "state NOT IN ('sending', 'sent', 'uncertain') OR body IS NOT NULL", name="rendered"
        ),
        CheckConstraint("segments >= 1", name="segments"),
        CheckConstraint("(cost IS NULL) = (currency IS NULL)", name="cost"),
        json_check("headers"),
        Index("ix_message_due", "due_at", "id", sqlite_where=text("state = 'queued'")),
        Index(
            "ix_message_open",
            "state",
            sqlite_where=text("state IN ('sending', 'uncertain')"),
        ),
        Index(
            "ix_message_provider",
            "provider",
            "sent_at",
            sqlite_where=text("provider_id IS NOT NULL"),
        ),
        Index(
            "ix_message_provider_id", "provider_id", sqlite_where=text("provider_id IS NOT NULL")
        ),
        Index("ix_message_sent_as", "sent_as", sqlite_where=text("sent_as IS NOT NULL")),
        Index("ix_message_campaign_id", "campaign_id", "step_id", "state"),
        Index("ix_message_business_id", "business_id"),
        Index("ix_message_address", "address", "sent_at"),
        # All that figures ask of messages.
        Index(
            "ix_message_sent",
            "business_id",
            "campaign_id",
            "sent_at",
            "provider",
            "delivered_at",
            "bounced_at",
            "opened_at",
            "clicked_at",
            "machine_opened_at",
            "machine_clicked_at",
            "replied_at",
            "unsubscribed_at",
            "complained_at",
            "cost",
            sqlite_where=text("sent_at IS NOT NULL"),
        ),
        Index(
            "ix_message_cost",
            "currency",
            "cost",
            "sent_at",
            "claimed_at",
            "created_at",
            "business_id",
            "campaign_id",
            sqlite_where=text("cost IS NOT NULL"),
        ),
        {"sqlite_strict": True, "sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    business_id: Mapped[int] = mapped_column(ForeignKey("business.id", ondelete="RESTRICT"))
    origin_id: Mapped[int]
    campaign_id: Mapped[int | None] = mapped_column(ForeignKey("campaign.id", ondelete="RESTRICT"))
    step_id: Mapped[int | None] = mapped_column(ForeignKey("campaign_step.id", ondelete="RESTRICT"))
    channel: Mapped[Channel] = mapped_column(Word(Channel), server_default=Channel.EMAIL)
    address: Mapped[str]
    person: Mapped[str | None]
    message_id: Mapped[str] = mapped_column(unique=True)
    token: Mapped[str] = mapped_column(unique=True)
    state: Mapped[MessageState] = mapped_column(
        Word(MessageState), server_default=MessageState.QUEUED
    )
    reason: Mapped[str | None]
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    attempts: Mapped[int] = mapped_column(server_default="0")
    claimed_by: Mapped[str | None]
    claimed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    provider: Mapped[str | None]
    provider_id: Mapped[str | None]
    sent_as: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    opened_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    clicked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    machine_opened_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    machine_clicked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    replied_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    bounced_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    soft_bounced_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    complained_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    unsubscribed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    version: Mapped[int | None]
    variant: Mapped[str | None]
    subject: Mapped[str | None]
    headers: Mapped[dict[str, str]] = mapped_column(Json, server_default="{}")
    body: Mapped[str | None]
    html: Mapped[str | None]
    segments: Mapped[int | None]
    cost: Mapped[int | None]
    currency: Mapped[str | None]


class Consent(Base):
    """That somebody agreed to be written to on a channel: when, how, and who says so."""

    __tablename__ = "consent"
    __table_args__ = (
        one_of("channel", Channel),
        CheckConstraint("trim(how) <> ''", name="how"),
        CheckConstraint("trim(recorded_by) <> ''", name="recorded_by"),
        Index("ix_consent_business_id", "business_id"),
        Index(
            "uq_consent_standing",
            "business_id",
            "channel",
            "value",
            unique=True,
            sqlite_where=text("withdrawn_at IS NULL"),
        ),
        {"sqlite_strict": True, "sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    business_id: Mapped[int] = mapped_column(ForeignKey("business.id", ondelete="RESTRICT"))
    channel: Mapped[Channel] = mapped_column(Word(Channel), server_default=Channel.SMS)
    value: Mapped[str]
    given_at: Mapped[datetime] = mapped_column(UtcDateTime)
    how: Mapped[str]
    recorded_by: Mapped[str]
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class SyncCursor(Base):
    """Where the polling of one stream of one account stands; `cursor` is the provider's own.

    `next_at`: not polled before. `last_event_at` is the newest thing it told of. `skew_seconds` is
    how far the provider's clock is ahead of ours.
    """

    __tablename__ = "sync_cursor"
    __table_args__ = (json_check("cursor"), {"sqlite_strict": True})

    provider: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(primary_key=True)
    stream: Mapped[str] = mapped_column(primary_key=True)
    cursor: Mapped[Any] = mapped_column(Json)
    last_ok_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    failed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    problem: Mapped[str | None]
    next_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    failures: Mapped[int] = mapped_column(server_default="0")
    last_event_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    skew_seconds: Mapped[int | None]


class StreamGap(Base):
    """A time of which a provider no longer told when it was asked; `filled` is what was found since."""

    __tablename__ = "stream_gap"
    __table_args__ = (
        UniqueConstraint("provider", "account", "stream", "since"),
        CheckConstraint("since < until", name="order"),
        {"sqlite_strict": True, "sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    provider: Mapped[str]
    account: Mapped[str]
    stream: Mapped[str]
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    until: Mapped[datetime] = mapped_column(UtcDateTime)
    found_at: Mapped[datetime] = mapped_column(UtcDateTime)
    filled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    filled: Mapped[int] = mapped_column(server_default="0")


class DomainCheck(Base):
    """Whether a domain takes mail, as it was looked up; `accepts` is NULL where nobody could say."""

    __tablename__ = "domain_check"
    __table_args__ = (flag_check("accepts"), {"sqlite_strict": True})

    domain: Mapped[str] = mapped_column(primary_key=True)
    accepts: Mapped[bool | None] = mapped_column(Flag)
    words: Mapped[str]
    checked_at: Mapped[datetime] = mapped_column(UtcDateTime)


class WorkerLog(Base):
    """A line of what the worker did, for people; the newest thousand are kept."""

    __tablename__ = "worker_log"
    __table_args__ = (
        flag_check("is_problem"),
        {"sqlite_strict": True, "sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    is_problem: Mapped[bool] = mapped_column(Flag, server_default="0")
    words: Mapped[str]

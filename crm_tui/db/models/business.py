"""Businesses, how they are reached, and how they are found."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, desc, text
from sqlalchemy.orm import Mapped, mapped_column

from crm_tui.db.types import Base, Flag, Json, UtcDateTime, Word, flag_check, json_check, one_of
from crm_tui.vocabulary import (
    AliasKind,
    ContactKind,
    ContactState,
    ContactStatus,
    Outcome,
    SuppressionKind,
    WebsiteStatus,
)


class Business(Base):
    """A local business: a lead until it buys, a customer after.

    `email`, `phone` and `website` repeat its primary contact points; the statuses, the score and
    the last activity are derived. Missing values are NULL, never empty text. The folded columns
    are the text without case and accents, as the filter language compares it.
    """

    __tablename__ = "business"
    __table_args__ = (
        CheckConstraint("trim(name) <> ''", name="name"),
        CheckConstraint("rating BETWEEN 0 AND 5", name="rating"),
        CheckConstraint("review_count >= 0", name="review_count"),
        CheckConstraint("photo_count >= 0", name="photo_count"),
        CheckConstraint("latitude BETWEEN -90 AND 90", name="latitude"),
        CheckConstraint("longitude BETWEEN -180 AND 180", name="longitude"),
        CheckConstraint("length(country) = 2 AND country = upper(country)", name="country"),
        CheckConstraint("phone LIKE '+%'", name="phone"),
        CheckConstraint("qualification_score BETWEEN 0 AND 100", name="qualification_score"),
        CheckConstraint(
            "do_not_contact = (do_not_contact_reason IS NOT NULL)", name="do_not_contact"
        ),
        one_of("contact_status", ContactStatus),
        one_of("website_status", WebsiteStatus),
        one_of("outcome", Outcome),
        json_check("hours"),
        json_check("custom"),
        Index(
            "ix_business_order",
            desc("qualification_score"),
            "sort_name",
            "id",
            sqlite_where=text("archived_at IS NULL"),
        ),
        Index("ix_business_sort_name", "sort_name", "postal_code"),
        Index("ix_business_city_folded", "city_folded"),
        Index("ix_business_category_folded", "category_folded"),
        Index("ix_business_region_folded", "region_folded"),
        Index("ix_business_website_status", "website_status"),
        Index(
            "ix_business_funnel",
            "contact_status",
            "website_status",
            "qualification_score",
            "captured_at",
        ),
        Index("ix_business_last_activity_at", "last_activity_at"),
        Index(
            "ix_business_unsorted",
            "contact_status",
            "last_activity_at",
            sqlite_where=text(
                "contact_status = 'replied' AND outcome = 'open'"
                " AND archived_at IS NULL AND do_not_contact = 0"
            ),
        ),
        Index(
            "ix_business_archived_at",
            "archived_at",
            sqlite_where=text("archived_at IS NOT NULL"),
        ),
        Index("ix_business_batch_id", "batch_id"),
        Index(
            "ix_business_building_by",
            "building_by",
            sqlite_where=text("building_by IS NOT NULL"),
        ),
        {"sqlite_strict": True, "sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    name_folded: Mapped[str] = mapped_column(server_default="")
    sort_name: Mapped[str]
    category: Mapped[str | None]
    category_folded: Mapped[str | None]
    street: Mapped[str | None]
    city: Mapped[str | None]
    city_folded: Mapped[str | None]
    region: Mapped[str | None]
    region_folded: Mapped[str | None]
    postal_code: Mapped[str | None]
    country: Mapped[str | None]
    email: Mapped[str | None]
    phone: Mapped[str | None]
    website: Mapped[str | None]
    place_id: Mapped[str | None] = mapped_column(unique=True)
    source: Mapped[str]
    source_folded: Mapped[str] = mapped_column(server_default="")
    latitude: Mapped[float | None]
    longitude: Mapped[float | None]
    timezone: Mapped[str | None]
    rating: Mapped[float | None]
    review_count: Mapped[int | None]
    photo_count: Mapped[int | None]
    hours: Mapped[dict[str, Any] | None] = mapped_column(Json)
    qualification_score: Mapped[int] = mapped_column(server_default="0")
    contact_status: Mapped[ContactStatus] = mapped_column(
        Word(ContactStatus), server_default=ContactStatus.PENDING
    )
    website_status: Mapped[WebsiteStatus] = mapped_column(
        Word(WebsiteStatus), server_default=WebsiteStatus.NONE
    )
    outcome: Mapped[Outcome] = mapped_column(Word(Outcome), server_default=Outcome.OPEN)
    outcome_reason: Mapped[str | None]
    do_not_contact: Mapped[bool] = mapped_column(Flag, server_default="0")
    do_not_contact_reason: Mapped[str | None]
    building_by: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    captured_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_activity_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_activity: Mapped[str | None]
    archived_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    erased_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("import_batch.id"))
    custom: Mapped[dict[str, Any]] = mapped_column(Json, server_default="{}")


class ContactPoint(Base):
    """One e-mail, phone, website or social address of a business, with its delivery state.

    `value` is normalised (E.164, lower-case e-mail, canonical URL); `raw` is what the source said;
    `domain` is the registrable domain, where businesses can be told apart by it.
    """

    __tablename__ = "contact_point"
    __table_args__ = (
        UniqueConstraint("business_id", "kind", "value"),
        CheckConstraint("value <> ''", name="value"),
        flag_check("is_primary"),
        one_of("kind", ContactKind),
        one_of("state", ContactState),
        Index(
            "uq_contact_point_primary",
            "business_id",
            "kind",
            unique=True,
            sqlite_where=text("is_primary = 1"),
        ),
        Index("ix_contact_point_value", "value", "kind"),
        Index(
            "ix_contact_point_domain",
            "domain",
            "business_id",
            sqlite_where=text("domain IS NOT NULL"),
        ),
        Index("ix_contact_point_state", "state", sqlite_where=text("state <> 'unknown'")),
        Index("ix_contact_point_batch_id", "batch_id"),
        {"sqlite_strict": True, "sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    business_id: Mapped[int] = mapped_column(ForeignKey("business.id", ondelete="RESTRICT"))
    kind: Mapped[ContactKind] = mapped_column(Word(ContactKind))
    value: Mapped[str]
    raw: Mapped[str | None]
    domain: Mapped[str | None]
    person: Mapped[str | None]
    title: Mapped[str | None]
    label: Mapped[str | None]
    is_primary: Mapped[bool] = mapped_column(Flag, server_default="0")
    state: Mapped[ContactState] = mapped_column(
        Word(ContactState), server_default=ContactState.UNKNOWN
    )
    state_reason: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("import_batch.id"))


class BusinessAlias(Base):
    """An id, besides contact points, that leads to this business: place ids, old keys."""

    __tablename__ = "business_alias"
    __table_args__ = (
        UniqueConstraint("kind", "value"),
        one_of("kind", AliasKind),
        Index("ix_business_alias_business_id", "business_id"),
        Index("ix_business_alias_batch_id", "batch_id"),
        {"sqlite_strict": True, "sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    business_id: Mapped[int] = mapped_column(ForeignKey("business.id", ondelete="RESTRICT"))
    kind: Mapped[AliasKind] = mapped_column(Word(AliasKind))
    value: Mapped[str]
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("import_batch.id"))


class Tag(Base):
    """A word the operator sorts businesses by; `folded` makes "VIP" and "vip" one tag."""

    __tablename__ = "tag"
    __table_args__ = (
        CheckConstraint("trim(name) <> ''", name="name"),
        {"sqlite_strict": True, "sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    folded: Mapped[str] = mapped_column(unique=True)


class BusinessTag(Base):
    """A business carries a tag."""

    __tablename__ = "business_tag"
    __table_args__ = (
        Index("ix_business_tag_tag_id", "tag_id"),
        Index("ix_business_tag_batch_id", "batch_id"),
        {"sqlite_strict": True},
    )

    business_id: Mapped[int] = mapped_column(
        ForeignKey("business.id", ondelete="RESTRICT"), primary_key=True
    )
    tag_id: Mapped[int] = mapped_column(ForeignKey("tag.id", ondelete="RESTRICT"), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("import_batch.id"))


class Suppression(Base):
    """An address, number, domain or business (by key) that must not be contacted, and why."""

    __tablename__ = "suppression"
    __table_args__ = (
        UniqueConstraint("kind", "value"),
        one_of("kind", SuppressionKind),
        Index("ix_suppression_batch_id", "batch_id"),
        {"sqlite_strict": True, "sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[SuppressionKind] = mapped_column(Word(SuppressionKind))
    value: Mapped[str]
    reason: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("import_batch.id"))


class SearchDoc(Base):
    """What the search index holds of a business; triggers keep `search_index` (FTS5) equal to it."""

    __tablename__ = "search_doc"
    __table_args__ = ({"sqlite_strict": True},)

    business_id: Mapped[int] = mapped_column(
        ForeignKey("business.id", ondelete="RESTRICT"), primary_key=True, autoincrement=False
    )
    name: Mapped[str]
    phone: Mapped[str]
    email: Mapped[str]
    address: Mapped[str]
    city: Mapped[str]
    category: Mapped[str]
    notes: Mapped[str]

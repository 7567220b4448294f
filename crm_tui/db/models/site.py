"""Preview websites."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from crm_tui.db.types import Base, Flag, UtcDateTime, Word, flag_check, one_of
from crm_tui.vocabulary import SiteStatus


class Site(Base):
    """A preview website of one business; it cannot exist without it.

    The row is the truth: `html` is the whole page, the file in the site folder a copy of it.
    `content_hash` is of what the page was made from, `facts_hash` of the business's facts alone,
    `published_hash` of the page the public can read at `published_url`.
    """

    __tablename__ = "site"
    __table_args__ = (
        CheckConstraint("slug <> '' AND slug NOT GLOB '*[^a-z0-9-]*'", name="slug"),
        one_of("status", SiteStatus),
        flag_check("out_of_date"),
        Index("ix_site_business_id", "business_id"),
        Index("ix_site_batch_id", "batch_id"),
        {"sqlite_strict": True, "sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    business_id: Mapped[int] = mapped_column(ForeignKey("business.id", ondelete="RESTRICT"))
    slug: Mapped[str] = mapped_column(unique=True)
    theme: Mapped[str]
    status: Mapped[SiteStatus] = mapped_column(Word(SiteStatus), server_default=SiteStatus.PREVIEW)
    out_of_date: Mapped[bool] = mapped_column(Flag, server_default="0")
    content_hash: Mapped[str]
    facts_hash: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    built_at: Mapped[datetime] = mapped_column(UtcDateTime)
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("import_batch.id"))
    published_url: Mapped[str | None]
    published_hash: Mapped[str | None]
    published_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    publish_problem: Mapped[str | None]
    texts: Mapped[str | None]
    html: Mapped[str]

"""Sites as lists show them, and what opening one needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, case, select

from crm_tui.db.engine import Database, ReadSession
from crm_tui.db.models import Business, Site
from crm_tui.errors import NotFound, StoreError
from crm_tui.services import events
from crm_tui.services.events import OPERATOR, NewEvent
from crm_tui.services.sites import files
from crm_tui.text import visible
from crm_tui.vocabulary import EventKind, SiteStatus


@dataclass(frozen=True, slots=True)
class SiteLine:
    """One site with its business; times are aware UTC."""

    id: int
    slug: str
    business_id: int
    business: str
    theme: str
    status: SiteStatus
    out_of_date: bool
    own_texts: bool
    created_at: datetime
    built_at: datetime


async def sites(session: ReadSession) -> list[SiteLine]:
    """All sites, the ones built last first."""
    rows = await session.execute(_lines().order_by(Site.built_at.desc(), Site.id.desc()))
    return [SiteLine(*row) for row in rows]


async def find(session: ReadSession, named: str) -> SiteLine:
    """The site with this slug, or the one of the lead with this id, the newest that stands first.

    Raises:
        NotFound: there is none.
    """
    row = (await session.execute(_lines().where(Site.slug == named))).first()
    if row is None and named.isascii() and named.isdigit() and len(named) < 19:
        archived_last = case((Site.status == SiteStatus.ARCHIVED, 1), else_=0)
        row = (
            await session.execute(
                _lines()
                .where(Site.business_id == int(named))
                .order_by(archived_last, Site.built_at.desc(), Site.id.desc())
            )
        ).first()
        if row is None:
            raise NotFound(f"Lead {named} has no site. Build one: crm-tui sites build {named}")
    if row is None:
        raise NotFound(
            f"There is no site {visible(named, 80)!r}. See all of them with: crm-tui sites list"
        )
    return SiteLine(*row)


async def prepare_preview(db: Database, named: str, *, now: datetime) -> SiteLine:
    """Get a site ready to be looked at: its file is there, and the timeline says it was opened.

    Raises:
        NotFound: there is no such site.
        StoreError: its file is missing and cannot be written.
    """
    async with db.read() as session:
        site = await find(session, named)
    problems = await files.restore(db, [site.id])
    if problem := problems.get(site.slug):
        path = files.page_path(db.site_folder, site.slug)
        raise StoreError(f"The file {path} of the site cannot be written: {problem}.")
    async with db.write() as session:
        event = NewEvent(
            site.business_id,
            EventKind.PREVIEWED,
            now,
            "looked at the site",
            OPERATOR,
            # Looking twice within a minute is one look.
            key=f"previewed-{site.id}-{now:%Y%m%dT%H%M}",
            data={"slug": site.slug},
            site_id=site.id,
        )
        await events.record(session, event, now=now)
    return site


async def rows_by_id(session: ReadSession, ids: Sequence[int]) -> list[SiteLine]:
    """These sites, in no particular order; those that are gone are left out."""
    return [SiteLine(*row) for row in await session.execute(_lines().where(Site.id.in_(ids)))]


def _lines() -> Select[*tuple[Any, ...]]:
    return select(
        Site.id,
        Site.slug,
        Site.business_id,
        Business.name,
        Site.theme,
        Site.status,
        Site.out_of_date,
        Site.texts.is_not(None),
        Site.created_at,
        Site.built_at,
    ).join(Business, Business.id == Site.business_id)

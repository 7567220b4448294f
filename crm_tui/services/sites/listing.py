"""Sites as lists show them, and what opening one needs."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, case, func, select

from crm_tui.db.engine import Database, ReadSession
from crm_tui.db.models import Business, Site, Unmatched
from crm_tui.errors import NotFound, StoreError
from crm_tui.services import events
from crm_tui.services.events import OPERATOR, NewEvent
from crm_tui.services.sites import files
from crm_tui.services.sites.public import PUBLIC, Public
from crm_tui.text import visible
from crm_tui.vocabulary import EventKind, SiteStatus, UnmatchedKind, UnmatchedState

_NAMED = 500
"""How many sites one statement names at most."""

_NEWEST = (Site.built_at.desc(), Site.id.desc())


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
    public: Public


@dataclass(frozen=True, slots=True)
class OrphanLine:
    """One site that came without its business; its id in the list is below zero."""

    id: int
    title: str
    reason: str
    created_at: datetime

    @property
    def unmatched_id(self) -> int:
        """The id of what waits for a business."""
        return -self.id


async def sites(session: ReadSession) -> list[SiteLine]:
    """All sites, the ones built last first."""
    rows = await session.execute(_lines().order_by(*_NEWEST))
    return [_line(row) for row in rows]


async def order(db: Database) -> array[int]:
    """The ids of the list: sites without a business on top, then those built last first."""
    orphans = await db.integers(
        select(-Unmatched.id)
        .where(Unmatched.state == UnmatchedState.OPEN, Unmatched.kind == UnmatchedKind.SITE)
        .order_by(Unmatched.id)
    )
    return orphans + await db.integers(select(Site.id).order_by(*_NEWEST))


async def rows_by_id(session: ReadSession, ids: Sequence[int]) -> list[SiteLine | OrphanLine]:
    """The rows of these ids of the list, in no particular order; those that are gone are left out."""
    orphans = await session.execute(
        select(-Unmatched.id, Unmatched.title, Unmatched.reason, Unmatched.created_at).where(
            Unmatched.id.in_([-each for each in ids if each < 0]),
            Unmatched.state == UnmatchedState.OPEN,
        )
    )
    built = await session.execute(_lines().where(Site.id.in_([each for each in ids if each > 0])))
    return [*(OrphanLine(*row) for row in orphans), *(_line(row) for row in built)]


async def leads_of(session: ReadSession, ids: Sequence[int]) -> list[int]:
    """The leads whose sites these ids of the list are, each once, in the list's order."""
    owners: dict[int, int] = {}
    for start in range(0, len(ids), _NAMED):
        chunk = [each for each in ids[start : start + _NAMED] if each > 0]
        rows = await session.execute(select(Site.id, Site.business_id).where(Site.id.in_(chunk)))
        owners |= {row.id: row.business_id for row in rows}
    return list(dict.fromkeys(owners[each] for each in ids if each in owners))


async def count_unpublished(session: ReadSession) -> int:
    """How many sites could not be published or taken down when that was last tried."""
    counted = select(func.count()).select_from(Site).where(Site.publish_problem.is_not(None))
    return (await session.execute(counted)).scalar_one()


async def count_out_of_date(session: ReadSession) -> int:
    """How many sites say something else than their businesses' facts and texts."""
    counted = select(func.count()).select_from(Site).where(Site.out_of_date.is_(True))
    return (await session.execute(counted)).scalar_one()


async def find(session: ReadSession, named: str) -> SiteLine:
    """The site with this slug, else the newest one of the lead with this number.

    Raises:
        NotFound: there is none.
    """
    row = (await session.execute(_lines().where(Site.slug == named))).first()
    if row is not None:
        return _line(row)
    if named.isascii() and named.isdigit() and len(named) < 19:
        return await newest_of(session, int(named))
    raise NotFound(
        f"There is no site {visible(named, 80)!r}. See all of them with: crm-tui sites list"
    )


async def newest_of(session: ReadSession, business_id: int) -> SiteLine:
    """The site of a lead that was built last; an archived one only where no other is.

    Raises:
        NotFound: the lead has none.
    """
    archived = case((Site.status == SiteStatus.ARCHIVED, 1), else_=0)
    row = (
        await session.execute(
            _lines().where(Site.business_id == business_id).order_by(archived, *_NEWEST)
        )
    ).first()
    if row is None:
        raise NotFound(
            f"Lead {business_id} has no site. Build one: crm-tui sites build {business_id}"
        )
    return _line(row)


async def prepare_preview(db: Database, site: SiteLine, *, now: datetime) -> None:
    """Get a site ready to be looked at: its file is there, and the timeline says it was opened.

    Raises:
        StoreError: its file is missing and cannot be written.
    """
    problems = await files.restore(db, [site.id])
    if problem := problems.get(site.slug):
        path = files.page_path(db.site_folder, site.slug)
        raise StoreError(f"The file {path} of the site cannot be written: {problem}.")
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
    async with db.write() as session:
        await events.record(session, event, now=now)


def _line(row: Sequence[Any]) -> SiteLine:
    values: tuple[Any, ...] = (*row[: -len(PUBLIC)], Public.of(*row[-len(PUBLIC) :]))
    return SiteLine(*values)


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
        *PUBLIC,
    ).join(Business, Business.id == Site.business_id)

"""Which sites are meant where leads are named."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from crm_tui.db.engine import ReadSession
from crm_tui.db.models import Business, Site
from crm_tui.db.types import listed
from crm_tui.services.sites.public import IS_OUT
from crm_tui.vocabulary import SiteStatus

STOPPED = "publishing was stopped before it had finished"
"""Why a site is not published that the operator did not want to be waited for."""

_NAMED = 5000


async def to_publish(session: ReadSession, lead_ids: Sequence[int]) -> list[int]:
    """The site of each lead that was built last and is not archived, in the order of the leads."""
    newest: dict[int, int] = {}
    for start in range(0, len(lead_ids), _NAMED):
        rows = await session.execute(
            select(Site.business_id, Site.id)
            .where(
                Site.business_id.in_(listed(lead_ids[start : start + _NAMED])),
                Site.status != SiteStatus.ARCHIVED,
            )
            .order_by(Site.built_at, Site.id)
        )
        newest |= {row.business_id: row.id for row in rows}
    return [newest[each] for each in lead_ids if each in newest]


async def public_address(session: ReadSession, lead_id: int) -> str | None:
    """Where the public reads the site of a lead that was published last, as its mails say."""
    return await session.scalar(
        select(Site.published_url)
        .where(
            Site.business_id == lead_id,
            Site.status.in_((SiteStatus.PUBLISHED, SiteStatus.SOLD)),
            Site.published_url.is_not(None),
        )
        .order_by(Site.published_at.desc(), Site.id.desc())
        .limit(1)
    )


async def to_take_down(session: ReadSession, lead_ids: Sequence[int]) -> list[int]:
    """All sites of leads of which something may be public."""
    chosen: list[int] = []
    for start in range(0, len(lead_ids), _NAMED):
        chosen += await session.scalars(
            select(Site.id)
            .where(Site.business_id.in_(listed(lead_ids[start : start + _NAMED])), IS_OUT)
            .order_by(Site.id)
        )
    return chosen


UNSETTLED = (
    Site.publish_problem.is_not(None),
    Site.published_url.is_not(None) | Site.published_hash.is_(None),
    Site.status != SiteStatus.ARCHIVED,
    Business.archived_at.is_(None),
)
"""Sites, with their businesses, that could not be published when that was last tried."""

HALF_DOWN = (Site.published_url.is_(None), Site.published_hash.is_not(None))
"""Sites that could not be taken down when that was last tried."""


async def unsettled(session: ReadSession, *, but_stopped: bool = False) -> list[int]:
    """Sites that could not be published when that was last tried, of leads that are not archived.

    Args:
        session: reads the store.
        but_stopped: whether those are left out that the operator stopped.
    """
    which = [*UNSETTLED, Site.publish_problem != STOPPED] if but_stopped else UNSETTLED
    rows = await session.scalars(
        select(Site.id)
        .join(Business, Business.id == Site.business_id)
        .where(*which)
        .order_by(Site.id)
    )
    return list(rows)


async def half_down(session: ReadSession) -> list[int]:
    """Sites that could not be taken down when that was last tried."""
    return list(await session.scalars(select(Site.id).where(*HALF_DOWN).order_by(Site.id)))

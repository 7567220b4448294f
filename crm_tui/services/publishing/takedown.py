"""Taking published sites down: the rows forget their address first, then the pages go.

In this order a mail never leads to a page that is gone. What was cut off or failed stays marked as
perhaps still public, and taking it down again goes on with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import case, func, select, update

from crm_tui.db.engine import Database
from crm_tui.db.models import Business, Site
from crm_tui.db.types import listed
from crm_tui.services import events, statuses
from crm_tui.services.events import OPERATOR, NewEvent
from crm_tui.services.publishing.alone import alone
from crm_tui.services.publishing.batch import Batch, Named, Report
from crm_tui.services.publishing.publisher import Publisher
from crm_tui.services.sites.public import IS_OUT
from crm_tui.vocabulary import EventKind, SiteStatus

_UNDERWAY = "taking it down was cut off"


@dataclass(frozen=True, slots=True)
class TakenDown:
    """A site that was public; `elsewhere` is its address where that is not one of this host."""

    site_id: int
    business_id: int
    slug: str
    elsewhere: str | None


@dataclass(slots=True)
class TakedownReport(Report):
    """What taking down came to; `unchanged` counts the sites that were not public."""

    sites: list[TakenDown] = field(default_factory=list)
    unchanged: int = 0


@dataclass(frozen=True, slots=True)
class _Out(Named):
    status: SiteStatus
    url: str | None
    published_hash: str | None

    @property
    def was_public(self) -> bool:
        """Whether it was public, as opposed to one that could not be published."""
        return self.published_hash is not None or self.status is SiteStatus.PUBLISHED


async def unpublish_sites(
    db: Database,
    site_ids: Sequence[int],
    *,
    publisher: Publisher,
    clock: Callable[[], datetime],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    cancelled: Callable[[], bool] = lambda: False,
    by_itself: bool = False,
) -> TakedownReport:
    """Take sites down; the previews stay. Links in mails that were sent lead nowhere from then on.

    Args:
        db: the store.
        site_ids: which; those that are not public are left alone.
        publisher: the host.
        clock: tells the time, aware UTC.
        progress: called after every chunk with how many pages are gone, of how many.
        cancelled: asked before every chunk, and while the host is waited for, whether to stop.
        by_itself: whether what failed is tried again and nobody asked for it just now.

    Raises:
        UserError: as in publish_sites.
    """
    await publisher.check()
    async with alone(db.path, cancelled=cancelled):
        run = _TakingDown(db, publisher, clock, TakedownReport(), by_itself=by_itself)
        await run.run(site_ids, progress=progress, cancelled=cancelled)
        return run.report


class _TakingDown(Batch[_Out, TakedownReport]):
    # What is gone here should be gone for the public, whether or not the rest is to stay: a run
    # that is cancelled has the host take what was done all the same.

    async def prepare(self, site_ids: Sequence[int]) -> None:
        """Have the rows of some sites forget their address, then remove their pages."""
        out = await self._forget_addresses(site_ids)
        self.report.unchanged += len(set(site_ids)) - len(out)
        problems = await self.publisher.remove([site.slug for site in out])
        await self.fail([(each, problems[each.slug]) for each in out if each.slug in problems])
        self.waiting += [each for each in out if each.slug not in problems]

    async def _forget_addresses(self, site_ids: Sequence[int]) -> list[_Out]:
        where = (Site.id.in_(listed(site_ids)), IS_OUT)
        async with self.db.write() as session:
            rows = await session.execute(
                select(
                    Site.id,
                    Site.business_id,
                    Business.name,
                    Site.slug,
                    Site.status,
                    Site.published_url,
                    Site.published_hash,
                )
                .join(Business, Business.id == Site.business_id)
                .where(*where)
                .order_by(Site.id)
            )
            out = [_Out(*row) for row in rows]
            await session.execute(
                update(Site)
                .where(*where)
                .values(
                    published_url=None,
                    published_hash=func.coalesce(Site.published_hash, Site.content_hash),
                    publish_problem=_UNDERWAY,
                    status=case(
                        (Site.status == SiteStatus.PUBLISHED, SiteStatus.PREVIEW),
                        else_=Site.status,
                    ),
                )
                .execution_options(synchronize_session=None)
            )
            await statuses.refold(session, sorted({each.business_id for each in out}))
            if out:
                await self.fails(session)
        return out

    async def record(self, sites: Sequence[_Out]) -> None:
        """Write that pages are gone."""
        now = self.clock()
        async with self.db.write() as session:
            rows = await session.execute(
                update(Site)
                .where(Site.id.in_(listed(each.site_id for each in sites)))
                .values(published_hash=None, published_at=None, publish_problem=None)
                .returning(Site.id, Site.business_id)
                .execution_options(synchronize_session=None)
            )
            owners = {row.id: row.business_id for row in rows}
            await events.record(
                session,
                *(
                    NewEvent(
                        owners[each.site_id],
                        EventKind.SITE_UNPUBLISHED,
                        now,
                        "site taken down",
                        OPERATOR,
                        data={"slug": each.slug},
                        site_id=each.site_id,
                    )
                    for each in sites
                    if each.was_public and each.site_id in owners
                ),
                now=now,
            )
        self.report.sites += [
            TakenDown(each.site_id, each.business_id, each.slug, self._elsewhere(each))
            for each in sites
        ]

    def _elsewhere(self, site: _Out) -> str | None:
        return site.url if site.url not in (None, self.publisher.url(site.slug)) else None

"""Publishing sites: their pages are put, the host takes the batch, then the rows say so."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import bindparam, case, exists, select, update

from crm_tui.db.engine import Database, WriteSession
from crm_tui.db.models import Business, Message, Site
from crm_tui.db.types import listed
from crm_tui.services import events, statuses
from crm_tui.services.events import OPERATOR, NewEvent
from crm_tui.services.publishing import leftovers
from crm_tui.services.publishing.alone import alone
from crm_tui.services.publishing.batch import CHUNK, Batch, Failure, Named, Report
from crm_tui.services.publishing.choosing import STOPPED, unsettled
from crm_tui.services.publishing.offers import mark, offers
from crm_tui.services.publishing.pages import Offer, public_page
from crm_tui.services.publishing.publisher import Publisher
from crm_tui.services.sending.claim import release_held
from crm_tui.services.sites import files
from crm_tui.vocabulary import EventKind, MessageState, SiteStatus

_PUBLIC = (SiteStatus.PUBLISHED, SiteStatus.SOLD)


@dataclass(frozen=True, slots=True)
class PublishedSite:
    """A site the public reads as it is now; `changed` says whether something was done for that."""

    site_id: int
    business_id: int
    slug: str
    url: str
    changed: bool


@dataclass(slots=True)
class PublishReport(Report):
    """What publishing came to.

    Attributes:
        settled: sites that an earlier batch had put and the host takes only now.
        released: how many messages that waited for these sites are looked at again.
    """

    sites: list[PublishedSite] = field(default_factory=list)
    settled: list[PublishedSite] = field(default_factory=list)
    released: int = 0

    @property
    def published(self) -> int:
        """How many were published, or published again."""
        return sum(site.changed for site in self.sites)

    @property
    def unchanged(self) -> int:
        """How many the public already read as they are."""
        return len(self.sites) - self.published


@dataclass(frozen=True, slots=True)
class _Put(Named):
    """A site whose page is where it should be, and waits to be recorded."""

    published_hash: str
    again: bool


class _Row(NamedTuple):
    site_id: int
    business_id: int
    business: str
    slug: str
    status: SiteStatus
    html: str
    content_hash: str
    published_url: str | None
    published_hash: str | None
    problem: str | None
    offer: Offer | None

    @property
    def page(self) -> str:
        """What the public is to read."""
        return public_page(self.html, self.offer)

    @property
    def mark(self) -> str:
        """What that is known by."""
        return mark(self.content_hash, self.offer)

    def is_recorded(self, url: str) -> bool:
        """Whether the row says already that the public reads it as it is, at this address."""
        return (
            self.problem is None
            and self.status in _PUBLIC
            and (self.published_url, self.published_hash) == (url, self.mark)
        )

    def as_put(self) -> _Put:
        return _Put(*self[:4], self.mark, again=self.published_url is not None)


async def publish_sites(
    db: Database,
    site_ids: Sequence[int],
    *,
    publisher: Publisher,
    clock: Callable[[], datetime],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    cancelled: Callable[[], bool] = lambda: False,
    by_itself: bool = False,
) -> PublishReport:
    """Publish sites as they were built last; what the public reads already is left alone.

    It cannot be undone. Messages that were held because a site was not published are let go.

    Args:
        db: the store.
        site_ids: which, in this order; archived ones are refused.
        publisher: the host.
        clock: tells the time, aware UTC.
        progress: called after every chunk with how many pages are put, of how many.
        cancelled: asked before every chunk, and while the host is waited for, whether to stop.
        by_itself: whether what failed is tried again and nobody asked for it just now.

    Raises:
        UserError: pages cannot be put at all, somebody else is publishing, or the store cannot be
            read or written. What was recorded before stays; publishing again does the rest.
    """
    await publisher.check(store=db.path, first=not await _ever_tried(db))
    async with alone(db.path, cancelled=cancelled):
        run = _Publishing(db, publisher, clock, PublishReport(), by_itself=by_itself)
        await run.run(site_ids, progress=progress, cancelled=cancelled)
        return run.report


async def _ever_tried(db: Database) -> bool:
    """Whether a page may have been put where pages go."""
    put = Site.published_hash.is_not(None) | Site.publish_problem.is_not(None)
    async with db.read() as session:
        return bool(await session.scalar(select(exists().where(put))))


class _Publishing(Batch[_Put, PublishReport]):
    STOPPED = STOPPED

    async def follow_up(self, site_ids: Sequence[int], cancelled: Callable[[], bool]) -> None:
        await self._settle(set(site_ids))
        await self._remove_erased(cancelled)

    async def _settle(self, asked: Collection[int]) -> None:
        """Record what an earlier batch had put, too: the host has taken all that was there."""
        async with self.db.read() as session:
            earlier = [each for each in await unsettled(session) if each not in asked]
        for start in range(0, len(earlier), CHUNK):
            rows = await self._read(earlier[start : start + CHUNK])
            pages = {row.slug: row.page for row in rows}
            there = await self.publisher.holds(pages)
            put = [row.as_put() for row in rows if row.slug in there]
            self.report.settled += await self._record(put) if put else []

    async def _remove_erased(self, cancelled: Callable[[], bool]) -> None:
        """Take down again what was published while it was being erased."""
        gone = await leftovers.remove(self.db, self.publisher)
        if gone and not await self.finish(cancelled):
            await leftovers.forget(self.db, gone)

    async def prepare(self, site_ids: Sequence[int]) -> None:
        """Put the pages of some sites that are not there, or not so."""
        rows = await self._read(site_ids)
        await files.restore(self.db, [row.site_id for row in rows])
        pages = {row.slug: row.page for row in rows}
        there = await self.publisher.holds(pages)
        problems = await self.publisher.put(
            {slug: page for slug, page in pages.items() if slug not in there}
        )
        failed: list[tuple[_Put, str]] = []
        for row in rows:
            site = row.as_put()
            url = self.publisher.url(row.slug)
            if problem := problems.get(row.slug):
                failed.append((site, problem))
            elif row.slug in there and row.is_recorded(url):
                self.report.sites.append(
                    PublishedSite(row.site_id, row.business_id, row.slug, url, changed=False)
                )
            else:
                self.waiting.append(site)
        if failed:
            await self.fail(failed)

    async def _read(self, site_ids: Sequence[int]) -> list[_Row]:
        """The sites, in the order asked for; those that cannot be published are reported."""
        async with self.db.read() as session:
            rows = await session.execute(
                select(
                    Site.id,
                    Site.business_id,
                    Business.name,
                    Site.slug,
                    Site.status,
                    Site.html,
                    Site.content_hash,
                    Site.published_url,
                    Site.published_hash,
                    Site.publish_problem,
                )
                .join(Business, Business.id == Site.business_id)
                .where(Site.id.in_(site_ids))
            )
            wanted = await offers(session, site_ids)
            found = {row.id: _Row._make((*row, wanted.get(row.id))) for row in rows}
        for site_id in site_ids:
            row = found.get(site_id)
            if row is None:
                gone = Failure(site_id, 0, "", "", "there is no such site any more")
                self.report.failures.append(gone)
            elif row.status is SiteStatus.ARCHIVED:
                del found[site_id]
                self.report.failures.append(
                    Failure(site_id, row.business_id, row.business, row.slug, "it is archived")
                )
        return [found[each] for each in site_ids if each in found]

    async def record(self, sites: Sequence[_Put]) -> None:
        self.report.sites += await self._record(sites)

    async def _record(self, sites: Sequence[_Put]) -> list[PublishedSite]:
        """Write that sites are public, which lets mails about them go; returns those still there."""
        now = self.clock()
        async with self.db.write() as session:
            owners = await _record_rows(session, sites, self.publisher, now)
            released = await _release(session, set(owners.values()), now)
            gone = [each.slug for each in sites if each.site_id not in owners]
            await leftovers.note(session, gone)
        self.report.released += released
        reason = "it was erased meanwhile"
        self.report.failures += [
            Failure.of(each, reason) for each in sites if each.site_id not in owners
        ]
        return [
            PublishedSite(
                each.site_id,
                owners[each.site_id],
                each.slug,
                self.publisher.url(each.slug),
                changed=True,
            )
            for each in sites
            if each.site_id in owners
        ]


async def _record_rows(
    session: WriteSession, sites: Sequence[_Put], publisher: Publisher, now: datetime
) -> dict[int, int]:
    """Write what was published; returns whose each site is that is still there."""
    rows = await session.execute(
        select(Site.id, Site.business_id).where(Site.id.in_(listed(each.site_id for each in sites)))
    )
    owners = {row.id: row.business_id for row in rows}
    there = [each for each in sites if each.site_id in owners]
    if not there:
        return owners
    connection = await session.connection()
    await connection.execute(
        update(Site)
        .where(Site.id == bindparam("site"))
        .values(
            published_url=bindparam("url"),
            published_hash=bindparam("hash"),
            published_at=now,
            publish_problem=None,
            status=case(
                (Site.status == SiteStatus.PREVIEW, SiteStatus.PUBLISHED), else_=Site.status
            ),
        ),
        [
            {"site": each.site_id, "url": publisher.url(each.slug), "hash": each.published_hash}
            for each in there
        ],
    )
    await events.record(
        session,
        *(_event(each, owners[each.site_id], publisher.url(each.slug), now) for each in there),
        now=now,
    )
    await statuses.refold(session, sorted(set(owners.values())))
    return owners


def _event(site: _Put, business_id: int, url: str, now: datetime) -> NewEvent:
    return NewEvent(
        business_id,
        EventKind.SITE_PUBLISHED,
        now,
        "site published again" if site.again else "site published",
        OPERATOR,
        body=url,
        data={"slug": site.slug, "url": url},
        site_id=site.site_id,
    )


async def _release(session: WriteSession, business_ids: set[int], now: datetime) -> int:
    """Let messages that wait for something about these businesses be looked at again."""
    waiting = await session.scalars(
        select(Message.id).where(
            Message.business_id.in_(listed(business_ids)),
            Message.state == MessageState.QUEUED,
            Message.due_at.is_(None),
            Message.reason.is_not(None),
        )
    )
    ids = waiting.all()
    return await release_held(session, now=now, ids=ids) if ids else 0

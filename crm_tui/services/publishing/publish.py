"""Publishing sites: their pages are put, the host takes the batch, then the rows say so."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
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
from crm_tui.services.publishing.choosing import unsettled
from crm_tui.services.publishing.pages import public_page
from crm_tui.services.publishing.publisher import Publisher, Unfinished
from crm_tui.services.sending.claim import release_held
from crm_tui.services.sites import files
from crm_tui.vocabulary import EventKind, MessageState, SiteStatus

CHUNK = 100
"""Sites that are read, written and recorded at once; recording so many takes some 50 ms."""

_PUBLIC = (SiteStatus.PUBLISHED, SiteStatus.SOLD)
_STOPPED = "publishing was stopped before it had finished"


@dataclass(frozen=True, slots=True)
class PublishedSite:
    """A site the public reads as it is now; `changed` says whether something was done for that."""

    site_id: int
    business_id: int
    slug: str
    url: str
    changed: bool


@dataclass(frozen=True, slots=True)
class NotPublished:
    """A site that could not be published, or not as it is now, and why."""

    site_id: int
    business_id: int
    business: str
    slug: str
    reason: str


@dataclass(slots=True)
class PublishReport:
    """What publishing came to; whom neither list names was not reached before it was cancelled.

    Attributes:
        settled: sites that an earlier batch had put and the host takes only now.
        released: how many messages that waited for these sites are looked at again.
    """

    sites: list[PublishedSite] = field(default_factory=list)
    failures: list[NotPublished] = field(default_factory=list)
    settled: list[PublishedSite] = field(default_factory=list)
    released: int = 0
    cancelled: bool = False

    @property
    def published(self) -> int:
        """How many were published, or published again."""
        return sum(site.changed for site in self.sites)

    @property
    def unchanged(self) -> int:
        """How many the public already read as they are."""
        return len(self.sites) - self.published


class _Put(NamedTuple):
    """A site whose page is where it should be, and waits to be recorded."""

    site_id: int
    business_id: int
    business: str
    slug: str
    content_hash: str
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

    def is_recorded(self, url: str) -> bool:
        """Whether the row says already that the public reads it as it is, at this address."""
        return (
            self.problem is None
            and self.status in _PUBLIC
            and (self.published_url, self.published_hash) == (url, self.content_hash)
        )

    def as_put(self) -> _Put:
        return _Put(*self[:4], self.content_hash, self.published_url is not None)


async def publish_sites(
    db: Database,
    site_ids: Sequence[int],
    *,
    publisher: Publisher,
    clock: Callable[[], datetime],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    cancelled: Callable[[], bool] = lambda: False,
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

    Raises:
        UserError: pages cannot be put at all, somebody else is publishing, or the store cannot be
            read or written. What was recorded before stays; publishing again does the rest.
    """
    await publisher.check(first=not await _ever_published(db))
    async with alone(db.path, cancelled=cancelled):
        return await _Publishing(db, publisher, clock).run(site_ids, progress, cancelled)


async def _ever_published(db: Database) -> bool:
    async with db.read() as session:
        return bool(await session.scalar(select(exists().where(Site.published_hash.is_not(None)))))


class _Publishing:
    """One run, while nobody else publishes."""

    def __init__(self, db: Database, publisher: Publisher, clock: Callable[[], datetime]) -> None:
        self._db = db
        self._publisher = publisher
        self._clock = clock
        self._waiting: list[_Put] = []
        self._report = PublishReport()

    async def run(
        self,
        site_ids: Sequence[int],
        progress: Callable[[int, int], None],
        cancelled: Callable[[], bool],
    ) -> PublishReport:
        left = await leftovers.remove(self._db, self._publisher)
        for start in range(0, len(site_ids), CHUNK):
            if cancelled():
                self._report.cancelled = True
                break
            await self._chunk(site_ids[start : start + CHUNK])
            progress(min(start + CHUNK, len(site_ids)), len(site_ids))
        if not self._waiting and not left:
            return self._report
        if problem := await self._finish(cancelled):
            await self._fail([(site, problem) for site in self._waiting])
            return self._report
        await leftovers.forget(self._db, left)
        for start in range(0, len(self._waiting), CHUNK):
            sites = self._waiting[start : start + CHUNK]
            self._report.sites += await self._record(sites)
        await self._settle(set(site_ids))
        await self._remove_erased(cancelled)
        return self._report

    async def _settle(self, asked: Collection[int]) -> None:
        """Record what an earlier batch had put, too: the host has taken all that was there."""
        async with self._db.read() as session:
            earlier = [each for each in await unsettled(session) if each not in asked]
        for start in range(0, len(earlier), CHUNK):
            rows = await self._read(earlier[start : start + CHUNK])
            pages = {row.slug: public_page(row.html) for row in rows}
            there = await self._publisher.holds(pages)
            put = [row.as_put() for row in rows if row.slug in there]
            self._report.settled += await self._record(put) if put else []

    async def _remove_erased(self, cancelled: Callable[[], bool]) -> None:
        """Take down again what was published while it was being erased."""
        gone = await leftovers.remove(self._db, self._publisher)
        if gone and not await self._finish(cancelled):
            await leftovers.forget(self._db, gone)

    async def _finish(self, cancelled: Callable[[], bool]) -> str:
        """Have the host take the batch; returns why it did not, or ""."""
        if self._report.cancelled:
            return _STOPPED
        try:
            await self._publisher.finish(cancelled=cancelled)
        except Unfinished as error:
            self._report.cancelled = cancelled()
            return str(error)
        return ""

    async def _chunk(self, site_ids: Sequence[int]) -> None:
        """Put the pages of some sites that are not there, or not so."""
        rows = await self._read(site_ids)
        await files.restore(self._db, [row.site_id for row in rows])
        pages = {row.slug: public_page(row.html) for row in rows}
        there = await self._publisher.holds(pages)
        problems = await self._publisher.put(
            {slug: page for slug, page in pages.items() if slug not in there}
        )
        failed: list[tuple[_Put, str]] = []
        for row in rows:
            site = row.as_put()
            url = self._publisher.url(row.slug)
            if problem := problems.get(row.slug):
                failed.append((site, problem))
            elif row.slug in there and row.is_recorded(url):
                self._report.sites.append(
                    PublishedSite(row.site_id, row.business_id, row.slug, url, changed=False)
                )
            else:
                self._waiting.append(site)
        if failed:
            await self._fail(failed)

    async def _read(self, site_ids: Sequence[int]) -> list[_Row]:
        """The sites, in the order asked for; those that cannot be published are reported."""
        async with self._db.read() as session:
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
            found = {row.id: _Row._make(row) for row in rows}
        for site_id in site_ids:
            row = found.get(site_id)
            if row is None:
                gone = NotPublished(site_id, 0, "", "", "there is no such site any more")
                self._report.failures.append(gone)
            elif row.status is SiteStatus.ARCHIVED:
                del found[site_id]
                self._report.failures.append(
                    NotPublished(site_id, row.business_id, row.business, row.slug, "it is archived")
                )
        return [found[each] for each in site_ids if each in found]

    async def _fail(self, failed: Sequence[tuple[_Put, str]]) -> None:
        """Keep why sites were not published; what the public reads of them stays as it is."""
        for start in range(0, len(failed), CHUNK):
            async with self._db.write() as session:
                await note_problems(
                    session,
                    {site.site_id: reason for site, reason in failed[start : start + CHUNK]},
                )
        self._report.failures += [NotPublished(*site[:4], reason) for site, reason in failed]

    async def _record(self, sites: Sequence[_Put]) -> list[PublishedSite]:
        """Write that sites are public, which lets mails about them go; returns those still there."""
        now = self._clock()
        async with self._db.write() as session:
            owners = await _record_rows(session, sites, self._publisher, now)
            released = await _release(session, set(owners.values()), now)
            gone = [each.slug for each in sites if each.site_id not in owners]
            await leftovers.note(session, gone)
        self._report.released += released
        reason = "it was erased meanwhile"
        self._report.failures += [
            NotPublished(*each[:4], reason) for each in sites if each.site_id not in owners
        ]
        return [
            PublishedSite(
                each.site_id,
                owners[each.site_id],
                each.slug,
                self._publisher.url(each.slug),
                changed=True,
            )
            for each in sites
            if each.site_id in owners
        ]


async def note_problems(session: WriteSession, problems: Mapping[int, str]) -> None:
    """Keep why sites, by their id, could not be published or taken down."""
    connection = await session.connection()
    await connection.execute(
        update(Site).where(Site.id == bindparam("site")).values(publish_problem=bindparam("why")),
        [{"site": site_id, "why": reason} for site_id, reason in problems.items()],
    )


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
            {"site": each.site_id, "url": publisher.url(each.slug), "hash": each.content_hash}
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

"""Building sites: the business first, then the page, then the file.

A builder claims a chunk of businesses (their status becomes `generating`), renders their pages,
records all of them in one transaction and writes the files after it. Killed at any point, it leaves
no site without a business and no half page, and what it had claimed goes back to what its sites
say as soon as anybody builds again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import insert, select, update

from crm_tui.db.engine import Database, ReadSession, WriteSession
from crm_tui.db.models import Site
from crm_tui.errors import StoreError
from crm_tui.services import events
from crm_tui.services.events import OPERATOR, NewEvent
from crm_tui.services.sites import claims, files, gather
from crm_tui.services.sites.plans import Page, Plan, Present, plan_sites, render_pages
from crm_tui.services.sites.render import Renderer
from crm_tui.services.sites.slugs import make_slug
from crm_tui.vocabulary import EventKind, SiteStatus

CHUNK = 50
PATIENCE = timedelta(seconds=20)
"""How long a build waits for other builders that get nowhere."""

_RETRY_SECONDS = 0.05
_OTHER_BUILDER = "another crm-tui is building it; try again when that has finished"
_PRESENT = (Site.id, Site.slug, Site.status, Site.texts, Site.content_hash, Site.out_of_date)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class BuiltSite:
    """A site that is up to date now; `changed` says whether it had to be built for that."""

    business_id: int
    slug: str
    status: SiteStatus
    path: Path
    changed: bool


@dataclass(frozen=True, slots=True)
class NotBuilt:
    """A business whose site is not up to date, and why."""

    business_id: int
    name: str
    reason: str


@dataclass(slots=True)
class BuildReport:
    """What a build came to; whom neither list names was not reached before it was cancelled."""

    sites: list[BuiltSite] = field(default_factory=list)
    failures: list[NotBuilt] = field(default_factory=list)
    cancelled: bool = False

    @property
    def built(self) -> int:
        """How many sites were built, or built again because they had changed."""
        return sum(site.changed for site in self.sites)

    @property
    def unchanged(self) -> int:
        """How many sites already said what they should."""
        return len(self.sites) - self.built


async def build_sites(
    db: Database,
    business_ids: Sequence[int],
    *,
    renderer: Renderer,
    clock: Callable[[], datetime],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> BuildReport:
    """Build the sites of businesses; those whose facts and texts are unchanged are left alone.

    A business that another process is building is waited for. When the task is cancelled, the
    chunk at hand is still finished.

    Args:
        db: the store.
        business_ids: which businesses, in this order.
        renderer: the themes.
        clock: tells the time, aware UTC.
        progress: called after every chunk with how many are done, of how many.
        cancelled: asked before every chunk whether to stop.

    Raises:
        StoreError: the store cannot be read or written; what was recorded before stays.
    """
    await claims.repair_stuck(db, now=clock())
    with claims.builder(db.path) as name:
        return await _Build(db, name, renderer, clock).run(business_ids, progress, cancelled)


class _Recorded(NamedTuple):
    """A site whose row is in the store, made from what was planned."""

    plan: Plan
    site: Present


class _Build:
    """One run of one builder."""

    def __init__(
        self, db: Database, name: str, renderer: Renderer, clock: Callable[[], datetime]
    ) -> None:
        self._db = db
        self._name = name
        self._renderer = renderer
        self._clock = clock
        self._report = BuildReport()

    async def run(
        self,
        business_ids: Sequence[int],
        progress: Callable[[int, int], None],
        cancelled: Callable[[], bool],
    ) -> BuildReport:
        """Work through the businesses, and again through those that others were building."""
        total, left = len(business_ids), business_ids
        deadline = self._clock() + PATIENCE
        while left:
            busy: list[int] = []
            for start in range(0, len(left), CHUNK):
                if cancelled():
                    self._report.cancelled = True
                    return self._report
                busy += await _to_the_end(self._chunk(left[start : start + CHUNK]))
                reached = min(start + CHUNK, len(left))
                progress(total - len(left) + reached - len(busy), total)
            if len(busy) < len(left):
                deadline = self._clock() + PATIENCE
            elif self._clock() < deadline:
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                self._report.failures += [NotBuilt(i, "", _OTHER_BUILDER) for i in busy]
                break
            left = busy
        return self._report

    async def _chunk(self, business_ids: Sequence[int]) -> list[int]:
        """Bring the sites of some businesses up to date; returns those another builder has."""
        async with self._db.read() as session:
            facts = await gather.site_facts(session, business_ids)
            present = await _present_sites(session, business_ids)
        for unknown in [each for each in business_ids if each not in facts]:
            self._report.failures.append(NotBuilt(unknown, "", "there is no such lead"))
        plans = await asyncio.to_thread(plan_sites, self._renderer, facts, present)
        await self._keep([plan for plan in plans if plan.unchanged])
        began_at = self._clock()
        claimed, busy = await self._claim([plan for plan in plans if not plan.unchanged], began_at)
        if claimed:
            try:
                pages = await asyncio.to_thread(render_pages, self._renderer, claimed)
                recorded = await self._record(pages, max(self._clock(), began_at + claims.TICK))
            except BaseException:
                with suppress(StoreError):  # the error at hand says more; a later build repairs
                    await self._give_back(claimed)
                raise
            await self._finish(recorded, changed=True)
        return busy

    async def _claim(self, plans: list[Plan], now: datetime) -> tuple[list[Plan], list[int]]:
        """Claim what has to be built; returns that, and what has to be looked at again later."""
        if not plans:
            return [], []
        ids = [plan.business_id for plan in plans]
        async with self._db.write() as session:
            # Another builder may have finished one since it was read.
            present = await _present_sites(session, ids)
            same = [plan for plan in plans if present.get(plan.business_id) == plan.site]
            claimed = await claims.claim(
                session, self._db.path, [plan.business_id for plan in same], self._name, now=now
            )
        return (
            [plan for plan in same if plan.business_id in claimed],
            [business_id for business_id in ids if business_id not in claimed],
        )

    async def _record(self, pages: list[Page], now: datetime) -> list[_Recorded]:
        """Store the pages, or why there is none, and end the claims, in one transaction."""
        ids = [page.plan.business_id for page in pages]
        async with self._db.write() as session:
            ours = await claims.release(session, ids, self._name)
            good = [page for page in pages if not page.problem and page.plan.business_id in ours]
            bad = [page for page in pages if page.problem and page.plan.business_id in ours]
            recorded = await _store(session, good, now=now)
            await events.record(
                session,
                *(_built_event(each, now) for each in recorded),
                *(_failed_event(page, now) for page in bad),
                now=now,
            )
        for page in bad:
            self._fail(page.plan, page.problem)
        for page in pages:
            if page.plan.business_id not in ours:
                self._fail(page.plan, _OTHER_BUILDER)
        return recorded

    async def _keep(self, plans: list[Plan]) -> None:
        """See to it that what is up to date is not called out of date, and has its file."""
        sites = [_Recorded(plan, plan.site) for plan in plans if plan.site is not None]
        if marked := [each.site.id for each in sites if each.site.out_of_date]:
            async with self._db.write() as session:
                await session.execute(
                    update(Site).where(Site.id.in_(marked)).values(out_of_date=False)
                )
        await self._finish(sites, changed=False)

    async def _finish(self, sites: list[_Recorded], *, changed: bool) -> None:
        """Write the files that are missing or differ, and report the sites."""
        problems = await files.restore(self._db, [each.site.id for each in sites])
        for plan, site in sites:
            path = files.page_path(self._db.site_folder, site.slug)
            if problem := problems.get(site.slug):
                self._fail(plan, f"it is stored, but {path} cannot be written: {problem}")
            else:
                self._report.sites.append(
                    BuiltSite(plan.business_id, site.slug, site.status, path, changed)
                )

    def _fail(self, plan: Plan, reason: str) -> None:
        self._report.failures.append(NotBuilt(plan.business_id, plan.facts.name, reason))

    async def _give_back(self, plans: list[Plan]) -> None:
        ids = [plan.business_id for plan in plans]
        async with self._db.write() as session:
            await claims.abandon(session, ids, [self._name], now=self._clock())


async def _present_sites(session: ReadSession, business_ids: Sequence[int]) -> dict[int, Present]:
    """The newest site of each business that stands and was built by us."""
    rows = await session.execute(
        select(Site.business_id, *_PRESENT)
        .where(
            Site.business_id.in_(business_ids),
            Site.theme != gather.IMPORTED,
            Site.status != SiteStatus.ARCHIVED,
        )
        .order_by(Site.id)
    )
    return {row.business_id: Present(*row[1:]) for row in rows}


async def _store(session: WriteSession, pages: list[Page], *, now: datetime) -> list[_Recorded]:
    """Write the sites' rows. What changed while they were rendered leaves them out of date."""
    ids = [page.plan.business_id for page in pages]
    facts = await gather.site_facts(session, ids)
    present = await _present_sites(session, ids)
    first = [page.plan.facts for page in pages if page.plan.site is None]
    wanted = [make_slug(each.name, each.city, each.key) for each in first]
    slugs = iter(await gather.free_slugs(session, wanted))
    new, again = [], []
    for page in pages:
        plan, stored = page.plan, present.get(page.plan.business_id)
        made_of = gather.facts_hash(plan.facts)
        texts_kept = plan.site is None or stored is None or stored.texts == plan.site.texts
        facts_kept = gather.facts_hash(facts[plan.business_id]) == made_of
        row = {
            "theme": plan.theme,
            "out_of_date": not (texts_kept and facts_kept),
            "content_hash": plan.content_hash,
            "facts_hash": made_of,
            "built_at": now,
            "html": page.html,
        }
        if plan.site is None:
            origin = {"business_id": plan.business_id, "slug": next(slugs), "created_at": now}
            new.append(row | origin)
        else:
            again.append(row | {"id": plan.site.id})
    made = await _insert(session, new)
    if again:
        await session.execute(update(Site), again)
    return [_Recorded(page.plan, page.plan.site or made[page.plan.business_id]) for page in pages]


async def _insert(session: WriteSession, rows: list[dict[str, Any]]) -> dict[int, Present]:
    if not rows:
        return {}
    inserted = await session.execute(insert(Site).returning(Site.business_id, *_PRESENT), rows)
    return {row.business_id: Present(*row[1:]) for row in inserted}


def _built_event(recorded: _Recorded, now: datetime) -> NewEvent:
    plan, site = recorded
    summary = "site built again" if plan.site else "site built"
    return NewEvent(
        plan.business_id,
        EventKind.SITE_BUILT,
        now,
        summary,
        OPERATOR,
        data={"slug": site.slug},
        site_id=site.id,
    )


def _failed_event(page: Page, now: datetime) -> NewEvent:
    return NewEvent(
        page.plan.business_id,
        EventKind.SITE_FAILED,
        now,
        "the site could not be built",
        OPERATOR,
        body=page.problem,
        site_id=page.plan.site.id if page.plan.site else None,
    )


async def _to_the_end(work: Coroutine[Any, Any, _T]) -> _T:
    """Await work that is finished even when the task that waits for it is cancelled."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise

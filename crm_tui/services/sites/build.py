"""Building sites: the business first, then the page, then the file.

A builder claims a chunk of businesses (their status becomes `generating`), renders their pages,
records all of them in one transaction and writes the files after it. Killed at any point, it leaves
no site without a business and no half page, and what it had claimed goes back to what its sites
say as soon as anybody builds again.

A business's first site can be taken back by undo, which archives it. A site that is built again
says what the facts say now; taking that back would mean to say what is wrong.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import select, update

from crm_tui.db.engine import Database, WriteSession
from crm_tui.db.models import Business, Site
from crm_tui.errors import StoreError
from crm_tui.services import events, undo
from crm_tui.services.sites import claims, files, gather, storing
from crm_tui.services.sites.plans import Page, Plan, plan_sites, render_pages
from crm_tui.services.sites.render import Renderer
from crm_tui.services.sites.storing import Recorded
from crm_tui.text import plural
from crm_tui.vocabulary import SiteStatus

CHUNK = 50
PATIENCE = timedelta(seconds=20)
"""How long a build waits for other builders that get nowhere."""

_RETRY_SECONDS = 0.05
_OTHER_BUILDER = "another crm-tui is building it; try again when that has finished"
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
    """What a build came to; whom neither list names was not reached before it was cancelled.

    `entry_id` is by what undo knows the first sites; None where it knows of none.
    """

    sites: list[BuiltSite] = field(default_factory=list)
    failures: list[NotBuilt] = field(default_factory=list)
    cancelled: bool = False
    entry_id: int | None = None

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
    undoable: bool = False,
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
        undoable: whether it is something the operator does, which undo remembers.
        progress: called after every chunk with how many are done, of how many.
        cancelled: asked before every chunk whether to stop.

    Raises:
        StoreError: the store cannot be read or written; what was recorded before stays.
    """
    await claims.repair_stuck(db, now=clock())
    with claims.builder(db.path) as name:
        entry = undo.Entry() if undoable else None
        build = _Build(db, name, renderer, clock, entry)
        report = await build.run(business_ids, progress, cancelled)
    report.entry_id = entry.id if entry else None
    return report


class _Build:
    """One run of one builder."""

    def __init__(
        self,
        db: Database,
        name: str,
        renderer: Renderer,
        clock: Callable[[], datetime],
        entry: undo.Entry | None,
    ) -> None:
        self._db = db
        self._name = name
        self._renderer = renderer
        self._clock = clock
        self._entry = entry
        self._first = 0
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
            present = await storing.present_sites(session, business_ids)
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
        claimed: set[int] = set()
        for first in (True, False):
            of_kind = [plan for plan in plans if (plan.site is None) is first]
            if not of_kind:
                continue
            ids = [plan.business_id for plan in of_kind]
            async with self._transaction(ids, now, first=first) as session:
                # Another builder may have finished one since it was read.
                present = await storing.present_sites(session, ids)
                same = [p.business_id for p in of_kind if present.get(p.business_id) == p.site]
                claimed |= await claims.claim(session, self._db.path, same, self._name, now=now)
        return (
            [plan for plan in plans if plan.business_id in claimed],
            [plan.business_id for plan in plans if plan.business_id not in claimed],
        )

    @asynccontextmanager
    async def _transaction(
        self, ids: Sequence[int], now: datetime, *, first: bool
    ) -> AsyncIterator[WriteSession]:
        """A transaction about these businesses; undo remembers it where it is about first sites."""
        if not first or self._entry is None:
            async with self._db.write() as session:
                yield session
            return
        words = f"built {plural(self._first, 'site')}" if self._first else "began to build sites"
        async with undo.action(self._db, words, now=now, entry=self._entry) as session:
            yield session
            if self._first == 1:
                name = await session.scalar(select(Business.name).where(Business.id == ids[-1]))
                self._entry.words = f"built a site for {name}"
            elif self._first:
                self._entry.words = f"built {plural(self._first, 'site')}"

    async def _record(self, pages: list[Page], now: datetime) -> list[Recorded]:
        """Store the pages, or why there is none, and end the claims."""
        recorded: list[Recorded] = []
        for first in (True, False):
            of_kind = [page for page in pages if (page.plan.site is None) is first]
            if of_kind:
                recorded += await self._record_kind(of_kind, now, first=first)
        return recorded

    async def _record_kind(
        self, pages: list[Page], now: datetime, *, first: bool
    ) -> list[Recorded]:
        """Store first sites, or sites that were built again, in one transaction."""
        ids = [page.plan.business_id for page in pages]
        async with self._transaction(ids, now, first=first) as session:
            ours = await claims.release(session, ids, self._name)
            good = [page for page in pages if not page.problem and page.plan.business_id in ours]
            bad = [page for page in pages if page.problem and page.plan.business_id in ours]
            recorded = await storing.store(session, good, now=now)
            self._first += len(recorded) if first else 0
            await events.record(
                session,
                *(storing.built_event(each, now) for each in recorded),
                *(storing.failed_event(page, now) for page in bad),
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
        sites = [Recorded(plan, plan.site) for plan in plans if plan.site is not None]
        if marked := [each.site.id for each in sites if each.site.out_of_date]:
            async with self._db.write() as session:
                await session.execute(
                    update(Site).where(Site.id.in_(marked)).values(out_of_date=False)
                )
        await self._finish(sites, changed=False)

    async def _finish(self, sites: list[Recorded], *, changed: bool) -> None:
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


async def _to_the_end(work: Coroutine[Any, Any, _T]) -> _T:
    """Await work that is finished even when the task that waits for it is cancelled."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise

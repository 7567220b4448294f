"""One run over many sites, whether they are published or taken down: its pieces and its end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Generic, TypeVar

from sqlalchemy import ColumnElement, Text, bindparam, func, update

from crm_tui.db.engine import Database, WriteSession
from crm_tui.db.models import Site
from crm_tui.services.publishing import leftovers, retrying
from crm_tui.services.publishing.publisher import Publisher, Unfinished

CHUNK = 100
"""Sites that are read, written and recorded at once; recording so many takes some 50 ms."""


@dataclass(frozen=True, slots=True)
class Named:
    """A site and whose it is."""

    site_id: int
    business_id: int
    business: str
    slug: str


@dataclass(frozen=True, slots=True)
class Failure(Named):
    """A site that could not be published, or not as it is now, or not taken down, and why."""

    reason: str

    @classmethod
    def of(cls, site: Named, reason: str) -> Failure:
        """The failure of a site."""
        return cls(site.site_id, site.business_id, site.business, site.slug, reason)


@dataclass(slots=True)
class Report:
    """What a run came to; whom no list names was not reached before it was cancelled."""

    failures: list[Failure] = field(default_factory=list)
    cancelled: bool = False


S = TypeVar("S", bound=Named)
R = TypeVar("R", bound=Report)


class Batch(ABC, Generic[S, R]):
    """A run while nobody else publishes: the files in pieces, then the host, then the rows.

    Args:
        db: the store.
        publisher: the host.
        clock: tells the time, aware UTC.
        report: where it is told what happens.
        by_itself: whether what failed is tried again, and nobody asked for it just now.
    """

    STOPPED: ClassVar[str] = ""
    """Why the host does not take what was prepared before the run was cancelled; where it is empty
    the host does all the same."""

    def __init__(
        self,
        db: Database,
        publisher: Publisher,
        clock: Callable[[], datetime],
        report: R,
        *,
        by_itself: bool,
    ) -> None:
        self.db = db
        self.publisher = publisher
        self.clock = clock
        self.report = report
        self._by_itself = by_itself
        self.waiting: list[S] = []

    @abstractmethod
    async def prepare(self, site_ids: Sequence[int]) -> None:
        """See to the files of some sites, and have those wait that the host has to take."""

    @abstractmethod
    async def record(self, sites: Sequence[S]) -> None:
        """Write that the host has taken these."""

    async def follow_up(self, site_ids: Sequence[int], cancelled: Callable[[], bool]) -> None:
        """What else there is to do when the host has taken the batch, which was of these sites."""

    async def run(
        self,
        site_ids: Sequence[int],
        *,
        progress: Callable[[int, int], None],
        cancelled: Callable[[], bool],
    ) -> None:
        """Do it all, for these sites.

        Args:
            site_ids: which sites.
            progress: called after every chunk with how many are prepared, of how many.
            cancelled: asked before every chunk, and while the host is waited for, whether to stop.
        """
        left = await leftovers.remove(self.db, self.publisher)
        for start in range(0, len(site_ids), CHUNK):
            if cancelled():
                self.report.cancelled = True
                break
            await self.prepare(site_ids[start : start + CHUNK])
            progress(min(start + CHUNK, len(site_ids)), len(site_ids))
        if self.waiting or left:
            if problem := await self.finish(cancelled):
                await self.fail([(site, problem) for site in self.waiting])
            else:
                await leftovers.forget(self.db, left)
                for start in range(0, len(self.waiting), CHUNK):
                    await self.record(self.waiting[start : start + CHUNK])
                await self.follow_up(site_ids, cancelled)

    async def finish(self, cancelled: Callable[[], bool]) -> str:
        """Have the host take what was prepared; returns why it did not, or ""."""
        if self.report.cancelled and self.STOPPED:
            return self.STOPPED
        stop = (lambda: False) if self.report.cancelled else cancelled
        try:
            await self.publisher.finish(cancelled=stop)
        except Unfinished as error:
            if not cancelled():
                return str(error)
            self.report.cancelled = True
            return self.STOPPED or str(error)
        return ""

    async def fail(self, failed: Sequence[tuple[S, str]]) -> None:
        """Keep why sites are not as they should be; what the public reads of them stays so."""
        for start in range(0, len(failed), CHUNK):
            async with self.db.write() as session:
                problems = {site.site_id: why for site, why in failed[start : start + CHUNK]}
                await self._note(session, problems)
                await self.fails(session)
        self.report.failures += [Failure.of(site, why) for site, why in failed]

    async def fails(self, session: WriteSession) -> None:
        """Have what fails in this transaction, or is cut off after it, be tried again later."""
        if not self._by_itself:
            await retrying.begin(session, now=self.clock())

    async def _note(self, session: WriteSession, problems: Mapping[int, str]) -> None:
        """Write problems, by site; what was stopped while it was tried again keeps its own."""
        why = bindparam("why", type_=Text)
        stopped = self.STOPPED in problems.values()
        kept: ColumnElement[str] = func.coalesce(Site.publish_problem, why) if stopped else why
        connection = await session.connection()
        await connection.execute(
            update(Site).where(Site.id == bindparam("site")).values(publish_problem=kept),
            [{"site": site_id, "why": reason} for site_id, reason in problems.items()],
        )

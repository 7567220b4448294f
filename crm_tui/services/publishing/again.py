"""Trying again what could not be published or taken down: only that, and not what was stopped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crm_tui.db.engine import Database
from crm_tui.errors import StoreError, UserError
from crm_tui.services.publishing import choosing, leftovers, offers, retrying
from crm_tui.services.publishing.alone import Taken
from crm_tui.services.publishing.batch import Failure
from crm_tui.services.publishing.publish import publish_sites
from crm_tui.services.publishing.publisher import Publisher
from crm_tui.services.publishing.takedown import unpublish_sites
from crm_tui.text import plural, visible


@dataclass(frozen=True, slots=True)
class Again:
    """What trying again came to.

    Attributes:
        words: What was done, as a sentence; "" where nothing could be.
        problem: What still fails, as a sentence; "" where nothing does.
    """

    words: str
    problem: str


NOTHING = Again("", "")


async def try_again(
    db: Database,
    publisher: Publisher,
    *,
    clock: Callable[[], datetime],
    cancelled: Callable[[], bool],
    offers_too: bool = True,
) -> Again:
    """Try again what failed, if something did and it is time; and bring offers up to date.

    Args:
        db: the store.
        publisher: the host.
        clock: tells the time, aware UTC.
        cancelled: asked whether to stop, which leaves what failed as it was.
        offers_too: whether something may have changed that public pages offer.

    Raises:
        StoreError: the store cannot be read or written.
    """
    async with db.read() as session:
        pause = await retrying.read(session)
        erased = bool(await leftovers.left(session))
        renewable = offers_too and pause is None and bool(await offers.due(session))
    if pause is None and not erased and not renewable:
        return NOTHING
    if pause is not None and not pause.is_over(clock()):
        return NOTHING
    async with db.write() as session:
        pause = await retrying.lengthen(session, pause, now=clock())
    try:
        trying = _Trying(
            db, publisher, clock, lambda _done, _total: None, cancelled, by_itself=True
        )
        tried = await trying.run()
    except StoreError:
        raise
    except Taken:
        return NOTHING
    except UserError as error:
        return Again("", f"Publishing fails: {error}")
    if cancelled():
        return Again(tried.words, "")
    if not tried.problem:
        async with db.write() as session:
            await retrying.end(session, pause)
    return tried


async def try_now(
    db: Database,
    publisher: Publisher,
    *,
    also: Sequence[int] = (),
    clock: Callable[[], datetime],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Again:
    """Try again what failed because the operator asks for it; what was stopped is left alone.

    Args:
        db: the store.
        publisher: the host.
        also: sites that are published whether or not that was stopped.
        clock: tells the time, aware UTC.
        progress: called with how many pages are put or gone, of how many.
        cancelled: asked whether to stop.

    Raises:
        UserError: as in publish_sites.
    """
    return await _Trying(db, publisher, clock, progress, cancelled, by_itself=False).run(also)


@dataclass(frozen=True, slots=True)
class _Trying:
    db: Database
    publisher: Publisher
    clock: Callable[[], datetime]
    progress: Callable[[int, int], None]
    cancelled: Callable[[], bool]
    by_itself: bool

    async def run(self, also: Sequence[int] = ()) -> Again:
        async with self.db.read() as session:
            failed = await choosing.unsettled(session, but_stopped=True)
            half_down = await choosing.half_down(session)
            erased = await leftovers.left(session)
            renewable = await offers.due(session)
        done, problems, offered = [], [], ""
        if half_down or erased:
            down = await unpublish_sites(self.db, half_down, **self._how)
            done += [f"{plural(len(down.sites), 'site')} taken down"] if down.sites else []
            problems += [_problem(down.failures, "taken down")] if down.failures else []
        if to_publish := list(dict.fromkeys((*also, *failed))):
            up = await publish_sites(self.db, to_publish, **self._how)
            count = up.published + len(up.settled)
            done += [f"{plural(count, 'site')} published"] if count else []
            problems += [_problem(up.failures, "published")] if up.failures else []
        if renewable:
            renewed = await offers.renew(self.db, renewable, **self._how)
            if renewed.pages:
                offered = (
                    f"The way to pay on {plural(len(renewed.pages), 'public page')} was renewed."
                )
            problems += [_problem(renewed.failures, "published again")] if renewed.failures else []
        async with self.db.read() as session:
            left = await leftovers.left(session)
        if erased - left:
            done.append(f"{plural(len(erased - left), 'page')} of erased leads taken down")
        if left and not problems:
            problems.append("Pages of erased leads may still be public.")
        words = f"Tried again what had failed: {', '.join(done)}." if done else ""
        return Again(" ".join(filter(None, (words, offered))), " ".join(problems))

    @property
    def _how(self) -> dict[str, Any]:
        return {
            "publisher": self.publisher,
            "clock": self.clock,
            "progress": self.progress,
            "cancelled": self.cancelled,
            "by_itself": self.by_itself,
        }


def _problem(failures: Sequence[Failure], done: str) -> str:
    first = failures[0]
    whom = visible(first.business, 40) or "A site"
    if len(failures) > 1:
        whom = f"{len(failures):,} sites, the first {whom},"
    was = "was" if len(failures) == 1 else "were"
    return f"{whom} {was} not {done}: {first.reason}."

"""Trying again what could not be published or taken down: only that, and not what was stopped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from crm_tui.db.engine import Database, ReadSession
from crm_tui.errors import StoreError, UserError
from crm_tui.services.publishing import choosing, leftovers, retrying
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


async def next_try(session: ReadSession, now: datetime) -> datetime | None:
    """When it is time to try again; None where nothing has failed."""
    if not await _what_failed(session):
        return None
    pause = await retrying.read(session)
    return now if pause is None or pause.is_over(now) else pause.until


async def try_again(
    db: Database,
    publisher: Publisher,
    *,
    clock: Callable[[], datetime],
    cancelled: Callable[[], bool],
    insist: bool = False,
) -> Again | None:
    """Try again what failed, if it is time; None where it is not, or nothing failed.

    Args:
        db: the store.
        publisher: the host.
        clock: tells the time, aware UTC.
        cancelled: asked whether to stop, which leaves what failed as it was.
        insist: whether to try before it is time, too.

    Raises:
        StoreError: the store cannot be read or written.
    """
    async with db.read() as session:
        failed = await _what_failed(session)
        pause = await retrying.read(session)
    if not failed:
        if pause is not None:
            await retrying.end(db)
        return None
    if pause is not None and not pause.is_over(clock()) and not insist:
        return None
    await retrying.lengthen(db, pause, now=clock())
    try:
        tried = await _try(db, publisher, failed, clock, cancelled)
    except StoreError:
        raise
    except Taken:
        return None
    except UserError as error:
        return Again("", f"Publishing fails: {error}")
    if not tried.problem and not cancelled():
        await retrying.end(db)
    return tried


@dataclass(frozen=True, slots=True)
class _Failed:
    to_publish: Sequence[int]
    to_take_down: Sequence[int]
    erased: bool

    def __bool__(self) -> bool:
        return bool(self.to_publish or self.to_take_down or self.erased)


async def _what_failed(session: ReadSession) -> _Failed:
    return _Failed(
        await choosing.unsettled(session, but_stopped=True),
        await choosing.half_down(session),
        bool(await leftovers.left(session)),
    )


async def _try(
    db: Database,
    publisher: Publisher,
    failed: _Failed,
    clock: Callable[[], datetime],
    cancelled: Callable[[], bool],
) -> Again:
    done, problems = [], []
    if failed.to_take_down or failed.erased:
        down = await unpublish_sites(
            db,
            failed.to_take_down,
            publisher=publisher,
            clock=clock,
            cancelled=cancelled,
            by_itself=True,
        )
        done += [f"{plural(len(down.sites), 'site')} taken down"] if down.sites else []
        problems += [_problem(down.failures, "taken down")] if down.failures else []
    if failed.to_publish:
        up = await publish_sites(
            db,
            failed.to_publish,
            publisher=publisher,
            clock=clock,
            cancelled=cancelled,
            by_itself=True,
        )
        done += [f"{plural(up.published, 'site')} published"] if up.published else []
        problems += [_problem(up.failures, "published")] if up.failures else []
    async with db.read() as session:
        if not problems and await leftovers.left(session):
            problems.append("Pages of erased leads may still be public.")
    words = f"What failed before was tried again: {', '.join(done)}." if done else ""
    return Again(words, " ".join(problems))


def _problem(failures: Sequence[Failure], done: str) -> str:
    first = failures[0]
    whom = visible(first.business, 40) or "A site"
    if len(failures) > 1:
        whom = f"{len(failures):,} sites, the first {whom},"
    was = "was" if len(failures) == 1 else "were"
    return f"{whom} {was} not {done}: {first.reason}."

"""Trying again what could not be published or taken down: only that, and not what was stopped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from crm_tui.db.engine import Database
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


NOTHING = Again("", "")


async def try_again(
    db: Database,
    publisher: Publisher,
    *,
    clock: Callable[[], datetime],
    cancelled: Callable[[], bool],
) -> Again:
    """Try again what failed, if something did and it is time.

    Args:
        db: the store.
        publisher: the host.
        clock: tells the time, aware UTC.
        cancelled: asked whether to stop, which leaves what failed as it was.

    Raises:
        StoreError: the store cannot be read or written.
    """
    async with db.read() as session:
        pause = await retrying.read(session)
        erased = bool(await leftovers.left(session))
    if pause is None and not erased:
        return NOTHING
    if pause is not None and not pause.is_over(clock()):
        return NOTHING
    async with db.write() as session:
        pause = await retrying.lengthen(session, pause, now=clock())
    try:
        tried = await _try(db, publisher, clock, cancelled)
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


async def _try(
    db: Database,
    publisher: Publisher,
    clock: Callable[[], datetime],
    cancelled: Callable[[], bool],
) -> Again:
    async with db.read() as session:
        to_publish = await choosing.unsettled(session, but_stopped=True)
        to_take_down = await choosing.half_down(session)
        erased = await leftovers.left(session)
    done, problems = [], []
    if to_take_down or erased:
        down = await unpublish_sites(
            db,
            to_take_down,
            publisher=publisher,
            clock=clock,
            cancelled=cancelled,
            by_itself=True,
        )
        done += [f"{plural(len(down.sites), 'site')} taken down"] if down.sites else []
        problems += [_problem(down.failures, "taken down")] if down.failures else []
    if to_publish:
        up = await publish_sites(
            db,
            to_publish,
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

"""Pages of erased leads that still have to be taken down: all that is kept of them until then.

Whoever publishes next, or the doctor, does what erasing could not.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import delete
from sqlalchemy.dialects.sqlite import insert

from crm_tui.db.engine import Database, ReadSession, WriteSession
from crm_tui.db.models import Setting
from crm_tui.services.publishing.alone import alone
from crm_tui.services.publishing.publisher import Publisher, Unfinished

LEFT = "published_pages_left"
"""The setting with the slugs of these pages."""


async def note(session: WriteSession, slugs: Collection[str]) -> None:
    """Remember that pages have to be taken down, in the transaction that forgets whose they were."""
    if slugs:
        await _keep(session, {*await left(session), *slugs})


async def left(session: ReadSession) -> set[str]:
    """The slugs of pages that have to be taken down."""
    setting = await session.get(Setting, LEFT, populate_existing=True)
    return set(setting.value) if setting else set()


async def take_down(db: Database, publisher: Publisher) -> str:
    """Take down what is left; returns why that could not be done, or "".

    Raises:
        UserError: pages cannot be reached at all, or somebody else is publishing.
    """
    await publisher.check()
    async with alone(db.path):
        gone = await remove(db, publisher)
        if gone:
            try:
                await publisher.finish(cancelled=lambda: False)
            except Unfinished as error:
                return str(error)
            await forget(db, gone)
        async with db.read() as session:
            still = sorted(await left(session))
    return f"{still[0]} could not be deleted where it was published" if still else ""


async def remove(db: Database, publisher: Publisher) -> set[str]:
    """Remove these pages from the host, which has yet to finish; returns those that are gone."""
    async with db.read() as session:
        slugs = await left(session)
    problems = await publisher.remove(slugs) if slugs else {}
    return slugs - problems.keys()


async def forget(db: Database, slugs: Collection[str]) -> None:
    """Forget pages that nobody can read any more."""
    if slugs:
        async with db.write() as session:
            await _keep(session, await left(session) - set(slugs))


async def _keep(session: WriteSession, slugs: Collection[str]) -> None:
    if not slugs:
        await session.execute(delete(Setting).where(Setting.name == LEFT))
        return
    kept = insert(Setting).values(name=LEFT, value=sorted(slugs))
    await session.execute(
        kept.on_conflict_do_update(index_elements=[Setting.name], set_={"value": sorted(slugs)})
    )

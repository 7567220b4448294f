"""Erasing: finding everything, removing it in one transaction, then getting it out of the files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import func, select

from crm_tui.config import Settings
from crm_tui.db.engine import Database, ReadSession
from crm_tui.db.models import Merge, UndoChange
from crm_tui.errors import BadInput, UserError
from crm_tui.services.erase import money
from crm_tui.services.erase.extent import Extent, extent
from crm_tui.services.erase.removing import remove
from crm_tui.services.erase.scrubbing import forget_aside, note_traces, remove_pages, scrub
from crm_tui.services.erased import remember
from crm_tui.services.imports.known import load
from crm_tui.services.imports.match import By, Identity
from crm_tui.services.publishing import leftovers
from crm_tui.services.publishing.publisher import not_set_up, open_publisher
from crm_tui.services.search import sort_name
from crm_tui.session import Session


@dataclass(slots=True)
class Erasure:
    """What an erasure came to.

    Attributes:
        lead_id: the lead, whose bare row stays.
        removed: what went, each in a few words.
        backups: the names of the backups that still hold it.
        mentioned: leads whose notes mention its phone or address; those are the operator's words.
        problems: sentences about what is left to do by hand.
    """

    lead_id: int
    removed: list[str]
    backups: list[str]
    mentioned: list[int]
    problems: list[str] = field(default_factory=list)


async def erase(
    db: Database,
    lead_id: int,
    *,
    settings: Settings,
    now: datetime,
    progress: Callable[[str], None] = lambda _words: None,
) -> Erasure:
    """Erase a lead, and with it those that were merged into it. It cannot be undone.

    What is personal goes: from its row, timeline, sites and their files, from imports, from what
    can be undone, and from the search. Salted hashes of its keys stay, so that no list brings it
    back. Backups are not touched.

    Args:
        db: the store.
        lead_id: the lead.
        settings: for the score that follows.
        now: aware UTC.
        progress: told what is being done.

    Raises:
        NotFound: there is no such lead.
        BadInput: it was erased before, or its site is being built.
    """
    progress("Looking for everything that is kept of it")
    found = await extent(db, lead_id)
    public = await _public_pages(found, settings)
    progress("Erasing")
    async with db.write() as session:
        elsewhere = await money.left_elsewhere(session, found)
        found.changes += await money.changes(session, found)
        await remember(session, await _identities(session, found), now=now)
        await remove(session, found, score=settings.score, now=now)
        await note_traces(session)
        await leftovers.note(session, public)
    problems = await asyncio.to_thread(remove_pages, db.site_folder, found.slugs)
    problems += elsewhere
    if public:
        progress("Taking its page off the web")
        problems += await _take_down(db, settings)
    elif found.published:
        where = ", ".join(found.published.values())
        problems.append(f"Take down where it was published: {where}.")
    problems += _forget_session(db, found)
    progress("Wiping what was erased out of the file")
    if left := await scrub(db):
        problems.append(
            f"Everything is erased, but traces may be left in the file {db.path}: {left}. "
            "Close other programs that use it, see that there is room, and run "
            "`crm-tui doctor --fix`, which does it again."
        )
    return Erasure(lead_id, found.words(), found.backups, found.mentioned, problems)


async def _public_pages(found: Extent, settings: Settings) -> set[str]:
    """Its pages that are to be taken off the web, those that nothing is known of included."""
    if not_set_up(settings.publishing):
        return set()
    there: set[str] = set()
    with suppress(BadInput):  # taking down says it, too
        there = await open_publisher(settings.publishing).holds(dict.fromkeys(found.slugs))
    return there | found.published.keys()


async def _take_down(db: Database, settings: Settings) -> list[str]:
    """Take what was published off the web; returns a sentence where that could not be done."""
    try:
        problem = await leftovers.take_down(db, open_publisher(settings.publishing))
    except UserError as error:
        problem = str(error).rstrip(".")
    said = (
        f"Its published page could not be taken down yet: {problem}. Set that right and run "
        "`crm-tui doctor --fix`, or publish anything: both try again."
    )
    return [said] if problem else []


async def _identities(session: ReadSession, found: Extent) -> list[Identity]:
    """What leads to it, under each of the names and postcodes it had."""
    known = (await load(session, [found.lead_id]))[found.lead_id]
    own = known.identity()
    phones = {each for each in found.contacts if each.startswith("+")}
    keys = {
        **own.keys,
        By.PHONE: own.keys.get(By.PHONE, frozenset()) | phones,
    }
    codes = {own.postal_code, *await _postcodes(session, found)}
    return [_called(replace(own, keys=keys), name, code) for name in found.names for code in codes]


def _called(identity: Identity, name: str, code: str | None) -> Identity:
    twins = frozenset({f"{sort_name(name)}\n{code}"} if code else ())
    keys = {by: values for by, values in identity.keys.items() if by is not By.TWIN}
    return Identity(name, code, keys | ({By.TWIN: twins} if twins else {}))


async def _postcodes(session: ReadSession, found: Extent) -> Iterable[str]:
    """The postcodes of the leads that were merged into it, from their rows in the book."""
    entries = select(Merge.entry_id).where(Merge.kept_id == found.lead_id)
    code = func.json_extract(UndoChange.before, "$.postal_code")
    codes: Sequence[str | None] = (
        await session.scalars(
            select(code).where(
                UndoChange.entry_id.in_(entries),
                UndoChange.table_name == "business",
                UndoChange.after.is_(None),
            )
        )
    ).all()
    return [each for each in codes if each]


def _forget_session(db: Database, found: Extent) -> list[str]:
    """Take what was being typed about it out of the session file."""
    try:
        session = Session.load(db.path)
        for lead in found.ids:
            session.forget(lead)
        names = {name.lower() for name in found.names}
        for place, kept in session.places.items():
            if any(name in kept.filter.lower() for name in names):
                session.places[place] = type(kept)()
        if session.path is not None and session.path.exists():
            session.save()
        forget_aside(db.path)
    except (UserError, OSError) as error:
        return [str(error)]
    return []

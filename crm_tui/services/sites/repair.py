"""Sites that came without their business: one is proposed from the page, and accepted.

Who a page belongs to is decided by the rules that imports go by (services.imports.match); where
they lead to nobody, a new lead is made of what the page says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select, update

from crm_tui.clock import parse_time
from crm_tui.config import Settings
from crm_tui.db.engine import Database, ReadSession, WriteSession
from crm_tui.db.models import Business, Site, Unmatched
from crm_tui.errors import NotFound, UserError
from crm_tui.services import derived, events, leads, points
from crm_tui.services.events import OPERATOR, NewEvent
from crm_tui.services.imports import known
from crm_tui.services.imports.match import Found
from crm_tui.services.sites import files, gather
from crm_tui.services.sites.candidate import Candidate, candidate
from crm_tui.services.sites.imported import page_hash, whole_page
from crm_tui.services.sites.reading import read_page
from crm_tui.services.sites.slugs import clean_slug
from crm_tui.text import visible
from crm_tui.vocabulary import EventKind, SiteStatus, UnmatchedKind, UnmatchedState

SOURCE = "repair"
"""The source of leads that were made of what their site says."""

CHUNK = 20

_WAITING = (Unmatched.state == UnmatchedState.OPEN, Unmatched.kind == UnmatchedKind.SITE)


@dataclass(frozen=True, slots=True)
class Orphan:
    """An unmatched site as it was imported, its page in the pieces it came in."""

    id: int
    slug: str
    title: str
    reason: str
    status: SiteStatus
    html: str
    css: str
    js: str
    created_at: datetime | None


@dataclass(frozen=True, slots=True)
class Proposal:
    """What would become of an orphan: linked to a lead that is there, or to a new one.

    Attributes:
        reason: Why the site has no business.
        business_id: The lead it would be linked to; None where one would be created.
        business: The name of that lead.
        why: What leads to it, or to one that only looks like it.
    """

    unmatched_id: int
    slug: str
    reason: str
    candidate: Candidate
    business_id: int | None
    business: str
    why: str


@dataclass(frozen=True, slots=True)
class Repaired:
    """A site that has its business now."""

    business_id: int
    site_id: int
    slug: str
    created: bool


@dataclass(slots=True)
class RepairReport:
    """What accepting proposals came to; `problems` say why the others were left."""

    repaired: list[Repaired] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    left: int = 0

    @property
    def created(self) -> int:
        """How many leads were created for their site."""
        return sum(each.created for each in self.repaired)

    @property
    def linked(self) -> int:
        """How many sites were linked to a lead that was there."""
        return len(self.repaired) - self.created


async def count_waiting(session: ReadSession) -> int:
    """How many sites wait for a business."""
    counted = select(func.count()).select_from(Unmatched).where(*_WAITING)
    return (await session.execute(counted)).scalar_one()


async def proposals(db: Database, *, region: str) -> list[Proposal]:
    """A proposal for every site that waits, the oldest first; nothing is changed.

    Args:
        db: the store.
        region: ISO 3166 alpha-2 of phones whose page names no country.
    """
    ids = await _waiting(db)
    chunks = [ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK)]
    return [each for chunk in chunks for each in await _propose(db, chunk, region)]


async def proposal(db: Database, unmatched_id: int, *, region: str) -> Proposal:
    """The proposal for one site; `region` as for `proposals`.

    Raises:
        NotFound: no such site waits.
    """
    proposed = await _propose(db, [unmatched_id], region)
    if not proposed:
        raise NotFound(f"No site {unmatched_id} waits for a business.")
    return proposed[0]


async def accept(db: Database, unmatched_id: int, *, settings: Settings, now: datetime) -> Repaired:
    """Give a site its business, as proposed: one transaction, and the file after it.

    Raises:
        NotFound: no such site waits.
        UserError: it cannot be repaired; it still waits.
    """
    async with db.read() as session:
        orphans = await _orphans(session, [unmatched_id])
    if not orphans:
        raise NotFound(f"No site {unmatched_id} waits for a business.")
    (orphan,) = orphans
    (said,) = await asyncio.to_thread(_candidates, orphans, settings.imports.default_region)
    async with db.write() as session:
        repaired = await _accept(session, orphan, said, settings=settings, now=now)
    problems = await files.restore(db, [repaired.site_id])
    if problem := problems.get(repaired.slug):
        path = files.page_path(db.site_folder, repaired.slug)
        raise UserError(f"The site is repaired, but {path} cannot be written: {problem}.")
    return repaired


async def accept_all(
    db: Database,
    *,
    settings: Settings,
    clock: Callable[[], datetime],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> RepairReport:
    """Accept the proposal for every site that waits, each by itself, the oldest first."""
    report = RepairReport()
    ids = await _waiting(db)
    for done, unmatched_id in enumerate(ids):
        if cancelled():
            break
        try:
            report.repaired.append(await accept(db, unmatched_id, settings=settings, now=clock()))
        except UserError as error:
            report.problems.append(f"Unmatched site {unmatched_id}: {error}")
        progress(done + 1, len(ids))
    async with db.read() as session:
        report.left = await count_waiting(session)
    return report


async def _propose(db: Database, unmatched_ids: Sequence[int], region: str) -> list[Proposal]:
    async with db.read() as session:
        orphans = await _orphans(session, unmatched_ids)
    read = await asyncio.to_thread(_candidates, orphans, region)
    async with db.read() as session:
        found = await known.find(session, [each.identity for each in read])
        names = await _names(session, found)
    return [_proposal(*each, names) for each in zip(orphans, read, found, strict=True)]


def _proposal(orphan: Orphan, said: Candidate, lead: Found, names: Mapping[int, str]) -> Proposal:
    name = names.get(lead.same or lead.alike or 0, "")
    why = lead.why if lead.same else ""
    if lead.alike:
        why = f"looks like lead {lead.alike}, {name}: {lead.why}"
    return Proposal(
        unmatched_id=orphan.id,
        slug=orphan.slug,
        reason=orphan.reason,
        candidate=said,
        business_id=lead.same,
        business=name if lead.same else "",
        why=why,
    )


async def _waiting(db: Database) -> list[int]:
    async with db.read() as session:
        found = select(Unmatched.id).where(*_WAITING).order_by(Unmatched.id)
        return list(await session.scalars(found))


async def _orphans(session: ReadSession, unmatched_ids: Sequence[int]) -> list[Orphan]:
    rows = await session.execute(
        select(Unmatched.id, Unmatched.title, Unmatched.reason, Unmatched.payload)
        .where(Unmatched.id.in_(unmatched_ids), *_WAITING)
        .order_by(Unmatched.id)
    )
    return [
        _orphan(row.id, row.title, row.reason, {k: str(v or "") for k, v in row.payload.items()})
        for row in rows
    ]


def _orphan(id_: int, title: str, reason: str, payload: dict[str, str]) -> Orphan:
    status = payload.get("status", "")
    return Orphan(
        id=id_,
        slug=payload.get("slug", ""),
        title=title,
        reason=reason,
        status=SiteStatus(status) if status in set(SiteStatus) else SiteStatus.PREVIEW,
        html=payload.get("html", ""),
        css=payload.get("css", ""),
        js=payload.get("js", ""),
        created_at=parse_time(payload.get("created_at", "")),
    )


def _candidates(orphans: Sequence[Orphan], region: str) -> list[Candidate]:
    """What the pages say, in a thread: they may be long."""
    return [
        candidate(read_page(each.html, each.slug), region=region, name=each.title or "Unnamed site")
        for each in orphans
    ]


async def _names(session: ReadSession, found: Sequence[Found]) -> dict[int, str]:
    ids = {each.same or each.alike for each in found}
    rows = await session.execute(select(Business.id, Business.name).where(Business.id.in_(ids)))
    return {row.id: row.name for row in rows}


async def _accept(
    session: WriteSession, orphan: Orphan, said: Candidate, *, settings: Settings, now: datetime
) -> Repaired:
    if not await _orphans(session, [orphan.id]):
        raise NotFound(f"The site {visible(orphan.slug, 80)} was repaired by somebody else.")
    (lead,) = await known.find(session, [said.identity])
    (slug,) = await gather.free_slugs(session, [clean_slug(orphan.slug)])
    business_id = lead.same or await _create(session, said, slug, settings=settings, now=now)
    html = whole_page(orphan.html, orphan.css, orphan.js, title=said.name)
    built_at = min(orphan.created_at or now, now)
    site_id = (
        await session.execute(
            insert(Site)
            .values(
                business_id=business_id,
                slug=slug,
                theme=gather.IMPORTED,
                status=orphan.status,
                content_hash=page_hash(html),
                created_at=built_at,
                built_at=built_at,
                html=html,
            )
            .returning(Site.id)
        )
    ).scalar_one()
    await session.execute(
        update(Unmatched)
        .where(Unmatched.id == orphan.id)
        .values(
            state=UnmatchedState.LINKED if lead.same else UnmatchedState.CREATED,
            business_id=business_id,
            site_id=site_id,
            resolved_at=now,
        )
    )
    how = f"linked by the {lead.why}" if lead.same else "this lead was made of what it says"
    event = NewEvent(
        business_id,
        EventKind.SITE_LINKED,
        now,
        f"site {slug} has its business again: {how}",
        OPERATOR,
        key=f"site-linked-{orphan.id}",
        body=_story(orphan, said),
        data={"slug": slug},
        site_id=site_id,
    )
    await events.record(session, event, now=now)
    return Repaired(business_id, site_id, slug, created=lead.same is None)


async def _create(
    session: WriteSession, said: Candidate, slug: str, *, settings: Settings, now: datetime
) -> int:
    """A new lead of what a page says."""
    business_id = await leads.add(
        session,
        said.fields,
        settings=settings,
        now=now,
        source=SOURCE,
        summary=f"captured from its site {slug}",
        duplicate=True,
    )
    for more in (*said.phones[1:], *said.emails[1:]):
        await points.add(
            session,
            business_id,
            more.kind,
            more.value,
            raw=more.raw,
            domain=more.domain or None,
            label=more.label or None,
            now=now,
        )
    await derived.renew(session, [business_id], score=settings.score, now=now)
    return business_id


def _story(orphan: Orphan, said: Candidate) -> str:
    """What the timeline tells of where a site came from and what was read from it."""
    lines: list[Any] = [f"The site came without a business: {orphan.reason}."]
    read = {name.replace("_", " "): value for name, value in said.fields.items() if value}
    lines += [f"{name}: {value}" for name, value in read.items()]
    lines += [f"not usable: {text}" for text in said.unusable]
    return "\n".join(lines)

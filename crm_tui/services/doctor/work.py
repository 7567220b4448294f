"""What work left behind: sites, their files, imports, the inbox, backups, and stopped sending."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import and_, delete, func, or_, select, update

from crm_tui.db.engine import WriteSession
from crm_tui.db.locks import is_held
from crm_tui.db.models import (
    Business,
    ImportBatch,
    Merge,
    Site,
    UndoChange,
    UndoEntry,
    Unmatched,
)
from crm_tui.services import backup, statuses
from crm_tui.services.doctor.findings import Check, Finding, Patient, Severity, named
from crm_tui.services.imports import batches, owner, unfinished
from crm_tui.services.sending.standing import home_of, read_standing
from crm_tui.services.sites import claims, files
from crm_tui.services.undo.recorded import RECORDED
from crm_tui.text import plural, visible
from crm_tui.vocabulary import UndoState, UnmatchedKind, UnmatchedState, WebsiteStatus

CHUNK = 100
NO_BACKUP = timedelta(days=2)
"""How old the newest backup may be before that is worth a word."""

_NOBODY = "nobody"


async def find_orphan_sites(patient: Patient) -> list[Finding]:
    """Count the sites in the inbox that no business is known for."""
    async with patient.db.read() as session:
        titles = list(
            await session.scalars(
                select(Unmatched.title).where(
                    Unmatched.kind == UnmatchedKind.SITE, Unmatched.state == UnmatchedState.OPEN
                )
            )
        )
    if not titles:
        return []
    detail = (
        f"sites without a business: {visible(named([f'“{each}”' for each in titles]), 200)}; "
        "`crm-tui sites repair` proposes one for each"
    )
    return [Finding("orphan_sites", Severity.WARNING, len(titles), detail)]


async def find_stuck_sites(patient: Patient) -> list[Finding]:
    """Find businesses that are being built by nobody who is alive."""
    stuck = await _stuck(patient)
    if not stuck:
        return []
    detail = f"being built by a process that is gone: leads {named([str(i) for i in stuck])}"
    return [Finding("stuck_sites", Severity.ERROR, len(stuck), detail)]


async def repair_stuck_sites(patient: Patient) -> str:
    """Give back what dead builders claimed; the website status is then what the sites say."""
    repaired = await claims.repair_stuck(patient.db, now=patient.now)
    left = await _stuck(patient)
    for start in range(0, len(left), CHUNK):
        async with patient.db.write() as session:
            repaired += await _end_builds(session, left[start : start + CHUNK], patient.now)
    if repaired:
        return f"the builds of {plural(repaired, 'lead')} given up"
    return "no build is left, now that the statuses were folded again"


async def _end_builds(session: WriteSession, ids: Sequence[int], now: datetime) -> int:
    """End builds that nobody even claims; returns how many there were."""
    changed = await statuses.refold(session, ids)
    await session.execute(
        update(Business)
        .where(
            Business.id.in_(ids),
            Business.website_status == WebsiteStatus.GENERATING,
            Business.building_by.is_(None),
        )
        .values(building_by=_NOBODY)
        .execution_options(synchronize_session=None)
    )
    return changed + await claims.abandon(session, ids, [_NOBODY], now=now)


async def _stuck(patient: Patient) -> list[int]:
    async with patient.db.read() as session:
        rows = (
            await session.execute(
                select(Business.id, Business.building_by).where(
                    or_(
                        Business.building_by.is_not(None),
                        Business.website_status == WebsiteStatus.GENERATING,
                    )
                )
            )
        ).all()
    alive = {name for _, name in rows if name and is_held(patient.db.path, name)}
    return [lead for lead, name in rows if name not in alive]


async def find_missing_files(patient: Patient) -> list[Finding]:
    """Compare the files of sites with their rows, and look for what has no row."""
    missing: list[tuple[int, str]] = []
    known: set[str] = set()
    async for sites in _sites(patient):
        known.update(slug for _, slug, _ in sites)
        missing += await asyncio.to_thread(_unwritten, patient.db.site_folder, sites)
    findings = []
    if missing:
        detail = f"the file is missing or differs: {named([slug for _, slug in missing])}"
        findings.append(Finding("missing_files", Severity.ERROR, len(missing), detail))
    drafts, unknown = await asyncio.to_thread(_strays, patient.db.site_folder, known)
    if drafts:
        detail = f"half-written files: {visible(named([str(path) for path in drafts]), 300)}"
        findings.append(Finding("missing_files", Severity.WARNING, len(drafts), detail))
    if unknown:
        detail = (
            f"in the site folder, but of no site in this store: {visible(named(unknown), 300)}; "
            "delete them if you do not need them"
        )
        findings.append(Finding("missing_files", Severity.WARNING, len(unknown), detail))
    return findings


async def repair_missing_files(patient: Patient) -> str:
    """Write the missing files from their rows; take half-written ones away."""
    done = []
    written, problems = 0, {}
    async for sites in _sites(patient):
        missing = await asyncio.to_thread(_unwritten, patient.db.site_folder, sites)
        failed = await files.restore(patient.db, [site_id for site_id, _ in missing])
        written += len(missing) - len(failed)
        problems.update(failed)
    if written:
        done.append(f"{plural(written, 'file')} written")
    for slug, reason in problems.items():
        done.append(f"{slug} could not be written: {reason}")
    drafts, _ = await asyncio.to_thread(_strays, patient.db.site_folder, set())
    if drafts:
        await asyncio.to_thread(_remove, drafts)
        done.append(f"{plural(len(drafts), 'half-written file')} deleted")
    return ", ".join(done)


async def _sites(patient: Patient) -> AsyncIterator[list[tuple[int, str, str]]]:
    """The sites by chunks: id, slug, page."""
    last = 0
    while True:
        async with patient.db.read() as session:
            rows = await session.execute(
                select(Site.id, Site.slug, Site.html)
                .where(Site.id > last)
                .order_by(Site.id)
                .limit(CHUNK)
            )
            sites = [(site_id, slug, html) for site_id, slug, html in rows]
        if not sites:
            return
        yield sites
        last = sites[-1][0]


def _unwritten(folder: Path, sites: Sequence[tuple[int, str, str]]) -> list[tuple[int, str]]:
    return [
        (site_id, slug) for site_id, slug, html in sites if not files.is_written(folder, slug, html)
    ]


def _strays(folder: Path, known: Collection[str]) -> tuple[list[Path], list[str]]:
    """Drafts that no living process is writing, and the folders of unknown sites."""
    if not folder.is_dir():
        return [], []
    drafts = [path for path in sorted(folder.glob(f"*/{files.DRAFT}")) if _is_left(path)]
    pages = sorted(path.parent.name for path in folder.glob("*/index.html"))
    return drafts, [slug for slug in pages if slug not in known]


def _is_left(draft: Path) -> bool:
    with _held_if_left(draft) as left:
        return left


def _remove(drafts: Sequence[Path]) -> None:
    for draft in drafts:
        with _held_if_left(draft) as left:
            if left:
                draft.unlink(missing_ok=True)


@contextmanager
def _held_if_left(draft: Path) -> Iterator[bool]:
    """Hold a draft so that no writer begins on it; False where one is at it, or it is gone."""
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_NOFOLLOW)
    except OSError:
        yield False
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


async def find_interrupted_imports(patient: Patient) -> list[Finding]:
    """Find imports that are neither finished nor being worked on."""
    async with patient.db.read() as session:
        rows = (
            await session.execute(
                select(ImportBatch.file_name, ImportBatch.state, ImportBatch.owner).where(
                    ImportBatch.state.in_(unfinished.WORKING)
                )
            )
        ).all()
    cut_off = [
        file_name
        for file_name, state, name in rows
        if not owner.works(patient.db.path, state, name)
    ]
    if not cut_off:
        return []
    detail = f"cut off in the middle: {visible(named(cut_off), 300)}"
    return [Finding("interrupted_imports", Severity.ERROR, len(cut_off), detail)]


async def repair_interrupted_imports(patient: Patient) -> str:
    """Take back what imports wrote whose process is gone."""
    taken_back = await batches.take_back_interrupted(
        patient.db, settings=patient.settings, now=patient.now
    )
    return f"{plural(len(taken_back), 'import')} taken back" if taken_back else ""


async def find_undo(patient: Patient) -> list[Finding]:
    """See that undo can read what it wrote down, and whether an undo was cut off."""
    async with patient.db.read() as session:
        unreadable = await session.scalar(select(func.count(UndoChange.id)).where(_UNREADABLE)) or 0
        bare = await session.scalar(select(func.count(UndoEntry.id)).where(_BARE)) or 0
        cut_off = list(
            await session.scalars(
                select(UndoEntry.words).where(
                    UndoEntry.state.in_((UndoState.UNDOING, UndoState.REDOING))
                )
            )
        )
    findings = []
    if unreadable or bare:
        detail = "actions that undo cannot read, or that have nothing to take back"
        findings.append(Finding("undo", Severity.ERROR, unreadable + bare, detail))
    if cut_off:
        detail = (
            f"undone or done again in part: {visible(named(cut_off), 300)}; "
            "`crm-tui undo` or `crm-tui redo` goes on with it"
        )
        findings.append(Finding("undo", Severity.WARNING, len(cut_off), detail))
    return findings


async def repair_undo(patient: Patient) -> str:
    """Forget what cannot be taken back anyway."""
    async with patient.db.write() as session:
        changes = await session.scalars(
            delete(UndoChange).where(_UNREADABLE).returning(UndoChange.id)
        )
        forgotten = len(changes.all())
        entries = await session.scalars(delete(UndoEntry).where(_BARE).returning(UndoEntry.id))
        forgotten += len(entries.all())
    return f"{plural(forgotten, 'record')} of undo forgotten" if forgotten else ""


_UNREADABLE = or_(
    UndoChange.table_name.not_in(list(RECORDED)), func.json_valid(UndoChange.record) == 0
)
_BARE = and_(
    ~select(UndoChange.id).where(UndoChange.entry_id == UndoEntry.id).exists(),
    ~select(Merge.id).where(Merge.entry_id == UndoEntry.id).exists(),
)


async def find_backups(patient: Patient) -> list[Finding]:
    """See that there is a recent backup, once there is something to lose."""
    async with patient.db.read() as session:
        since = await session.scalar(select(func.min(Business.created_at)))
    made = await asyncio.to_thread(backup.existing, patient.db.path)
    latest = made[-1].at if made else since
    if latest is None or patient.now - latest <= NO_BACKUP:
        return []
    known = f"the newest backup is of {latest:%Y-%m-%d}" if made else "there is no backup"
    detail = f"{known}; `crm-tui backup` makes one"
    return [Finding("backups", Severity.WARNING, 1, detail)]


async def find_sending_stopped(patient: Patient) -> list[Finding]:
    """Say that nothing is sent from this store, and why: it was stopped, restored or copied."""
    provider = patient.settings.email.provider
    async with patient.db.read() as session:
        known = await read_standing(session, provider, home=home_of(patient.db.path))
    if not known.stopped:
        return []
    detail = (
        f"nothing is sent from this store: {visible(known.stopped, 200)};"
        " `crm-tui worker --let-go` lets it send"
    )
    return [Finding("sending_stopped", Severity.WARNING, 1, detail)]


CHECKS = (
    Check("orphan_sites", find_orphan_sites),
    Check("stuck_sites", find_stuck_sites, repair_stuck_sites),
    Check("missing_files", find_missing_files, repair_missing_files),
    Check("interrupted_imports", find_interrupted_imports, repair_interrupted_imports),
    Check("undo", find_undo, repair_undo),
    Check("backups", find_backups),
    Check("sending_stopped", find_sending_stopped),
)

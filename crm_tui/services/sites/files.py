"""The files of the site folder: copies of what the store holds, whole or not there at all."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import select

from crm_tui.db.engine import Database
from crm_tui.db.models import Site

# A disk syncs several files at once in hardly more time than one.
_WRITERS = 4
DRAFT = ".index.html.draft"


def page_path(folder: Path, slug: str) -> Path:
    """Where the page of a site is kept."""
    return folder / slug / "index.html"


def is_written(folder: Path, slug: str, html: str) -> bool:
    """Whether the file of a site is there and holds exactly this page."""
    try:
        return page_path(folder, slug).read_bytes() == html.encode()
    except OSError:
        return False


async def restore(db: Database, site_ids: Sequence[int]) -> dict[str, str]:
    """Write the files of sites that are missing or say something else than the store.

    Returns the reason, by slug, for each that could not be written.
    """
    problems: dict[str, str] = {}
    left = list(site_ids)
    while left:
        async with db.read() as session:
            rows = await session.execute(
                select(Site.id, Site.slug, Site.html, Site.content_hash).where(Site.id.in_(left))
            )
            sites = [(id_, slug, html, digest) for id_, slug, html, digest in rows]
        pages = {slug: html for _, slug, html, _ in sites}
        problems |= await asyncio.to_thread(_write_missing, db.site_folder, pages)
        async with db.read() as session:
            hashes = select(Site.id, Site.content_hash).where(Site.id.in_(left))
            current = {row.id: row.content_hash for row in await session.execute(hashes)}
        # Another process may have built one again and written its file before we wrote ours.
        left = [id_ for id_, _, _, digest in sites if current.get(id_, digest) != digest]
    return problems


def _write_missing(folder: Path, pages: Mapping[str, str]) -> dict[str, str]:
    wrong = {slug: html for slug, html in pages.items() if not is_written(folder, slug, html)}
    return write_pages(folder, wrong)


def write_pages(folder: Path, pages: Mapping[str, str]) -> dict[str, str]:
    """Write pages by their slug; returns the reason for each that could not be written.

    Blocks on the disk: call it in a thread.
    """
    if not pages:
        return {}

    def write(slug: str) -> str:
        try:
            write_page(folder, slug, pages[slug])
        except OSError as error:
            return error.strerror or str(error)
        return ""

    with ThreadPoolExecutor(_WRITERS, thread_name_prefix="site files") as writers:
        problems = dict(zip(pages, writers.map(write, pages), strict=True))
    with suppress(OSError):  # where there is no folder, each page has said so
        _sync(folder)
    return {slug: problem for slug, problem in problems.items() if problem}


def write_page(folder: Path, slug: str, html: str) -> None:
    """Put a page in its place: whole under another name, on the disk, then renamed.

    Raises:
        OSError: it could not be written; what was in its place is untouched.
    """
    target = page_path(folder, slug)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(DRAFT)
    with _held_alone(draft) as descriptor:
        try:
            os.ftruncate(descriptor, 0)
            with os.fdopen(descriptor, "wb", closefd=False) as file:
                file.write(html.encode())
            os.fsync(descriptor)
            draft.replace(target)
        except OSError:
            with suppress(OSError):
                draft.unlink()
            raise
    _sync(target.parent)


@contextmanager
def _held_alone(path: Path) -> Iterator[int]:
    """The file at `path`, made if missing, open for writing and locked against other writers.

    One left behind by a killed writer is not locked, and is simply used again.
    """
    while True:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_at(descriptor, path):
                yield descriptor
                return
            # Whoever held it has meanwhile renamed it into place: it is no longer a draft.
        finally:
            os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

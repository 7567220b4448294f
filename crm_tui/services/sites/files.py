"""The files of the site folder: copies of what the store holds, whole or not there at all."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import stat
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import select

from crm_tui.db.engine import Database
from crm_tui.db.models import Site

# A disk syncs several files at once in hardly more time than one.
_WRITERS = 4
PAGE = "index.html"
DRAFT = ".index.html.draft"
_PUBLIC_FOLDER, _PUBLIC_FILE = 0o755, 0o644
_NO_FOLDER = (errno.ENOTDIR, errno.ELOOP)


def page_path(folder: Path, slug: str) -> Path:
    """Where the page of a site is kept."""
    return folder / slug / PAGE


def is_written(folder: Path, slug: str, html: str) -> bool:
    """Whether the file of a site is there and holds exactly this page."""
    return _read(folder, slug) == html.encode()


def read_page(folder: Path, slug: str) -> str | None:
    """The page of a site, where its file is there and is text."""
    held = _read(folder, slug)
    try:
        return None if held is None else held.decode()
    except UnicodeDecodeError:
        return None


def _read(folder: Path, slug: str) -> bytes | None:
    into = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK  # a named pipe would hold the thread
    try:
        with _site(folder, slug) as site, os.fdopen(os.open(PAGE, into, dir_fd=site), "rb") as file:
            return file.read()
    except OSError:
        return None


def is_there(folder: Path, slug: str) -> bool:
    """Whether a site has a file, whatever it holds."""
    try:
        with _site(folder, slug) as site:
            return stat.S_ISREG(os.stat(PAGE, dir_fd=site, follow_symlinks=False).st_mode)
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
    return with_each(folder, pages, lambda slug: write_page(folder, slug, pages[slug]))


def with_each(folder: Path, slugs: Collection[str], do: Callable[[str], object]) -> dict[str, str]:
    """Do something to the files of several sites at once; returns the reasons, by slug, it failed.

    Blocks on the disk: call it in a thread.
    """
    if not slugs:
        return {}

    def tried(slug: str) -> str:
        try:
            do(slug)
        except OSError as error:
            return error.strerror or str(error)
        return ""

    with ThreadPoolExecutor(_WRITERS, thread_name_prefix="site files") as writers:
        problems = dict(zip(slugs, writers.map(tried, slugs), strict=True))
    with suppress(OSError):  # where there is no folder, each page has said so
        _sync(folder)
    return {slug: problem for slug, problem in problems.items() if problem}


def write_page(folder: Path, slug: str, html: str) -> None:
    """Put a page in its place; the folder is made where there is none.

    Raises:
        OSError: it could not be written; what was in its place is untouched.
    """
    folder.mkdir(parents=True, exist_ok=True)
    place_page(folder, slug, html)


def place_page(folder: Path, slug: str, html: str, *, public: bool = False) -> None:
    """Put a page into a folder that is there: whole under another name, on the disk, then renamed.

    No link within the folder is followed. Whoever runs a web server may read a public page,
    whatever the umask says.

    Raises:
        OSError: it could not be written; what was in its place is untouched.
    """
    with _site(folder, slug, make=True) as site:
        with _held_alone(DRAFT, site) as descriptor:
            try:
                os.ftruncate(descriptor, 0)
                if public:
                    with suppress(PermissionError):  # somebody else made them, as he wants them
                        os.fchmod(descriptor, _PUBLIC_FILE)
                        os.fchmod(site, _PUBLIC_FOLDER)
                with os.fdopen(descriptor, "wb", closefd=False) as file:
                    file.write(html.encode())
                os.fsync(descriptor)
                os.replace(DRAFT, PAGE, src_dir_fd=site, dst_dir_fd=site)
            except OSError:
                with suppress(OSError):
                    os.unlink(DRAFT, dir_fd=site)
                raise
        os.fsync(site)


def take_page(folder: Path, slug: str) -> bool:
    """Take a page out of a folder, and its own folder where nothing else is in it.

    No link within the folder is followed. Returns whether there was a page.

    Raises:
        OSError: it could not be taken away.
    """
    try:
        with _site(folder, slug) as site:
            was_there = _unlinked(PAGE, site)
            _unlinked(DRAFT, site)
            os.fsync(site)
    except FileNotFoundError:
        return False
    with suppress(OSError):  # the operator keeps something of his own in it
        (folder / slug).rmdir()
    return was_there


def _unlinked(name: str, site: int) -> bool:
    try:
        os.unlink(name, dir_fd=site)
    except FileNotFoundError:
        return False
    return True


@contextmanager
def _site(folder: Path, slug: str, *, make: bool = False) -> Iterator[int]:
    """The open folder of a site; it is no link, wherever the folder of all sites may lead."""
    root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if make:
            with suppress(FileExistsError):
                os.mkdir(slug, dir_fd=root)
        site = os.open(slug, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=root)
    except OSError as error:
        if error.errno in _NO_FOLDER:
            raise OSError("a link or a file stands in its place") from None
        raise
    finally:
        os.close(root)
    try:
        yield site
    finally:
        os.close(site)


@contextmanager
def _held_alone(name: str, site: int) -> Iterator[int]:
    """A file of a site, made if missing, open for writing and locked against other writers.

    One left behind by a killed writer is not locked, and is simply used again.
    """
    while True:
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o644, dir_fd=site)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_at(descriptor, name, site):
                yield descriptor
                return
            # Whoever held it has meanwhile renamed it into place: it is no longer a draft.
        finally:
            os.close(descriptor)


def _is_at(descriptor: int, name: str, site: int) -> bool:
    try:
        there = os.stat(name, dir_fd=site, follow_symlinks=False)
        return os.path.samestat(os.fstat(descriptor), there)
    except FileNotFoundError:
        return False


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

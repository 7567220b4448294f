"""Publishing into a folder of this machine, which a web server or the operator's command serves.

A page is <path>/<slug>/index.html and its address <base_url>/<slug>/: every static host answers
that, without rules of its own.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from crm_tui.db.engine import beside
from crm_tui.errors import BadInput
from crm_tui.services.publishing.command import run_command
from crm_tui.services.sites.files import (
    is_there,
    is_written,
    place_page,
    read_page,
    take_page,
    with_each,
)
from crm_tui.services.sites.slugs import is_safe
from crm_tui.text import visible


class FolderPublisher:
    """A folder, the address it has on the web, and a program that is run after a batch.

    Links within the folder are not followed; the folder itself may be one.

    Args:
        path: The folder; it must be there, so that a disk that is not mounted is noticed.
        base_url: Its address, without a slash at its end.
        command: A program and its arguments, run in the folder, without a shell; none is fine.
        timeout: Seconds that program may take.
    """

    def __init__(
        self, path: str, base_url: str, *, command: Sequence[str] = (), timeout: float = 300
    ) -> None:
        self._folder = Path(path).expanduser()
        self._base_url = base_url
        self._command = command
        self._timeout = timeout

    def url(self, slug: str) -> str:
        """The address of a page."""
        return f"{self._base_url}/{slug}/"

    async def check(self, *, store: Path | None = None, first: bool = False) -> None:
        """See that the folder is there and can be written; make it before the `first` page.

        Raises:
            BadInput: it is not, or the public would read the store in it.
        """
        await asyncio.to_thread(self._check, store, first)

    def _check(self, store: Path | None, first: bool) -> None:  # noqa: FBT001 - by position
        shown = visible(str(self._folder), 200)
        if not self._folder.is_absolute() or "\0" in str(self._folder):
            raise BadInput(
                f"path in [publishing] must be a whole path such as /srv/previews, not {shown}."
            )
        if store is not None and self._is_with(store):
            raise BadInput(
                f"The folder {shown} of [publishing] is where your own data is kept, which the "
                "public must not read. Name a folder of its own."
            )
        if self._folder.exists() and not self._folder.is_dir():
            raise BadInput(f"{shown} of [publishing] is a file. Name a folder.")
        if first:
            with suppress(OSError):  # said below
                self._folder.mkdir(parents=True, exist_ok=True)
        if not self._folder.is_dir():
            raise BadInput(
                f"The folder {shown} of [publishing] is not there. Make it, or mount its disk."
            )
        if not os.access(self._folder, os.W_OK | os.X_OK):
            raise BadInput(f"The folder {shown} of [publishing] cannot be written by you.")

    def _is_with(self, store: Path) -> bool:
        """Whether the store lies in the folder, or the folder in that of the previews."""
        folder, data, previews = (
            Path(os.path.realpath(each)) for each in (self._folder, store, beside(store, "sites"))
        )
        return data.is_relative_to(folder) or folder.is_relative_to(previews)

    async def holds(self, pages: Mapping[str, str | None]) -> set[str]:
        """Which of these pages are there exactly so."""

        def look() -> set[str]:
            return {slug for slug, html in pages.items() if self._has(slug, html)}

        return await asyncio.to_thread(look)

    def _has(self, slug: str, html: str | None) -> bool:
        if html is None:
            return is_there(self._folder, slug)
        return is_written(self._folder, slug, html)

    async def read(self, slugs: Collection[str]) -> dict[str, str]:
        """The pages of these that are there and can be read."""

        def read() -> dict[str, str]:
            found = {slug: read_page(self._folder, slug) for slug in slugs if is_safe(slug)}
            return {slug: html for slug, html in found.items() if html is not None}

        return await asyncio.to_thread(read)

    async def put(self, pages: Mapping[str, str]) -> dict[str, str]:
        """Write pages, each whole or not at all."""

        def put(slug: str) -> None:
            place_page(self._folder, _checked(slug), pages[slug], public=True)

        problems = await asyncio.to_thread(with_each, self._folder, pages.keys(), put)
        return {slug: self._words(slug, reason) for slug, reason in problems.items()}

    async def remove(self, slugs: Collection[str]) -> dict[str, str]:
        """Delete pages; what else stands in their folders stays."""

        def remove(slug: str) -> None:
            take_page(self._folder, _checked(slug))

        problems = await asyncio.to_thread(with_each, self._folder, slugs, remove)
        return {slug: self._words(slug, reason) for slug, reason in problems.items()}

    async def finish(self, *, cancelled: Callable[[], bool]) -> None:
        """Run the operator's command, if there is one.

        Raises:
            Unfinished: it failed, took too long, or was stopped.
        """
        if self._command:
            await run_command(
                self._command, folder=self._folder, seconds=self._timeout, cancelled=cancelled
            )

    def _words(self, slug: str, reason: str) -> str:
        return visible(f"{self._folder / slug}: {reason}", 300)


def _checked(slug: str) -> str:
    if not is_safe(slug):
        raise OSError("its name cannot be that of a page")
    return slug
